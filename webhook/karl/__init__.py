"""KARL, the Kubernetes Affinity Rule Language. For users: docs/karl.md.

    >>> karl.compile("REQUIRE nodes(disktype=ssd)")
    {'nodeAffinity': {'requiredDuringSchedulingIgnoredDuringExecution': {'nodeSelectorTerms':
    [{'matchExpressions': [{'key': 'disktype', 'operator': 'In', 'values': ['ssd']}]}]}}}

A text goes this way: `split` finds its rules, `parse` reads each by `grammar.lark` (what cannot
be read is explained by the probes), `build` makes a value of it (`syntax`), `check` says what is
wrong with it, and `affinity` lowers all of them together.
"""

from types import MappingProxyType
from typing import Any

from webhook.karl import minimums
from webhook.karl.affinity import lower
from webhook.karl.english import to_english
from webhook.karl.errors import Fault, KarlError, Mistake, refuse
from webhook.karl.parse import parse
from webhook.karl.syntax import Rule, Span
from webhook.karl.text import to_text
from webhook.kube.messages import describe_value, did_you_mean, join_with_or
from webhook.kube.objects import Json
from webhook.model import NodeValues, Scope

__all__ = [
    "Fault",
    "KarlError",
    "Rule",
    "compile",
    "compile_open",
    "parse",
    "to_english",
    "to_text",
]

_NO_NODES: NodeValues = MappingProxyType({})


def compile(  # noqa: A001 - the public name; nobody compiles Python here
    text: str,
    *,
    scope: Scope | str = Scope.ALL,
    node_values: NodeValues = _NO_NODES,
) -> Json:
    """Return the rules of a text as a core/v1 Affinity.

    Args:
        text: rules, separated by `;` or line ends.
        scope: where a rule on pods looks that does not say: `all` namespaces or the pod's `own`.
        node_values: for each label key its values on the cluster's nodes, out of which
            quantities such as `memory>=64Gi` choose; the written one is always among them.

    Raises:
        KarlError: for anything that is wrong with the text, all of it, and for a text or a scope
            that is none; nothing else is raised.

    """
    return minimums.expand(compile_open(text, scope=scope), node_values)


def compile_open(text: str, *, scope: Scope | str = Scope.ALL) -> Json:
    """Return what `compile` does, with quantities left to `webhook.karl.minimums.expand`."""
    looks = _scope(text, scope)
    lowered = lower(parse(text), looks)
    if isinstance(lowered, Mistake):
        raise refuse(text, [lowered])
    return lowered


def _scope(text: Any, scope: Any) -> Scope:
    """Check at the door what a type checker would: callers have values out of YAML and JSON."""
    start = Span(0, 0)
    if not isinstance(text, str):
        hint = "expected text, such as REQUIRE pods(app=ceph-osd) on node"
        raise refuse("", [Mistake(start, f"rules cannot be {describe_value(text)}", hint)])
    try:
        return Scope(scope)
    except ValueError:
        hint = f"expected {join_with_or([*Scope])}"
        if isinstance(scope, str):
            hint += did_you_mean(scope, Scope)
        message = f"unknown scope {describe_value(scope)}"
        raise refuse(text, [Mistake(start, message, hint)]) from None
