"""Affinity: rules in KARL or a core/v1 Affinity, applied as a whole or not at all."""

from functools import lru_cache
from typing import NamedTuple

import msgspec

from webhook import karl
from webhook.karl.decompile import decompile
from webhook.karl.errors import Mistake, RuleError, build_error
from webhook.kube.affinity import default_to_all_namespaces, omit_empty_fields
from webhook.kube.affinity_unsatisfiable import unsatisfiable_terms
from webhook.kube.affinity_validation import validate_affinity
from webhook.kube.messages import describe_value
from webhook.kube.objects import Json
from webhook.model import Problem, Scope
from webhook.settings.limits import PlanLimits
from webhook.settings.raw import Invalid, RawSetting, report
from webhook.settings.structured import parse_affinity


class Rules(NamedTuple):
    """The setting `affinity`, parsed."""

    affinity: Json
    """A core/v1 Affinity; empty if it is invalid."""
    spread: list[Json]
    """core/v1 TopologySpreadConstraints."""
    rules: tuple[karl.Rule, ...] = ()
    """The rules of a text that both are compiled from; empty for an object."""


NO_RULES = Rules({}, [])


def read_affinity(
    setting: RawSetting, scope: Scope, problems: list[Problem], limits: PlanLimits | None = None
) -> Rules:
    """Read rules or an object; the scope applies to pod terms that name no namespace.

    What is beyond the limits is left out, and the rest is applied.
    """
    if isinstance(setting.value, str):
        return _read_rules(setting, scope, problems, limits)
    if not isinstance(setting.value, dict):
        message = (
            f"expected rules as text or an affinity as a map, found {describe_value(setting.value)}"
        )
        problems.append(Problem(setting.where, message))
        return NO_RULES
    errors = validate_affinity(setting.value, closed=setting.reject_unknown_fields) or [
        *unsatisfiable_terms(setting.value)
    ]
    if errors:
        invalid = (Invalid(f"{setting.where}{error.path}", error.message) for error in errors)
        problems.extend(report(setting.where, invalid))
        return NO_RULES
    affinity = omit_empty_fields(setting.value)
    affinity = default_to_all_namespaces(affinity) if scope is Scope.ALL else affinity
    if limits is None:
        return Rules(affinity, [])
    affinity, beyond = limits.split_affinity(affinity)
    problems.extend(
        report(setting.where, (Invalid(setting.where, each, beyond_limits=True) for each in beyond))
    )
    return Rules(affinity, [])


def _read_rules(
    setting: RawSetting, scope: Scope, problems: list[Problem], limits: PlanLimits | None
) -> Rules:
    if not setting.value.strip():
        return NO_RULES
    compiled = _compile(setting.value, scope)
    if not isinstance(compiled, karl.KarlError):
        if limits is None or not limits.check_affinity(compiled.affinity):
            return compiled
        return _without_beyond(setting, scope, problems, limits)
    if (affinity := parse_affinity(setting.value)) is not None:
        problems.append(_object_problem(setting.where, affinity, scope))
    else:
        problems.extend(to_problem(setting.where, error) for error in compiled.errors)
    return NO_RULES


@lru_cache(maxsize=64)
def _compile(text: str, scope: Scope) -> Rules | karl.KarlError:
    # The default rules are read with every plan, many plans have equal rules, and an update of a
    # plan has the old ones too: reading 10,000 plans with a default of one rule takes 0.5 s
    # instead of 2.6 s.
    try:
        rules = karl.parse(text)
        return Rules(*karl.compile_rules(text, rules, scope), tuple(rules))
    except karl.KarlError as error:
        return error.with_traceback(None)


def _without_beyond(
    setting: RawSetting, scope: Scope, problems: list[Problem], limits: PlanLimits
) -> Rules:
    """Return the rules within the limits, and report each other one at its place."""
    allowed: list[karl.Rule] = []
    beyond: list[Mistake] = []
    for rule in karl.parse(setting.value):
        message = limits.check_affinity(karl.compile_rules(setting.value, [rule], scope).affinity)
        if message:
            beyond.append(Mistake(rule.span, message, ""))
        else:
            allowed.append(rule)
    for error in build_error(setting.value, beyond).errors:
        problem = to_problem(setting.where, error)
        problems.append(msgspec.structs.replace(problem, beyond_limits=True))
    return Rules(*karl.compile_rules(setting.value, allowed, scope), tuple(allowed))


def _object_problem(where: str, affinity: Json, scope: Scope) -> Problem:
    """Return the problem of an object where rules are expected, with the same as rules."""
    message = (
        "expected rules, found an affinity object as text; spec.convertorAffinity takes it as an "
        "object"
    )
    if validate_affinity(affinity):
        return Problem(where, message)
    scoped = default_to_all_namespaces(affinity) if scope is Scope.ALL else affinity
    rules = [term.rule for term in decompile(omit_empty_fields(scoped))]
    lines = [f"  {karl.to_text(rule)}" for rule in rules if rule]
    if not lines or len(lines) < len(rules):
        return Problem(where, message)
    return Problem(where, message, "\n".join(["  As rules:", *lines]))


def to_problem(where: str, error: RuleError) -> Problem:
    """Return the problem of a rule; `where` is the location of the setting."""
    return Problem(
        where=f"{where} line {error.line} column {error.column}",
        message=f"{error.message}: {error.hint}" if error.hint else error.message,
        detail=f"  {error.source}\n  {error.underline}",
    )
