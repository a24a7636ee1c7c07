"""Plans of a directory of YAML and JSON files, kept current by scanning it; needs no cluster."""

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
from webhook.inventory import NoPriorityClasses, PlansStatus, clock, plan_files, summarize
from webhook.inventory.changes import log_changes
from webhook.inventory.directory_pvcs import DirectoryPvcs
from webhook.inventory.index import Key, PlanIndex, key_of
from webhook.karl import minimums
from webhook.kube.messages import describe_internal_error, describe_os_error
from webhook.kube.objects import Json
from webhook.model import Installation, NodeValues, Plan, PlanRef, Pvc, Reason

log = structlog.get_logger(__name__)

SCAN_INTERVAL_SECONDS = 0.5
MTIME_RESOLUTION_SECONDS = 1.0
"""A file changed less than this ago may change again with the same size and timestamp."""

Signature = tuple[int, int, int, int]


class _File(NamedTuple):
    signature: Signature | None
    """None if the file is to be read again at the next scan."""
    contents: plan_files.Contents
    """Those of the last time that the file was valid."""
    error: str


class DirectoryPriorityClasses(NoPriorityClasses):
    """The PriorityClasses of the files, as `PriorityClasses`."""


class DirectoryPlans:
    """The Plans of all `.yaml`, `.yml` and `.json` files under `path`, as `Plans`.

    The files are scanned twice a second and read if they have changed. That works on every file
    system and for a mounted ConfigMap, whose files are symlinks that are all replaced at once. A
    file that becomes invalid keeps its last valid contents. Hidden files are ignored. Nodes, PVCs,
    PersistentVolumes, StorageClasses and PriorityClasses in the files take the place of those of a
    cluster.
    """

    def __init__(self, path: Path, installation: Installation) -> None:
        self._path = path
        self._index = PlanIndex(installation, clock.now)
        self.pvcs = DirectoryPvcs(self.status)
        """The PVCs of the files."""
        self.priority_classes = DirectoryPriorityClasses()
        """The PriorityClasses of the files; none if no file has one."""
        self._files: dict[Path, _File] = {}
        self._node_values: NodeValues = {}
        self._errors: list[str] = []
        """The errors of the last scan, one line each."""
        self._readable = False
        self._confirmed = float("-inf")
        self._fetches = 0
        self._scanning = threading.Lock()
        self._stopped = threading.Event()

    def find(self, ref: PlanRef) -> Plan | Reason:
        """Return the plan as of the last scan, or the reason why there is none."""
        found = self._index.find(ref)
        if found is Reason.PLAN_NOT_FOUND and self._confirmed < 0:
            return Reason.PLANS_NOT_SYNCED
        return found

    async def fetch(self, ref: PlanRef, seconds: float) -> Plan | Reason:
        """Scan the files now, then find the plan."""
        self._fetches += 1
        scan = asyncio.get_running_loop().run_in_executor(None, self.scan)
        await asyncio.wait([scan], timeout=seconds)
        return self.find(ref)

    def status(self) -> PlansStatus:
        """Return the state of the plans, and the errors of the files."""
        return PlansStatus(
            synced=self._confirmed >= 0,
            age_seconds=time.monotonic() - self._confirmed,
            count=len(self._index),
            invalid=self._index.invalid,
            message=summarize(self._errors),
            fetches=self._fetches,
        )

    @property
    def node_values(self) -> NodeValues:
        """The label values of the Node objects in the files."""
        return self._node_values

    def start(self) -> None:
        """Read all files, then scan for changes in the background."""
        self.scan()
        threading.Thread(target=self._watch, name=f"plans in {self._path}", daemon=True).start()

    def stop(self) -> None:
        """Stop scanning; the known plans are kept."""
        self._stopped.set()

    def scan(self) -> None:
        """Read the files that have changed since the last scan."""
        with self._scanning:
            try:
                self._scan()
            except Exception as error:
                message = describe_internal_error(error)
                self._readable = False
                if message not in self._errors:  # the same error may come with each scan
                    log.exception("scan of the plans failed", directory=str(self._path))
                self._report([message])

    def _scan(self) -> None:
        try:
            paths = sorted(find_files(self._path))
        except OSError as error:
            self._report([f"'{error.filename}' cannot be read: {describe_os_error(error)}"])
            self._readable = False
            return
        files = {path: _read_if_changed(path, self._files.get(path)) for path in paths}
        if files != self._files or not self._readable:
            self._update_index(files)
            self._files = files  # only now: if the update failed, the next scan repeats it
            self._readable = True
        self._confirmed = time.monotonic()

    def _watch(self) -> None:
        while not self._stopped.wait(SCAN_INTERVAL_SECONDS):
            self.scan()

    def _update_index(self, files: dict[Path, _File]) -> None:
        errors = [f"{path}: {file.error}" for path, file in files.items() if file.error]
        plans: dict[Key, Json] = {}
        paths: dict[Key | str, Path] = {}
        """The file of each plan, by its key and by its UID."""
        for path, file in files.items():
            for plan in file.contents.plans:
                key = key_of(plan)
                identities: list[Key | str] = [key]
                if uid := plan["metadata"].get("uid"):
                    identities.append(uid)
                if other := next((paths[each] for each in identities if each in paths), None):
                    errors.append(
                        f"{path}: Plan {'/'.join(key)} is in '{other}' too, which is used"
                    )
                    continue
                plans[key] = plan
                paths |= dict.fromkeys(identities, path)
        log_changes(self._index.replace_all(plans.values()))
        errors += [
            f"{paths[key]}: Plan {'/'.join(key)} {why}" for key, why in self._index.unread.items()
        ]
        labels = (node for file in files.values() for node in file.contents.nodes)
        self._node_values = minimums.label_values(labels, self._index.node_keys)
        errors += self._update_pvcs(files)
        found = (each.contents.priority_classes for each in files.values())
        self.priority_classes.names = frozenset().union(*found) or None
        if not plans and not errors:
            errors.append(
                f"no Plan in '{self._path}': expected kind '{KIND}' of "
                f"'{API_VERSION}' in files named {', '.join('*' + s for s in plan_files.SUFFIXES)}"
            )
        self._report(errors)

    def _update_pvcs(self, files: dict[Path, _File]) -> list[str]:
        """Replace PVCs, volumes and classes; return an error for each PVC that is in two files."""
        errors = []
        pvcs: dict[str, Pvc] = {}
        paths: dict[str, Path] = {}
        volumes: dict[str, list[Json]] = {}
        classes: dict[str, bool] = {}
        for path, file in files.items():
            volumes |= file.contents.volumes
            classes |= file.contents.storage_classes
            for pvc in file.contents.pvcs:
                if other := paths.get(pvc.uid):
                    name = f"{pvc.namespace}/{pvc.name}"
                    errors.append(
                        f"{path}: PersistentVolumeClaim {name} is in '{other}' too, which is used"
                    )
                    continue
                pvcs[pvc.uid] = pvc
                paths[pvc.uid] = path
        self.pvcs.replace_all(pvcs.values(), volumes, classes)
        return errors

    def _report(self, errors: list[str]) -> None:
        """Log the errors that are new, and keep all for the status."""
        # The name of a file need not be UTF-8, which an encoder of JSON rejects.
        printable = [error.encode(errors="backslashreplace").decode() for error in errors]
        for error in printable:
            if error not in self._errors:
                log.warning("plans cannot be read", fault=error)
        self._errors = printable


def find_files(top: Path) -> Iterator[Path]:
    """Yield the YAML and JSON files under `top`; symlinks are followed, hidden files skipped.

    Raises:
        OSError: a directory cannot be read.

    """

    def fail(error: OSError) -> NoReturn:
        raise error

    seen = set()
    for folder, folders, names in os.walk(top, onerror=fail, followlinks=True):
        stat = os.stat(folder)  # noqa: PTH116 - a name of os.walk
        identity = (stat.st_dev, stat.st_ino)
        folders[:] = [] if identity in seen else [name for name in folders if name[0] != "."]
        if identity not in seen:
            yield from (Path(folder, name) for name in names if _has_suffix(name))
        seen.add(identity)


def _has_suffix(name: str) -> bool:
    return name.endswith(plan_files.SUFFIXES) and not name.startswith(".")


def _read_if_changed(path: Path, before: _File | None) -> _File:
    """Return the file's contents, or those of the last scan if it is unchanged or invalid."""
    last = before.contents if before else plan_files.Contents()
    try:
        stat = path.stat()
    except OSError as error:
        return _File(None, last, f"cannot be read: {describe_os_error(error)}")
    if not S_ISREG(stat.st_mode):  # reading a named pipe would block until something writes to it
        return _File(None, last, "expected a regular file")
    signature = (stat.st_mtime_ns, stat.st_size, stat.st_ino, stat.st_dev)
    if before and before.signature == signature:
        return before
    settled = abs(time.time() - stat.st_mtime) > MTIME_RESOLUTION_SECONDS
    try:
        contents, message = plan_files.read_file(path), ""
    except plan_files.FileError as error:
        contents, message = last, str(error)
    except Exception as error:
        log.exception("file cannot be read", file=str(path))
        contents, message = last, describe_internal_error(error)
    if not message and contents.others:
        log.debug("objects of other kinds", file=str(path), kinds=contents.others)
    return _File(signature if settled else None, contents, message)
