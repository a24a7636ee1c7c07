"""Rules on nodes as node selector terms: expressions in a term are ANDed, terms are ORed.

A term here is the list of its expressions. Rules that must hold are ANDed, so their terms are
multiplied. A term that no node can meet is left out.
"""

from collections.abc import Iterable, Sequence

from webhook.karl.contradiction import impossible
from webhook.karl.errors import Mistake
from webhook.karl.expressions import expression, opposites
from webhook.karl.syntax import Rule
from webhook.model import Json

Term = list[Json]

MAX_TERMS = 64
"""For a pod's required terms, or for one preference. Kubernetes has no limit; the scheduler
looks at each of them for each node."""


def required(rules: Iterable[Rule]) -> list[Term] | Mistake:
    """Return the terms of which a node must meet one, so that all REQUIRE and AVOID rules hold."""
    terms: list[Term] = [[]]
    for rule in rules:
        alternatives = _alternatives(rule)
        if len(alternatives) <= MAX_TERMS:
            terms = _distinct(_merge(term, other) for term in terms for other in alternatives)
        if max(len(alternatives), len(terms)) > MAX_TERMS:
            return _too_many(rule)
        if not terms:
            message = "no node meets this rule and the ones before it"
            return Mistake(rule.span, message, "expected rules that hold together")
    return terms


def preferred(rule: Rule) -> list[Term] | Mistake:
    """Return the terms of a PREFER or REPEL rule, of which a node meets at most one.

    The scheduler adds the weight for every term that a node meets. "Not (a and b)" is thus
    "not a" or "a and not b", which exclude each other. Comparisons come last: a label that is
    no integer meets neither `k>5` nor its opposite, and would end the chain.
    """
    expressions = [expression(selector) for selector in rule.selectors]
    if not rule.verb.away:
        return [_merge(expressions, [])]
    if len(expressions) > MAX_TERMS:
        return _too_many(rule)
    expressions.sort(key=lambda each: each["operator"] in {"Gt", "Lt"})
    terms = _distinct(
        _merge(expressions[:index], [opposite])
        for index, each in enumerate(expressions)
        for opposite in opposites(each)
    )
    return terms if len(terms) <= MAX_TERMS else _too_many(rule)


def _alternatives(rule: Rule) -> list[Term]:
    """Return the terms of one hard rule; AVOID is the opposite of one selector or of another."""
    expressions = [expression(selector) for selector in rule.selectors]
    if not rule.verb.away:
        return [expressions]
    return [[opposite] for each in expressions for opposite in opposites(each)]


def _merge(first: Sequence[Json], second: Sequence[Json]) -> Term:
    """Return a term with the expressions of both, each once."""
    term: Term = []
    for each in (*first, *second):
        if each not in term:
            term.append(each)
    return term


def _distinct(terms: Iterable[Term]) -> list[Term]:
    """Return the terms that a node can meet, each once; one more than `MAX_TERMS` at most."""
    found: list[Term] = []
    for term in terms:
        if term not in found and not impossible(term):
            found.append(term)
        if len(found) > MAX_TERMS:
            break
    return found


def _too_many(rule: Rule) -> Mistake:
    message = f"the rules on nodes come to more than {MAX_TERMS} alternatives"
    hint = "expected fewer selectors in AVOID and REPEL nodes(...), or fewer such rules"
    return Mistake(rule.span, message, hint)
