"""PVCs, volumes and importers of the benchmarks, as Forklift and CDI create them."""

import json
from collections.abc import Iterator
from functools import cache

from benchmarks.plan_objects import plan
from tests.support import pvcs
from tests.support.builders import admission_review
from tests.support.paths import DATA
from webhook.kube.objects import Json

DISKS_OF_A_VM = 2


def disk(number: int, *, bound: bool = False) -> Json:
    """Return the PVC of a disk, with all that Forklift and CDI write into one."""
    vm = number // DISKS_OF_A_VM
    owner = plan(vm)["metadata"]
    printed = pvcs.printed("forklift-2.12-vsphere-warm", f"10000000-0000-4000-8000-{number:012}")
    name = f"{owner['name']}-vm-{vm}-disk-{number % DISKS_OF_A_VM}"
    labels = {
        "plan": owner["uid"],
        "plan-name": owner["name"],
        "plan-namespace": owner["namespace"],
        "vmID": f"vm-{vm}",
    }
    metadata = printed["metadata"] | {"name": name}
    metadata["labels"] = metadata["labels"] | labels
    spec = dict(printed["spec"])
    if bound:
        metadata["annotations"] = metadata["annotations"] | {
            "pv.kubernetes.io/bind-completed": "yes"
        }
        spec["volumeName"] = f"pvc-{metadata['uid']}"
    return printed | {"metadata": metadata, "spec": spec}


def bound_disks(count: int) -> Iterator[Json]:
    """Yield PVCs with their volumes, each in one zone."""
    for number in range(count):
        each = disk(number, bound=True)
        yield each
        yield pvcs.volume(each["spec"]["volumeName"], pvcs.zone_terms(f"zone-{number % 3}"))


def importer_review(number: int) -> bytes:
    """Return the review of the importer of a disk, which has no label of Forklift."""
    importer = _importer("cdi-1.62-importer-vddk-warm-forklift-2.12")
    pvc = disk(number)
    name = f"importer-{pvc['metadata']['name']}"
    own = {"name": name, "ownerReferences": [pvcs.owner_reference(pvc)]}
    pod = importer | {"metadata": importer["metadata"] | own}
    review = admission_review(pod, namespace="target", uid=f"uid-{number}")
    return json.dumps(review, separators=(",", ":")).encode()


def foreign_importer() -> Json:
    """Return the importer of an import that has nothing to do with Forklift."""
    return _importer("cdi-1.63-importer-http-no-forklift")


@cache
def _importer(file: str) -> Json:
    pod: Json = json.loads((DATA / "migration-pods" / f"{file}.json").read_bytes())
    return pod
