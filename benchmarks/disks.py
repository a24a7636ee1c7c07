"""Memory of many disks."""

import gc
import os
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from benchmarks import processes
from webhook.inventory.cluster_pvcs import ClusterPvcs
from webhook.inventory.volumes import VolumeTiming
from webhook.kube.api.client import connect

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
