"""Scores are the weights of the pod's matching preferred terms."""

from tests.support.builders import HOST, ZONE, node, pod
from webhook.kube.affinity import PREFERRED
from webhook.kube.objects import Json
from webhook.kube.scheduler import take_snapshot
from webhook.kube.scheduler.scores import score

NODES = [node("a1", {ZONE: "a", "disk": "ssd"}), node("a2", {ZONE: "a"}), node("b1", {ZONE: "b"})]
ALL: Json = {"namespaceSelector": {}}


def weighted(weight: int, app: str, key: str) -> Json:
    term = {"labelSelector": {"matchLabels": {"app": app}}, "topologyKey": key, **ALL}
    return {"weight": weight, "podAffinityTerm": term}


def test_the_score_is_the_sum_of_node_and_pod_term_weights() -> None:
    ssd = {"matchExpressions": [{"key": "disk", "operator": "In", "values": ["ssd"]}]}
    affinity = {
        "nodeAffinity": {
            PREFERRED: [{"weight": 7, "preference": ssd}, {"weight": 9, "preference": {}}]
        },
        "podAffinity": {PREFERRED: [weighted(10, "osd", ZONE), weighted(3, "osd", "rack")]},
        "podAntiAffinity": {PREFERRED: [weighted(50, "web", HOST)]},
    }
    pods = [
        pod("r/1", "a1", {"app": "osd"}),
        pod("r/2", "a2", {"app": "osd"}),
        pod("s/1", "a2", {"app": "web"}),
        pod("s/2", "", {"app": "web"}),
    ]
    found = score(pod("vms/p", affinity=affinity), take_snapshot(NODES, pods, []))
    assert found == {"a1": 27, "a2": -30, "b1": 0}


def test_without_preferred_terms_every_score_is_zero() -> None:
    assert score(pod("vms/p"), take_snapshot(NODES, [], [])) == {"a1": 0, "a2": 0, "b1": 0}
