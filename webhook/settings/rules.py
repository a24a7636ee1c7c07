"""Affinity: rules in KARL, or a core/v1 Affinity; whole or not at all."""

from functools import lru_cache

from webhook import karl
from webhook.karl.errors import Fault
from webhook.kube.affinity import default_to_all_namespaces, omit_empty_fields
from webhook.kube.affinity_unsatisfiable import unsatisfiable_terms
from webhook.kube.affinity_validation import validate_affinity
from webhook.kube.messages import describe_value
from webhook.kube.objects import Json
from webhook.model import Problem, Scope
from webhook.settings.raw import Given


def read_affinity(given: Given, scope: Scope, problems: list[Problem]) -> Json:
    """Read rules or an object; pod terms of either that name no namespace get the scope."""
    if isinstance(given.value, str):
        return _read_rules(given, scope, problems)
    if not isinstance(given.value, dict):
        value = describe_value(given.value)
        message = f"expected rules as text or an affinity as a map, found {value}"
        problems.append(Problem(given.where, message))
        return {}
    faults = validate_affinity(given.value, closed=given.closed) or [
        *unsatisfiable_terms(given.value)
    ]
    if faults:
        problems.extend(Problem(f"{given.where}{fault.path}", fault.message) for fault in faults)
        return {}
    affinity = omit_empty_fields(given.value)
    return default_to_all_namespaces(affinity) if scope is Scope.ALL else affinity


def _read_rules(given: Given, scope: Scope, problems: list[Problem]) -> Json:
    if not given.value.strip():
        return {}
    try:
        return _compile(given.value, scope)
    except karl.KarlError as error:
        problems.extend(_problem(given.where, fault) for fault in error.errors)
        return {}


@lru_cache(maxsize=64)
def _compile(text: str, scope: Scope) -> Json:
    # The default's rules are read with every plan, and plans are often alike: reading ten
    # thousand plans under a default of one rule takes 0.5 s, and took 2.6 s.
    return karl.compile_open(text, scope=scope)


def _problem(where: str, fault: Fault) -> Problem:
    return Problem(
        where=f"{where} line {fault.line} column {fault.column}",
        message=f"{fault.message}: {fault.hint}",
        detail=f"  {fault.source}\n  {fault.underline}",
    )
