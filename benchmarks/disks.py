"""Memory and lookup time of many disks."""

import gc
import os
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import msgspec

from benchmarks import disk_objects, processes
from benchmarks.plans import time_lookups
from webhook.forklift.pvc import PvcObject
from webhook.inventory.cluster_pvcs import ClusterPvcs
from webhook.inventory.pvc_index import PvcIndex
from webhook.inventory.volumes import VolumeTiming
from webhook.kube.api.client import connect
from webhook.model import Pvc, PvcRef

TIMEOUT_SECONDS = 300.0


def memory(disks: int, directory: Path) -> int:
    """Return the private bytes of a process that watches so many disks and has read their volumes.

    The process has nothing else of the webhook, and reads the volumes without a pause.
    """
    with (
        processes.api_server(0, 1, directory, bound_disks=disks) as api,
        ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process,
    ):
        return process.submit(_watch, api.kubeconfig, disks).result()


def lookups(counts: Sequence[int], rounds: int) -> dict[int, list[float]]:
    """Return the seconds of a lookup of a disk with its sibling among this many, for each round.

    The lookups are of as many disks as the smallest count, as in `benchmarks.plans.lookups`.
    """
    find = {count: _index(count).find_disk for count in counts}
    return time_lookups(find, _ref, rounds)


def _index(count: int) -> PvcIndex:
    index = PvcIndex(lambda _: 0.0)
    for number in range(count):
        index.put(_read(number))
    return index


def _read(number: int) -> Pvc:
    return msgspec.convert(disk_objects.disk(number), PvcObject).to_pvc()


def _ref(number: int) -> PvcRef:
    pvc = _read(number)
    return PvcRef(pvc.namespace, pvc.name, pvc.uid)


def _watch(kubeconfig: Path, disks: int) -> int:
    timing = VolumeTiming(interval_seconds=0)
    watched = ClusterPvcs(connect(kubeconfig), lambda _: True, volume_timing=timing)
    watched.start()
    until = time.monotonic() + TIMEOUT_SECONDS
    while not watched.status().synced or _count_placed(watched) != disks:
        if time.monotonic() > until:
            raise RuntimeError(f"not read: {watched.status()}")
        time.sleep(0.5)
    gc.collect()
    return processes.private_bytes(os.getpid())


def _count_placed(watched: ClusterPvcs) -> int:
    disks = (disk for vm in watched.list_vms() for disk in watched.list_disks(vm))
    return sum(disk.node_terms is not None for disk in disks)
