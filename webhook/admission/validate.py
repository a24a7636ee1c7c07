"""Decision on the review of a Plan: whether an edit adds invalid placement settings.

A Plan is never changed, and every client can still write it: problems that were there before an
edit only warn, and edits of anything but settings are admitted. In the modes off and audit nothing
is denied, except for values beyond the limits of an installation that enforces: Forklift applies
the fields of a Plan itself, so a plan's own mode does not lift them. For the same reason each entry
or term beyond the limits is compared with those before: one may stay, but not become another one.

An edit is denied if any setting has more invalid places than before: entries of a list, rules of
a text, terms of an object. Comparing messages is not enough: two rules with the same mistake are
two problems, and a rule that cannot be parsed has one problem, even with several mistakes. The next
one is found when the first is repaired, but it was there before, so a user who repairs a text step
by step gets warnings, and no denial.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable

import msgspec

from webhook import settings
from webhook.admission.problem_text import join_problems
from webhook.admission.review import PLAN
from webhook.kube.objects import nested_map
from webhook.model import Decision, Installation, Mode, Outcome, Plan, Problem, Reason, Request
from webhook.placement.warnings import find_plan_warnings
from webhook.settings.mode import mode_of

_SETTING = re.compile(r"Plan \S+ (?:annotation \S+|spec\.\w+)")
"""The location of a setting; the rest of a problem's location is inside it."""
_COLUMN = re.compile(r" line (\d+) column (\d+)$")
_TERM = re.compile(r"[^]]*]")
"""The location up to the first index: deeper ones are in the same term."""
_POSITION = re.compile(r" line \d+ column \d+$| entry \d+$|(?<=\[)\d+(?=\])")
"""The position of a problem in its setting, which an edit of earlier entries changes."""


def validate(request: Request, installation: Installation) -> Decision:
    """Decide on the creation or the change of a Plan."""
    if why := _reason_to_skip(request):
        return Decision(Outcome.SKIPPED, Reason.NOT_A_PLAN_CHANGE, why, installation.mode)
    if request.malformed:
        message = f"the plan is malformed, so it is not validated: {request.malformed}"
        return Decision(
            Outcome.FAILED,
            Reason.MALFORMED_REVIEW,
            message,
            installation.mode,
            warnings=[message],
        )
    plan = settings.read(request.object, installation)
    new = _find_new_problems(request, plan, installation)
    mode = mode_of(plan, plan.target_namespace, installation)
    warnings = find_plan_warnings(plan, installation)
    beyond = [problem for problem in new if problem.digest]
    if beyond and mode_of(None, plan.target_namespace, installation) is Mode.ENFORCE:
        denied = new if mode is Mode.ENFORCE else beyond
        decision = msgspec.structs.replace(_enforce(plan, denied, warnings), mode=mode)
    else:
        decision = _apply_mode(mode, _enforce(plan, new, warnings), new)
    return msgspec.structs.replace(
        decision,
        plan=plan.ref,
        generation=plan.generation,
    )


def _find_new_problems(request: Request, plan: Plan, installation: Installation) -> list[Problem]:
    if not plan.settings.problems:
        return []
    return new_problems(settings.read(request.old_object, installation), plan)


def new_problems(before: Plan, after: Plan) -> list[Problem]:
    """Return the new problems of settings with more invalid places, and those beyond limits."""
    had, has = (_group_by_setting(plan.settings.problems) for plan in (before, after))
    worse = [name for name in has if _count_places(has[name]) > _count_places(had[name])]
    new = {each for name in worse for each in _find_added(had[name], has[name])}
    new |= _find_beyond_limits(before.settings.problems, after.settings.problems)
    return [problem for problem in after.settings.problems if problem in new]


def _group_by_setting(problems: Iterable[Problem]) -> defaultdict[str, list[Problem]]:
    found = defaultdict[str, list[Problem]](list)
    for problem in problems:
        setting = _SETTING.match(problem.where)
        found[setting[0] if setting else problem.where].append(problem)
    return found


def _count_places(problems: Iterable[Problem]) -> int:
    """Return the number of invalid places; a problem may count others that have none."""
    places = {_locate(problem): max(problem.others, 1) for problem in problems}
    return sum(places.values())


def _locate(problem: Problem) -> str:
    """Return the entry, rule or term of a problem."""
    at = _COLUMN.search(problem.where)
    if at is None:
        term = _TERM.match(problem.where)
        return term[0] if term else problem.where
    source, _, underline = problem.detail.partition("\n")
    into_line = len(underline) - len(underline.lstrip())
    into_rule = into_line - (source.rfind(";", 0, into_line) + 1)
    return f"{at[1]}:{int(at[2]) - into_rule}"


def _find_added(before: list[Problem], after: list[Problem]) -> list[Problem]:
    """Return the problems that were not there before; of equal ones those with another source.

    All of them if that is not known: one that counts others may count a new one.
    """
    left = Counter(map(_without_position, before))
    sources = {(_without_position(problem), problem.detail) for problem in before}
    added: list[Problem] = []
    for problem in sorted(
        after, key=lambda each: (_without_position(each), each.detail) not in sources
    ):
        if left[_without_position(problem)]:
            left[_without_position(problem)] -= 1
        else:
            added.append(problem)
    return after if not added or any(problem.others for problem in added) else added


def _find_beyond_limits(before: list[Problem], after: list[Problem]) -> set[Problem]:
    """Return the problems beyond the limits that were not there before with the same value."""
    left = Counter((*_without_position(each), each.digest) for each in before)
    found: set[Problem] = set()
    for problem in after:
        if problem.digest:
            same = (*_without_position(problem), problem.digest)
            if not left[same]:
                found.add(problem)
            left[same] -= 1
    return found


def _reason_to_skip(request: Request) -> str:
    """Return why a review is skipped; empty for a change of a Plan."""
    if request.kind != PLAN or request.subresource:
        what = "/".join(filter(None, (request.kind, request.subresource)))
        return f"'{what}' is not a Plan"
    if request.operation not in ("CREATE", "UPDATE"):
        return f"operation '{request.operation}' changes no settings"
    if nested_map(request.object, "metadata").get("deletionTimestamp"):
        return "the plan is being deleted"
    return ""


def _without_position(problem: Problem) -> tuple[str, str]:
    """Return the part of a problem that an edit of other entries does not change."""
    return _POSITION.sub("", problem.where), problem.message


def _enforce(plan: Plan, new: list[Problem], warnings: list[str]) -> Decision:
    """Return the decision of mode enforce, from which those of the other modes are made."""
    problems = plan.settings.problems
    if not problems:
        message = f"the placement settings of plan '{plan}' are valid"
        return Decision(Outcome.UNCHANGED, Reason.SETTINGS_VALID, message, warnings=warnings)
    is_new = set(new)
    old = [str(problem) for problem in problems if problem not in is_new]
    if new:
        text = join_problems((problem.in_full() for problem in new), "\n")
        outcome = Outcome.DENIED
        message = f"plan '{plan}' has invalid placement settings:\n{text}"
    else:
        outcome = Outcome.UNCHANGED
        text = join_problems(old, "; ")
        message = f"plan '{plan}' has invalid placement settings, as before: {text}"
    return Decision(
        outcome,
        Reason.SETTINGS_INVALID,
        message,
        warnings=[*old, *warnings],
        problems=problems,
    )


def _apply_mode(mode: Mode, decision: Decision, new: list[Problem]) -> Decision:
    """Apply the mode to the decision of enforce."""
    if mode is Mode.OFF:
        return Decision(Outcome.UNCHANGED, Reason.MODE_OFF, "the effective mode is off", mode)
    if mode is Mode.AUDIT and decision.outcome is Outcome.DENIED:
        return msgspec.structs.replace(
            decision,
            mode=mode,
            outcome=Outcome.WOULD_DENY,
            message=_AUDIT + decision.message,
            warnings=[*(f"{_AUDIT}{problem}" for problem in new), *decision.warnings],
        )
    return msgspec.structs.replace(decision, mode=mode)


_AUDIT = "mode audit, the plan is not denied: "
