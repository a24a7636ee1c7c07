"""Pods that a pod must be near to, must keep away from, and that keep it away."""

from typing import Any

import pytest

from tests.support.clusters import HOST, ZONE, namespace, node, pod
from webhook.kube.affinity import REQUIRED
from webhook.kube.objects import Json
from webhook.kube.scheduler import Verdict, judge, look

NEAR = "node(s) didn't match pod affinity rules"
AWAY = "node(s) didn't match pod anti-affinity rules"
KEPT = "node(s) didn't satisfy existing pods anti-affinity rules"

NODES = [node("a1", {ZONE: "a"}), node("a2", {ZONE: "a"}), node("b1", {ZONE: "b"}), node("c1")]
NAMESPACES = [
    namespace("vms", team="migration"),
    namespace("rook", team="storage"),
    namespace("shop"),
]
OSD = pod("rook/osd", "a1", {"app": "osd"})


def term(app: str = "osd", key: str = HOST, **more: Any) -> Json:
    return {"labelSelector": {"matchLabels": {"app": app}}, "topologyKey": key, **more}


def near(*terms: Json) -> Json:
    return {"podAffinity": {REQUIRED: list(terms)}}


def away(*terms: Json) -> Json:
    return {"podAntiAffinity": {REQUIRED: list(terms)}}


def judged(
    affinity: Json, *pods: Json, labels: dict[str, str] | None = None, path: str = "vms/p"
) -> list[Verdict]:
    return judge(pod(path, labels=labels, affinity=affinity), look(NODES, pods, NAMESPACES))


def fitting(verdicts: list[Verdict]) -> list[str]:
    return [verdict.node for verdict in verdicts if verdict.fits]


ALL: Json = {"namespaceSelector": {}}


@pytest.mark.parametrize(
    ("places", "fits"),
    [
        ({}, False),
        ({"namespaces": ["rook"]}, True),
        ({"namespaces": ["shop"]}, False),
        ({"namespaces": []}, False),
        (ALL, True),
        ({"namespaceSelector": {"matchLabels": {"team": "storage"}}}, True),
        ({"namespaceSelector": {"matchLabels": {"team": "migration"}}}, False),
        ({"namespaces": ["shop"], "namespaceSelector": {"matchLabels": {"team": "none"}}}, False),
        (
            {"namespaces": ["shop"], "namespaceSelector": {"matchLabels": {"team": "storage"}}},
            True,
        ),
        ({"namespaceSelector": None}, False),
    ],
)
def test_a_term_looks_where_it_says(places: Json, fits: bool) -> None:
    assert fitting(judged(near(term(**places)), OSD)) == (["a1"] if fits else [])


def test_negations_alone_look_everywhere_as_in_kube_scheduler_1_34_to_1_36() -> None:
    none = {"matchExpressions": [{"key": "team", "operator": "DoesNotExist"}]}
    assert fitting(judged(near(term(namespaceSelector=none)), OSD)) == ["a1"]
    one = {"key": "tier", "operator": "Exists"}
    some = {"matchExpressions": [*none["matchExpressions"], one]}
    assert fitting(judged(near(term(namespaceSelector=some)), OSD)) == []


def test_the_selector_of_a_pod_that_is_there_is_taken_at_its_word() -> None:
    none = {"matchExpressions": [{"key": "team", "operator": "DoesNotExist"}]}
    keeper = pod("rook/k", "a1", affinity=away(term("x", namespaceSelector=none)))
    found = judged({}, keeper, labels={"app": "x"})
    assert fitting(found) == ["a1", "a2", "b1", "c1"]
    found = judged({}, keeper, labels={"app": "x"}, path="shop/p")
    assert fitting(found) == ["a2", "b1", "c1"]


def test_a_topology_is_all_nodes_of_the_same_label() -> None:
    assert fitting(judged(near(term(key=ZONE, **ALL)), OSD)) == ["a1", "a2"]
    assert fitting(judged(away(term(key=ZONE, **ALL)), OSD)) == ["b1", "c1"]


def test_to_be_near_a_node_needs_the_label_and_to_keep_away_does_not() -> None:
    beside = pod("rook/osd", "c1", {"app": "osd"})
    assert fitting(judged(near(term(key=ZONE, **ALL)), beside)) == []
    assert fitting(judged(away(term(key=ZONE, **ALL)), beside)) == ["a1", "a2", "b1", "c1"]


def test_one_pod_has_to_meet_all_terms() -> None:
    web = pod("shop/web", "a1", {"app": "web"})
    both = near(term(**ALL), term("web", ZONE, **ALL))
    assert fitting(judged(both, OSD, web)) == []
    labels = {"matchExpressions": [{"key": "app", "operator": "Exists"}]}
    any_app = {"labelSelector": labels, "topologyKey": ZONE, **ALL}
    assert fitting(judged(near(term(**ALL), any_app), OSD, web)) == ["a1"]


def test_the_first_of_a_group_may_run_where_the_topology_is_known() -> None:
    labels = {"app": "self"}
    own = near(term("self", ZONE))
    assert fitting(judged(own, labels=labels)) == ["a1", "a2", "b1"]
    assert fitting(judged(own, pod("vms/q", "b1", labels), labels=labels)) == ["b1"]
    assert fitting(judged(own)) == []


def test_the_first_of_a_group_has_to_be_in_a_namespace_that_the_term_looks_into() -> None:
    labels = {"app": "self"}
    elsewhere = near(term("self", ZONE, namespaces=["rook"]))
    assert fitting(judged(elsewhere, labels=labels)) == []
    assert fitting(judged(elsewhere, labels=labels, path="rook/p")) == ["a1", "a2", "b1"]


def test_a_term_without_a_selector_is_about_no_pod() -> None:
    nothing = {"topologyKey": HOST, **ALL}
    assert fitting(judged(near(nothing), OSD)) == []
    assert fitting(judged(away(nothing), OSD)) == ["a1", "a2", "b1", "c1"]


def test_pods_that_wait_or_have_finished_are_near_nobody() -> None:
    waiting = pod("rook/osd", "", {"app": "osd"}, status={"phase": "Pending"})
    finished = pod("rook/old", "a1", {"app": "osd"}, status={"phase": "Failed"})
    assert fitting(judged(near(term(**ALL)), waiting, finished)) == []
    assert len(fitting(judged(away(term(**ALL)), waiting, finished))) == 4


def test_a_term_of_a_pod_that_is_there_is_about_its_own_namespace() -> None:
    keeper = pod("vms/k", "a1", affinity=away(term("x", ZONE)))
    assert fitting(judged({}, keeper, labels={"app": "x"})) == ["b1", "c1"]
    assert len(fitting(judged({}, keeper, labels={"app": "x"}, path="shop/p"))) == 4


def test_a_namespace_that_cannot_be_seen_has_no_labels() -> None:
    unlabelled = {"matchExpressions": [{"key": "team", "operator": "DoesNotExist"}]}
    keeper = pod("rook/k", "a1", affinity=away(term("x", namespaceSelector=unlabelled)))
    assert fitting(judged({}, keeper, labels={"app": "x"}, path="gone/p")) == ["a2", "b1", "c1"]


def test_the_reasons_come_in_order_with_what_causes_them() -> None:
    keeper = pod("vms/k", "a1", {"app": "k"}, affinity=away(term("x")))
    wanted = near(term("none", **ALL)) | away(term(**ALL))
    verdict = judged(wanted, OSD, keeper, labels={"app": "x"})[0]
    assert [(each.reasons, each.causes) for each in verdict.rejections] == [
        ([NEAR], [{"term": term("none", **ALL)}]),
        ([AWAY], [{"term": term(**ALL), "pod": "rook/osd"}]),
        ([KEPT], [{"term": term("x"), "pod": "vms/k"}]),
    ]
