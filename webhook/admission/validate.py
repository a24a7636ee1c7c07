"""From a Plan that somebody writes to the decision whether its settings can be carried out.

A Plan is never changed, and nobody is locked out of one: what was wrong before an edit only
warns, and whatever writes no settings is let through.

What is counted are the places of a setting where something is wrong: entries of a list, rules of
a text, terms of an object. An edit is refused when there are more of them than before, in any
setting. Messages would be the wrong thing to compare. Two rules with the same mistake are two, and
of a rule that cannot be parsed only one mistake is told: what comes to light when it is put right
was there before, so whoever repairs a text step by step is warned until the last.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable

import msgspec

from webhook import settings
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
from webhook.settings.mode import mode_of

PLAN = "forklift.konveyor.io/v1beta1/Plan"
"""The kind that is looked at, as a Request has it."""

_SETTING = re.compile(r"Plan \S+ (?:annotation \S+|spec\.\w+)")
"""Where a setting is written; what follows is where in it a problem is."""
_COLUMN = re.compile(r" line (\d+) column (\d+)$")
_TERM = re.compile(r"[^]]*]")
"""As far as the first index: what is deeper is in the same term."""
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
    """Return what is new in the settings that have more wrong places than before an edit."""
    had, has = (_by_setting(plan.settings.problems) for plan in (before, after))
    worse = [name for name in has if _wrong_places(has[name]) > _wrong_places(had[name])]
    new = [each for name in worse for each in _added(had[name], has[name])]
    return [problem for problem in after.settings.problems if problem in new]


def _by_setting(problems: Iterable[Problem]) -> defaultdict[str, list[Problem]]:
    found = defaultdict[str, list[Problem]](list)
    for problem in problems:
        setting = _SETTING.match(problem.where)
        found[setting[0] if setting else problem.where].append(problem)
    return found


def _wrong_places(problems: Iterable[Problem]) -> int:
    return len(set(map(_place, problems)))


def _place(problem: Problem) -> str:
    """Return the entry, the rule or the term that a problem is in."""
    at = _COLUMN.search(problem.where)
    if at is None:
        term = _TERM.match(problem.where)
        return term[0] if term else problem.where
    source, _, underline = problem.detail.partition("\n")
    into_line = len(underline) - len(underline.lstrip())
    into_rule = into_line - (source.rfind(";", 0, into_line) + 1)
    return f"{at[1]}:{int(at[2]) - into_rule}"


def _added(before: list[Problem], after: list[Problem]) -> list[Problem]:
    """Return the problems that are not those of before; of equal ones that with another source."""
    left = Counter(map(_lasting, before))
    sources = {(_lasting(problem), problem.detail) for problem in before}
    added: list[Problem] = []
    for problem in sorted(after, key=lambda each: (_lasting(each), each.detail) not in sources):
        if left[_lasting(problem)]:
            left[_lasting(problem)] -= 1
        else:
            added.append(problem)
    return added or after


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
