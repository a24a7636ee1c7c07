"""The pod terms that may select a migration pod of the plan itself."""

import msgspec
import pytest

from tests.support.builders import parsed_plan
from tests.support.migration_pods import PODS, resolve_pod
from webhook import karl
from webhook.kube.affinity import REQUIRED
from webhook.kube.objects import Json
from webhook.model import Installation, Plan, Role, RoleSettings
from webhook.settings.own_pods import list_own_pods

PLAN = parsed_plan(labels={"team": "a"}, pods=tuple(Role))


def term_of(rule: str) -> Json:
    affinity = karl.compile(f"REQUIRE {rule}")
    term: Json = affinity["podAffinity"][REQUIRED][0]
    return term


def may_match(rule: str, plan: Plan = PLAN, installation: Installation | None = None) -> bool:
    return list_own_pods(plan, installation or Installation()).may_match(term_of(rule))


@pytest.mark.parametrize(
    "selectors",
    [
        "app=virt-v2v",
        "forklift.app=virt-v2v",
        "forklift.app in [consumer, x]",
        "forklift.app=deep-inspection",
        "forklift.app/plan=db",
        "plan=b277",
        "vmID=vm-1",
        "has migration",
        "app=containerized-data-importer",
        "cdi.kubevirt.io=importer",
        "pvcName=x",
        "team=a",
        "convertor.forklift.konveyor.io/role=importer",
        "app=virt-v2v, team=a",
        "app.kubernetes.io/part-of=x",
    ],
)
def test_a_rule_about_pods_of_the_plan_is_found(selectors: str) -> None:
    assert may_match(f"pods({selectors}) on node")


@pytest.mark.parametrize(
    "selectors",
    [
        "app=ceph-osd",
        "team=b",
        "forklift.app=forklift-controller",
        "plan=other, forklift.app=virt-v2v",
        "not has forklift.app, app=virt-v2v",
        "cdi.kubevirt.io=importer, forklift.app=virt-v2v",
        "convertor.forklift.konveyor.io/role=convertor",
        "app=virt-v2v, team=b",
        "k8s-app=x",
    ],
)
def test_a_rule_about_other_pods_is_not_found(selectors: str) -> None:
    assert not may_match(f"pods({selectors}) on node")


@pytest.mark.parametrize(
    ("scope", "found"),
    [
        ("", True),
        ("in own namespace", True),
        ("in namespace target", True),
        ("in namespace other", False),
        ("in namespace konveyor-forklift", False),
        ("in namespaces(team=a)", True),
        ("in namespaces(kubernetes.io/metadata.name=target)", True),
        ("in namespaces(kubernetes.io/metadata.name=other)", False),
    ],
)
def test_the_namespace_of_the_pods_counts(scope: str, *, found: bool) -> None:
    assert may_match(f"pods(app=virt-v2v) {scope} on node") is found


def test_deep_inspections_are_in_the_namespace_of_the_plan() -> None:
    rule = "pods(forklift.app=deep-inspection) in namespace"

    assert may_match(f"{rule} konveyor-forklift on node")
    assert not may_match(f"{rule} target on node")


def test_a_term_without_a_label_selector_selects_nothing() -> None:
    assert not list_own_pods(PLAN, Installation()).may_match({"topologyKey": "zone"})


def test_only_labels_that_are_added_count() -> None:
    inspections = parsed_plan(labels={"team": "a"}, pods=(Role.INSPECTION,))
    own = {Role.IMPORTER: RoleSettings(labels={"disk": "x"})}
    by_role = parsed_plan(labels={"team": "a"}, pods=(Role.IMPORTER,), roles=own)

    assert may_match("pods(team=a, forklift.app=virt-v2v-inspection) on node", inspections)
    assert may_match("pods(team=b, forklift.app=virt-v2v) on node", inspections)
    assert not may_match("pods(team=a, forklift.app=consumer) on node", inspections)
    assert may_match("pods(disk=x) on node", by_role)
    assert not may_match("pods(team=a, cdi.kubevirt.io=importer) on node", by_role)


def test_identity_labels_count_if_they_are_added() -> None:
    without = Installation(identity_labels=False)
    long_name = msgspec.structs.replace(PLAN, name="d" * 64)

    assert not may_match("pods(app=virt-v2v) on node", installation=without)
    assert may_match("pods(app=virt-v2v) on node", long_name)
    assert not may_match("pods(has forklift.app/plan) on node", long_name)


def test_a_plan_without_a_uid_may_have_any() -> None:
    assert may_match("pods(plan=x) on node", msgspec.structs.replace(PLAN, uid=""))


@pytest.mark.parametrize(
    "name",
    [
        name
        for name, pod in PODS.items()
        if resolve_pod(pod, None)
        and not any(word in name for word in ("with-settings", "convertor-labels", "invalid"))
    ],
)
def test_every_label_of_a_printed_pod_is_one_of_a_plan(name: str) -> None:
    plan = msgspec.structs.replace(PLAN, uid=PODS[name]["metadata"]["labels"].get("plan", ""))
    own_pods = list_own_pods(plan, Installation())
    labels = PODS[name]["metadata"]["labels"]
    selector = {"labelSelector": {"matchLabels": labels}, "namespaces": ["konveyor-forklift"]}
    in_target = selector | {"namespaces": ["target"]}

    assert own_pods.may_match(in_target) or own_pods.may_match(selector)
