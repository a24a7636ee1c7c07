"""A stand-in for the controllers of Forklift that create convertor pods.

They look for the pod of a VM by labels, every 3 seconds, and create one where they find none.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.system.controlplane.api import Api, Json
from tests.system.e2e.arrival import Arrival, created, scheduled, send
from tests.system.e2e.world import World, claim
from tests.system.guide.forklift import Generation, convertor_pod
from tests.system.guide.rows import Form

MORE_RECONCILES = 3

_LOOKED_UP_BY = {
    Generation.V2_9: ("plan", "vmID", "forklift.app"),
    Generation.V2_10: ("plan", "vmID", "resource", "forklift.app"),
}
"""Up to 2.11 system labels (pkg/controller/plan/kubevirt.go, EnsureGuestConversionPod in v2.9.2 and
EnsureVirtV2vPod in v2.10.6). From 2.12 on all labels of the Conversion, and those are what the pod
is created with (pkg/controller/conversion/ensurer.go, GetPod in v2.12.5)."""


class ConversionController:
    """Creates the convertor pods of VMs, and looks for them again."""

    def __init__(self, api: Api, generation: Generation) -> None:
        self._api = api
        self._keys = _LOOKED_UP_BY.get(generation)
        self._pods: list[Json] = []
        """As they are sent: the labels of a Conversion do not change."""

    def convert(self, pod: Json) -> Arrival:
        """Create the pod of one more VM, and its claims."""
        for volume in pod["spec"]["volumes"]:
            if "persistentVolumeClaim" in volume:
                name = volume["persistentVolumeClaim"]["claimName"]
                claim(self._api, pod["metadata"]["namespace"], name)
        self._pods.append(pod)
        return send(self._api, pod)

    def reconcile(self, times: int = MORE_RECONCILES) -> list[Arrival]:
        """Look for the pod of each VM; return those that were created because none was found."""
        return [
            send(self._api, pod) for _ in range(times) for pod in self._pods if not self._find(pod)
        ]

    def _find(self, pod: Json) -> list[Json]:
        metadata = pod["metadata"]
        labels: dict[str, str] = metadata["labels"]
        selector = ",".join(f"{key}={labels[key]}" for key in self._keys or labels)
        return self._api.list("Pod", metadata["namespace"], labelSelector=selector)


def migrate(world: World, generation: Generation, form: Form, namespace: str) -> list[Arrival]:
    """Do what Forklift does for a plan of the row, and tidy up."""
    with (
        created(world.api, world.row.plan(form, namespace)) as plan,
        converting(world, generation, plan) as arrivals,
    ):
        return arrivals


@contextmanager
def converting(world: World, generation: Generation, plan: Json) -> Iterator[list[Arrival]]:
    """Have a convertor pod for each VM of a plan, made in turn as Forklift does: one, always."""
    api, namespace = world.api, plan["spec"]["targetNamespace"]
    controller = ConversionController(api, generation)
    arrivals = []
    try:
        for number in range(world.row.vms):
            pod = convertor_pod(generation, plan, f"vm-{1630 + number}")
            arrivals.append(scheduled(api, controller.convert(pod)))
        more = controller.reconcile()
        assert all(each.refusal for each in more), "; ".join(map(str, more))
        admitted = [each for each in arrivals if not each.refusal]
        assert len(api.list("Pod", namespace)) == len(admitted)
        yield arrivals
    finally:
        api.delete_all("Pod", namespace)
