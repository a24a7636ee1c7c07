"""Rules on nodes as node selector terms: expressions in a term are ANDed, terms are ORed.

A term that no node can meet is left out.
"""

from collections.abc import Iterable, Sequence

from webhook.affinity import MAX_NODE_TERMS, and_node_terms
from webhook.karl.contradiction import impossible
from webhook.karl.errors import Mistake
from webhook.karl.expressions import expression, opposites
from webhook.karl.syntax import Rule
from webhook.model import Json


def required(rules: Sequence[Rule]) -> list[Json] | Mistake:
    """Return the terms of which a node must meet one, so that all REQUIRE and AVOID rules hold."""
    terms: list[Json] = []
    for rule in rules:
        alternatives = _alternatives(rule)
        if len(alternatives) > MAX_NODE_TERMS:
            return _too_many(rule)
        try:
            terms = and_node_terms(terms, alternatives) if terms else alternatives
        except ValueError:
            return _too_many(rule)
        if not (terms := _possible(terms)):
            message = "no node meets this rule and the ones before it"
            return Mistake(rule.span, message, "expected rules that hold together")
    return terms


def preferred(rule: Rule) -> list[Json] | Mistake:
    """Return the terms of a PREFER or REPEL rule, of which a node meets at most one.

    The scheduler adds the weight for every term that a node meets. So "not (a and b)" is "not a"
    or "a and not b", which exclude each other. Comparisons come last: a label that is no integer
    meets neither `k>5` nor its opposite, so no later term could hold.
    """
    expressions = [expression(selector) for selector in rule.selectors]
    if not rule.verb.away:
        return [_term(expressions)]
    if len(expressions) > MAX_NODE_TERMS:
        return _too_many(rule)
    expressions.sort(key=lambda each: each["operator"] in {"Gt", "Lt"})
    terms = _possible(
        _term([*expressions[:index], opposite])
        for index, each in enumerate(expressions)
        for opposite in opposites(each)
    )
    return terms if len(terms) <= MAX_NODE_TERMS else _too_many(rule)


def _alternatives(rule: Rule) -> list[Json]:
    """Return the terms of one hard rule; AVOID is the opposite of one selector or of another."""
    expressions = [expression(selector) for selector in rule.selectors]
    if not rule.verb.away:
        return [_term(expressions)]
    return [_term([opposite]) for each in expressions for opposite in opposites(each)]


def _term(expressions: list[Json]) -> Json:
    return {"matchExpressions": expressions}


def _possible(terms: Iterable[Json]) -> list[Json]:
    return [term for term in terms if not impossible(term["matchExpressions"])]


def _too_many(rule: Rule) -> Mistake:
    message = f"the rules on nodes come to more than {MAX_NODE_TERMS} terms"
    hint = "expected fewer selectors in AVOID or REPEL nodes(...), or fewer such rules"
    return Mistake(rule.span, message, hint)
