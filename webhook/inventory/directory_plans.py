"""Plans in a directory of YAML and JSON files, watched; needs no cluster."""

import asyncio
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from stat import S_ISREG
from typing import NamedTuple, NoReturn

import structlog

from webhook.forklift.plan import API_VERSION, KIND
from webhook.inventory import PlansStatus, in_short, our_fault, plan_files
from webhook.inventory.index import Key, PlanIndex, key_of
from webhook.karl import minimums
from webhook.kube.messages import describe_os_error
from webhook.kube.objects import Json
from webhook.model import (
    Installation,
    NodeValues,
    Plan,
    PlanRef,
    Reason,
)

log = structlog.get_logger(__name__)

SCAN_SECONDS = 0.5
SETTLED_SECONDS = 1.0
"""A file changed this short a time ago may change again with the same size and time stamp."""

Signature = tuple[int, int, int, int]


class _File(NamedTuple):
    signature: Signature | None
    contents: plan_files.Contents
    """As they were when the file was last sound."""
    fault: str


class DirectoryPlans:
    """The plans of all `.yaml`, `.yml` and `.json` files under `path`, as `Plans`.

    Files are looked at twice a second and read when they have changed: that works the same on
    every file system and for a mounted ConfigMap, whose files are links that are swapped all at
    once. A file that cannot be read keeps what it said last. Names that begin with a dot are
    passed over. Node objects among the files stand for the nodes of a cluster.
    """

    def __init__(self, path: Path, installation: Installation) -> None:
        self._path = path
        self._index = PlanIndex(installation)
        self._files: dict[Path, _File] = {}
        self._node_values: NodeValues = {}
        self._faults: list[str] = []
        """What is wrong with the files, one line each."""
        self._readable = False
        self._confirmed = float("-inf")
        self._fetches = 0
        self._scanning = threading.Lock()
        self._stopped = threading.Event()

    def find(self, ref: PlanRef) -> Plan | Reason:
        """Return the plan as the last scan saw it, or why there is none."""
        found = self._index.find(ref)
        if found is Reason.PLAN_NOT_FOUND and self._confirmed < 0:
            return Reason.PLANS_NOT_SYNCED
        return found

    async def fetch(self, ref: PlanRef, seconds: float) -> Plan | Reason:
        """Look at the files now."""
        self._fetches += 1
        scan = asyncio.get_running_loop().run_in_executor(None, self.scan)
        await asyncio.wait([scan], timeout=seconds)
        return self.find(ref)

    def status(self) -> PlansStatus:
        """Return what is known and which files are wrong."""
        return PlansStatus(
            synced=self._confirmed >= 0,
            age_seconds=time.monotonic() - self._confirmed,
            count=len(self._index),
            invalid=self._index.invalid,
            message=in_short(self._faults),
            fetches=self._fetches,
        )

    @property
    def node_values(self) -> NodeValues:
        """The label values of the Node objects among the files."""
        return self._node_values

    def start(self) -> None:
        """Read all files, then watch them."""
        self.scan()
        threading.Thread(target=self._watch, name=f"plans in {self._path}", daemon=True).start()

    def stop(self) -> None:
        """End the watch."""
        self._stopped.set()

    def scan(self) -> None:
        """Look at all files now, and read those that have changed."""
        with self._scanning:
            try:
                self._scan()
            except Exception as error:
                fault = our_fault(error)
                self._readable = False
                if fault not in self._faults:  # it is tried again twice a second
                    log.exception("scan of the plans failed", directory=str(self._path))
                self._say([fault])

    def _scan(self) -> None:
        try:
            paths = sorted(walk(self._path))
        except OSError as error:
            self._say([f"'{error.filename}' cannot be read: {describe_os_error(error)}"])
            self._readable = False
            return
        found = {path: _look(path, self._files.get(path)) for path in paths}
        if found != self._files or not self._readable:
            self._take(found)
            self._files = found  # not before: what was not taken in is to be tried again
            self._readable = True
        self._confirmed = time.monotonic()

    def _watch(self) -> None:
        while not self._stopped.wait(SCAN_SECONDS):
            self.scan()

    def _take(self, found: dict[Path, _File]) -> None:
        """Make of what the files say what reviews look up."""
        faults = [f"{path}: {file.fault}" for path, file in found.items() if file.fault]
        plans: dict[Key, Json] = {}
        places: dict[Key | str, Path] = {}
        for path, plan in _plans(found):
            key = key_of(plan)
            same: list[Key | str] = [key]
            if uid := plan["metadata"].get("uid"):
                same.append(uid)
            if other := next((places[name] for name in same if name in places), None):
                faults.append(f"{path}: Plan {key[0]}/{key[1]} is in '{other}' too, which is used")
                continue
            plans[key] = plan
            places |= dict.fromkeys(same, path)
        self._index.replace_all(plans.values())
        faults += [
            f"{places[key]}: Plan {'/'.join(key)} {why}" for key, why in self._index.unread.items()
        ]
        labels = (node for file in found.values() for node in file.contents.nodes)
        self._node_values = minimums.label_values(labels, self._index.node_keys)
        if not plans and not faults:
            faults.append(
                f"no Plan in '{self._path}': expected kind '{KIND}' of "
                f"'{API_VERSION}' in files named {', '.join('*' + s for s in plan_files.SUFFIXES)}"
            )
        self._say(faults)

    def _say(self, faults: list[str]) -> None:
        for fault in faults:
            if fault not in self._faults:
                log.warning("plans cannot be read", fault=fault)
        self._faults = faults


def _plans(found: dict[Path, _File]) -> Iterator[tuple[Path, Json]]:
    for path, file in found.items():
        for plan in file.contents.plans:
            yield path, plan


def walk(top: Path) -> Iterator[Path]:
    """Return the files under `top`, through links, without the hidden ones."""

    def fail(error: OSError) -> NoReturn:
        raise error

    seen = set()
    for folder, folders, names in os.walk(top, onerror=fail, followlinks=True):
        real = os.path.realpath(folder)
        folders[:] = [] if real in seen else [name for name in folders if name[0] != "."]
        if real not in seen:
            yield from (Path(folder, name) for name in names if _is_ours(name))
        seen.add(real)


def _is_ours(name: str) -> bool:
    return name.endswith(plan_files.SUFFIXES) and not name.startswith(".")


def _look(path: Path, before: _File | None) -> _File:
    """Return what the file says now; when it is broken, what it said last."""
    last = before.contents if before else plan_files.Contents()
    try:
        stat = path.stat()
    except OSError as error:
        return _File(None, last, f"cannot be read: {describe_os_error(error)}")
    if not S_ISREG(stat.st_mode):  # to read from a named pipe would wait for its writer for ever
        return _File(None, last, "is no regular file")
    signature = (stat.st_mtime_ns, stat.st_size, stat.st_ino, stat.st_dev)
    if before and before.signature == signature:
        return before
    settled = abs(time.time() - stat.st_mtime) > SETTLED_SECONDS
    try:
        contents = plan_files.read(path)
    except plan_files.FileError as error:
        return _File(signature if settled else None, last, str(error))
    except Exception as error:
        log.exception("file cannot be read", file=str(path))
        return _File(signature if settled else None, last, our_fault(error))
    if contents.others:
        log.debug("objects that are neither Plans nor Nodes", file=str(path), kinds=contents.others)
    return _File(signature if settled else None, contents, "")
