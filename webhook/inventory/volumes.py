"""The node terms of the volumes of disks, read once for each PVC when it is bound."""

import random
import threading
import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

import msgspec
import structlog

from webhook.forklift.plan import NAME_PATTERN
from webhook.inventory.pvc_index import Changed, PvcIndex
from webhook.kube.api.client import Client
from webhook.kube.api.errors import ApiError
from webhook.kube.storage import VOLUMES_PATH, VolumeObject
from webhook.model import PlanRef, Pvc, PvcRef

log = structlog.get_logger()


class VolumeTiming(NamedTuple):
    """The rate of reading, and the backoff."""

    interval_seconds: float = 0.05
    """Between two requests. After a restart with 10,000 bound PVCs it takes eight minutes to read
    their volumes, those of the migrations that run now first."""
    initial_backoff_seconds: float = 1.0
    """After a failure, and for a PVC whose plan is not known; doubled each time."""
    max_backoff_seconds: float = 60.0


_decode = msgspec.json.Decoder(VolumeObject).decode


class VolumeReader:
    """Reads the PersistentVolume of each bound PVC into the index, in a thread, outside reviews.

    There is one request at a time and at most one in `interval_seconds`, for the PVC that was added
    last. A volume is not read before `knows_plan` knows the plan of its disk: migrated PVCs keep
    their labels for the life of the VM, often longer than their Plan exists. Those are tried again,
    as is a request that failed, and reading pauses after a failure, longer each time. A volume that
    does not exist is not tried again.
    """

    def __init__(
        self,
        client: Client,
        index: PvcIndex,
        knows_plan: Callable[[PlanRef], bool],
        on_change: Callable[[Changed], None],
        timing: VolumeTiming | None = None,
    ) -> None:
        self._client = client
        self._index = index
        self._knows_plan = knows_plan
        self._on_change = on_change
        self._timing = timing or VolumeTiming()
        self._lock = threading.Lock()
        self._pending: dict[str, bool] = {}
        """UIDs of PVCs, the next one last, and if they were postponed before."""
        self._postponed: dict[str, None] = {}
        self._retry_at = 0.0
        self._retries = 0
        self._failures = 0
        self._message = ""
        self._wakeup = threading.Event()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="read volumes", daemon=True)

    @property
    def message(self) -> str:
        """The error of the last request; empty if it succeeded."""
        return self._message

    def add(self, uids: Iterable[str]) -> None:
        """Read the volumes of these PVCs next, the last one first."""
        with self._lock:
            for uid in uids:
                self._pending.pop(uid, None)
                if uid not in self._postponed:
                    self._pending[uid] = False
        self._wakeup.set()

    def start(self) -> None:
        """Start the thread. Call it once."""
        self._thread.start()

    def stop(self) -> None:
        """Stop without waiting for the end of the thread."""
        self._stopped.set()
        self._wakeup.set()

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._wakeup.clear()
            try:
                seconds = self._read_next()
            except Exception as error:
                log.exception("reading volumes failed: internal error")
                seconds = self._fail(str(error))
            if seconds is None:
                self._wakeup.wait(self._seconds_to_next())
            else:
                self._stopped.wait(seconds)

    def _read_next(self) -> float | None:
        """Read one volume; return the time to wait before the next one, None if there is none."""
        with self._lock:
            self._resume_postponed()
            if not self._pending:
                self._pending = {}  # a dictionary does not shrink
                return None
            uid, postponed_before = self._pending.popitem()
        pvc = self._index.find_unread_volume(uid)
        if pvc is None or not NAME_PATTERN.fullmatch(pvc.volume):
            return 0
        if not self._is_of_known_plan(pvc):
            self._postpone(uid, again=postponed_before)
            return 0
        try:
            body = self._client.get(f"{VOLUMES_PATH}/{pvc.volume}")
            self._on_change(self._index.set_node_terms(pvc, _decode(body).node_terms))
        except (ApiError, msgspec.MsgspecError) as error:
            if not (isinstance(error, ApiError) and error.status == 404):
                self._postpone(uid, again=postponed_before)
                return self._fail(str(error))
        self._succeed()
        return self._timing.interval_seconds

    def _is_of_known_plan(self, pvc: Pvc) -> bool:
        disk = self._index.find_disk(PvcRef(pvc.namespace, pvc.name, pvc.uid))
        return bool(disk and disk.pvc.ref and self._knows_plan(disk.pvc.ref))

    def _postpone(self, uid: str, *, again: bool) -> None:
        with self._lock:
            if not again:
                self._retries = 0
            if not (again and self._postponed):
                self._retry_at = time.monotonic() + self._backoff(self._retries)
            self._postponed[uid] = None

    def _resume_postponed(self) -> None:
        if self._postponed and self._retry_at <= time.monotonic():
            self._pending = dict.fromkeys(reversed(self._postponed), True) | self._pending
            self._postponed.clear()
            self._retries += 1

    def _seconds_to_next(self) -> float | None:
        with self._lock:
            return max(0.0, self._retry_at - time.monotonic()) if self._postponed else None

    def _fail(self, message: str) -> float:
        """Record a failure; return the time to wait before the next request."""
        seconds = self._backoff(self._failures)
        self._failures += 1
        if not self._message:
            log.warning("volumes cannot be read", error=message)
        self._message = f"volumes cannot be read: {message}"
        return seconds

    def _succeed(self) -> None:
        if self._message:
            log.info("volumes can be read again")
        self._message, self._failures = "", 0

    def _backoff(self, tries: int) -> float:
        seconds: float = self._timing.initial_backoff_seconds * 2 ** min(tries, 16)
        jitter = random.uniform(0.5, 1)  # noqa: S311 - not used for security
        return min(seconds, self._timing.max_backoff_seconds) * jitter
