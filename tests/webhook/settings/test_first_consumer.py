"""Rules for first consumers that select pods of the plan itself."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.builders import PREFIX, plan
from webhook import karl, settings
from webhook.karl.pod_rule_warnings import list_required_pod_terms
from webhook.kube.affinity import REQUIRED
from webhook.kube.objects import Json
from webhook.model import Installation, Plan, Role
from webhook.settings.own_pods import list_own_pods

WHY = "selects pods of the plan itself, which come later or hold other disks of the same VM"
TRY = (
    "nothing of affinity.first-consumer is applied; remove the rule, or write it in affinity, "
    "which applies it to convertor pods only"
)
RULES = [
    f"{verb} pods({selector}){scope} on {topology}"
    for verb in ("REQUIRE", "AVOID", "PREFER")
    for selector in ("app=virt-v2v", "app=ceph-osd", "team=a", "not has team", "has vmID")
    for scope in ("", " in own namespace", " in namespace elsewhere")
    for topology in ("node", "zone")
]
WHERE = f"Plan konveyor-forklift/db annotation {PREFIX}/affinity.first-consumer"


def read(rules: str, defaults: Json | None = None, **annotations: str) -> Plan:
    texts = annotations | {"affinity.first-consumer": rules}
    return settings.read(plan(annotations=texts), Installation(defaults=defaults or {}))


def rules_of(found: Plan) -> Any:
    return found.settings.roles[Role.FIRST_CONSUMER].affinity


@pytest.mark.parametrize(
    "rule",
    [
        "REQUIRE pods(app=virt-v2v) on zone",
        "AVOID pods(forklift.app=virt-v2v) on node",
        "REQUIRE pods(forklift.app=consumer) on zone",
        "REQUIRE pods(has cdi.kubevirt.io) on node",
        "AVOID pods(vmID=vm-1) in own namespace on node",
        "REQUIRE pods(team=a) in namespace vms on zone",
    ],
)
def test_a_required_rule_about_pods_of_the_plan_is_a_problem_and_not_applied(rule: str) -> None:
    found = read(f"REQUIRE nodes(disk=ssd)\n  {rule}", labels="team=a")
    (problem,) = found.settings.problems
    assert str(problem) == f"{WHERE} line 2 column 3: the rule {WHY}: {TRY}"
    assert problem.detail == f"    {rule}\n    {'^' * len(rule)}"
    assert rules_of(found) == {}


@pytest.mark.parametrize(
    "rule",
    [
        "REQUIRE pods(app=ceph-osd) on node",
        "PREFER pods(app=virt-v2v) on zone",
        "REPEL pods(app=virt-v2v) on zone",
        "REQUIRE pods(app=virt-v2v) in namespace elsewhere on zone",
        "REQUIRE pods(team=a) on zone",
    ],
)
def test_other_rules_stay_as_they_are_written(rule: str) -> None:
    found = read(rule)
    assert (rules_of(found), found.settings.problems) == (karl.compile(rule), [])


def test_each_rule_is_a_problem() -> None:
    rules = "AVOID pods(app=virt-v2v) on node; REQUIRE nodes(a=b); AVOID pods(has vmID) on node"
    found = read(rules)
    assert [problem.where for problem in found.settings.problems] == [
        f"{WHERE} line 1 column {column}" for column in (1, 55)
    ]


def test_the_first_16_rules_are_reported() -> None:
    rule = "AVOID pods(has vmID) on node"
    found = read("\n".join([rule] * 20)).settings.problems
    assert [problem.where for problem in found] == [
        f"{WHERE} line {line} column 1" for line in range(1, 18)
    ]
    assert found[-1].message == f"too many rules about pods of the plan: {TRY}"


def test_a_long_text_has_the_rule_in_place_of_its_position() -> None:
    rule = "REQUIRE pods(app=virt-v2v) on zone"
    found = read(rule.ljust(4 * 1024 + 1))
    assert list(map(str, found.settings.problems)) == [
        f"{WHERE}: 'REQUIRE pods(app=virt-v2v) in all namespaces on zone' {WHY}: {TRY}"
    ]


def test_the_defaults_have_the_location_of_theirs() -> None:
    rule = "REQUIRE pods(app=virt-v2v) on zone"
    for value, where in ((rule, " line 1 column 1: the rule "), (karl.compile(rule), ": ")):
        defaults = {"roles": {"first-consumer": {"affinity": value}}}
        found = settings.read(plan(), Installation(defaults=defaults))
        (problem,) = found.settings.problems
        start = f"defaults roles.first-consumer.affinity{where}"
        named = "" if value == rule else "'REQUIRE pods(app=virt-v2v) in all namespaces on zone' "
        assert str(problem) == f"{start}{named}{WHY}: {TRY}"
        assert rules_of(found) == {}


def test_an_annotation_replaces_the_rules_of_the_defaults_before_they_are_compared() -> None:
    defaults = {"roles": {"first-consumer": {"affinity": "REQUIRE pods(app=virt-v2v) on zone"}}}
    found = read("REQUIRE nodes(disk=ssd)", defaults)
    assert found.settings.problems == []
    assert rules_of(found) == karl.compile("REQUIRE nodes(disk=ssd)")


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.FIRST_CONSUMER])
def test_rules_for_another_role_stay_as_they_are_written(role: Role) -> None:
    rule = "REQUIRE pods(app=virt-v2v) on zone"
    found = settings.read(plan(annotations={f"affinity.{role}": rule}), Installation())
    assert found.settings.problems == []
    assert found.settings.roles[role].affinity == karl.compile(rule)


def test_other_settings_for_first_consumers_stay() -> None:
    own = {"labels.first-consumer": "a=b"}
    found = read("REQUIRE pods(app=virt-v2v) on zone", None, affinity="x", **own)
    assert found.settings.roles[Role.FIRST_CONSUMER].labels == {"a": "b"}
    assert len(found.settings.problems) == 2


def test_a_general_rule_about_pods_of_the_plan_is_not_a_problem() -> None:
    found = settings.read(plan(affinity="REQUIRE pods(app=virt-v2v) on zone"), Installation())
    assert found.settings.problems == []
    assert REQUIRED in found.settings.affinity["podAffinity"]


@given(st.lists(st.sampled_from(RULES), min_size=1, max_size=4), st.sampled_from(["", "team=a"]))
def test_no_required_term_that_is_left_may_select_a_pod_of_the_plan(
    rules: list[str], labels: str
) -> None:
    found = read("; ".join(rules), labels=labels)
    own_pods = list_own_pods(found, Installation())
    written = karl.compile("; ".join(rules))

    assert not any(own_pods.may_match(term) for _, term in list_required_pod_terms(rules_of(found)))
    selected = any(own_pods.may_match(term) for _, term in list_required_pod_terms(written))
    assert rules_of(found) == ({} if selected else written)
    assert bool(found.settings.problems) is selected
