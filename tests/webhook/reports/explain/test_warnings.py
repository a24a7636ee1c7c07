"""Warnings about rules that only one pod can meet together, of the plan and of its pods."""

import pytest

from tests.support.affinity_terms import CEPH_ANYWHERE, pod_term
from tests.support.builders import convertor_pod, node, plan
from webhook.kube.affinity import REQUIRED
from webhook.kube.objects import Json
from webhook.model import Installation, Mode
from webhook.reports.explain import ClusterObjects, explain

RULE = "REQUIRE pods(app=ceph-osd) on node"
BOTH = {"podAffinity": {REQUIRED: [CEPH_ANYWHERE, pod_term("other")]}}


def find_warnings(a_plan: Json, *pods: Json, mode: Mode = Mode.ENFORCE) -> list[str]:
    cluster = ClusterObjects([node("a")], [*pods], [], [])
    return explain(a_plan, Installation(mode=mode), cluster).warnings


@pytest.mark.parametrize("mode", Mode)
def test_the_rules_of_a_plan_are_a_warning_in_every_mode(mode: Mode) -> None:
    (warning,) = find_warnings(plan(affinity=f"{RULE}; REQUIRE pods(a=b) on zone"), mode=mode)
    assert warning.startswith("Plan konveyor-forklift/db: no node fits unless one pod matches ")


def test_a_pending_pod_with_terms_of_its_own_is_a_warning() -> None:
    (warning,) = find_warnings(plan(affinity=RULE), convertor_pod(affinity=BOTH))
    assert warning.startswith(
        "vms/db-vm-1: the pod has required pod terms that plan 'konveyor-forklift/db' does not have"
    )


def test_a_pod_that_is_scheduled_and_one_with_the_rules_of_its_plan_are_no_warning() -> None:
    assert not find_warnings(plan(affinity=RULE), convertor_pod(node_name="a", affinity=BOTH))
    planned = {"podAffinity": {REQUIRED: [CEPH_ANYWHERE]}}
    assert not find_warnings(plan(affinity=RULE), convertor_pod(affinity=planned))
