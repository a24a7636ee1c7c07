"""Limits of the installation: plans get nothing of the excess, and everything else."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.builders import plan
from webhook import karl, settings
from webhook.kube.affinity import PREFERRED, REQUIRED
from webhook.kube.objects import Json
from webhook.model import Installation, Limits, Mode, Role, Settings
from webhook.settings.limits import CONTROL_TAINTS, CONTROLLER_LABELS, LABEL_DOMAINS, matches

PREFIX = "convertor.forklift.konveyor.io"
TARGET = "vms"
IN_OWN = "PREFER pods(app=db) in own namespace on zone"


def read(
    annotations: Json | None = None, installation: Installation | None = None, **limits: Any
) -> Settings:
    found = installation or Installation(limits=Limits(**limits))
    return settings.read(plan("db", "mtv", annotations=annotations), found).settings


def read_spec(spec: Json, **limits: Any) -> Settings:
    return settings.read(
        plan("db", "mtv", spec=spec), Installation(limits=Limits(**limits))
    ).settings


def messages(found: Settings) -> list[str]:
    assert all(problem.beyond_limits for problem in found.problems)
    return [str(each).removeprefix(f"Plan mtv/db annotation {PREFIX}/") for each in found.problems]


def places(found: Settings) -> list[str]:
    return [message.split(":")[0] for message in messages(found)]


def test_a_pattern_is_a_name_or_a_prefix() -> None:
    patterns = ["team", "cost.example.com/*"]
    assert matches("team", patterns)
    assert matches("cost.example.com/unit", patterns)
    assert not matches("teams", patterns)
    assert not matches("cost.example.co", patterns)
    assert matches("anything", ["*"])
    assert not matches("anything", [])


@pytest.mark.parametrize(
    "key",
    [
        *sorted(CONTROLLER_LABELS - {"app"}),
        *(f"{domain}/x" for domain in LABEL_DOMAINS if domain != "kubevirt.io"),
        "sidecar.istio.io/inject",
        "app.kubernetes.io/name",
    ],
)
def test_labels_by_which_controllers_select_pods_are_beyond_the_built_in_limits(key: str) -> None:
    found = read({"labels": f"{key}=a,team=b"})
    assert found.labels == {"team": "b"}
    (message,) = messages(found)
    assert message.startswith(f"labels entry 1: '{key}' is a label by which controllers, Services")
    assert read({"labels": f"{key}=a"}, labels=("*",)).labels == {key: "a"}


@pytest.mark.parametrize("key", ["team", "k8s.io", "myapp", "example.com/app", "notk8s.io/a"])
def test_other_labels_are_within_them(key: str) -> None:
    assert (found := read({"labels": f"{key}=a"})).labels == {key: "a"}
    assert not found.problems


def test_a_list_of_labels_allows_only_those() -> None:
    found = read({"labels": "team=a,batch=1,cost/unit=x"}, labels=("team", "cost/*"))
    assert found.labels == {"team": "a", "cost/unit": "x"}
    assert messages(found) == [
        (
            "labels entry 2: 'batch' is not applied: limits.labels of the installation has only "
            "team, cost/*"
        )
    ]


@pytest.mark.parametrize(
    "taint",
    [
        *(each.replace("*", "unschedulable") for each in CONTROL_TAINTS),
        "node.kubernetes.io/unschedulable:NoSchedule",
    ],
)
def test_taints_of_control_planes_and_failing_nodes_are_beyond_the_built_in_limits(
    taint: str,
) -> None:
    found = read({"tolerations": f"spot,{taint}"})
    assert [each["key"] for each in found.tolerations] == ["spot"]
    (message,) = messages(found)
    assert message.startswith(f"tolerations entry 2: '{taint}' admits pods to control planes")
    assert len(read({"tolerations": taint}, tolerations=("*",)).tolerations) == 1


def test_a_toleration_of_every_taint_is_beyond_them() -> None:
    every = [{"operator": "Exists"}]
    found = Installation(defaults={"tolerations": every})
    assert read(installation=found).tolerations == every  # the installation's own has no limits
    assert not read(installation=found).problems


@pytest.mark.parametrize(
    ("entry", "allowed", "expected"),
    [
        ("spot", "spot", True),
        ("spot:NoSchedule", "spot", True),
        ("spot=a:NoExecute", "spot", True),
        ("spot", "spot:NoSchedule", False),
        ("spot:NoSchedule", "spot:NoSchedule", True),
        ("dedicated=migration:NoSchedule", "dedicated=migration:NoSchedule", True),
        ("dedicated=other:NoSchedule", "dedicated=migration:NoSchedule", False),
        ("dedicated:NoSchedule", "dedicated=migration:NoSchedule", False),
        ("dedicated=migration", "dedicated=migration:NoSchedule", False),
        ("dedicated=team-a", "dedicated=team-*", True),
        ("example.com/a", "example.com/*", True),
        ("node.kubernetes.io/not-ready", "node.kubernetes.io/*", True),
        ("other", "spot", False),
    ],
)
def test_a_list_of_tolerations_allows_what_it_covers(
    entry: str, allowed: str, *, expected: bool
) -> None:
    found = read({"tolerations": entry}, tolerations=(allowed,))
    assert bool(found.tolerations) is expected
    assert bool(messages(found)) is not expected


def test_node_labels_are_limited_in_selectors_and_rules() -> None:
    annotations = {
        "node-selector": "disk=nvme,secret=1",
        "affinity": "REQUIRE nodes(disk=nvme); PREFER nodes(secret=1); AVOID nodes(secret=1)",
    }
    found = read(annotations, node_labels=("disk",))
    assert found.node_selector == {"disk": "nvme"}
    assert found.affinity == karl.compile("REQUIRE nodes(disk=nvme)")
    assert places(found) == [
        "node-selector entry 2",
        "affinity line 1 column 27",
        "affinity line 1 column 51",
    ]


def test_the_terms_of_an_object_are_limited_each() -> None:
    near = karl.compile("REQUIRE pods(app=ceph-osd) on node; PREFER nodes(disk=nvme) weight=3")
    away = karl.compile("AVOID pods(has app) on kubernetes.io/os; PREFER nodes(secret=1)")
    both = {
        "podAffinity": near["podAffinity"],
        "podAntiAffinity": away["podAntiAffinity"],
        "nodeAffinity": {
            PREFERRED: near["nodeAffinity"][PREFERRED] + away["nodeAffinity"][PREFERRED]
        },
    }
    found = read_spec({"convertorAffinity": both}, node_labels=("disk",))
    assert found.affinity == near
    assert len(messages(found)) == 2
    fields = karl.compile("REQUIRE nodes(secret=1)")
    assert read_spec({"convertorAffinity": fields}, node_labels=("disk",)).affinity == {}


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("AVOID pods(app=db) on node", True),
        ("AVOID pods(app=db) on zone", False),
        ("AVOID pods(app=db) in namespace payments on zone", False),
        ("AVOID pods(app=db) in namespaces (team=a) on zone", False),
        (f"AVOID pods(app=db) in namespace {TARGET} on zone", True),
        ("AVOID pods(app=db) in own namespace on zone", True),
        ("REPEL pods(app=db) on zone", True),
        ("REQUIRE pods(app=db) on zone", True),
    ],
)
def test_one_plan_does_not_keep_the_pods_of_others_from_whole_topologies(
    rule: str, *, expected: bool
) -> None:
    found = read({"affinity": f"{rule}; {IN_OWN}"})
    kept = f"{rule}; {IN_OWN}" if expected else IN_OWN
    assert found.affinity == karl.compile(kept)
    assert bool(messages(found)) is not expected
    allowed = read({"affinity": rule}, avoid_topologies=("*",))
    assert (allowed.affinity, allowed.problems) == (karl.compile(rule), [])


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        ("", False),
        ("in all namespaces", False),
        ("in namespace rook-ceph", True),
        ("in namespaces [rook-ceph, monitoring-a]", True),
        ("in namespaces [rook-ceph, payments]", False),
        ("in own namespace", True),
        (f"in namespaces [{TARGET}, rook-ceph]", True),
        ("in namespaces (team=a)", False),
        ("in namespaces (kubernetes.io/metadata.name=rook-ceph)", True),
        ("in namespaces (kubernetes.io/metadata.name in [rook-ceph, payments])", False),
        ("in namespaces (kubernetes.io/metadata.name!=rook-ceph)", False),
        ("in namespaces (kubernetes.io/metadata.name=rook-ceph, team=a)", False),
    ],
)
def test_rules_select_pods_of_the_listed_namespaces_only(scope: str, *, expected: bool) -> None:
    rule = f"PREFER pods(app=ceph-osd) {scope} on node"
    found = read({"affinity": rule}, rule_namespaces=("rook-ceph", "monitoring-*"))
    assert bool(found.affinity) is expected
    assert bool(messages(found)) is not expected
    assert read({"affinity": rule}, rule_namespaces=("*",)).affinity


def test_the_message_of_a_rule_names_a_namespace_that_is_allowed() -> None:
    (message,) = messages(read({"affinity": "REQUIRE pods(a=b) on node"}, rule_namespaces=("ns",)))
    assert message == (
        "affinity line 1 column 1: 'REQUIRE pods(a=b) in all namespaces on node' selects pods of "
        "other namespaces, but limits.ruleNamespaces of the installation has only ns: write in "
        "namespace ns"
    )
    (message,) = messages(read({"affinity": "REQUIRE pods(a=b) on node"}, rule_namespaces=("n-*",)))
    assert message.endswith("write in namespace NAME")


def test_an_object_without_selector_selects_nothing() -> None:
    term = {"topologyKey": "zone", "namespaceSelector": {}}
    affinity = {"podAntiAffinity": {REQUIRED: [term]}}
    assert not read_spec({"convertorAffinity": affinity}).problems


def test_settings_are_limited_by_their_names() -> None:
    found = read(
        {"labels": "a=b", "disks": "together", "labels.importer": "a=c"}, settings=("disks",)
    )
    assert (found.labels, found.disks, found.roles) == ({}, "together", {})
    assert places(found) == ["labels", "labels.importer"]


@pytest.mark.parametrize(
    "limits", [{"settings": ("affinity",)}, {"target_namespaces": ("migrated-*",)}]
)
def test_mode_and_scope_are_limited_as_well(limits: Json) -> None:
    rule = "AVOID pods(a=b) on node"
    installation = Installation(limits=Limits(**limits), defaults={"affinity": rule})
    found = read({"mode": "off", "scope": "own"}, installation)
    assert found.mode is None
    assert "namespaceSelector" in str(found.affinity), "the scope of the installation is all"
    assert found.problems
    allowed = read({"mode": "off", "scope": "own"}, Installation(defaults={"affinity": rule}))
    assert allowed.mode is Mode.OFF
    assert "namespaceSelector" not in str(allowed.affinity)


def test_roles_are_limited_by_the_namespace_of_the_plan() -> None:
    only = Limits(roles=(Role.CONVERTOR,))
    installation = Installation(namespace_limits={"mtv": only})
    assert installation.roles == tuple(Role)
    found = read({"pods": "all", "labels.importer": "a=b"}, installation)
    assert (found.pods, found.roles) == ((Role.CONVERTOR,), {})
    assert read({"pods": "all"}, Installation(namespace_limits={"x": only})).pods == tuple(Role)


def test_a_plan_with_another_target_gets_none_of_its_own_settings() -> None:
    limits = Limits(target_namespaces=("migrated-*",))
    installation = Installation(limits=limits, defaults={"labels": {"team": "default"}})
    found = read({"labels": "team=own", "affinity": "REQUIRE"}, installation)
    assert found.labels == {"team": "default"}
    (problem,) = found.problems
    assert problem.where == "Plan mtv/db spec.targetNamespace"
    assert "limits.targetNamespaces of the installation has only migrated-*" in problem.message
    assert not read({}, installation).problems
    allowed = settings.read(
        plan("db", "mtv", spec={"targetNamespace": "migrated-a"}, annotations={"labels": "a=b"}),
        installation,
    )
    assert allowed.settings.labels["a"] == "b"


def test_priority_classes_are_beyond_the_built_in_limits() -> None:
    found = read({"priority-class": "high", "labels": "a=b"})
    assert (found.priority_class, found.labels) == ("", {"a": "b"})
    assert messages(found) == [
        (
            "priority-class: 'high' is not applied: limits.priorityClasses of the installation "
            "allows none"
        )
    ]
    assert read({"priority-class": "high"}, priority_classes=("hi*",)).priority_class == "high"


def test_annotations_are_limited_to_those_that_keep_a_pod() -> None:
    keep = "cluster-autoscaler.kubernetes.io/safe-to-evict"
    found = read({"pod-annotations": f"{keep}=false,sidecar.istio.io/inject=true"})
    assert found.pod_annotations == {keep: "false"}
    assert places(found) == ["pod-annotations entry 2"]
    assert read({"pod-annotations": "a=b"}, pod_annotations=("a",)).pod_annotations == {"a": "b"}


def test_resources_have_a_largest_quantity() -> None:
    found = read(
        {"resources": "requests.memory=4Gi,limits.memory=17Gi,limits.cpu=64"},
        resources={"memory": "16Gi"},
    )
    assert found.resources == {"requests.memory": "4Gi", "limits.cpu": "64"}
    assert messages(found) == [
        (
            "resources entry 2: expected at most 16Gi by limits.resources of the installation, "
            "found 17Gi"
        )
    ]


def test_a_long_list_is_described_by_its_first_names() -> None:
    (message,) = messages(read({"labels": "z=1"}, labels=tuple("abcdefg")))
    assert message.endswith("has only a, b, c, d, e and 2 more")


def test_terms_that_forklift_copies_are_not_widened_beyond_the_limits() -> None:
    term = {"topologyKey": "zone", "labelSelector": {"matchLabels": {"app": "db"}}}
    found = read_spec({"convertorAffinity": {"podAntiAffinity": {REQUIRED: [term]}}})
    assert found.affinity == {}
    assert found.copied == {}


ENTRIES = {
    "labels": (["team=a", "tier=b"], ["k8s-app=x", "sidecar.istio.io/inject=y"]),
    "tolerations": (["spot", "gpu:NoExecute"], ["node.kubernetes.io/unschedulable"]),
    "affinity": ([IN_OWN, "REQUIRE nodes(disk=nvme)"], ["AVOID pods(has app) on zone"]),
    "pod-annotations": (["karpenter.sh/do-not-disrupt=true"], ["k8s.v1.cni.cncf.io/networks=n"]),
    "labels.importer": (["team=c"], ["job-name=x"]),
    "resources": (["requests.cpu=2"], ["limits.memory=17Gi"]),
}
"""Entries of settings: within the limits of the property, and beyond them."""


@given(st.data())
def test_a_plan_beyond_its_limits_gets_nothing_of_the_excess_and_everything_else(
    data: st.DataObject,
) -> None:
    drawn, kept, excess = {}, {}, 0
    for name, (within, beyond) in ENTRIES.items():
        entries = data.draw(st.lists(st.sampled_from(within + beyond), unique=True), label=name)
        separator = "; " if name == "affinity" else ","
        allowed = [each for each in entries if each in within]
        excess += len(entries) - len(allowed)
        drawn[name], kept[name] = separator.join(entries), separator.join(allowed)
    found = read(drawn, resources={"memory": "16Gi"})
    assert len(messages(found)) == excess
    without_excess = read(kept, resources={"memory": "16Gi"})
    assert not without_excess.problems
    assert msgspec.structs.replace(found, problems=[]) == without_excess
