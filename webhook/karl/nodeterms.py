"""Rules on nodes as node selector terms: expressions in a term are ANDed, terms are ORed.

A term that no node can meet is left out.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence

import msgspec

from webhook.karl.contradiction import impossible
from webhook.karl.errors import Mistake
from webhook.karl.expressions import expression, opposites
from webhook.karl.syntax import Rule
from webhook.kube.affinity import MAX_NODE_TERMS
from webhook.kube.objects import Json

MAX_SELECTORS = 256
"""In all rules on nodes together. They are compared with one another, so their number must not
be up to whoever may write a plan: compiling so many takes a quarter of a second at the most."""


def over_limit(rules: Iterable[Rule]) -> Mistake | None:
    """Return what is wrong with rules that have too many selectors together."""
    selectors = 0
    for rule in rules:
        selectors += len(rule.selectors)
        if selectors > MAX_SELECTORS:
            message = f"the rules on nodes have more than {MAX_SELECTORS} selectors"
            return Mistake(rule.span, message, "expected fewer, or k in [a,b] for several values")
    return None


def required(rules: Sequence[Rule]) -> list[Json] | Mistake:
    """Return the terms of which a node must meet one, so that all REQUIRE and AVOID rules hold."""
    try:
        terms = _all_hold(rules)
    except _TooManyTermsError as error:
        return _too_many(error.rule)
    if terms:
        return terms
    first = bisect_left(range(len(rules)), 1, key=lambda last: _cannot_hold(rules[: last + 1]))
    message = "no node meets this rule and the ones before it"
    return Mistake(rules[first].span, message, "expected rules that hold together")


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


_Term = dict[bytes, Json]
"""Expressions that are ANDed, by what they look like."""


def _all_hold(rules: Sequence[Rule]) -> list[Json]:
    """Return the terms of all rules together; none where they cannot hold together.

    What must hold in any case multiplies nothing, so it is kept out of the product, whose terms
    have an expression for each rule that leaves a choice.
    """
    asked = [(rule, _expressions(rule)) for rule in rules]
    always: _Term = {}
    choices: list[tuple[Rule, _Term]] = []
    for rule, expressions in asked:
        if rule.verb.away and len(expressions) > 1:
            choices.append((rule, expressions))
        else:
            always |= expressions
    products: list[_Term] = [] if impossible(always.values()) else [{}]
    for rule, choice in choices:
        if choice.keys().isdisjoint(always):
            products = _and(products, choice, always)
        if len(products) > MAX_NODE_TERMS:
            raise _TooManyTermsError(rule)
    written = {form: each for _, expressions in asked for form, each in expressions.items()}
    return [
        _term([each for form, each in written.items() if form in always or form in product])
        for product in products
    ]


def _expressions(rule: Rule) -> _Term:
    """Return what all must hold of REQUIRE, and of AVOID one: the opposite of some selector."""
    found = [expression(selector) for selector in rule.selectors]
    if rule.verb.away:
        found = [opposite for each in found for opposite in opposites(each)]
    return {msgspec.json.encode(each): each for each in found}


def _and(products: list[_Term], choice: _Term, always: _Term) -> list[_Term]:
    """Return the alternatives in which one of `choice` holds as well; too many if too many."""
    anded = [product for product in products if not choice.keys().isdisjoint(product)]
    for product in products:
        if not choice.keys().isdisjoint(product):
            continue
        for form, each in choice.items():
            more = product | {form: each}
            if not impossible(more.values(), always.values()):
                anded = _with(anded, more)
            if len(anded) > MAX_NODE_TERMS:
                return anded
    return anded


def _with(products: list[_Term], product: _Term) -> list[_Term]:
    """Add an alternative, unless a weaker one is there, and drop the stronger ones."""
    if any(known.keys() <= product.keys() for known in products):
        return products
    return [known for known in products if not product.keys() <= known.keys()] + [product]


class _TooManyTermsError(Exception):
    def __init__(self, rule: Rule) -> None:
        super().__init__()
        self.rule = rule


def _cannot_hold(rules: Sequence[Rule]) -> bool:
    try:
        return not _all_hold(rules)
    except _TooManyTermsError:
        return False


def _term(expressions: list[Json]) -> Json:
    return {"matchExpressions": expressions}


def _possible(terms: Iterable[Json]) -> list[Json]:
    return [term for term in terms if not impossible(term["matchExpressions"])]


def _too_many(rule: Rule) -> Mistake:
    message = f"the rules on nodes come to more than {MAX_NODE_TERMS} terms"
    hint = "expected fewer selectors in AVOID or REPEL nodes(...), or fewer such rules"
    return Mistake(rule.span, message, hint)
