"""KARL, the Kubernetes Affinity Rule Language. For users: docs/karl.md.

    >>> karl.compile("REQUIRE nodes(disktype=ssd)")
    {'nodeAffinity': {'requiredDuringSchedulingIgnoredDuringExecution': {'nodeSelectorTerms':
    [{'matchExpressions': [{'key': 'disktype', 'operator': 'In', 'values': ['ssd']}]}]}}}

The steps of the compiler: `split` finds the rules of a text, `parse` parses each with
`grammar.lark` (`diagnose` explains syntax errors), `build` turns the tree into a Rule (`syntax`),
`check` validates it, and `affinity` turns all rules into one Affinity.
"""

from collections.abc import Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from webhook.karl import minimums
from webhook.karl.affinity import to_affinity, to_spread
from webhook.karl.english import to_english
from webhook.karl.errors import KarlError, Mistake, RuleError, build_error
from webhook.karl.parse import parse
from webhook.karl.syntax import Rule, Span, Verb
from webhook.karl.text import to_text
from webhook.kube.messages import describe_value, did_you_mean, join_with_or
from webhook.kube.objects import Json
from webhook.model import NodeValues, Scope

__all__ = [
    "Compiled",
    "KarlError",
    "Rule",
    "RuleError",
    "compile",
    "compile_all",
    "compile_rules",
    "compile_unexpanded",
    "parse",
    "to_english",
    "to_text",
]

_NO_NODES: NodeValues = MappingProxyType({})


class Compiled(NamedTuple):
    """A compiled text."""

    affinity: Json
    """A core/v1 Affinity."""
    spread: list[Json]
    """core/v1 TopologySpreadConstraints."""


def compile(  # noqa: A001 - the public name
    text: str,
    *,
    scope: Scope | str = Scope.ALL,
    node_values: NodeValues = _NO_NODES,
) -> Json:
    """Compile a text to a core/v1 Affinity.

    Args:
        text: rules, separated by `;` or line ends.
        scope: the namespaces of pod rules that specify none: `all`, or the pod's `own`.
        node_values: the values of each label on the cluster's nodes. `memory>=64Gi` compiles to
            `In` over those that are at least as large, and `64Gi` itself.

    Raises:
        KarlError: with all errors of the text, or if the text is not a string or the scope is
            unknown. No other exception is raised.

    """
    return minimums.expand(compile_unexpanded(text, scope=scope), node_values)


def compile_unexpanded(text: str, *, scope: Scope | str = Scope.ALL) -> Json:
    """Compile as `compile` does, but leave quantities to `webhook.karl.minimums.expand`."""
    default_scope = _check_arguments(text, scope)
    rules = parse(text)
    message = "SPREAD is not part of an affinity"
    hint = "compile_all returns its topologySpreadConstraints"
    spread = [rule for rule in rules if rule.verb is Verb.SPREAD]
    if spread:
        raise build_error(text, [Mistake(rule.span, message, hint) for rule in spread])
    return compile_rules(text, rules, default_scope).affinity


def compile_all(
    text: str, *, scope: Scope | str = Scope.ALL, node_values: NodeValues = _NO_NODES
) -> Json:
    """Compile a text to the fields of a pod's spec, `affinity` and `topologySpreadConstraints`.

    Args: see `compile`. Fields that would be empty are absent.

    Raises:
        KarlError: as `compile`, but not for SPREAD.

    """
    default_scope = _check_arguments(text, scope)
    found = compile_rules(text, parse(text), default_scope)
    fields: Json = {
        "affinity": minimums.expand(found.affinity, node_values),
        "topologySpreadConstraints": found.spread,
    }
    return {name: field for name, field in fields.items() if field}


def compile_rules(text: str, rules: Sequence[Rule], scope: Scope) -> Compiled:
    """Compile some of the parsed rules of a text.

    Raises:
        KarlError: they cannot be combined.

    """
    affinity, spread = to_affinity(rules, scope), to_spread(rules)
    if isinstance(affinity, Mistake) or isinstance(spread, Mistake):
        raise build_error(text, [each for each in (affinity, spread) if isinstance(each, Mistake)])
    return Compiled(affinity, spread)


def _check_arguments(text: Any, scope: Any) -> Scope:
    """Check the types at run time, because callers pass values from YAML and JSON."""
    start = Span(0, 0)
    if not isinstance(text, str):
        hint = "expected text, such as REQUIRE pods(app=ceph-osd) on node"
        raise build_error("", [Mistake(start, f"rules cannot be {describe_value(text)}", hint)])
    try:
        return Scope(scope)
    except ValueError:
        hint = f"expected {join_with_or([*Scope])}"
        if isinstance(scope, str):
            hint += did_you_mean(scope, Scope)
        message = f"unknown scope {describe_value(scope)}"
        raise build_error(text, [Mistake(start, message, hint)]) from None
