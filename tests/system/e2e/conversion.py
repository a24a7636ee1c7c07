"""Fake of the Forklift controllers that create convertor pods.

They list the pod of a VM by labels, every 3 seconds, and create one if there is none.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.system.controlplane.api import Api, Json
from tests.system.e2e.pod_results import PodResult, created, scheduled, send
from tests.system.e2e.row_cluster import RowCluster, claim
from tests.system.guide.forklift import Generation, convertor_pod
from tests.system.guide.rows import Form

MORE_RECONCILES = 3

_SELECTOR_KEYS = {
    Generation.V2_9: ("plan", "vmID", "forklift.app"),
    Generation.V2_10: ("plan", "vmID", "resource", "forklift.app"),
}
"""The label keys of the selector. Up to 2.11 they are system labels (EnsureGuestConversionPod in
v2.9.2 and EnsureVirtV2vPod in v2.10.6, pkg/controller/plan/kubevirt.go), from 2.12 on all labels
that the pod is created with (GetPod in v2.12.5, pkg/controller/conversion/ensurer.go)."""


class ConversionController:
    """Creates the convertor pods of VMs, and reconciles them."""

    def __init__(self, api: Api, generation: Generation) -> None:
        self._api = api
        self._keys = _SELECTOR_KEYS.get(generation)
        self._pods: list[Json] = []
        """The pods as sent: the labels of a Conversion do not change."""

    def convert(self, pod: Json) -> PodResult:
        """Create the pod of another VM, and its PersistentVolumeClaims."""
        for volume in pod["spec"]["volumes"]:
            if "persistentVolumeClaim" in volume:
                name = volume["persistentVolumeClaim"]["claimName"]
                claim(self._api, pod["metadata"]["namespace"], name)
        self._pods.append(pod)
        return send(self._api, pod)

    def reconcile(self, times: int = MORE_RECONCILES) -> list[PodResult]:
        """List the pod of each VM; return the pods that were created because there was none."""
        return [
            send(self._api, pod) for _ in range(times) for pod in self._pods if not self._find(pod)
        ]

    def _find(self, pod: Json) -> list[Json]:
        metadata = pod["metadata"]
        labels: dict[str, str] = metadata["labels"]
        selector = ",".join(f"{key}={labels[key]}" for key in self._keys or labels)
        return self._api.list("Pod", metadata["namespace"], labelSelector=selector)


def migrate(
    cluster: RowCluster, generation: Generation, form: Form, namespace: str
) -> list[PodResult]:
    """Create the row's plan and its convertor pods as Forklift does, and delete them."""
    with (
        created(cluster.api, cluster.row.plan(form, namespace)) as plan,
        converting(cluster, generation, plan) as results,
    ):
        return results


@contextmanager
def converting(
    cluster: RowCluster, generation: Generation, plan: Json
) -> Iterator[list[PodResult]]:
    """Create one convertor pod for each VM of a plan as Forklift does, and delete them."""
    api, namespace = cluster.api, plan["spec"]["targetNamespace"]
    controller = ConversionController(api, generation)
    results = []
    try:
        for number in range(cluster.row.vms):
            pod = convertor_pod(generation, plan, f"vm-{1630 + number}")
            results.append(scheduled(api, controller.convert(pod)))
        more = controller.reconcile()
        assert all(each.rejection for each in more), "; ".join(map(str, more))
        admitted = [each for each in results if not each.rejection]
        assert len(api.list("Pod", namespace)) == len(admitted)
        yield results
    finally:
        api.delete_all("Pod", namespace)
