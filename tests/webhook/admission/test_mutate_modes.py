"""The decision on a pod in each mode, and with `onError: deny`."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import worlds
from tests.support.builders import decoded_request, minimal_pod, parsed_plan
from tests.support.placements import KEPT, NO_QUANTITY, OWNER, REF, UNKNOWN_VERB, decide_on_pod
from webhook.kube.objects import Json
from webhook.model import (
    Decision,
    Installation,
    Mode,
    OnError,
    Outcome,
    Plan,
    Reason,
    Role,
    Settings,
)

AUDIT = Installation(mode=Mode.AUDIT)
DENIAL = """\
plan 'konveyor-forklift/db' has invalid placement settings:
Plan konveyor-forklift/db annotation convertor.forklift.konveyor.io/affinity line 1 column 1: \
unknown verb 'REQIRE': did you mean 'REQUIRE'?
  REQIRE pods(app=ceph) on node
  ^^^^^^
Plan konveyor-forklift/db spec.convertorNodeSelector: 'x+' is not a quantity"""
WOULD_DENY = f"mode audit, nothing is changed: the pod would be denied: {DENIAL}"


@pytest.mark.parametrize(
    ("mode", "outcome", "message", "warnings"),
    [
        (Mode.ENFORCE, Outcome.DENIED, DENIAL, []),
        (Mode.AUDIT, Outcome.WOULD_DENY, WOULD_DENY, [WOULD_DENY]),
    ],
)
def test_a_pod_is_denied_for_a_problem_with_on_error_deny(
    mode: Mode, outcome: Outcome, message: str, warnings: list[str]
) -> None:
    problems = [UNKNOWN_VERB, NO_QUANTITY]
    installation = Installation(mode=mode, on_error=OnError.DENY)

    assert decide_on_pod(
        parsed_plan(labels={"batch": "1"}, problems=problems), installation
    ) == Decision(
        outcome,
        Reason.SETTINGS_INVALID,
        message,
        mode,
        plan=OWNER,
        generation=3,
        warnings=warnings,
        problems=problems,
        role=Role.CONVERTOR,
    )


def test_a_pod_without_a_plan_is_not_denied_with_on_error_deny() -> None:
    installation = Installation(on_error=OnError.DENY)

    assert decide_on_pod(Reason.PLAN_NOT_FOUND, installation).outcome is Outcome.FAILED


def test_mode_audit_warns_of_the_patch_and_does_not_apply_it() -> None:
    decision = decide_on_pod(
        parsed_plan(labels={"tier": "y"}), AUDIT, decoded_request(minimal_pod({"tier": "x"}))
    )

    assert (decision.mode, decision.outcome) == (Mode.AUDIT, Outcome.WOULD_PATCH)
    assert decision.reason is Reason.WOULD_PLACE
    assert decision.message == (
        "mode audit, nothing is changed: would be placed by plan 'konveyor-forklift/db'"
    )
    assert decision.warnings == [
        (
            "mode audit, nothing is changed: the pod would get labels "
            "app=virt-v2v,forklift.app/plan=db"
        ),
        f"mode audit, nothing is changed: {KEPT}",
    ]


@pytest.mark.parametrize("found", [Reason.PLAN_NOT_FOUND, parsed_plan(problems=[NO_QUANTITY])])
def test_mode_off_leaves_the_pod_unchanged(found: Plan | Reason) -> None:
    decision = decide_on_pod(found, Installation(mode=Mode.OFF, on_error=OnError.DENY))

    assert decision == Decision(
        Outcome.UNCHANGED,
        Reason.MODE_OFF,
        "the effective mode is off",
        Mode.OFF,
        plan=OWNER if isinstance(found, Plan) else REF,
        generation=3 if isinstance(found, Plan) else 0,
        role=Role.CONVERTOR,
    )


@pytest.mark.parametrize(
    ("of_installation", "of_namespace", "of_plan", "plan_modes", "mode"),
    [
        (Mode.ENFORCE, None, None, True, Mode.ENFORCE),
        (Mode.AUDIT, None, None, True, Mode.AUDIT),
        (Mode.AUDIT, Mode.ENFORCE, None, True, Mode.ENFORCE),
        (Mode.ENFORCE, Mode.AUDIT, Mode.OFF, True, Mode.OFF),
        (Mode.ENFORCE, Mode.AUDIT, Mode.OFF, False, Mode.AUDIT),
        (Mode.ENFORCE, None, Mode.AUDIT, False, Mode.ENFORCE),
    ],
)
def test_the_effective_mode_is_the_most_specific_one(
    of_installation: Mode,
    of_namespace: Mode | None,
    of_plan: Mode | None,
    plan_modes: bool,
    mode: Mode,
) -> None:
    namespaces = {"target": of_namespace} if of_namespace else {}
    installation = Installation(of_installation, namespaces, plan_modes)

    assert decide_on_pod(parsed_plan(mode=of_plan), installation).mode is mode


@given(worlds.plans_with_pods(), st.sampled_from(OnError), st.booleans())
def test_mode_audit_reports_the_patch_and_problems_of_mode_enforce(
    case: tuple[Plan, Json], on_error: OnError, invalid: bool
) -> None:
    found, before = case
    changes: Json = {"mode": None, "problems": [NO_QUANTITY] if invalid else []}
    settings: Settings = msgspec.structs.replace(found.settings, **changes)
    found = msgspec.structs.replace(found, settings=settings)

    enforced, audited = (
        decide_on_pod(found, Installation(mode=mode, on_error=on_error), decoded_request(before))
        for mode in (Mode.ENFORCE, Mode.AUDIT)
    )

    assert audited.patch == enforced.patch
    assert audited.problems == enforced.problems
    also = [f"mode audit, nothing is changed: {each}" for each in enforced.warnings]
    assert audited.warnings[len(audited.warnings) - len(also) :] == also
    changed = enforced.outcome in (Outcome.PATCHED, Outcome.DENIED)
    assert len(audited.warnings) == len(also) + changed
    assert audited.outcome not in (Outcome.PATCHED, Outcome.DENIED)
