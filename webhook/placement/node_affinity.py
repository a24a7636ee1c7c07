"""The node affinity of a placed pod."""

from itertools import groupby

from webhook.karl.minimums import AT_LEAST, NOT_AT_LEAST, is_expansion
from webhook.kube.affinity import MAX_NODE_TERMS, PREFERRED, REQUIRED, and_node_terms
from webhook.kube.objects import Json
from webhook.model import Settings

Rules = list[list[Json]]
"""Node terms of the selector's minimums, required node terms, preferred node terms."""

_Minimum = tuple[Json, Json]
"""An expression `AtLeast` or `NotAtLeast`, and its expansion over the present nodes."""


def node_rules(settings: Settings, moved: list[Json]) -> Rules:
    """Return what a plan specifies about nodes; minimums are not expanded.

    `moved` are the expressions that were taken out of the pod's node selector.
    """
    minimums = moved + settings.node_requirements
    affinity = settings.affinity.get("nodeAffinity") or {}
    selector_terms: list[Json] = [{"matchExpressions": minimums}] if minimums else []
    return [selector_terms, _required(affinity), affinity.get(PREFERRED) or []]


def place_node_affinity(
    present: Json, rules: Rules, expanded: Rules, *, again: bool
) -> tuple[Json, str]:
    """Return the pod's node affinity with the plan's added, and an error message.

    Args:
        present: the pod's node affinity.
        rules: the plan's, as `node_rules` returns them.
        expanded: the same with all minimums expanded.
        again: True if the pod was placed before by the same plan.

    """
    placed, error = present, ""
    terms = _required(present)
    *required, (preferred, preferred_now) = zip(rules, expanded, strict=True)
    try:
        for others, others_now in required:
            terms = _and_terms(terms, others, others_now, again=again)
    except ValueError as too_many:
        error = (
            f"node affinity left as the pod has it: ANDed with the plan's it {too_many}; "
            "give the plan fewer alternatives"
        )
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
    minimums = [
        (minimum, now)
        for other, other_now in zip(others, others_now, strict=True)
        for minimum, now in zip(_expressions(other), _expressions(other_now), strict=True)
        if _is_minimum(minimum)
    ]
    products: list[Json] = []
    for kept, same in groupby(terms, lambda term: _find_expansions(term, minimums, again=again)):
        products += and_node_terms([*same], [_replace(each, kept) for each in others_now])
    if len(products) > MAX_NODE_TERMS:
        raise ValueError(f"makes more than {MAX_NODE_TERMS} required node terms")
    return products


def _find_expansions(
    term: Json, minimums: list[_Minimum], *, again: bool
) -> list[tuple[Json, Json]]:
    """Return present expansions of the plan's minimums, each with the pod's own one to keep.

    An expansion that was written earlier stays when nodes are added and removed. Any `In` of
    nothing but values that are large enough is one, from any source; a `NotIn` is one only if a
    placement wrote it, because another one may leave out values that are large enough.
    """
    own = [each for each in _expressions(term) if again or each["operator"] != "NotIn"]
    return [
        (now, expression)
        for minimum, now in minimums
        for expression in own
        if expression["key"] == minimum["key"] and is_expansion(expression, minimum)
    ]


def _replace(term: Json, kept: list[tuple[Json, Json]]) -> Json:
    """Put the pod's own expansions into a term of the plan."""
    if not kept or not (expressions := _expressions(term)):
        return term
    replaced = [next((own for now, own in kept if now == each), each) for each in expressions]
    return term | {"matchExpressions": replaced}


def _find_missing(present: list[Json], wanted: list[Json], wanted_now: list[Json]) -> list[Json]:
    """Return the plan's preferences that the pod does not have in any expansion."""
    by_shape: dict[object, list[Json]] = {}
    for own in present:
        by_shape.setdefault(_shape(own), []).append(_preference(own))
    return [
        now
        for term, now in zip(wanted, wanted_now, strict=True)
        if not any(_is_same(own, _preference(term)) for own in by_shape.get(_shape(term), ()))
    ]


def _shape(weighted: Json) -> object:
    """Return the weight and keys of a preference, which all its expansions have in common."""
    keys = [each["key"] for each in _expressions(_preference(weighted))]
    return weighted.get("weight"), *keys


def _is_same(own: Json, wanted: Json) -> bool:
    """Return whether a preference of the same shape is the plan's, in any expansion."""
    pairs = zip(_expressions(own), _expressions(wanted), strict=True)
    if not all(one == other or is_expansion(one, other) for one, other in pairs):
        return False
    return own | {"matchExpressions": None} == wanted | {"matchExpressions": None}


def _is_minimum(expression: Json) -> bool:
    return expression["operator"] in (AT_LEAST, NOT_AT_LEAST)


def _expressions(term: Json) -> list[Json]:
    return term.get("matchExpressions") or []


def _preference(weighted: Json) -> Json:
    return weighted.get("preference") or {}
