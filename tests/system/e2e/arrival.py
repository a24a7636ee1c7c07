"""Convertor pods sent to the API server, and what becomes of them."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from tests.system.controlplane.api import Api, Json, of, warnings
from tests.system.controlplane.process import until
from tests.system.e2e.world import ALWAYS_THERE, World
from tests.system.guide.rows import Landing


class Arrival:
    """One convertor pod, after the API server and the scheduler have had their say."""

    def __init__(self, pod: Json, told: list[str], audit_id: str, refusal: str = "") -> None:
        self.pod = pod
        """As it is in the cluster; empty where it was refused."""
        self.told = told
        """The API server's warnings, the webhook's among them."""
        self.audit_id = audit_id
        """Of the event in the API server's audit log."""
        self.refusal = refusal

    @property
    def node(self) -> str:
        return str(self.pod.get("spec", {}).get("nodeName", ""))

    @property
    def why_pending(self) -> str:
        """What the scheduler says of a pod that fits nowhere."""
        conditions: list[Json] = self.pod.get("status", {}).get("conditions", [])
        return next((c["message"] for c in conditions if c.get("reason") == "Unschedulable"), "")

    @property
    def labels(self) -> dict[str, str]:
        labels: dict[str, str] = self.pod["metadata"]["labels"]
        return labels

    def __str__(self) -> str:
        if self.refusal:
            return f"refused: {self.refusal}"
        where = f"on node {self.node!r}" if self.node else f"pending: {self.why_pending}"
        return " ".join([where, *self.told])


def send(api: Api, pod: Json, **query: str) -> Arrival:
    """Create a pod and return it as the API server has it."""
    answer = api.send("POST", of(pod), pod, **query)
    body, told, audit_id = answer.json(), warnings(answer), answer.headers["Audit-Id"]
    if answer.is_error:
        return Arrival({}, told, audit_id, body["message"])
    return Arrival(body, told, audit_id)


def scheduled(api: Api, arrival: Arrival, *, seconds: float = 60) -> Arrival:
    """Wait until the scheduler has bound a pod, or has said why it cannot."""
    if arrival.refusal:
        return arrival
    metadata = arrival.pod["metadata"]

    def decided() -> bool:
        arrival.pod = api.get("Pod", metadata["name"], metadata["namespace"])
        return bool(arrival.node or arrival.why_pending)

    until(f"kube-scheduler to decide on pod {metadata['name']}", decided, seconds=seconds)
    return arrival


@contextmanager
def created(api: Api, plan: Json) -> Iterator[Json]:
    """Have a Plan for a while, as the API server has it."""
    made = api.create(plan)
    try:
        yield made
    finally:
        api.delete("Plan", made["metadata"]["name"], made["metadata"]["namespace"])


def check(world: World, arrivals: list[Arrival], expected: Landing) -> None:
    """Assert that the pods are where they must be, or nowhere for the reason that is given."""
    came = "; ".join(map(str, arrivals))
    if expected.refused:
        assert all(expected.refused in arrival.refusal for arrival in arrivals), came
        return
    assert not any(arrival.refusal for arrival in arrivals), came
    if expected.pending:
        assert all(expected.pending in arrival.why_pending for arrival in arrivals), came
    elif expected.zones:
        zones = Counter(world.nodes[arrival.node].zone for arrival in arrivals)
        assert sorted(zones.values(), reverse=True) == expected.zones, came
    else:
        assert all(arrival.node in expected.lands for arrival in arrivals), came
    assert not any(arrival.node in ALWAYS_THERE for arrival in arrivals), came
