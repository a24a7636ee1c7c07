"""Warnings about required pod terms that hardly any node can meet together."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.builders import ZONE, namespace, node, pod
from webhook import karl
from webhook.karl.pod_rule_warnings import MAX_REQUIREMENTS, find_pod_rule_warnings
from webhook.kube.affinity import REQUIRED
from webhook.kube.objects import Json, name_of
from webhook.kube.scheduler.inter_pod_affinity import pod_affinity, pod_anti_affinity
from webhook.kube.scheduler.snapshot import Snapshot, take_snapshot

REMEDY = "; to be near several pods, write REQUIRE for one of them and PREFER for the others"


def warn(rules: str, labels: dict[str, str] | None = None) -> str:
    """Return the warning about a pod in namespace vms with these rules, or nothing."""
    return warn_of(pod("vms/a", labels=labels, affinity=karl.compile(rules)))


def warn_of(pod_object: Json) -> str:
    found = find_pod_rule_warnings(pod_object)
    assert len(found) < 2
    return "".join(found)


def require(rules: list[str]) -> str:
    return "\n".join(f"REQUIRE pods{rule}" for rule in rules)


def test_two_rules_that_one_pod_can_meet_are_a_warning_with_the_reason() -> None:
    assert warn("REQUIRE pods(app=a) on node; REQUIRE pods(tier=b) in own namespace on zone") == (
        "no node fits unless one pod matches 'REQUIRE pods(app=a) in all namespaces on node' and "
        "'REQUIRE pods(tier=b) in own namespace on zone', because kube-scheduler counts only pods "
        f"that match all of them{REMEDY}"
    )


def test_rules_that_no_pod_can_meet_together_are_a_warning_with_the_label() -> None:
    assert warn("REQUIRE pods(app=a) on node; REQUIRE pods(app=b) on node") == (
        "no node can fit: no pod matches 'REQUIRE pods(app=a) in all namespaces on node' and "
        "'REQUIRE pods(app=b) in all namespaces on node', which contradict each other in the label "
        f"'app', and kube-scheduler counts only pods that match all of them{REMEDY}"
    )


def test_a_warning_quotes_some_of_many_rules() -> None:
    warning = warn("\n".join(f"REQUIRE pods(app{number}=a) on node" for number in range(6)))
    assert "'REQUIRE pods(app3=a) in all namespaces on node' and 2 more, because" in warning
    assert "app4" not in warning


@pytest.mark.parametrize(
    ("rules", "what"),
    [
        (["(has app) on node", "(!app) on zone"], "the label 'app'"),
        (
            ["(a in [1,2]) on node", "(a in [2,3]) on node", "(a!=2) on node"],
            "the label 'a'",
        ),
        (
            ["(a=1) in namespaces [x, y] on node", "(b=1) in namespace z on zone"],
            "the namespace,",
        ),
        (
            ["(a=1) in own namespace on node", "(b=1) in namespace z on zone"],
            "the namespace,",
        ),
        (
            ["(a=1) in namespaces (team=x) on node", "(b=1) in namespaces (team=y) on zone"],
            "the namespace's label 'team'",
        ),
    ],
)
def test_rules_contradict_each_other_in_labels_or_namespaces(rules: list[str], what: str) -> None:
    assert warn(require(rules)).startswith("no node can fit: ")
    assert f"contradict each other in {what}" in warn(require(rules))


@pytest.mark.parametrize(
    "rules",
    [
        ["(a=1) in namespace x on node", "(b=1) in namespaces (team=y) on node"],
        ["(a=1) in namespaces (team!=y) on node", "(b=1) in namespaces (team=y) on node"],
    ],
)
def test_namespaces_that_may_be_the_same_are_not_a_contradiction(rules: list[str]) -> None:
    assert warn(require(rules)).startswith("no node fits unless one pod matches ")


def test_an_unknown_namespace_may_be_any() -> None:
    rules = "REQUIRE pods(a=1) in own namespace on node; REQUIRE pods(b=1) in namespace x on node"
    warning = warn_of({"spec": {"affinity": karl.compile(rules)}})
    assert warning.startswith("no node fits unless one pod matches ")


@pytest.mark.parametrize(
    "rules",
    [
        ["(app=a) on node"],
        ["(app=a) on example.com/row", "(app in [a]) on rack"],
        ["(app=a, tier=b) on node", "(app in [a, c]) on example.com/row"],
        ["(app=a, tier=b) on zone", "(has app, app!=b) on region"],
        ["(app=a) in namespace x on zone", "(app=a) in all namespaces on zone"],
        ["(app=a) in namespace x on zone", "(app=a) in namespaces [y, x] on zone"],
        ["(app=a) in namespaces (a=1, b=2) on zone", "(app=a) in namespaces (a=1) on zone"],
    ],
)
def test_rules_of_which_one_is_the_narrowest_are_no_warning(rules: list[str]) -> None:
    assert not warn(require(rules))


def test_other_verbs_are_no_warning() -> None:
    rules = [f"{verb} pods(app={verb}) on node" for verb in ("REQUIRE", "PREFER", "AVOID", "REPEL")]
    assert not warn("\n".join([*rules, "AVOID pods(app=b) on zone"]))


@pytest.mark.parametrize(
    "rules",
    [
        ["(app=a) on node", "(app=a, tier=b) on zone"],
        ["(app=a, tier=b) on region", "(app=a) on zone"],
        [
            "(app=a) in own namespace on node",
            "(app=a) on zone",
            "(app=a) in namespaces (team=x) on node",
        ],
        ["(app=a) in namespaces (a=1) on zone", "(app=a) in own namespace on zone"],
    ],
)
def test_a_narrower_rule_on_a_wider_topology_is_a_warning(rules: list[str]) -> None:
    assert warn(require(rules)).startswith("no node fits unless one pod matches ")


def test_rules_that_the_pod_itself_meets_are_no_warning() -> None:
    rules = "REQUIRE pods(app=virt-v2v) in own namespace on zone; REQUIRE pods(team=x) on node"
    assert warn(rules, {"app": "virt-v2v"})
    assert not warn(rules, {"app": "virt-v2v", "team": "x"})


def test_label_keys_count_as_labels_of_the_pod() -> None:
    term: Json = {"labelSelector": {"matchLabels": {"app": "a"}}, "topologyKey": ZONE}
    terms = [term, term | {"labelSelector": {"matchLabels": {"app": "b"}}, "matchLabelKeys": ["x"]}]
    warning = warn_of(pod("vms/a", labels={"x": "1"}, affinity=required(*terms)))
    assert "contradict each other in the label 'app'" in warning
    assert '{"labelSelector":' in warning


def test_a_rule_that_avoids_all_required_pods_is_a_warning() -> None:
    assert warn("REQUIRE pods(app=a) in namespace x on zone; AVOID pods(has app) on zone") == (
        "no node can fit: 'AVOID pods(has app) in all namespaces on zone' excludes every node that "
        "meets 'REQUIRE pods(app=a) in namespace x on zone'; remove one of them, or give one "
        "another topology"
    )


@pytest.mark.parametrize(
    "avoided",
    [
        "(app=a) on node",
        "(app=a, tier=b) on zone",
        "(app=b) on zone",
        "(app=a) in own namespace on zone",
        "(app=a) in namespaces (team=x) on zone",
    ],
)
def test_a_rule_that_avoids_other_pods_or_another_topology_is_no_warning(avoided: str) -> None:
    assert not warn(f"REQUIRE pods(app=a) on zone; AVOID pods{avoided}")


def test_required_pods_are_avoided_by_the_labels_of_all_rules() -> None:
    rules = "REQUIRE pods(app=a) on zone; REQUIRE pods(tier=b) on node; AVOID pods({}) on zone"
    shared, avoided = find_pod_rule_warnings(
        pod("vms/a", affinity=karl.compile(rules.format("app=a, tier=b")))
    )
    assert shared.startswith("no node fits unless one pod matches ")
    assert (
        " excludes every node that meets 'REQUIRE pods(app=a) in all namespaces on zone' and 'R"
        in avoided
    )
    assert warn(rules.format("app=a, tier=c")) == shared


def test_of_a_contradiction_no_more_is_reported() -> None:
    rules = "REQUIRE pods(app=a) on node; REQUIRE pods(app=b) on node; AVOID pods(app=c) on node"
    assert "contradict" in warn(rules)


def test_a_term_that_matches_no_pod_is_an_error_of_its_own() -> None:
    terms = [{"labelSelector": {"matchLabels": {"app": "a"}}, "topologyKey": ZONE}]
    assert not warn_of(pod("vms/a", affinity=required(*terms, {"topologyKey": ZONE})))
    avoided = {"podAntiAffinity": {REQUIRED: [{"topologyKey": ZONE}]}}
    assert not warn_of(pod("vms/a", affinity=required(*terms) | avoided))


def test_the_number_of_compared_requirements_is_limited() -> None:
    rules = [f"REQUIRE pods(x{number}!=1) on node" for number in range(MAX_REQUIREMENTS // 2)]
    assert warn("\n".join([*rules[2:], "REQUIRE pods(app=a) on zone", "REQUIRE pods(b=a) on zone"]))
    assert not warn("\n".join([*rules, "REQUIRE pods(app=a) on zone"]))


def required(*terms: Json) -> Json:
    return {"podAffinity": {REQUIRED: [*terms]}}


KEYS = {"app": ["a", "b", None], "tier": ["x", None]}
NAMESPACES: dict[str, dict[str, str]] = {
    "vms": {},
    "storage": {"team": "s"},
    "apps": {"team": "t"},
}
SELECTORS = ["app=a", "app=b", "has app", "app!=b", "tier=x", "!tier"]
SCOPES = [
    "in all namespaces",
    "in own namespace",
    "in namespace storage",
    "in namespaces [apps, vms]",
    "in namespaces (team=s)",
    "in namespaces (team!=t)",
]
RULES = st.lists(
    st.builds(
        "{} pods(exists=yes, {}) {} on {}".format,
        st.sampled_from(["REQUIRE", "REQUIRE", "REQUIRE", "AVOID"]),
        st.sampled_from([*SELECTORS, "app=a, tier=x", "has app, !tier"]),
        st.sampled_from(SCOPES[:1] * 4 + SCOPES),
        st.sampled_from(["node", "zone", "region", "rack"]),
    ),
    min_size=2,
    max_size=3,
)
REGION, RACK = "topology.kubernetes.io/region", "topology.kubernetes.io/rack"
NODES = [
    node("n1", {ZONE: "z1", REGION: "r1", RACK: "a"}),
    node("n2", {ZONE: "z1", REGION: "r1", RACK: "b"}),
    node("n3", {ZONE: "z2", REGION: "r1", RACK: "b"}),
    node("n4", {ZONE: "z3", REGION: "r2", RACK: "a"}),
]


@st.composite
def clusters(draw: st.DrawFn) -> Snapshot:
    pods = [
        pod(
            f"{draw(st.sampled_from([*NAMESPACES]))}/{number}",
            draw(st.sampled_from(["n1", "n2", "n3", "n4"])),
            {"exists": "yes"}
            | {key: value for key in KEYS if (value := draw(st.sampled_from(KEYS[key])))},
        )
        for number in range(draw(st.integers(1, 4)))
    ]
    namespaces = [namespace(name, **labels) for name, labels in NAMESPACES.items()]
    return take_snapshot(NODES, pods, namespaces)


def find_nodes(rules: str, snapshot: Snapshot) -> set[str]:
    """Return the nodes that a new pod fits, which matches none of the rules itself."""
    new = pod("vms/a", affinity=karl.compile(rules))
    rejects = pod_affinity(new, snapshot), pod_anti_affinity(new, snapshot)
    return {name_of(each) for each in snapshot.nodes if not any(r(each) for r in rejects)}


@given(RULES, clusters())
def test_without_a_warning_rules_mean_the_same_together_as_each_by_itself(
    rules: list[str], snapshot: Snapshot
) -> None:
    together = find_nodes("\n".join(rules), snapshot)
    new = pod("vms/a", affinity=karl.compile("\n".join(rules)))
    warnings = find_pod_rule_warnings(new)
    if not warnings:
        assert together == set.intersection(*(find_nodes(rule, snapshot) for rule in rules))
    if any(warning.startswith("no node can fit") for warning in warnings):
        assert not together
