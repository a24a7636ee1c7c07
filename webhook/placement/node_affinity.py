"""The node terms of a placed pod's affinity."""

from collections.abc import Collection, Mapping

from webhook.affinity import MAX_NODE_TERMS, PREFERRED, REQUIRED, and_node_terms
from webhook.atleast import expand
from webhook.model import Json

NodeValues = Mapping[str, Collection[str]]


def place_node_affinity(
    present: Json, wanted: Json, requirements: list[Json], node_values: NodeValues, *, again: bool
) -> tuple[Json, str]:
    """Return a node affinity that is the pod's and the plan's, and what went wrong.

    Args:
        present: the pod's.
        wanted: the plan's.
        requirements: node expressions that every node must meet.
        node_values: of the label keys that `AtLeast` needs.
        again: whether the pod was placed before by the same plan.

    """
    placed, fault = present, ""
    terms = _terms(present)
    try:
        if requirements:
            terms = _and(terms, [{"matchExpressions": requirements}], node_values, again=again)
        terms = _and(terms, _terms(wanted), node_values, again=again)
    except ValueError as error:
        fault = (
            f"node affinity left as the pod has it: ANDed with the plan's it {error}; "
            "give the plan fewer alternatives"
        )
    if terms:
        selector = present.get(REQUIRED) or {}
        placed = placed | {REQUIRED: selector | {"nodeSelectorTerms": terms}}
    preferred = present.get(PREFERRED) or []
    if added := _added(preferred, wanted.get(PREFERRED) or [], node_values):
        placed = placed | {PREFERRED: preferred + added}
    return placed, fault


def _terms(affinity: Json) -> list[Json]:
    return (affinity.get(REQUIRED) or {}).get("nodeSelectorTerms") or []


def _and(
    terms: list[Json], others: list[Json], node_values: NodeValues, *, again: bool
) -> list[Json]:
    """AND the plan's terms with the pod's, which may be the result of having done so before."""
    expanded = expand(others, node_values)
    if not terms or not others:
        return terms or expanded
    if expanded is others:
        return and_node_terms(terms, others)
    products = [
        result
        for term in terms
        for result in and_node_terms(
            [term], expand(others, _values(term, node_values, again=again))
        )
    ]
    if len(products) > MAX_NODE_TERMS:
        raise ValueError(f"makes more than {MAX_NODE_TERMS} required node terms")
    return products


def _added(present: list[Json], wanted: list[Json], node_values: NodeValues) -> list[Json]:
    """Return those of the plan's preferences that the pod does not have, in whatever expansion."""
    return [
        expand(term, node_values)
        for term in wanted
        if not any(
            expand(term, _values(mine["preference"], node_values, again=True)) == mine
            for mine in present
        )
    ]


def _values(term: Json, node_values: NodeValues, *, again: bool) -> NodeValues:
    """Return the values over which `AtLeast` goes, given what the term says of the key already.

    A term with `memory In [64Gi, 128Gi]` takes no other node, so no other value matters. It also
    makes what was once written stay, when nodes have joined meanwhile. What a `NotIn` names
    is all that matters only where a placement wrote it.
    """
    excluded, taken = _by_key(term, "NotIn"), _by_key(term, "In")
    if not again:
        excluded = {key: values.union(node_values.get(key, ())) for key, values in excluded.items()}
    return {**node_values, **excluded, **taken}


def _by_key(term: Json, operator: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for expression in term.get("matchExpressions") or ():
        if expression["operator"] == operator:
            found.setdefault(expression["key"], set()).update(expression.get("values") or ())
    return found
