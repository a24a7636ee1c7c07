"""The node affinity of a placed pod."""

import operator
from collections.abc import Iterator
from itertools import groupby

from webhook.karl.minimums import count_values, expand, is_minimum_expression, list_minimums
from webhook.kube.affinity import MAX_NODE_TERMS, PREFERRED, REQUIRED, and_node_terms
from webhook.kube.objects import Json, encode
from webhook.kube.sizes import MAX_NODE_VALUES
from webhook.model import NodeValues, Settings

Rules = list[list[Json]]
"""Node terms of the selector's minimums, required node terms, preferred node terms."""

_Expansions = dict[bytes, Json]
"""Expansions of minimums, by the JSON of the minimum."""

_KEPT = "node affinity left as the pod has it"
_TOO_MANY_VALUES = f"more than {MAX_NODE_VALUES} values of node labels"


def node_rules(settings: Settings, moved: list[Json]) -> Rules:
    """Return what a plan specifies about nodes; minimums are not expanded.

    `moved` are the expressions that were taken out of the pod's node selector.
    """
    minimums = moved + settings.node_requirements
    affinity = settings.affinity.get("nodeAffinity") or {}
    selector_terms: list[Json] = [{"matchExpressions": minimums}] if minimums else []
    return [selector_terms, _required(affinity), affinity.get(PREFERRED) or []]


def place_node_affinity(
    present: Json, rules: Rules, node_values: NodeValues, *, again: bool
) -> tuple[Json, str]:
    """Return the pod's node affinity with the plan's added, and an error message.

    Args:
        present: the pod's node affinity.
        rules: the plan's, as `node_rules` returns them.
        node_values: the values of the node labels that minimums compare.
        again: True if the pod was placed before by the same plan.

    """
    if count_values(rules, node_values) > MAX_NODE_VALUES:
        return present, f"{_KEPT}: the plan's minimums have {_TOO_MANY_VALUES}"
    expanded = expand(rules, node_values)
    placed, error = present, ""
    terms = _required(present)
    *required, (preferred, preferred_now) = zip(rules, expanded, strict=True)
    try:
        for others, others_now in required:
            terms = _and_terms(terms, others, others_now, again=again)
    except ValueError as too_many:
        error = f"{_KEPT}: ANDed with the plan's it {too_many}; give the plan fewer alternatives"
    if terms:
        selector = present.get(REQUIRED) or {}
        placed = placed | {REQUIRED: selector | {"nodeSelectorTerms": terms}}
    own = present.get(PREFERRED) or []
    if added := _find_missing(own, preferred, preferred_now):
        placed = placed | {PREFERRED: own + added}
    return placed, error


def _required(affinity: Json) -> list[Json]:
    return (affinity.get(REQUIRED) or {}).get("nodeSelectorTerms") or []


def _and_terms(
    terms: list[Json], others: list[Json], others_now: list[Json], *, again: bool
) -> list[Json]:
    """AND the plan's terms with the pod's, which may be the result of an earlier placement."""
    if not terms or not others:
        return terms or others_now
    minimums = {encode(each) for other in others for each in _find_minimums(other)}
    products: list[Json] = []
    for kept, same in groupby(terms, lambda term: _find_expansions(term, minimums, again=again)):
        pairs = zip(others, others_now, strict=True)
        products += and_node_terms([*same], [_replace(*pair, kept) for pair in pairs])
        if len(products) > MAX_NODE_TERMS:
            raise ValueError(f"makes more than {MAX_NODE_TERMS} required node terms")
    if sum(len(each.get("values") or ()) for term in products for each in _expressions(term)) > (
        MAX_NODE_VALUES
    ):
        raise ValueError(f"has {_TOO_MANY_VALUES}")
    return products


def _find_minimums(term: Json) -> Iterator[Json]:
    return filter(is_minimum_expression, _expressions(term))


def _find_expansions(term: Json, minimums: set[bytes], *, again: bool) -> _Expansions:
    """Return present expansions of the plan's minimums, which are to be kept.

    An expansion that was written earlier stays when nodes are added and removed. Any `In` of
    nothing but values that are large enough is one, from any source; a `NotIn` is one only if a
    placement wrote it, because another one may leave out values that are large enough.
    """
    own = [each for each in _expressions(term) if again or each["operator"] != "NotIn"]
    found = ((encode(each), expression) for expression in own for each in list_minimums(expression))
    return {form: expression for form, expression in found if form in minimums}


def _replace(term: Json, now: Json, kept: _Expansions) -> Json:
    """Return a term of the plan with the expansions that the pod has, else with those of now."""
    if not kept or not (expressions := _expressions(term)):
        return now
    pairs = zip(expressions, _expressions(now), strict=True)
    replaced = [kept.get(encode(each), each_now) for each, each_now in pairs]
    return now | {"matchExpressions": replaced}


def _find_missing(present: list[Json], wanted: list[Json], wanted_now: list[Json]) -> list[Json]:
    """Return the plan's preferences that the pod does not have in any expansion."""
    same = set(map(encode, present))
    others = [pair for pair in zip(wanted, wanted_now, strict=True) if encode(pair[1]) not in same]
    by_shape: dict[bytes, list[list[set[bytes]]]] = {}
    if any(term is not now for term, now in others):
        for own in present:
            by_shape.setdefault(_shape(own), []).append(list(map(_list_forms, _weighted(own))))
    missing: list[Json] = []
    for term, now in others:
        forms = list(map(encode, _weighted(term)))
        alike = by_shape.get(_shape(term), ()) if term is not now else ()
        if not any(all(map(operator.contains, own, forms)) for own in alike):
            missing.append(now)
    return missing


def _shape(weighted: Json) -> bytes:
    """Return everything of a preference that all its expansions have in common."""
    keys = [each["key"] for each in _weighted(weighted)]
    preference = _preference(weighted) | {"matchExpressions": None}
    return encode([weighted.get("weight"), keys, preference])


def _list_forms(expression: Json) -> set[bytes]:
    """Return the JSON of an expression, and of the minimums that expand to it."""
    return {encode(expression), *map(encode, list_minimums(expression))}


def _weighted(weighted: Json) -> list[Json]:
    return _expressions(_preference(weighted))


def _expressions(term: Json) -> list[Json]:
    return term.get("matchExpressions") or []


def _preference(weighted: Json) -> Json:
    return weighted.get("preference") or {}
