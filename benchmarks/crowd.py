"""Creates many large Plans in a real API server."""

import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from benchmarks.plan_objects import plan
from benchmarks.plans import KILOBYTES
from tests.support.paths import DATA
from tests.system.controlplane.api import Api, Json

NAMESPACES = 100
WRITERS = 4

VM = {
    "id": "vm-1630",
    "name": "server-1630.example.org",
    "targetName": "server-1630",
    "rootDisk": "/dev/sda",
    "instanceType": "u1.medium",
    "hooks": [],
}


def furnish(api: Api) -> None:
    """Create the namespaces of all plans."""
    for number in range(NAMESPACES):
        metadata = {"name": plan(number)["metadata"]["namespace"]}
        api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})


def create(api: Api, numbers: Iterable[int]) -> None:
    """Create the plans with these numbers, several at a time."""
    with ThreadPoolExecutor(WRITERS) as writers:
        for _ in writers.map(lambda number: api.create(large(number)), numbers):
            pass


def large(number: int, target: str = "target") -> Json:
    """Return a Plan with so many VMs that it has KILOBYTES."""
    body: Json = json.loads((DATA / "plan-v2.12.json").read_text(encoding="utf-8"))
    made = plan(number)["metadata"]
    body["metadata"] = {key: made[key] for key in ("name", "namespace", "annotations")}
    rest = KILOBYTES * 1000 - _size(body)
    body["spec"] |= {"targetNamespace": target, "vms": [VM] * (rest // (_size(VM) + 1))}
    return body


def _size(body: Json) -> int:
    """Return the bytes that the API server stores."""
    return len(json.dumps(body, separators=(",", ":")))
