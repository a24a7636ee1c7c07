"""Plans of the benchmarks, small and large."""

import json
from collections.abc import Iterator

from webhook.kube.objects import Json

_VM: Json = {"id": "vm-1630", "name": "server-1630.example.org", "hooks": []}


def plan(number: int) -> Json:
    """Return a Plan whose settings differ from those of the others."""
    name = f"migration-{number:05}"
    prefix = "convertor.forklift.konveyor.io"
    return {
        "apiVersion": "forklift.konveyor.io/v1beta1",
        "kind": "Plan",
        "metadata": {
            "name": name,
            "namespace": f"team-{number % 100}",
            "uid": f"00000000-0000-4000-8000-{number:012}",
            "generation": 1,
            "annotations": {
                f"{prefix}/labels": f"migration-id=m-{number},batch=1",
                f"{prefix}/node-selector": "disk=nvme,storage-tier=fast",
                f"{prefix}/affinity": (
                    f"REQUIRE pods(app=ceph-osd) on node; PREFER pods(app=proxy-{number}) on zone; "
                    "REQUIRE nodes(migration-worker=true)"
                ),
                f"{prefix}/tolerations": "dedicated=migration:NoSchedule",
            },
        },
        "spec": {"targetNamespace": "target"},
    }


def large_plans(count: int, kilobytes: int) -> Iterator[Json]:
    """Yield Plans whose VMs and status have that size; all share the same list of VMs."""
    vms = [_VM] * (kilobytes * 500 // (len(json.dumps(_VM)) + 2))
    for number in range(count):
        each = plan(number)
        yield each | {"spec": each["spec"] | {"vms": vms}, "status": vms}
