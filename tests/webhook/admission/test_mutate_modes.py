"""What the mode, and what denies, make of a decision."""

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
def test_a_problem_denies_where_that_is_asked_for(
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
    )


def test_a_missing_plan_denies_nothing() -> None:
    installation = Installation(on_error=OnError.DENY)

    assert decide_on_pod(Reason.PLAN_NOT_FOUND, installation).outcome is Outcome.FAILED


def test_audit_says_that_nothing_is_changed() -> None:
    decision = decide_on_pod(
        parsed_plan(labels={"app": "y"}), AUDIT, decoded_request(minimal_pod({"app": "x"}))
    )

    assert (decision.mode, decision.outcome) == (Mode.AUDIT, Outcome.WOULD_PATCH)
    assert decision.reason is Reason.WOULD_PLACE
    assert decision.message == (
        "mode audit, nothing is changed: would be placed by plan 'konveyor-forklift/db'"
    )
    assert decision.warnings == [
        "mode audit, nothing is changed: the pod would get labels forklift.app/plan=db",
        f"mode audit, nothing is changed: {KEPT}",
    ]


@pytest.mark.parametrize("found", [Reason.PLAN_NOT_FOUND, parsed_plan(problems=[NO_QUANTITY])])
def test_off_is_off(found: Plan | Reason) -> None:
    decision = decide_on_pod(found, Installation(mode=Mode.OFF, on_error=OnError.DENY))

    assert decision == Decision(
        Outcome.UNCHANGED,
        Reason.MODE_OFF,
        "the effective mode is off",
        Mode.OFF,
        plan=OWNER if isinstance(found, Plan) else REF,
        generation=3 if isinstance(found, Plan) else 0,
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
def test_the_most_specific_mode_counts(
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
def test_audit_computes_what_enforce_does(
    case: tuple[Plan, Json], on_error: OnError, faulty: bool
) -> None:
    found, before = case
    changes: Json = {"mode": None, "problems": [NO_QUANTITY] if faulty else []}
    settings: Settings = msgspec.structs.replace(found.settings, **changes)
    found = msgspec.structs.replace(found, settings=settings)

    done, told = (
        decide_on_pod(found, Installation(mode=mode, on_error=on_error), decoded_request(before))
        for mode in (Mode.ENFORCE, Mode.AUDIT)
    )

    assert told.patch == done.patch
    assert told.problems == done.problems
    also = [f"mode audit, nothing is changed: {each}" for each in done.warnings]
    assert told.warnings[len(told.warnings) - len(also) :] == also
    changed = done.outcome in (Outcome.PATCHED, Outcome.DENIED)
    assert len(told.warnings) == len(also) + changed
    assert told.outcome not in (Outcome.PATCHED, Outcome.DENIED)
