"""Points are what the pod's own preferences say of a node."""

from tests.support.clusters import HOST, ZONE, node, pod
from webhook.kube.affinity import PREFERRED
from webhook.kube.objects import Json
from webhook.kube.scheduler import look
from webhook.kube.scheduler.scores import points

NODES = [node("a1", {ZONE: "a", "disk": "ssd"}), node("a2", {ZONE: "a"}), node("b1", {ZONE: "b"})]
ALL: Json = {"namespaceSelector": {}}


def weighted(weight: int, app: str, key: str) -> Json:
    term = {"labelSelector": {"matchLabels": {"app": app}}, "topologyKey": key, **ALL}
    return {"weight": weight, "podAffinityTerm": term}


def test_a_node_earns_the_weights_of_what_it_is_and_of_what_runs_near() -> None:
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
    found = points(pod("vms/p", affinity=affinity), look(NODES, pods, []))
    assert found == {"a1": 27, "a2": -30, "b1": 0}


def test_a_pod_without_preferences_finds_all_nodes_alike() -> None:
    assert points(pod("vms/p"), look(NODES, [], [])) == {"a1": 0, "a2": 0, "b1": 0}
