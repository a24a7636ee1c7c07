"""The node terms of a placed pod's affinity."""

from webhook.affinity import MAX_NODE_TERMS, PREFERRED, REQUIRED, and_node_terms
from webhook.atleast import expand
from webhook.model import Json, NodeValues


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
        product
        for term in terms
        for product in and_node_terms(
            [term], [_expanded(other, term, node_values, again=again) for other in others]
        )
    ]
    if len(products) > MAX_NODE_TERMS:
        raise ValueError(f"makes more than {MAX_NODE_TERMS} required node terms")
    return products


def _added(present: list[Json], wanted: list[Json], node_values: NodeValues) -> list[Json]:
    """Return those of the plan's preferences that the pod does not have, in any expansion."""
    return [
        expand(term, node_values)
        for term in wanted
        if not any(_is_expansion(mine, term) for mine in present)
    ]


def _is_expansion(mine: Json, weighted: Json) -> bool:
    present, preference = (each.get("preference") or {} for each in (mine, weighted))
    return bool(
        mine.get("weight") == weighted.get("weight")
        and present == _expanded(preference, present, {}, again=True)
    )


def _expanded(term: Json, present: Json, node_values: NodeValues, *, again: bool) -> Json:
    """Expand a term of the plan, and where a term of the pod has an expansion already, to that.

    So what was once written stays when nodes come and go. Any `In` of nothing but values that
    are large enough will do, whoever wrote it; a `NotIn` only if a placement did, because
    another's may leave out values that are large enough.
    """
    written = [
        mine
        for mine in present.get("matchExpressions") or ()
        if again or mine["operator"] != "NotIn"
    ]
    expressions = [
        _expansion(expression, written, node_values)
        for expression in term.get("matchExpressions") or ()
    ]
    return term | {"matchExpressions": expressions} if expressions else term


def _expansion(expression: Json, written: list[Json], node_values: NodeValues) -> Json:
    for mine in written:
        if mine == expand(expression, {mine["key"]: mine.get("values") or ()}):
            return mine
    return expand(expression, node_values)
