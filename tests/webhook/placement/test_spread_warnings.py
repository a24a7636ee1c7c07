"""Warnings about SPREAD rules that hardly spread what is intended, or may leave pods pending."""

import pytest

from tests.support.builders import plan
from webhook import settings
from webhook.kube.objects import Json
from webhook.model import Installation
from webhook.placement.warnings import find_plan_warnings

RULE = "SPREAD pods(app=virt-v2v) on zone"


def plan_warnings(plan_object: Json, installation: Installation | None = None) -> list[str]:
    installation = installation or Installation()
    read = settings.read(plan_object, installation)
    assert not read.settings.problems
    start = "Plan konveyor-forklift/db: "
    found = find_plan_warnings(read, installation)
    assert all(each.startswith(start) for each in found)
    return [each.removeprefix(start) for each in found]


@pytest.mark.parametrize(
    ("rule", "warns"),
    [
        (RULE, False),
        ("SPREAD pods(forklift.app=virt-v2v) on node", False),
        ("SPREAD pods(team=x) on node", True),
        ("SPREAD pods(vmID=vm-1) on node", False),
    ],
)
def test_a_rule_that_does_not_count_the_pods_themselves_is_a_warning(
    rule: str, *, warns: bool
) -> None:
    expected = (
        f"'{rule}' does not select the convertor pods themselves, so it places them by the numbers "
        "of other pods: to spread them, write SPREAD pods(forklift.app=virt-v2v)"
    )
    assert plan_warnings(plan(affinity=rule)) == [expected] * warns
    assert not plan_warnings(plan(affinity=rule, labels="team=x"))


def test_without_identity_labels_convertor_pods_do_not_count_by_them() -> None:
    (warning,) = plan_warnings(plan(affinity=RULE), Installation(identity_labels=False))
    assert warning.startswith(f"'{RULE}' does not select the convertor pods themselves")


def test_a_hard_rule_may_leave_a_pod_pending_whose_volumes_are_elsewhere() -> None:
    assert plan_warnings(plan(affinity=f"{RULE} hard")) == [
        (
            f"'{RULE} hard' also counts the nodes from which the volumes of a VM cannot be reached"
            ", so a convertor pod may be pending until others have ended; without hard it is a "
            "preference"
        )
    ]


def test_rules_that_the_installation_enforces_are_no_warning_of_each_plan() -> None:
    installation = Installation(
        enforced=settings.read(
            plan(affinity="SPREAD pods(a=b) on zone hard"), Installation()
        ).settings
    )
    assert not plan_warnings(plan(), installation)
    assert plan_warnings(plan(affinity=f"{RULE} hard"), installation) == [
        (
            f"'{RULE} hard' is not applied, because the installation enforces another hard "
            "constraint on zone"
        )
    ]


def test_a_soft_rule_beside_a_hard_one_has_no_effect_on_pods_for_which_both_are_soft() -> None:
    rules = f"{RULE} skew=3; {RULE} hard"

    def count(**annotations: str) -> list[str]:
        named = {name.replace("__", "."): text for name, text in annotations.items()}
        found = plan_warnings(plan(affinity=rules, annotations=named))
        return [each for each in found if " has no effect on " in each]

    text = (
        f"'{RULE} skew=3' has no effect on {{}} pods: for them '{RULE} hard' is soft, and "
        "Kubernetes allows one soft constraint for each topology"
    )
    assert not count()
    assert count(pods="all") == [text.format("importer and populator")]
    assert count(pods="convertor,populator") == [text.format("populator")]
    assert count(pods="all", affinity__importer=RULE) == [text.format("populator")]
    assert not count(pods="importer", affinity__importer=RULE)


def test_rules_for_first_consumers_have_no_effect() -> None:
    named = {"affinity.first-consumer": f"{RULE}; REQUIRE nodes(disk=nvme)"}
    assert plan_warnings(plan(annotations=named)) == [
        (
            "affinity.first-consumer: SPREAD has no effect, because pods that bind volumes get "
            "REQUIRE and AVOID"
        )
    ]


@pytest.mark.parametrize("role", ["importer", "populator"])
def test_a_hard_rule_for_pods_without_a_time_limit_is_a_warning(role: str) -> None:
    named = {f"affinity.{role}": f"{RULE} hard", "pods": "all"}
    (warning,) = plan_warnings(plan(annotations=named))
    assert warning.startswith(f"affinity.{role} has required rules: ")
    named |= {f"affinity.{role}": RULE}
    assert not plan_warnings(plan(annotations=named))
