"""kube-scheduler meets two REQUIRE pods rules with one pod that has the labels of both only."""

from collections.abc import Iterator

import pytest

from tests.system.controlplane.api import Api, Json
from tests.system.controlplane.process import until
from tests.system.e2e.preparation import add_namespace
from tests.system.e2e.row_cluster import node, pod, settle
from tests.system.guide.rows import Node
from webhook import karl
from webhook.karl.pod_rule_warnings import find_pod_rule_warnings

NAMESPACE = "same-pod"
NODES = ("pair", "other")
RULES = "REQUIRE pods(app=ceph-osd) on node; REQUIRE pods(tier=proxy) on zone"


@pytest.fixture(autouse=True)
def _two_nodes(api: Api) -> Iterator[None]:
    add_namespace(api, NAMESPACE)
    for name in NODES:
        api.create(node(name, Node(zone=name)))
    yield
    api.delete_all("Pod", NAMESPACE)
    for name in NODES:
        api.delete("Node", name)


def test_two_rules_need_one_pod_with_the_labels_of_both(api: Api) -> None:
    needy = pod(NAMESPACE, {}, affinity=karl.compile(RULES))
    (warning,) = find_pod_rule_warnings(needy)
    assert warning.startswith("no node fits unless one pod matches ")

    api.create(pod(NAMESPACE, {"app": "ceph-osd"}, node_name="pair"))
    api.create(pod(NAMESPACE, {"tier": "proxy"}, node_name="pair"))
    settle(api)
    for rule in RULES.split(";"):
        alone = needy | {"spec": needy["spec"] | {"affinity": karl.compile(rule)}}
        assert schedule(api, alone)["spec"].get("nodeName") == "pair"
    (condition,) = schedule(api, needy)["status"]["conditions"]
    assert condition["reason"] == "Unschedulable"
    assert "node(s) didn't match pod affinity rules" in condition["message"]

    api.create(pod(NAMESPACE, {"app": "ceph-osd", "tier": "proxy"}, node_name="other"))
    settle(api)
    assert schedule(api, needy)["spec"].get("nodeName") == "other"


def schedule(api: Api, pod_object: Json) -> Json:
    """Create a pod, and return it as soon as kube-scheduler has bound it or found no node."""
    name = api.create(pod_object)["metadata"]["name"]

    def decided() -> Json | None:
        found = api.get("Pod", name, NAMESPACE)
        return found if found["spec"].get("nodeName") or found["status"].get("conditions") else None

    return until(f"kube-scheduler to decide on pod {name}", decided)
