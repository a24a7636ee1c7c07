"""A reflector, as in client-go: it lists and watches a collection, and keeps a store up to date.

The informer of the official Python client keeps whole objects, does not page, does not back off
and cannot report whether it has synced.
"""

import random
import threading
import time
from collections.abc import Iterable, Iterator
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import msgspec
import structlog

from webhook.kube.api.client import WatchStream
from webhook.kube.api.collection import ApiObject, ListWatch
from webhook.kube.api.errors import ApiError
from webhook.kube.messages import describe_internal_error

log = structlog.get_logger(__name__)

RESOURCE_VERSION_LIFETIME_SECONDS = 60.0
"""An older resourceVersion may expire (410) in normal operation. When one expires sooner, again and
again, the backoff continues."""

STOP_TIMEOUT_SECONDS = 0.5

T = TypeVar("T", bound=ApiObject)
T_contra = TypeVar("T_contra", bound=ApiObject, contravariant=True)


class Store(Protocol[T_contra]):
    """Receives the objects, in the reflector's thread only."""

    def replace(self, items: Iterable[T_contra]) -> None:
        """Replace all objects; `items` is read page by page and may raise before its end."""

    def update(self, item: T_contra) -> None:
        """Add or update an object."""

    def delete(self, item: T_contra) -> None:
        """Delete an object."""


class ReflectorTiming(NamedTuple):
    """Timeouts and backoff of a reflector."""

    initial_backoff_seconds: float = 0.5
    """Doubled after each failure. A watch that ends sooner counts as a failure."""
    max_backoff_seconds: float = 10.0
    idle_timeout_seconds: float = 75.0
    """An idle watch is restarted after this. API servers send a bookmark about once a minute."""
    watch_timeout_seconds: float = 300.0
    """The API server ends a watch after this; the next one is authorized again."""


class ReflectorStatus(NamedTuple):
    """The state of a reflector's store."""

    synced: bool
    age_seconds: float
    """Time since the API server last confirmed the store's content; infinite before the first."""
    restarts: int
    """Number of failed lists and watches."""
    message: str
    """The current error, or empty."""


def stop_all(reflectors: Iterable["Reflector[Any]"]) -> None:
    """Stop reflectors promptly, in the time that one of them takes; see `Reflector.stop`."""
    reflectors = list(reflectors)
    for each in reflectors:
        each.begin_stop()
    deadline = time.monotonic() + STOP_TIMEOUT_SECONDS
    for each in reflectors:
        each.join(max(0, deadline - time.monotonic()))


def combine(statuses: Iterable[ReflectorStatus]) -> ReflectorStatus:
    """Return the state of a store that several reflectors fill: the worst of theirs."""
    synced, ages, restarts, messages = zip(*statuses, strict=True)
    return ReflectorStatus(all(synced), max(ages), sum(restarts), next(filter(None, messages), ""))


class _InterruptedError(Exception):
    """A list or watch was interrupted by `stop` or `relist`."""


class Reflector(Generic[T]):
    """Keeps a store equal to a collection, in its own thread.

    After a failure the store stays as it is, and the reflector retries with exponential backoff.
    A watch resumes from the last resourceVersion; if that has expired, everything is listed again.
    """

    def __init__(
        self, list_watch: ListWatch[T], store: Store[T], timing: ReflectorTiming | None = None
    ) -> None:
        self._list_watch = list_watch
        self._store = store
        self._timing = timing or ReflectorTiming()
        self._resource_version = ""
        self._confirmed_at = self._listed_at = float("-inf")
        self._synced = False
        self._failures = 0
        self._restarts = 0
        self._message = ""
        self._stream: WatchStream | None = None
        self._stopping = False
        self._relisting = False
        self._wakeup = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def last_sync_resource_version(self) -> str:
        """The resourceVersion of the last change in the store, or empty before the first list."""
        return self._resource_version

    @property
    def synced(self) -> bool:
        """True once all objects have been listed, or if the API server does not serve them."""
        return self._synced

    @property
    def message(self) -> str:
        """The current error, or empty."""
        return self._message

    def status(self) -> ReflectorStatus:
        """Return the current state."""
        age = time.monotonic() - self._confirmed_at
        return ReflectorStatus(self._synced, age, self._restarts, self._message)

    def start(self) -> None:
        """Start the thread. Call it once."""
        name = f"watch {self._list_watch.path}"
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop promptly. The thread of a request that hangs is abandoned, its result discarded."""
        stop_all([self])

    def begin_stop(self) -> None:
        """Stop without waiting for the end of the thread."""
        self._stopping = True
        self._interrupt()

    def join(self, seconds: float) -> None:
        """Wait for the end of the thread, for at most this time."""
        if self._thread:
            self._thread.join(seconds)

    def relist(self) -> None:
        """List everything again at once, because the store now needs other fields of objects."""
        self._relisting = True
        self._interrupt()

    def _interrupt(self) -> None:
        self._wakeup.set()
        if stream := self._stream:  # the thread sets it before it checks for interruption
            stream.interrupt()

    def _is_interrupted(self) -> bool:
        return self._stopping or self._relisting

    def _run(self) -> None:
        while not self._stopping:
            self._wakeup.clear()
            if self._relisting:
                self._relisting, self._resource_version = False, ""
            try:
                if not self._resource_version:
                    self._list()
                self._watch()
            except _InterruptedError:
                continue
            except ApiError as error:
                self._handle_api_error(error)
            except msgspec.MsgspecError as error:
                server = self._list_watch.client.server
                self._back_off(f"{server} sent an invalid response: {error}")
            except Exception as error:
                log.exception("watch failed: internal error", path=self._list_watch.path)
                self._back_off(describe_internal_error(error))

    def _handle_api_error(self, error: ApiError) -> None:
        # The resourceVersion stays valid while the server is away, overloaded or denies access.
        # Other errors may be due to it, 410 is, so that retrying with it might never end.
        resume = error.status in (0, 401, 403, 429) or error.status >= 500
        if error.status == 404:  # the resource is not served, so there are no objects
            self._synced = True
        expires_at = self._listed_at + RESOURCE_VERSION_LIFETIME_SECONDS
        if error.status == 410 and expires_at < time.monotonic():
            self._failures = 0  # it expired during an outage, which is now over
        self._back_off(str(error), resume=resume, retry_after=error.retry_after)

    def _list(self) -> None:
        self._store.replace(self._list_items())
        self._synced, self._listed_at = True, time.monotonic()
        self._set_message("")

    def _list_items(self) -> Iterator[T]:
        for page in self._list_watch.list_pages():
            for item in page.items or ():
                if self._is_interrupted():
                    raise _InterruptedError
                yield item
            resource_version = page.metadata.resource_version
        self._resource_version, self._confirmed_at = resource_version, time.monotonic()

    def _watch(self) -> None:
        timing = self._timing
        stream = self._list_watch.watch(
            self._resource_version,
            timeout_seconds=round(timing.watch_timeout_seconds * _jitter()) or 1,
            idle_timeout_seconds=timing.idle_timeout_seconds,
        )
        with stream:
            self._stream = stream
            self._confirmed_at = started_at = time.monotonic()
            self._set_message("")
            try:
                self._handle_events(stream)
            finally:
                seconds = time.monotonic() - started_at
                if seconds >= timing.initial_backoff_seconds:
                    self._failures = 0
        if seconds < timing.initial_backoff_seconds:
            raise ApiError(f"{self._list_watch.client.server} ends every watch at once")

    def _handle_events(self, stream: WatchStream) -> None:
        if self._is_interrupted():
            raise _InterruptedError
        for event in self._list_watch.events(stream):
            if self._is_interrupted():
                raise _InterruptedError
            if event.item is None:
                pass
            elif event.deleted:
                self._store.delete(event.item)
            else:
                self._store.update(event.item)
            self._resource_version = event.resource_version
            self._confirmed_at = time.monotonic()

    def _back_off(self, message: str, *, resume: bool = False, retry_after: float = 0) -> None:
        """Record a failure and wait before the next try, which lists again unless `resume`."""
        if self._is_interrupted():  # the interruption caused the failure
            return
        if not resume:
            self._resource_version = ""
        delay = self._timing.initial_backoff_seconds * 2 ** min(self._failures, 16)
        delay = min(delay, self._timing.max_backoff_seconds)
        self._failures += 1
        self._restarts += 1
        self._set_message(message)
        self._wakeup.wait(retry_after or delay * _jitter())

    def _set_message(self, message: str) -> None:
        if message and message != self._message:
            log.warning("watch failed", path=self._list_watch.path, error=message)
        elif self._message and not message:
            log.info("watch recovered", path=self._list_watch.path)
        self._message = message


def _jitter() -> float:
    """Return a random factor, so that replicas do not retry at the same moment."""
    return random.uniform(0.5, 1)  # noqa: S311 - not used for security
