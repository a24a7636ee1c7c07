"""Whether a Plan may be written, decided on whole reviews, and answered to the letter."""

import json
from typing import Any

import pytest

from tests.support.builders import PLAN_KIND, POD_KIND, PREFIX, encode_review, plan
from webhook.admission.review import decode, encode
from webhook.admission.validate import validate
from webhook.kube.objects import Json
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
REFUSED = "plan 'konveyor-forklift/db' has invalid placement settings:"
AUDIT = "mode audit, the plan is not denied: "


def request(body: Json, before: Json | None = None, **fields: Any) -> Request:
    """Return the request of a Plan that is created, or updated where there was one before."""
    update: Json = {} if before is None else {"operation": "UPDATE", "oldObject": before}
    return decode(encode_review(body, **PLAN | update | fields))


def decided(
    body: Json, before: Json | None = None, installation: Installation | None = None, **fields: Any
) -> Decision:
    return validate(request(body, before, **fields), installation or Installation())


def response(decision: Decision) -> Json:
    answer: Json = json.loads(encode("u-1", decision))
    assert answer.keys() == {"apiVersion", "kind", "response"}
    body: Json = answer["response"]
    return body


def test_a_plan_whose_settings_can_be_carried_out_is_let_through() -> None:
    decision = decided(plan(affinity="REQUIRE pods(app=ceph) on node", labels="batch=1"))

    assert decision == Decision(
        Outcome.UNCHANGED,
        Reason.SETTINGS_VALID,
        "the placement settings of plan 'konveyor-forklift/db' are valid",
        plan=OWNER,
        generation=3,
    )
    assert response(decision) == {
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


def test_a_plan_that_asks_what_cannot_be_is_refused_with_every_place_and_caret() -> None:
    decision = decided(plan(affinity=BAD_RULE, labels="team=a,batch"))

    message = f"{REFUSED}\n{LABEL_PROBLEM}\n{RULE_PROBLEM}\n{RULE_PROBLEM.detail}"
    problems = [LABEL_PROBLEM, RULE_PROBLEM]
    assert decision == Decision(
        Outcome.DENIED,
        Reason.SETTINGS_INVALID,
        message,
        plan=OWNER,
        generation=3,
        problems=problems,
    )
    assert response(decision) == {
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
def test_what_problems_do_to_pods_does_not_count_for_plans(on_error: OnError) -> None:
    decision = decided(plan(affinity=BAD_RULE), installation=Installation(on_error=on_error))
    assert decision.outcome is Outcome.DENIED


def test_what_was_wrong_before_an_edit_only_warns() -> None:
    before = plan(affinity=BAD_RULE)
    decision = decided(plan(affinity=BAD_RULE, labels="batch=1"), before)

    assert decision == Decision(
        Outcome.UNCHANGED,
        Reason.SETTINGS_INVALID,
        f"plan 'konveyor-forklift/db' has invalid placement settings, as before: {RULE_PROBLEM}",
        plan=OWNER,
        generation=3,
        warnings=[str(RULE_PROBLEM)],
        problems=[RULE_PROBLEM],
    )
    answer = response(decision)
    assert answer["allowed"]
    assert " ".join(answer["warnings"]) == str(RULE_PROBLEM)


def test_what_an_edit_makes_wrong_is_refused_and_what_was_wrong_before_is_a_warning() -> None:
    decision = decided(plan(affinity=BAD_RULE, labels="team=a,batch"), plan(affinity=BAD_RULE))

    assert decision.outcome is Outcome.DENIED
    assert decision.message == f"{REFUSED}\n{LABEL_PROBLEM}"
    assert decision.warnings == [str(RULE_PROBLEM)]
    assert decision.problems == [LABEL_PROBLEM, RULE_PROBLEM]


NO_KEY = {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"a": "-"}}}
FINE = {"topologyKey": "kubernetes.io/hostname"}


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
        (plan(spec=required(NO_KEY)), plan(spec=required(FINE, NO_KEY))),
    ],
    ids=["rules", "labels", "tolerations", "affinity"],
)
def test_a_problem_that_an_edit_only_moves_is_no_new_one(before: Json, after: Json) -> None:
    (old,) = decided(before).problems
    (new,) = decided(after).problems
    assert old.where != new.where
    assert old.message == new.message
    assert decided(after, before).outcome is Outcome.UNCHANGED


OTHER = "REQUIRE pods(app=web) on nodes"
ENOUGH = "; ".join(f"AVOID nodes(x{i}=1,y{i}=2)" for i in range(7))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("REQUIRE pods(app=a on nodez weigt=1", "REQUIRE pods(app=a) on nodez weigt=1"),
        ("REQUIRE pods(app=a) on nodez weigt=1", "REQUIRE pods(app=a) on node weigt=1"),
        ("REQIRE pods(app=-) on nodez", "REQUIRE pods(app=-) on nodez"),
        (f"REQIRE nodes(a=b); {ENOUGH}", f"REQUIRE nodes(a=b); {ENOUGH}"),
        (f"{BAD_RULE}; {OTHER}", f"REQUIRE pods(app=ceph) on node; {OTHER}"),
        (f"{BAD_RULE}\n{OTHER}", f"# not yet\nREQUIRE pods(app=ceph) on node\n{OTHER}"),
    ],
    ids=["a bracket", "an option", "two behind one", "all together", "a rule", "a line"],
)
def test_a_text_may_be_put_right_step_by_step(before: str, after: str) -> None:
    decision = decided(plan(affinity=after), plan(affinity=before))

    assert decision.outcome is Outcome.UNCHANGED
    assert decision.problems
    assert decision.warnings == list(map(str, decision.problems))


@pytest.mark.parametrize(
    ("before", "after", "new"),
    [
        (plan(affinity=BAD_RULE), plan(affinity=f"{BAD_RULE}; {OTHER}"), [1]),
        (plan(affinity=BAD_RULE), plan(affinity=f"{OTHER}; {BAD_RULE}"), [1]),
        (plan(affinity=BAD_RULE), plan(affinity=f"{OTHER}\n{BAD_RULE}"), [0]),
        (plan(affinity=BAD_RULE), plan(affinity=f"{OTHER}; AVOID nodes(a=-)"), [1]),
        (plan(labels="batch"), plan(labels="batch,batch"), [1]),
        (plan(labels="batch,a=1"), plan(labels="batch=1,a,b"), [0, 1]),
        (plan(tolerations="a=b=c"), plan(tolerations="a=b=c,gpu,a=b=c"), [1]),
        (plan(spec=required(NO_KEY)), plan(spec=required(NO_KEY, NO_KEY)), [1]),
    ],
)
def test_a_mistake_that_is_made_once_more_is_a_new_one(
    before: Json, after: Json, new: list[int]
) -> None:
    decision = decided(after, before)

    assert decision.outcome is Outcome.DENIED
    told = [decision.problems[index] for index in new]
    assert decision.message == "\n".join([REFUSED, *(each.in_full() for each in told)])
    assert decision.warnings == [str(each) for each in decision.problems if each not in told]


def test_a_rule_that_has_two_mistakes_and_becomes_two_rules_is_refused_with_both() -> None:
    before = plan(affinity="REQUIRE pods(app=-) on nodes")
    after = plan(affinity="REQUIRE pods(app=-) on node; REQUIRE pods(app=a) on nodes")
    decision = decided(after, before)

    assert decision.outcome is Outcome.DENIED
    assert decision.message == "\n".join([REFUSED, *(each.in_full() for each in decision.problems)])


def test_the_same_mistake_in_another_setting_is_a_new_one() -> None:
    before, after = plan(labels="batch"), plan(labels="batch", node_selector="batch")
    assert decided(after, before).outcome is Outcome.DENIED


@pytest.mark.parametrize(
    ("installation", "annotations"),
    [
        (Installation(mode=Mode.AUDIT), {}),
        (Installation(namespace_modes={"vms": Mode.AUDIT}), {}),
        (Installation(), {"mode": "audit"}),
    ],
    ids=["installation", "target namespace", "plan"],
)
def test_audit_warns_instead_of_refusing(
    installation: Installation, annotations: dict[str, Any]
) -> None:
    decision = decided(plan(affinity=BAD_RULE, **annotations), installation=installation)

    assert decision == Decision(
        Outcome.WOULD_DENY,
        Reason.SETTINGS_INVALID,
        f"{AUDIT}{REFUSED}\n{RULE_PROBLEM}\n{RULE_PROBLEM.detail}",
        Mode.AUDIT,
        plan=OWNER,
        generation=3,
        warnings=[f"{AUDIT}{RULE_PROBLEM}"],
        problems=[RULE_PROBLEM],
    )
    assert response(decision)["allowed"]


def test_audit_does_not_claim_what_enforce_would_not_do() -> None:
    installation = Installation(mode=Mode.AUDIT)
    old = decided(plan(affinity=BAD_RULE), plan(affinity=BAD_RULE), installation)
    fine = decided(plan(), installation=installation)
    assert (old.outcome, old.warnings) == (Outcome.UNCHANGED, [str(RULE_PROBLEM)])
    assert (fine.outcome, fine.mode, fine.warnings) == (Outcome.UNCHANGED, Mode.AUDIT, [])


@pytest.mark.parametrize(
    ("installation", "annotations"),
    [
        (Installation(mode=Mode.OFF), {}),
        (Installation(namespace_modes={"vms": Mode.OFF}), {}),
        (Installation(), {"mode": "off"}),
    ],
    ids=["installation", "target namespace", "plan"],
)
def test_off_says_nothing(installation: Installation, annotations: dict[str, Any]) -> None:
    decision = decided(plan(affinity=BAD_RULE, **annotations), installation=installation)

    assert decision == Decision(
        Outcome.UNCHANGED,
        Reason.MODE_OFF,
        "the effective mode is off",
        Mode.OFF,
        plan=OWNER,
        generation=3,
    )


def test_a_plan_has_no_say_in_the_mode_where_the_installation_does_not_let_it() -> None:
    decision = decided(
        plan(affinity=BAD_RULE, mode="off"), installation=Installation(plan_modes=False)
    )
    assert decision.outcome is Outcome.DENIED


def test_a_mode_that_is_none_is_refused() -> None:
    decision = decided(plan(mode="of"))
    assert decision.message == (
        f"{REFUSED}\nPlan konveyor-forklift/db annotation {PREFIX}/mode: expected mode enforce, "
        "audit or off, found 'of'; did you mean 'off'?"
    )


MIGRATION = {"group": "forklift.konveyor.io", "version": "v1beta1", "kind": "Migration"}
DELETED = plan(affinity=BAD_RULE)
DELETED["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("asked", "why"),
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
def test_what_writes_no_settings_is_let_through_without_a_word(asked: Request, why: str) -> None:
    decision = validate(asked, Installation())

    assert decision == Decision(Outcome.SKIPPED, Reason.NOT_A_PLAN_CHANGE, why)
    assert response(decision) == {"uid": "u-1", "allowed": True}


@pytest.mark.parametrize("body", [{}, {"metadata": None}, {"metadata": [], "spec": "x"}])
def test_a_plan_of_any_shape_is_decided_on(body: Json) -> None:
    assert decided(body).reason in {Reason.SETTINGS_VALID, Reason.SETTINGS_INVALID}


def test_a_plan_is_never_changed() -> None:
    for mode in Mode:
        decision = decided(plan(labels="batch=1"), installation=Installation(mode=mode))
        assert decision.patch == []
        assert "patch" not in response(decision)


def test_a_large_plan_is_decided_on_by_its_settings_alone() -> None:
    vms = [{"id": f"vm-{number}", "name": "x" * 100} for number in range(3000)]
    body = plan(spec={"vms": vms}, affinity=BAD_RULE)
    assert len(json.dumps(body)) > 300_000
    assert decided(body).problems == [RULE_PROBLEM]
