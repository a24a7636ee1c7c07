"""Warnings about valid settings that hardly mean what is intended."""

import pytest

from tests.support.affinity_terms import CEPH, CEPH_ANYWHERE, pod_term
from tests.support.builders import minimal_pod, parsed_plan, plan
from tests.support.placements import place_pod
from webhook import settings
from webhook.kube.affinity import REQUIRED
from webhook.kube.objects import Json
from webhook.model import Installation
from webhook.placement.warnings import find_plan_warnings, find_pod_warnings

START = "Plan konveyor-forklift/db: no node fits unless one pod matches "
OWN = "the pod has required pod terms that plan 'konveyor-forklift/db' does not have: no node fits"
RULE, ON_ZONE = "REQUIRE pods(app=ceph-osd) on node", "REQUIRE pods(team=x) on zone"
TEAM = {"labelSelector": {"matchLabels": {"team": "x"}}, "topologyKey": "example.com/row"}


def required(*terms: Json) -> Json:
    return {"podAffinity": {REQUIRED: [*terms]}}


def plan_warnings(plan_object: Json, **installation: object) -> list[str]:
    given = Installation(**installation)  # type: ignore[arg-type]
    return find_plan_warnings(settings.read(plan_object, given), given)


@pytest.mark.parametrize(
    "plan_object",
    [
        plan(affinity=f"{RULE}; {ON_ZONE}"),
        plan(affinity=ON_ZONE, spec={"convertorAffinity": required(CEPH)}),
        plan(spec={"convertorAffinity": required(CEPH, TEAM)}),
    ],
    ids=["rules", "object and rule", "object"],
)
def test_required_pod_terms_of_all_sources_count_together(plan_object: Json) -> None:
    (warning,) = plan_warnings(plan_object)
    assert warning.startswith(f"{START}'{RULE.replace(' on', ' in all namespaces on')}' and ")


def test_default_rules_count_for_a_plan_without_rules() -> None:
    defaults = {"affinity": f"{RULE}; {ON_ZONE}"}
    assert plan_warnings(plan(), defaults=defaults)
    assert not plan_warnings(plan(affinity=RULE), defaults=defaults)


def test_the_labels_that_the_plan_gives_its_pods_count_as_their_own() -> None:
    rules = "REQUIRE pods(app=virt-v2v) on zone; REQUIRE pods(team=x) on node"

    def count(labels: str = "", **installation: bool) -> int:
        found = plan_warnings(plan(affinity=rules, labels=labels), **installation)
        return sum(warning.startswith(START) for warning in found)

    assert count() == 1
    assert count("team=x") == 0
    assert count("team=x", identity_labels=False) == 1


def test_invalid_rules_are_a_problem_and_no_warning() -> None:
    assert not plan_warnings(plan(affinity=f"{RULE}; {ON_ZONE}s"))


def test_a_required_term_that_the_pod_was_sent_with_counts_with_the_plans() -> None:
    planned = parsed_plan(affinity=required(CEPH_ANYWHERE))
    placed = place_pod(minimal_pod(affinity=required(TEAM)), planned).pod

    (warning,) = find_pod_warnings(placed, planned)

    assert warning.startswith(f"{OWN} unless one pod matches ")


def test_a_warning_of_the_plan_is_not_repeated_for_a_pod_with_other_terms() -> None:
    planned = parsed_plan(affinity=required(CEPH_ANYWHERE, pod_term("other")))
    avoided = {"podAntiAffinity": {REQUIRED: [TEAM]}}
    assert find_plan_warnings(planned, Installation())
    assert not find_pod_warnings(place_pod(minimal_pod(affinity=avoided), planned).pod, planned)


@pytest.mark.parametrize(
    ("sent", "planned"),
    [
        ({}, required(CEPH_ANYWHERE, pod_term("other"))),
        (required(CEPH_ANYWHERE), required(CEPH_ANYWHERE)),
        (required(CEPH_ANYWHERE), required(pod_term(topology="rack", namespaceSelector={}))),
        (required(CEPH, TEAM), {}),
        (required(CEPH, {"topologyKey": 1}), required(CEPH)),
    ],
    ids=["the plan's alone", "the same", "another topology", "the pod's alone", "invalid"],
)
def test_other_terms_of_a_pod_are_no_warning(sent: Json, planned: Json) -> None:
    a_plan = parsed_plan(affinity=planned)
    assert not find_pod_warnings(place_pod(minimal_pod(affinity=sent), a_plan).pod, a_plan)
