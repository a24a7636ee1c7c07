"""From a Plan that somebody writes to the decision whether its settings can be carried out.

A Plan is never changed, and nobody is locked out of one: what was wrong before an edit only
warns, and whatever writes no settings is let through.
"""

import re

import msgspec

from webhook import settings
from webhook.mode import mode_of
from webhook.model import (
    Decision,
    Installation,
    Mode,
    Outcome,
    Plan,
    PlanRef,
    Problem,
    Reason,
    Request,
)

PLAN = "forklift.konveyor.io/v1beta1/Plan"
"""The kind that is looked at, as a Request has it."""

_POSITION = re.compile(r" line \d+ column \d+$| entry \d+$|(?<=\[)\d+(?=\])")
"""Where in its setting a problem is; an edit of what stands before it makes it no new one."""


def validate(request: Request, installation: Installation) -> Decision:
    """Decide on the creation or the change of a Plan."""
    if why := _not_ours(request):
        return Decision(Outcome.SKIPPED, Reason.NOT_A_PLAN_CHANGE, why, installation.mode)
    plan = settings.read(request.object, installation)
    new = new_problems(settings.read(request.old_object, installation), plan)
    return msgspec.structs.replace(
        _in_mode(mode_of(plan, plan.target_namespace, installation), _enforced(plan, new), new),
        plan=PlanRef(plan.uid, plan.namespace, plan.name),
        generation=plan.generation,
    )


def new_problems(before: Plan, after: Plan) -> list[Problem]:
    """Return the problems of a plan that it did not have before."""
    known = set(map(_lasting, before.settings.problems))
    return [problem for problem in after.settings.problems if _lasting(problem) not in known]


def _not_ours(request: Request) -> str:
    """Say why a review is none of ours; empty for one that is."""
    if request.kind != PLAN or request.subresource:
        what = "/".join(filter(None, (request.kind, request.subresource)))
        return f"'{what}' has no settings of a plan"
    if request.operation not in ("CREATE", "UPDATE"):
        return f"operation '{request.operation}' writes no settings"
    metadata = request.object.get("metadata")
    if isinstance(metadata, dict) and metadata.get("deletionTimestamp"):
        return "a plan that is being deleted places no more pods"
    return ""


def _lasting(problem: Problem) -> tuple[str, str]:
    """Return what a problem has in common with itself before and after an edit."""
    return _POSITION.sub("", problem.where), problem.message


def _enforced(plan: Plan, new: list[Problem]) -> Decision:
    """Return what enforce does; the other modes are made from it."""
    problems = plan.settings.problems
    if not problems:
        message = f"all that plan '{plan}' asks can be done"
        return Decision(Outcome.UNCHANGED, Reason.SETTINGS_VALID, message)
    old = [str(problem) for problem in problems if problem not in new]
    if new:
        faults = "\n".join(problem.in_full() for problem in new)
        outcome, message = Outcome.DENIED, f"not all that plan '{plan}' asks can be done:\n{faults}"
    else:
        faults = "; ".join(old)
        outcome = Outcome.UNCHANGED
        message = f"not all that plan '{plan}' asks can be done, as before: {faults}"
    return Decision(outcome, Reason.SETTINGS_INVALID, message, warnings=old, problems=problems)


def _in_mode(mode: Mode, decision: Decision, new: list[Problem]) -> Decision:
    """Carry a decision out, only tell it, or forget it."""
    if mode is Mode.OFF:
        return Decision(Outcome.UNCHANGED, Reason.MODE_OFF, "the mode of this plan is off", mode)
    if mode is Mode.AUDIT and decision.outcome is Outcome.DENIED:
        return msgspec.structs.replace(
            decision,
            mode=mode,
            outcome=Outcome.WOULD_DENY,
            message=_AUDIT + decision.message,
            warnings=[*(f"{_AUDIT}{problem}" for problem in new), *decision.warnings],
        )
    return msgspec.structs.replace(decision, mode=mode)


_AUDIT = "mode audit, the plan is not refused: "
