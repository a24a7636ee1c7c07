"""The node terms of a placed pod's affinity."""

from itertools import groupby

import msgspec

from webhook.karl.minimums import AT_LEAST, NOT_AT_LEAST, expand
from webhook.kube.affinity import MAX_NODE_TERMS, PREFERRED, REQUIRED, and_node_terms
from webhook.kube.objects import Json
from webhook.model import NodeValues


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
    open_ones = {
        _form(each): each for other in others for each in _expressions(other) if _is_open(each)
    }
    products: list[Json] = []
    for written, same in groupby(terms, lambda term: _written(open_ones, term, again=again)):
        asked = [_filled(other, dict(written)) for other in others] if written else others
        products += and_node_terms([*same], expand(asked, node_values))
    if len(products) > MAX_NODE_TERMS:
        raise ValueError(f"makes more than {MAX_NODE_TERMS} required node terms")
    return products


def _written(open_ones: dict[bytes, Json], term: Json, *, again: bool) -> list[tuple[bytes, Json]]:
    """Return the plan's "at least" that a term of the pod has an expansion of, and that.

    So what was once written stays when nodes come and go. Any `In` of nothing but values that
    are large enough will do, whoever wrote it; a `NotIn` only if a placement did, because
    another's may leave out values that are large enough.
    """
    by_key: dict[str, list[Json]] = {}
    for mine in _expressions(term):
        if again or mine["operator"] != "NotIn":
            by_key.setdefault(mine["key"], []).append(mine)
    return [
        (form, mine)
        for form, asked in open_ones.items()
        for mine in by_key.get(asked["key"], ())
        if _is_expansion(mine, asked)
    ]


def _filled(term: Json, written: dict[bytes, Json]) -> Json:
    """Put expansions that were written before into a term of the plan."""
    filled = [written.get(_form(each), each) for each in _expressions(term)]
    return term | {"matchExpressions": filled} if filled else term


def _added(present: list[Json], wanted: list[Json], node_values: NodeValues) -> list[Json]:
    """Return those of the plan's preferences that the pod does not have, in any expansion."""
    there: dict[object, list[Json]] = {}
    for mine in present:
        there.setdefault(_shape(mine), []).append(_preference(mine))
    return [
        expand(term, node_values)
        for term in wanted
        if not any(_is_same(mine, _preference(term)) for mine in there.get(_shape(term), ()))
    ]


def _shape(weighted: Json) -> object:
    """Return what a preference has in common with every expansion of it."""
    keys = [each["key"] for each in _expressions(_preference(weighted))]
    return weighted.get("weight"), *keys


def _is_same(mine: Json, asked: Json) -> bool:
    """Whether a preference is the plan's, in any expansion; they have the same shape."""
    pairs = zip(_expressions(mine), _expressions(asked), strict=True)
    if not all(one == other or _is_expansion(one, other) for one, other in pairs):
        return False
    return mine | {"matchExpressions": None} == asked | {"matchExpressions": None}


def _is_expansion(mine: Json, asked: Json) -> bool:
    """Whether an expression of the pod is what the plan's became, with these nodes or others."""
    return _is_open(asked) and mine == expand(asked, {mine["key"]: mine.get("values") or ()})


def _is_open(expression: Json) -> bool:
    return expression["operator"] in (AT_LEAST, NOT_AT_LEAST)


def _expressions(term: Json) -> list[Json]:
    return term.get("matchExpressions") or []


def _preference(weighted: Json) -> Json:
    return weighted.get("preference") or {}


def _form(expression: Json) -> bytes:
    return msgspec.json.encode(expression)
