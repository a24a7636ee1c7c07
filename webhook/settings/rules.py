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
from webhook.kube.spread import counts_tainted_nodes, is_hard
from webhook.model import Installation, Problem, Scope
from webhook.settings.limits import PlanLimits
from webhook.settings.raw import Invalid, RawSetting, digest, report
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
    setting: RawSetting,
    installation: Installation,
    problems: list[Problem],
    limits: PlanLimits | None = None,
) -> Rules:
    """Read rules or an object; the scope applies to pod terms that name no namespace.

    What is beyond the limits, or would keep pods pending on this version of Kubernetes, is left
    out, and the rest is applied.
    """
    scope = installation.scope
    if isinstance(setting.value, str):
        return _read_rules(setting, installation, problems, limits)
    if not isinstance(setting.value, dict):
        message = (
            f"expected rules as text or an affinity as a map, found {describe_value(setting.value)}"
        )
        problems.append(Problem(setting.where, message))
        return NO_RULES
    where = setting.where
    if errors := validate_affinity(setting.value, closed=setting.reject_unknown_fields):
        problems.extend(
            report(where, (Invalid(where + each.path, each.message) for each in errors))
        )
        return NO_RULES
    errors = [*unsatisfiable_terms(setting.value)]
    invalid = [Invalid(where + each.path, each.message) for each in errors]
    affinity = omit_empty_fields(setting.value)
    affinity = default_to_all_namespaces(affinity) if scope is Scope.ALL else affinity
    if limits is not None:
        affinity, beyond = limits.split_affinity(affinity)
        invalid += [
            Invalid(where, message, beyond_limits=True, digest=digest(term))
            for term, message in beyond
        ]
    problems.extend(report(where, invalid))
    return NO_RULES if errors else Rules(affinity, [])


def _read_rules(
    setting: RawSetting,
    installation: Installation,
    problems: list[Problem],
    limits: PlanLimits | None,
) -> Rules:
    if not setting.value.strip():
        return NO_RULES
    scope, kubernetes = installation.scope, installation.kubernetes
    compiled = _compile(setting.value, scope)
    if not isinstance(compiled, karl.KarlError):
        if not (_check_limits(compiled, limits) or _check_version(compiled, kubernetes)):
            return compiled
        return _without_rejected(setting, installation, problems, limits)
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


def _without_rejected(
    setting: RawSetting,
    installation: Installation,
    problems: list[Problem],
    limits: PlanLimits | None,
) -> Rules:
    """Return the rules that can be applied, and report each other one at its place."""
    text, scope = setting.value, installation.scope
    allowed: list[karl.Rule] = []
    for rule in karl.parse(text):
        compiled = Rules(*karl.compile_rules(text, [rule], scope))
        beyond = _check_limits(compiled, limits)
        message = beyond or _check_version(compiled, installation.kubernetes)
        if message is None:
            allowed.append(rule)
            continue
        (error,) = build_error(text, [Mistake(rule.span, message, "")]).errors
        problem = to_problem(setting.where, error)
        if beyond:
            content = digest(error.message)
            problem = msgspec.structs.replace(problem, beyond_limits=True, digest=content)
        problems.append(problem)
    return Rules(*karl.compile_rules(text, allowed, scope), tuple(allowed))


def _check_limits(rules: Rules, limits: PlanLimits | None) -> str | None:
    return limits.check_affinity(rules.affinity) if limits else None


def _check_version(rules: Rules, kubernetes: int | None) -> str | None:
    if counts_tainted_nodes(kubernetes) and any(map(is_hard, rules.spread)):
        return describe_ignored_taints(kubernetes)
    return None


def describe_ignored_taints(kubernetes: int | None) -> str:
    """Return why a hard SPREAD is not applied on this version of Kubernetes."""
    return (
        f"a hard SPREAD is not applied on Kubernetes 1.{kubernetes}, which counts cordoned nodes: "
        "one of them would keep all later pods pending; remove hard"
    )


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
