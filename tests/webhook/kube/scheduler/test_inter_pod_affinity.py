"""Required pod affinity and anti-affinity, of the incoming pod and of existing pods."""

from typing import Any

import pytest

from tests.support.builders import HOST, ZONE, namespace, node, pod
from webhook.kube.affinity import REQUIRED
from webhook.kube.objects import Json
from webhook.kube.scheduler import Verdict, run_filters, take_snapshot

AFFINITY = "node(s) didn't match pod affinity rules"
ANTI_AFFINITY = "node(s) didn't match pod anti-affinity rules"
EXISTING_ANTI_AFFINITY = "node(s) didn't satisfy existing pods anti-affinity rules"

NODES = [node("a1", {ZONE: "a"}), node("a2", {ZONE: "a"}), node("b1", {ZONE: "b"}), node("c1")]
NAMESPACES = [
    namespace("vms", team="migration"),
    namespace("rook", team="storage"),
    namespace("shop"),
]
OSD = pod("rook/osd", "a1", {"app": "osd"})


def term(app: str = "osd", key: str = HOST, **more: Any) -> Json:
    return {"labelSelector": {"matchLabels": {"app": app}}, "topologyKey": key, **more}


def pod_affinity(*terms: Json) -> Json:
    return {"podAffinity": {REQUIRED: list(terms)}}


def pod_anti_affinity(*terms: Json) -> Json:
    return {"podAntiAffinity": {REQUIRED: list(terms)}}


def verdicts_of(
    affinity: Json, *pods: Json, labels: dict[str, str] | None = None, path: str = "vms/p"
) -> list[Verdict]:
    return run_filters(
        pod(path, labels=labels, affinity=affinity), take_snapshot(NODES, pods, NAMESPACES)
    )


def fitting(
    affinity: Json, *pods: Json, labels: dict[str, str] | None = None, path: str = "vms/p"
) -> list[str]:
    verdicts = verdicts_of(affinity, *pods, labels=labels, path=path)
    return [verdict.node for verdict in verdicts if verdict.fits]


ALL: Json = {"namespaceSelector": {}}


@pytest.mark.parametrize(
    ("scope", "fits"),
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
def test_a_term_matches_pods_in_its_namespaces(scope: Json, fits: bool) -> None:
    assert fitting(pod_affinity(term(**scope)), OSD) == (["a1"] if fits else [])


def test_a_selector_that_matches_no_labels_matches_every_namespace_as_in_1_34_to_1_36() -> None:
    none = {"matchExpressions": [{"key": "team", "operator": "DoesNotExist"}]}
    assert fitting(pod_affinity(term(namespaceSelector=none)), OSD) == ["a1"]
    one = {"key": "tier", "operator": "Exists"}
    some = {"matchExpressions": [*none["matchExpressions"], one]}
    assert fitting(pod_affinity(term(namespaceSelector=some)), OSD) == []


def test_the_namespace_selector_of_an_existing_pod_is_evaluated_as_written() -> None:
    none = {"matchExpressions": [{"key": "team", "operator": "DoesNotExist"}]}
    existing = pod("rook/k", "a1", affinity=pod_anti_affinity(term("x", namespaceSelector=none)))
    assert fitting({}, existing, labels={"app": "x"}) == ["a1", "a2", "b1", "c1"]
    assert fitting({}, existing, labels={"app": "x"}, path="shop/p") == ["a2", "b1", "c1"]


def test_a_topology_domain_is_all_nodes_with_the_same_label_value() -> None:
    assert fitting(pod_affinity(term(key=ZONE, **ALL)), OSD) == ["a1", "a2"]
    assert fitting(pod_anti_affinity(term(key=ZONE, **ALL)), OSD) == ["b1", "c1"]


def test_affinity_needs_the_topology_label_and_anti_affinity_does_not() -> None:
    beside = pod("rook/osd", "c1", {"app": "osd"})
    assert fitting(pod_affinity(term(key=ZONE, **ALL)), beside) == []
    assert fitting(pod_anti_affinity(term(key=ZONE, **ALL)), beside) == ["a1", "a2", "b1", "c1"]


def test_one_pod_must_match_all_affinity_terms() -> None:
    web = pod("shop/web", "a1", {"app": "web"})
    both = pod_affinity(term(**ALL), term("web", ZONE, **ALL))
    assert fitting(both, OSD, web) == []
    labels = {"matchExpressions": [{"key": "app", "operator": "Exists"}]}
    any_app = {"labelSelector": labels, "topologyKey": ZONE, **ALL}
    assert fitting(pod_affinity(term(**ALL), any_app), OSD, web) == ["a1"]


def test_the_first_pod_of_a_group_fits_nodes_with_the_topology_label() -> None:
    labels = {"app": "self"}
    own = pod_affinity(term("self", ZONE))
    assert fitting(own, labels=labels) == ["a1", "a2", "b1"]
    assert fitting(own, pod("vms/q", "b1", labels), labels=labels) == ["b1"]
    assert fitting(own) == []


def test_the_first_pod_of_a_group_must_be_in_a_namespace_of_its_own_term() -> None:
    labels = {"app": "self"}
    elsewhere = pod_affinity(term("self", ZONE, namespaces=["rook"]))
    assert fitting(elsewhere, labels=labels) == []
    assert fitting(elsewhere, labels=labels, path="rook/p") == ["a1", "a2", "b1"]


def test_a_term_without_a_label_selector_matches_no_pod() -> None:
    without_selector = {"topologyKey": HOST, **ALL}
    assert fitting(pod_affinity(without_selector), OSD) == []
    assert fitting(pod_anti_affinity(without_selector), OSD) == ["a1", "a2", "b1", "c1"]


def test_waiting_and_finished_pods_do_not_count() -> None:
    waiting = pod("rook/osd", "", {"app": "osd"}, status={"phase": "Pending"})
    finished = pod("rook/old", "a1", {"app": "osd"}, status={"phase": "Failed"})
    assert fitting(pod_affinity(term(**ALL)), waiting, finished) == []
    assert len(fitting(pod_anti_affinity(term(**ALL)), waiting, finished)) == 4


def test_a_term_of_an_existing_pod_matches_its_own_namespace_by_default() -> None:
    existing = pod("vms/k", "a1", affinity=pod_anti_affinity(term("x", ZONE)))
    assert fitting({}, existing, labels={"app": "x"}) == ["b1", "c1"]
    assert len(fitting({}, existing, labels={"app": "x"}, path="shop/p")) == 4


def test_a_namespace_that_does_not_exist_has_no_labels() -> None:
    unlabelled = {"matchExpressions": [{"key": "team", "operator": "DoesNotExist"}]}
    existing = pod(
        "rook/k", "a1", affinity=pod_anti_affinity(term("x", namespaceSelector=unlabelled))
    )
    assert fitting({}, existing, labels={"app": "x"}, path="gone/p") == ["a2", "b1", "c1"]


def test_rejections_have_their_reasons_in_order_and_their_causes() -> None:
    existing = pod("vms/k", "a1", {"app": "k"}, affinity=pod_anti_affinity(term("x")))
    wanted = pod_affinity(term("none", **ALL)) | pod_anti_affinity(term(**ALL))
    verdict = verdicts_of(wanted, OSD, existing, labels={"app": "x"})[0]
    assert [(each.reasons, each.causes) for each in verdict.rejections] == [
        ([AFFINITY], [{"term": term("none", **ALL)}]),
        ([ANTI_AFFINITY], [{"term": term(**ALL), "pod": "rook/osd"}]),
        ([EXISTING_ANTI_AFFINITY], [{"term": term("x"), "pod": "vms/k"}]),
    ]
