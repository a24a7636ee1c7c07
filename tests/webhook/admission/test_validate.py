"""The decision on a Plan that is created or updated, and its response."""

import json
from typing import Any

import pytest

from tests.support.builders import PLAN_KIND, POD_KIND, PREFIX, encode_review, plan
from webhook.admission.review import decode, encode
from webhook.admission.validate import validate
from webhook.kube.objects import Json
from webhook.kube.sizes import MAX_FIELD_BYTES
from webhook.model import (
    Decision,
    Installation,
    Mode,
    OnError,
    Outcome,
    PlanRef,
    Problem,
    Reason,
    Request,
)

OWNER = PlanRef("uid-db", "konveyor-forklift", "db")

PLAN = {"kind": PLAN_KIND, "namespace": "konveyor-forklift", "name": "db"}
BAD_RULE = "REQUIRE pods(app=ceph) on nodes"
RULE_PROBLEM = Problem(
    f"Plan konveyor-forklift/db annotation {PREFIX}/affinity line 1 column 27",
    "unknown topology 'nodes': expected node, zone, region, rack or a label key; "
    "did you mean 'node'?",
    f"  {BAD_RULE}\n                            ^^^^^",
)
LABEL_PROBLEM = Problem(
    f"Plan konveyor-forklift/db annotation {PREFIX}/labels entry 2",
    "expected key=value, found 'batch'",
)
INVALID = "plan 'konveyor-forklift/db' has invalid placement settings:"
AUDIT = "mode audit, the plan is not denied: "


def request(body: Json, before: Json | None = None, **fields: Any) -> Request:
    """Return the request of a Plan that is created, or updated where there was one before."""
    update: Json = {} if before is None else {"operation": "UPDATE", "oldObject": before}
    return decode(encode_review(body, **PLAN | update | fields))


def decide_on_plan(
    body: Json, before: Json | None = None, installation: Installation | None = None, **fields: Any
) -> Decision:
    return validate(request(body, before, **fields), installation or Installation())


def encode_response(decision: Decision) -> Json:
    review: Json = json.loads(encode("u-1", decision))
    assert review.keys() == {"apiVersion", "kind", "response"}
    response: Json = review["response"]
    return response


def test_a_plan_with_valid_settings_is_admitted() -> None:
    decision = decide_on_plan(plan(affinity="REQUIRE pods(app=ceph) on node", labels="batch=1"))

    assert decision == Decision(
        Outcome.UNCHANGED,
        Reason.SETTINGS_VALID,
        "the placement settings of plan 'konveyor-forklift/db' are valid",
        plan=OWNER,
        generation=3,
    )
    assert encode_response(decision) == {
        "uid": "u-1",
        "allowed": True,
        "auditAnnotations": {
            "mode": "enforce",
            "outcome": "unchanged",
            "reason": "SettingsValid",
            "plan": "konveyor-forklift/db",
            "generation": "3",
        },
    }


def test_a_plan_with_invalid_settings_is_denied_with_every_location_and_caret() -> None:
    decision = decide_on_plan(plan(affinity=BAD_RULE, labels="team=a,batch"))

    message = f"{INVALID}\n{LABEL_PROBLEM}\n{RULE_PROBLEM}\n{RULE_PROBLEM.detail}"
    problems = [LABEL_PROBLEM, RULE_PROBLEM]
    assert decision == Decision(
        Outcome.DENIED,
        Reason.SETTINGS_INVALID,
        message,
        plan=OWNER,
        generation=3,
        problems=problems,
    )
    assert encode_response(decision) == {
        "uid": "u-1",
        "allowed": False,
        "status": {"code": 403, "reason": "SettingsInvalid", "message": message},
        "auditAnnotations": {
            "mode": "enforce",
            "outcome": "denied",
            "reason": "SettingsInvalid",
            "plan": "konveyor-forklift/db",
            "generation": "3",
            "problems": f"{LABEL_PROBLEM}\n{RULE_PROBLEM}\n{RULE_PROBLEM.detail}",
        },
    }


@pytest.mark.parametrize("on_error", OnError)
def test_on_error_does_not_apply_to_plans(on_error: OnError) -> None:
    decision = decide_on_plan(plan(affinity=BAD_RULE), installation=Installation(on_error=on_error))
    assert decision.outcome is Outcome.DENIED


def test_rules_that_exclude_those_of_the_vms_are_a_warning_whatever_their_size() -> None:
    zone = "topology.kubernetes.io/zone"
    spec: Json = {"targetNodeSelector": {zone: "a"}}
    (warning,) = decide_on_plan(plan(node_selector=f"{zone}=b", spec=spec)).warnings
    assert f"targetNodeSelector nodes({zone}=a) exclude each other" in warning
    spec["targetNodeSelector"]["b"] = "x" * MAX_FIELD_BYTES
    decision = decide_on_plan(plan(node_selector=f"{zone}=b", spec=spec))
    assert (decision.reason, decision.warnings) == (Reason.SETTINGS_VALID, [])


def test_a_problem_that_the_plan_had_before_is_a_warning() -> None:
    before = plan(affinity=BAD_RULE)
    decision = decide_on_plan(plan(affinity=BAD_RULE, labels="batch=1"), before)

    assert decision == Decision(
        Outcome.UNCHANGED,
        Reason.SETTINGS_INVALID,
        f"plan 'konveyor-forklift/db' has invalid placement settings, as before: {RULE_PROBLEM}",
        plan=OWNER,
        generation=3,
        warnings=[str(RULE_PROBLEM)],
        problems=[RULE_PROBLEM],
    )
    response = encode_response(decision)
    assert response["allowed"]
    assert " ".join(response["warnings"]) == str(RULE_PROBLEM)


def test_an_edit_with_a_new_problem_is_denied_and_the_old_problem_is_a_warning() -> None:
    decision = decide_on_plan(
        plan(affinity=BAD_RULE, labels="team=a,batch"), plan(affinity=BAD_RULE)
    )

    assert decision.outcome is Outcome.DENIED
    assert decision.message == f"{INVALID}\n{LABEL_PROBLEM}"
    assert decision.warnings == [str(RULE_PROBLEM)]
    assert decision.problems == [LABEL_PROBLEM, RULE_PROBLEM]


TWO_PODS = "REQUIRE pods(app=ceph) on node; REQUIRE pods(app=proxy) on node"


@pytest.mark.parametrize("mode", [Mode.ENFORCE, Mode.AUDIT])
def test_rules_that_only_one_pod_can_meet_together_are_admitted_with_a_warning(mode: Mode) -> None:
    decision = decide_on_plan(plan(affinity=TWO_PODS), installation=Installation(mode=mode))

    assert (decision.outcome, decision.reason) == (Outcome.UNCHANGED, Reason.SETTINGS_VALID)
    assert decision.problems == []
    (warning,) = decision.warnings
    assert warning.startswith("Plan konveyor-forklift/db: no node can fit: no pod matches ")
    response = encode_response(decision)
    assert response["allowed"]
    assert " ".join(response["warnings"]) == warning


def test_a_warning_stays_beside_problems_and_is_left_out_in_mode_off() -> None:
    warning = decide_on_plan(plan(affinity=TWO_PODS)).warnings
    invalid = plan(affinity=TWO_PODS, labels="team=a,batch")

    assert decide_on_plan(invalid).warnings == warning
    assert decide_on_plan(invalid, invalid).warnings == [str(LABEL_PROBLEM), *warning]
    assert decide_on_plan(plan(affinity=TWO_PODS, mode="off")).warnings == []


INVALID_TERM = {
    "topologyKey": "kubernetes.io/hostname",
    "labelSelector": {"matchLabels": {"a": "-"}},
}
VALID_TERM = {"topologyKey": "kubernetes.io/hostname"}


def required(*terms: Json) -> Json:
    return {
        "convertorAffinity": {
            "podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": list(terms)}
        }
    }


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (plan(affinity=BAD_RULE), plan(affinity=f"AVOID nodes(spot=true)\n  {BAD_RULE}")),
        (plan(labels="batch"), plan(labels="team=a,batch")),
        (plan(tolerations="a=b=c"), plan(tolerations="gpu,a=b=c")),
        (plan(spec=required(INVALID_TERM)), plan(spec=required(VALID_TERM, INVALID_TERM))),
    ],
    ids=["rules", "labels", "tolerations", "affinity"],
)
def test_a_problem_that_an_edit_moves_is_not_new(before: Json, after: Json) -> None:
    (old,) = decide_on_plan(before).problems
    (new,) = decide_on_plan(after).problems
    assert old.where != new.where
    assert old.message == new.message
    assert decide_on_plan(after, before).outcome is Outcome.UNCHANGED


OTHER_RULE = "REQUIRE pods(app=web) on nodes"
MANY_RULES = "; ".join(f"AVOID nodes(x{i}=1,y{i}=2)" for i in range(7))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("REQUIRE pods(app=a on nodez weigt=1", "REQUIRE pods(app=a) on nodez weigt=1"),
        ("REQUIRE pods(app=a) on nodez weigt=1", "REQUIRE pods(app=a) on node weigt=1"),
        ("REQIRE pods(app=-) on nodez", "REQUIRE pods(app=-) on nodez"),
        (f"REQIRE nodes(a=b); {MANY_RULES}", f"REQUIRE nodes(a=b); {MANY_RULES}"),
        (f"{BAD_RULE}; {OTHER_RULE}", f"REQUIRE pods(app=ceph) on node; {OTHER_RULE}"),
        (f"{BAD_RULE}\n{OTHER_RULE}", f"# comment\nREQUIRE pods(app=ceph) on node\n{OTHER_RULE}"),
    ],
    ids=["bracket", "option", "hidden problems", "too many terms", "first rule", "comment"],
)
def test_rules_may_be_repaired_step_by_step(before: str, after: str) -> None:
    decision = decide_on_plan(plan(affinity=after), plan(affinity=before))

    assert decision.outcome is Outcome.UNCHANGED
    assert decision.problems
    assert decision.warnings == list(map(str, decision.problems))


@pytest.mark.parametrize(
    ("before", "after", "new"),
    [
        (plan(affinity=BAD_RULE), plan(affinity=f"{BAD_RULE}; {OTHER_RULE}"), [1]),
        (plan(affinity=BAD_RULE), plan(affinity=f"{OTHER_RULE}; {BAD_RULE}"), [1]),
        (plan(affinity=BAD_RULE), plan(affinity=f"{OTHER_RULE}\n{BAD_RULE}"), [0]),
        (plan(affinity=BAD_RULE), plan(affinity=f"{OTHER_RULE}; AVOID nodes(a=-)"), [1]),
        (plan(labels="batch"), plan(labels="batch,batch"), [1]),
        (plan(labels="batch,a=1"), plan(labels="batch=1,a,b"), [0, 1]),
        (plan(tolerations="a=b=c"), plan(tolerations="a=b=c,gpu,a=b=c"), [1]),
        (plan(spec=required(INVALID_TERM)), plan(spec=required(INVALID_TERM, INVALID_TERM)), [1]),
    ],
)
def test_a_repeated_problem_is_new(before: Json, after: Json, new: list[int]) -> None:
    decision = decide_on_plan(after, before)

    assert decision.outcome is Outcome.DENIED
    added = [decision.problems[index] for index in new]
    assert decision.message == "\n".join([INVALID, *(each.in_full() for each in added)])
    assert decision.warnings == [str(each) for each in decision.problems if each not in added]


def test_a_rule_with_two_problems_that_becomes_two_rules_is_denied_with_both() -> None:
    before = plan(affinity="REQUIRE pods(app=-) on nodes")
    after = plan(affinity="REQUIRE pods(app=-) on node; REQUIRE pods(app=a) on nodes")
    decision = decide_on_plan(after, before)

    assert decision.outcome is Outcome.DENIED
    assert decision.message == "\n".join([INVALID, *(each.in_full() for each in decision.problems)])


def test_the_same_problem_in_another_setting_is_new() -> None:
    before, after = plan(labels="batch"), plan(labels="batch", node_selector="batch")
    assert decide_on_plan(after, before).outcome is Outcome.DENIED


def with_roles(**texts: str) -> Json:
    """Return a plan with settings for roles: `affinity_importer` is `affinity.importer`."""
    return plan(annotations={name.replace("_", "."): text for name, text in texts.items()})


def test_the_same_problem_in_a_setting_for_another_role_is_new() -> None:
    before = with_roles(labels_importer="batch", affinity_importer=BAD_RULE)
    for more in ({"labels_populator": "batch"}, {"affinity_populator": BAD_RULE}):
        texts = {"labels_importer": "batch", "affinity_importer": BAD_RULE} | more
        decision = decide_on_plan(with_roles(**texts), before)
        (name,) = more
        assert decision.outcome is Outcome.DENIED
        assert decision.message.count("Plan konveyor-forklift/db annotation ") == 1
        assert f"{PREFIX}/{name.replace('_', '.')} " in decision.message
        assert len(decision.warnings) > 1


def test_a_problem_of_a_role_that_the_plan_had_before_is_a_warning() -> None:
    before = with_roles(pods="importr", affinity_importer=f"{BAD_RULE}")
    after = with_roles(pods="importr,", affinity_importer=f"AVOID nodes(a=b); {BAD_RULE}")
    assert decide_on_plan(before, before).outcome is Outcome.UNCHANGED
    decision = decide_on_plan(after, before)
    assert decision.outcome is Outcome.DENIED
    assert decision.message.count("Plan konveyor-forklift/db annotation ") == 1
    assert f"{PREFIX}/pods entry 2: " in decision.message


def test_a_label_that_makes_a_rule_of_first_consumers_select_pods_of_the_plan_is_denied() -> None:
    rule = {"affinity.first-consumer": "REQUIRE pods(team=a) on zone"}
    before, after = plan(annotations=rule), plan(annotations=rule, labels="team=a")
    assert decide_on_plan(before).outcome is Outcome.UNCHANGED
    decision = decide_on_plan(after, before)
    assert decision.outcome is Outcome.DENIED
    assert f"{PREFIX}/affinity.first-consumer line 1 column 1: the rule sel" in decision.message


def test_a_risk_of_a_setting_for_a_role_is_a_warning() -> None:
    decision = decide_on_plan(with_roles(pods="all", affinity_importer="REQUIRE nodes(disk=ssd)"))
    assert decision.outcome is Outcome.UNCHANGED
    (warning,) = decision.warnings
    assert warning.startswith(
        "Plan konveyor-forklift/db: affinity.importer has required rules: an importer "
    )


@pytest.mark.parametrize(
    ("installation", "annotations"),
    [
        (Installation(mode=Mode.AUDIT), {}),
        (Installation(namespace_modes={"vms": Mode.AUDIT}), {}),
        (Installation(), {"mode": "audit"}),
    ],
    ids=["installation", "target namespace", "plan"],
)
def test_in_mode_audit_the_plan_is_admitted_with_a_warning(
    installation: Installation, annotations: dict[str, Any]
) -> None:
    decision = decide_on_plan(plan(affinity=BAD_RULE, **annotations), installation=installation)

    assert decision == Decision(
        Outcome.WOULD_DENY,
        Reason.SETTINGS_INVALID,
        f"{AUDIT}{INVALID}\n{RULE_PROBLEM}\n{RULE_PROBLEM.detail}",
        Mode.AUDIT,
        plan=OWNER,
        generation=3,
        warnings=[f"{AUDIT}{RULE_PROBLEM}"],
        problems=[RULE_PROBLEM],
    )
    assert encode_response(decision)["allowed"]


def test_mode_audit_reports_only_denials_of_mode_enforce() -> None:
    installation = Installation(mode=Mode.AUDIT)
    old = decide_on_plan(plan(affinity=BAD_RULE), plan(affinity=BAD_RULE), installation)
    valid = decide_on_plan(plan(), installation=installation)
    assert (old.outcome, old.warnings) == (Outcome.UNCHANGED, [str(RULE_PROBLEM)])
    assert (valid.outcome, valid.mode, valid.warnings) == (Outcome.UNCHANGED, Mode.AUDIT, [])


@pytest.mark.parametrize(
    ("installation", "annotations"),
    [
        (Installation(mode=Mode.OFF), {}),
        (Installation(namespace_modes={"vms": Mode.OFF}), {}),
        (Installation(), {"mode": "off"}),
    ],
    ids=["installation", "target namespace", "plan"],
)
def test_in_mode_off_the_plan_is_admitted_without_a_warning(
    installation: Installation, annotations: dict[str, Any]
) -> None:
    decision = decide_on_plan(plan(affinity=BAD_RULE, **annotations), installation=installation)

    assert decision == Decision(
        Outcome.UNCHANGED,
        Reason.MODE_OFF,
        "the effective mode is off",
        Mode.OFF,
        plan=OWNER,
        generation=3,
    )


def test_the_mode_of_a_plan_is_ignored_without_plan_modes() -> None:
    decision = decide_on_plan(
        plan(affinity=BAD_RULE, mode="off"), installation=Installation(plan_modes=False)
    )
    assert decision.outcome is Outcome.DENIED


def test_a_plan_with_an_invalid_mode_is_denied() -> None:
    decision = decide_on_plan(plan(mode="of"))
    assert decision.message == (
        f"{INVALID}\nPlan konveyor-forklift/db annotation {PREFIX}/mode: expected mode enforce, "
        "audit or off, found 'of'; did you mean 'off'?"
    )


MIGRATION = {"group": "forklift.konveyor.io", "version": "v1beta1", "kind": "Migration"}
DELETED = plan(affinity=BAD_RULE)
DELETED["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("skipped", "message"),
    [
        (
            request(plan(affinity=BAD_RULE), subResource="status"),
            "'forklift.konveyor.io/v1beta1/Plan/status' is not a Plan",
        ),
        (
            request(plan(affinity=BAD_RULE), kind=MIGRATION),
            "'forklift.konveyor.io/v1beta1/Migration' is not a Plan",
        ),
        (request(plan(affinity=BAD_RULE), kind=POD_KIND), "'v1/Pod' is not a Plan"),
        (
            request({}, plan(affinity=BAD_RULE), operation="DELETE", object=None),
            "operation 'DELETE' changes no settings",
        ),
        (request(DELETED, plan()), "the plan is being deleted"),
    ],
    ids=["status", "another kind", "a pod", "deletion", "finalizers"],
)
def test_a_request_that_changes_no_settings_is_skipped(skipped: Request, message: str) -> None:
    decision = validate(skipped, Installation())

    assert decision == Decision(Outcome.SKIPPED, Reason.NOT_A_PLAN_CHANGE, message)
    assert encode_response(decision) == {"uid": "u-1", "allowed": True}


@pytest.mark.parametrize(
    "body", [{}, {"metadata": None}, {"metadata": {"annotations": None}, "spec": {}}]
)
def test_a_malformed_plan_gets_a_decision(body: Json) -> None:
    assert decide_on_plan(body).reason in {Reason.SETTINGS_VALID, Reason.SETTINGS_INVALID}


LARGE = "x" * MAX_FIELD_BYTES


def test_a_setting_that_is_too_large_is_a_problem() -> None:
    large = plan(spec={"convertorAffinity": LARGE})
    problem = (
        "Plan konveyor-forklift/db spec.convertorAffinity: expected at most "
        f"{MAX_FIELD_BYTES} bytes of JSON, found {MAX_FIELD_BYTES + 2}: nothing of it is applied, "
        "shorten it"
    )

    assert decide_on_plan(large, plan()).outcome is Outcome.DENIED
    assert [str(each) for each in decide_on_plan(large, plan()).problems] == [problem]
    assert decide_on_plan(large, large).outcome is Outcome.UNCHANGED
    assert decide_on_plan(plan(), large).problems == []


def test_a_plan_with_another_field_that_is_too_large_is_admitted_with_a_warning() -> None:
    large = {"uid": LARGE}
    message = (
        "the plan is malformed, so it is not validated: 'metadata.uid' has "
        f"{MAX_FIELD_BYTES + 2} bytes of JSON, expected at most {MAX_FIELD_BYTES}"
    )
    for before, after in ((plan(), plan(metadata=large)), (plan(metadata=large), plan())):
        assert decide_on_plan(after, before) == Decision(
            Outcome.FAILED, Reason.MALFORMED_REVIEW, message, warnings=[message]
        )


def test_a_plan_is_never_patched() -> None:
    for mode in Mode:
        decision = decide_on_plan(plan(labels="batch=1"), installation=Installation(mode=mode))
        assert decision.patch == []
        assert "patch" not in encode_response(decision)


def test_a_large_plan_is_validated() -> None:
    vms = [{"id": f"vm-{number}", "name": "x" * 100} for number in range(3000)]
    body = plan(spec={"vms": vms}, affinity=BAD_RULE)
    assert len(json.dumps(body)) > 300_000
    assert decide_on_plan(body).problems == [RULE_PROBLEM]
