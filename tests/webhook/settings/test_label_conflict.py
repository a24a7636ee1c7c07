"""Reports of a label in the annotation that contradicts `spec.convertorLabels`.

Seen on Forklift 2.12.5: with the label of the pod replaced it created 22 pods in 70 s, on the same
disks.
"""

import json

import pytest

from tests.support.builders import PREFIX, plan
from webhook.admission.events import derive_event
from webhook.admission.mutate import decide
from webhook.admission.review import PLAN, encode
from webhook.admission.validate import validate
from webhook.kube.objects import Json
from webhook.model import Decision, Installation, MigrationPod, OnError, Outcome, Reason, Request
from webhook.reports.audit import AuditInput, build_report
from webhook.reports.explain import ClusterObjects, explain
from webhook.reports.model_pod import build_model_pod
from webhook.settings import read

FIELD = {"convertorLabels": {"batch": "1", "team": "a"}}
CONFLICT = plan(
    spec=FIELD, labels="batch=2,owner=me", node_selector="disk=nvme", tolerations="gpu:NoSchedule"
)
AGREES = plan(spec=FIELD, labels="batch=1,owner=me")
PROBLEM = (
    f"Plan konveyor-forklift/db annotation {PREFIX}/labels entry 1: expected 'batch=1' as in "
    "spec.convertorLabels, by which Forklift finds its pods, found 'batch=2'; remove the "
    "entry, or change the field: kubectl patch plans.forklift.konveyor.io db "
    "-n konveyor-forklift "
    """--type merge -p '{"spec":{"convertorLabels":{"batch":"2"}}}'"""
)


def create_pod(plan_object: Json) -> tuple[Request, Json]:
    """Return the request that creates a pod of Forklift 2.12, and the pod."""
    pod = build_model_pod(read(plan_object, Installation()), plan_object["spec"])
    return Request("u-1", "CREATE", "v1/Pod", "vms", object=pod), pod


def decide_on_pod(plan_object: Json, installation: Installation | None = None) -> Decision:
    installation = installation or Installation()
    request, _ = create_pod(plan_object)
    return decide(request, MigrationPod(), read(plan_object, installation), installation)


def write_plan(after: Json, before: Json | None = None) -> Decision:
    operation = "CREATE" if before is None else "UPDATE"
    request = Request("u-1", operation, PLAN, object=after, old_object=before or {})
    return validate(request, Installation())


def test_the_pod_keeps_its_label_and_gets_every_other_setting() -> None:
    decision = decide_on_pod(CONFLICT)

    assert (decision.outcome, decision.reason) == (Outcome.PATCHED, Reason.SETTINGS_INVALID)
    assert list(map(str, decision.problems)) == decision.warnings == [PROBLEM]
    changed = {change["path"]: change["value"] for change in decision.patch}
    assert changed.pop("/metadata/annotations").keys() == {f"{PREFIX}/placement"}
    assert changed == {
        "/metadata/labels/app": "virt-v2v",
        "/metadata/labels/forklift.app~1plan": "db",
        "/metadata/labels/owner": "me",
        "/spec/nodeSelector/disk": "nvme",
        "/spec/tolerations": [{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}],
    }


def test_the_pod_is_denied_with_on_error_deny() -> None:
    decision = decide_on_pod(CONFLICT, Installation(on_error=OnError.DENY))

    assert decision.outcome is Outcome.DENIED
    assert PROBLEM in decision.message


def test_a_field_that_changes_during_the_migration_is_a_warning_and_not_a_problem() -> None:
    request, pod = create_pod(plan(spec={"convertorLabels": {"batch": "0"}}))
    assert pod["metadata"]["labels"]["batch"] == "0"

    decision = decide(request, MigrationPod(), read(AGREES, Installation()), Installation())

    assert (decision.outcome, decision.reason) == (Outcome.PATCHED, Reason.PLACED)
    assert decision.problems == []
    assert not any("batch" in change["path"] for change in decision.patch)
    (warning,) = decision.warnings
    assert warning.startswith(
        "label batch=0 of the pod is kept, batch=1 of the plan is not applied"
    )


def test_the_event_on_the_plan_has_the_problem_and_the_applied_settings() -> None:
    request, _ = create_pod(CONFLICT)

    note = derive_event(request, decide_on_pod(CONFLICT))

    assert note is not None
    assert (note.reason, note.is_warning) == (Reason.SETTINGS_INVALID, True)
    assert PROBLEM in note.message
    assert note.message.endswith(
        "; the rest is applied: labels app=virt-v2v,forklift.app/plan=db,owner=me; nodeSelector "
        "disk=nvme; tolerations gpu:NoSchedule"
    )


@pytest.mark.parametrize(
    "before",
    [None, plan(spec={}, labels="batch=2,owner=me"), plan(spec=FIELD, labels="owner=me"), AGREES],
    ids=["created", "field written", "annotation written", "annotation changed"],
)
def test_a_plan_that_gets_the_conflict_is_denied(before: Json | None) -> None:
    decision = write_plan(CONFLICT, before)

    assert (decision.outcome, decision.reason) == (Outcome.DENIED, Reason.SETTINGS_INVALID)
    assert decision.message.splitlines()[1:] == [PROBLEM]
    response = json.loads(encode("u-1", decision))["response"]
    assert response["allowed"] is False
    assert PROBLEM in response["status"]["message"]


def test_a_plan_that_had_the_conflict_before_is_admitted_with_a_warning() -> None:
    more = plan(spec=FIELD, labels="batch=2,owner=me", node_selector="disk=ssd")

    decision = write_plan(more, CONFLICT)

    assert decision.outcome is Outcome.UNCHANGED
    assert decision.warnings == [PROBLEM]


def test_the_same_label_in_field_and_annotation_is_not_a_conflict() -> None:
    assert write_plan(AGREES).reason is Reason.SETTINGS_VALID
    assert decide_on_pod(AGREES).warnings == []


def test_audit_reports_the_conflict_and_no_change_of_the_label() -> None:
    _, pod = create_pod(CONFLICT)
    pod["metadata"]["name"] = "db-vm-1"

    (found,) = build_report(AuditInput([CONFLICT], [pod]), Installation()).plans

    assert list(map(str, found.problems)) == [PROBLEM]
    assert found.settings.startswith("labels batch=1,team=a,owner=me; ")
    assert found.pods[0].changes.startswith("labels app=virt-v2v,forklift.app/plan=db,owner=me; ")


def test_explain_reports_the_conflict_and_the_field_as_the_source() -> None:
    found = explain(CONFLICT, Installation(), ClusterObjects([], [], [], []))

    assert list(map(str, found.problems)) == [PROBLEM]
    labels = [(each.value, each.source) for each in found.settings if each.name == "labels"]
    assert labels == [
        ("batch=1", "spec.convertorLabels"),
        ("team=a", "spec.convertorLabels"),
        ("owner=me", f"annotation {PREFIX}/labels"),
    ]
