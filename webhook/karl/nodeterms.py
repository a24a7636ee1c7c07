"""Compilation of node rules to node selector terms.

Expressions in a term are ANDed, and terms are ORed. Terms that no node can match are left out.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence

import msgspec

from webhook.karl.contradiction import is_unsatisfiable
from webhook.karl.errors import Mistake
from webhook.karl.expressions import negate, to_expression
from webhook.karl.syntax import Rule
from webhook.kube.affinity import MAX_NODE_TERMS
from webhook.kube.objects import Json

MAX_SELECTORS = 256
"""Maximum for all node rules of a text. Every two selectors are compared, so this limits the time
that a plan's author can make the webhook spend: it is 250 ms at most."""


def check_selector_count(rules: Iterable[Rule]) -> Mistake | None:
    """Return the mistake if the rules have too many selectors."""
    count = 0
    for rule in rules:
        count += len(rule.selectors)
        if count > MAX_SELECTORS:
            message = f"the rules on nodes have more than {MAX_SELECTORS} selectors"
            return Mistake(rule.span, message, "expected fewer, or k in [a,b] for several values")
    return None


def to_required_terms(rules: Sequence[Rule]) -> list[Json] | Mistake:
    """Return the required terms for all REQUIRE and AVOID rules together."""
    try:
        terms = _and_rules(rules)
    except _TooManyTermsError as error:
        return _too_many_terms(error.rule)
    if terms:
        return terms
    first = bisect_left(
        range(len(rules)), 1, key=lambda last: _are_contradictory(rules[: last + 1])
    )
    message = "no node meets this rule and the ones before it"
    return Mistake(rules[first].span, message, "expected rules that one node can meet")


def to_preferred_terms(rule: Rule) -> list[Json] | Mistake:
    """Return the terms of a PREFER or REPEL rule; a node matches at most one.

    kube-scheduler adds the weight for each term that matches. So "not (a and b)" becomes "not a" or
    "a and not b", which exclude each other. Comparisons come last: a label that is not an integer
    matches neither `k>5` nor its negation, so it would match no later term.
    """
    expressions = [to_expression(selector) for selector in rule.selectors]
    if not rule.verb.away:
        return [_to_term(expressions)]
    if len(expressions) > MAX_NODE_TERMS:
        return _too_many_terms(rule)
    expressions.sort(key=lambda each: each["operator"] in {"Gt", "Lt"})
    terms = _drop_unsatisfiable(
        _to_term([*expressions[:index], negated])
        for index, each in enumerate(expressions)
        for negated in negate(each)
    )
    return terms if len(terms) <= MAX_NODE_TERMS else _too_many_terms(rule)


_Term = dict[bytes, Json]
"""ANDed expressions, by their JSON."""


def _and_rules(rules: Sequence[Rule]) -> list[Json]:
    """Return the terms of all rules together, or no terms if the rules contradict.

    The product of terms is over the rules with alternatives only: AVOID with several selectors or
    a comparison. The expressions of all other rules are in every term.
    """
    by_rule = [(rule, _to_expressions(rule)) for rule in rules]
    always: _Term = {}
    choices: list[tuple[Rule, _Term]] = []
    for rule, expressions in by_rule:
        if rule.verb.away and len(expressions) > 1:
            choices.append((rule, expressions))
        else:
            always |= expressions
    products: list[_Term] = [] if is_unsatisfiable(always.values()) else [{}]
    for rule, choice in choices:
        if choice.keys().isdisjoint(always):
            products = _and_alternatives(products, choice, always)
        if len(products) > MAX_NODE_TERMS:
            raise _TooManyTermsError(rule)
    written = {form: each for _, expressions in by_rule for form, each in expressions.items()}
    return [
        _to_term([each for form, each in written.items() if form in always or form in product])
        for product in products
    ]


def _to_expressions(rule: Rule) -> _Term:
    """Return expressions of which all must match for REQUIRE, and one for AVOID."""
    expressions = [to_expression(selector) for selector in rule.selectors]
    if rule.verb.away:
        expressions = [negated for each in expressions for negated in negate(each)]
    return {msgspec.json.encode(each): each for each in expressions}


def _and_alternatives(products: list[_Term], choice: _Term, always: _Term) -> list[_Term]:
    """AND each product with an expression of `choice`; stops once there are too many products."""
    anded = [product for product in products if not choice.keys().isdisjoint(product)]
    for product in products:
        if not choice.keys().isdisjoint(product):
            continue
        for form, each in choice.items():
            more = product | {form: each}
            if not is_unsatisfiable(more.values(), always.values()):
                anded = _add_product(anded, more)
            if len(anded) > MAX_NODE_TERMS:
                return anded
    return anded


def _add_product(products: list[_Term], product: _Term) -> list[_Term]:
    """Add a product, unless it implies another, and remove those that imply it."""
    if any(known.keys() <= product.keys() for known in products):
        return products
    return [known for known in products if not product.keys() <= known.keys()] + [product]


class _TooManyTermsError(Exception):
    def __init__(self, rule: Rule) -> None:
        super().__init__()
        self.rule = rule


def _are_contradictory(rules: Sequence[Rule]) -> bool:
    try:
        return not _and_rules(rules)
    except _TooManyTermsError:
        return False


def _to_term(expressions: list[Json]) -> Json:
    return {"matchExpressions": expressions}


def _drop_unsatisfiable(terms: Iterable[Json]) -> list[Json]:
    return [term for term in terms if not is_unsatisfiable(term["matchExpressions"])]


def _too_many_terms(rule: Rule) -> Mistake:
    message = f"the rules on nodes compile to more than {MAX_NODE_TERMS} terms"
    hint = "expected fewer selectors in AVOID or REPEL nodes(...), or fewer such rules"
    return Mistake(rule.span, message, hint)
