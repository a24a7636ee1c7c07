"""Creation of convertor pods through the API server, and the checks of the result."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from tests.system.controlplane.api import Api, Json, of, warnings
from tests.system.controlplane.process import until
from tests.system.e2e.row_cluster import ALWAYS_THERE, RowCluster
from tests.system.guide.rows import Landing


class PodResult:
    """The result of a pod's creation: the pod, with the scheduler's decision, or the rejection."""

    def __init__(self, pod: Json, warnings: list[str], audit_id: str, rejection: str = "") -> None:
        self.pod = pod
        """The pod in the cluster; empty if it was rejected."""
        self.warnings = warnings
        """Warnings of the API server, including those of the webhook."""
        self.audit_id = audit_id
        """The ID of the event in the API server's audit log."""
        self.rejection = rejection

    @property
    def node(self) -> str:
        return str(self.pod.get("spec", {}).get("nodeName", ""))

    @property
    def why_pending(self) -> str:
        """The scheduler's message for a pod that fits on no node."""
        conditions: list[Json] = self.pod.get("status", {}).get("conditions", [])
        return next((c["message"] for c in conditions if c.get("reason") == "Unschedulable"), "")

    @property
    def labels(self) -> dict[str, str]:
        labels: dict[str, str] = self.pod["metadata"]["labels"]
        return labels

    def __str__(self) -> str:
        if self.rejection:
            return f"rejected: {self.rejection}"
        where = f"on node {self.node!r}" if self.node else f"pending: {self.why_pending}"
        return " ".join([where, *self.warnings])


def send(api: Api, pod: Json, **query: str) -> PodResult:
    """Create a pod, and return the API server's response."""
    response = api.send("POST", of(pod), pod, **query)
    body, audit_id = response.json(), response.headers["Audit-Id"]
    if response.is_error:
        return PodResult({}, warnings(response), audit_id, body["message"])
    return PodResult(body, warnings(response), audit_id)


def scheduled(api: Api, result: PodResult, *, seconds: float = 60) -> PodResult:
    """Wait until the scheduler has bound a pod, or has reported why it cannot."""
    if result.rejection:
        return result
    metadata = result.pod["metadata"]

    def decided() -> bool:
        result.pod = api.get("Pod", metadata["name"], metadata["namespace"])
        return bool(result.node or result.why_pending)

    until(f"kube-scheduler to decide on pod {metadata['name']}", decided, seconds=seconds)
    return result


@contextmanager
def created(api: Api, plan: Json) -> Iterator[Json]:
    """Create a Plan, yield it as the API server has stored it, and delete it."""
    made = api.create(plan)
    try:
        yield made
    finally:
        api.delete("Plan", made["metadata"]["name"], made["metadata"]["namespace"])


def check(cluster: RowCluster, results: list[PodResult], expected: Landing) -> None:
    """Assert that the pods run on the expected nodes, or are Pending or rejected as expected."""
    came = "; ".join(map(str, results))
    if expected.refused:
        assert all(expected.refused in result.rejection for result in results), came
        return
    assert not any(result.rejection for result in results), came
    if expected.pending:
        assert all(expected.pending in result.why_pending for result in results), came
    elif expected.zones:
        zones = Counter(cluster.nodes[result.node].zone for result in results)
        assert sorted(zones.values(), reverse=True) == expected.zones, came
    else:
        assert all(result.node in expected.lands for result in results), came
    assert not any(result.node in ALWAYS_THERE for result in results), came
