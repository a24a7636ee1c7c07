"""KARL, the Kubernetes Affinity Rule Language. For users: docs/karl.md.

    >>> karl.compile("REQUIRE nodes(disktype=ssd)")
    {'nodeAffinity': {'requiredDuringSchedulingIgnoredDuringExecution': {'nodeSelectorTerms':
    [{'matchExpressions': [{'key': 'disktype', 'operator': 'In', 'values': ['ssd']}]}]}}}

The steps of the compiler: `split` finds the rules of a text, `parse` parses each with
`grammar.lark` (`diagnose` explains syntax errors), `build` turns the tree into a Rule (`syntax`),
`check` validates it, and `affinity` turns all rules into one Affinity.
"""

from types import MappingProxyType
from typing import Any

from webhook.karl import minimums
from webhook.karl.affinity import to_affinity
from webhook.karl.english import to_english
from webhook.karl.errors import KarlError, Mistake, RuleError, build_error
from webhook.karl.parse import parse
from webhook.karl.syntax import Rule, Span
from webhook.karl.text import to_text
from webhook.kube.messages import describe_value, did_you_mean, join_with_or
from webhook.kube.objects import Json
from webhook.model import NodeValues, Scope

__all__ = [
    "KarlError",
    "Rule",
    "RuleError",
    "compile",
    "compile_unexpanded",
    "parse",
    "to_english",
    "to_text",
]

_NO_NODES: NodeValues = MappingProxyType({})


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
    affinity = to_affinity(parse(text), default_scope)
    if isinstance(affinity, Mistake):
        raise build_error(text, [affinity])
    return affinity


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
