"""Compilation of node rules to node selector terms.

Expressions in a term are ANDed, and terms are ORed. Terms that no node can match are left out.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence

import msgspec

from webhook.karl.contradiction import are_contradictory, is_unsatisfiable
from webhook.karl.errors import Mistake
from webhook.karl.expressions import negate, to_expression
from webhook.karl.syntax import Operator, Rule, Verb
from webhook.kube.affinity import MAX_NODE_TERMS
from webhook.kube.objects import Json
from webhook.kube.sizes import MAX_ENTRIES

MAX_COMBINATIONS = 256
"""Of alternatives that are tried. Rules that compile to 64 terms need at most 128, unless they
contradict or imply each other."""


def check_selector_count(rules: Iterable[Rule]) -> Mistake | None:
    """Return the mistake if too many selectors of the rules are compared, with others or with pods.

    They are not in PREFER rules without `>=`, whose terms are compared as a whole.
    """
    count = 0
    for rule in rules:
        if rule.verb is Verb.PREFER and not _has_minimum(rule):
            continue
        count += len(rule.selectors)
        if count > MAX_ENTRIES:
            message = f"the rules on nodes have more than {MAX_ENTRIES} selectors"
            return Mistake(rule.span, message, "expected fewer, or k in [a,b] for several values")
    return None


def _has_minimum(rule: Rule) -> bool:
    return any(selector.operator is Operator.AT_LEAST for selector in rule.selectors)


def to_required_terms(rules: Sequence[Rule]) -> list[Json] | Mistake:
    """Return the required terms for all REQUIRE and AVOID rules together.

    The product of terms is over the rules with alternatives only: AVOID with several selectors or
    a comparison. The expressions of all other rules are in every term.
    """
    by_rule = [(rule, _to_expressions(rule)) for rule in rules]
    choices = [each for each in by_rule if each[0].verb.away and len(each[1]) > 1]
    fixed = [each for each in by_rule if not (each[0].verb.away and len(each[1]) > 1)]
    always = _join(fixed)
    if is_unsatisfiable(always.values()):
        first = bisect_left(
            range(len(fixed)),
            1,
            key=lambda last: is_unsatisfiable(_join(fixed[: last + 1]).values()),
        )
        return _contradiction(fixed[first][0], "the ones before it")
    product = _Product(always, _join(choices))
    for rule, choice in choices:
        if not product.add(choice):
            return _too_many_terms(rule)
        if not product.terms:
            return _contradiction(rule, "the others")
    written = _join(by_rule)
    return [
        _to_term([each for form, each in written.items() if form in always or form in term])
        for term in product.terms
    ]


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


_Expressions = dict[bytes, Json]
"""Expressions by their JSON."""


class _Product:
    """The terms that alternatives make together, without those that no node can match."""

    def __init__(self, always: _Expressions, alternatives: _Expressions) -> None:
        """Begin with the expressions of every term, and all that can be added to one."""
        self.terms: list[frozenset[bytes]] = [frozenset()]
        """Each without the expressions of every term."""
        self._always = always
        self._alternatives = alternatives
        self._by_key: dict[str, list[Json]] = {}
        for each in always.values():
            self._by_key.setdefault(each["key"], []).append(each)
        self._combinations = 0

    def add(self, choice: _Expressions) -> bool:
        """AND each term with an expression of `choice`; return False if that makes too many."""
        if not choice.keys().isdisjoint(self._always):
            return True
        terms = [term for term in self.terms if not term.isdisjoint(choice)]
        for term in self.terms:
            if not term.isdisjoint(choice):
                continue
            for form, each in choice.items():
                self._combinations += 1
                if self._combinations > MAX_COMBINATIONS or len(terms) > MAX_NODE_TERMS:
                    return False
                if not self._contradicts(term, each):
                    terms = _add_term(terms, term | {form})
        self.terms = terms
        return len(terms) <= MAX_NODE_TERMS

    def _contradicts(self, term: frozenset[bytes], expression: Json) -> bool:
        """Return whether an expression contradicts a term, which does not contradict itself."""
        key = expression["key"]
        own = [each for form in term if (each := self._alternatives[form])["key"] == key]
        present = [*self._by_key.get(key, ()), *own]
        return bool(present) and are_contradictory([*present, expression])


def _to_expressions(rule: Rule) -> _Expressions:
    """Return expressions of which all must match for REQUIRE, and one for AVOID."""
    expressions = [to_expression(selector) for selector in rule.selectors]
    if rule.verb.away:
        expressions = [negated for each in expressions for negated in negate(each)]
    return {msgspec.json.encode(each): each for each in expressions}


def _join(rules: Iterable[tuple[Rule, _Expressions]]) -> _Expressions:
    return {form: each for _, expressions in rules for form, each in expressions.items()}


def _add_term(terms: list[frozenset[bytes]], term: frozenset[bytes]) -> list[frozenset[bytes]]:
    """Add a term, unless it implies another, and remove those that imply it."""
    if any(known <= term for known in terms):
        return terms
    return [known for known in terms if not term <= known] + [term]


def _contradiction(rule: Rule, others: str) -> Mistake:
    message = f"no node meets this rule and {others}"
    return Mistake(rule.span, message, "expected rules that one node can meet")


def _to_term(expressions: list[Json]) -> Json:
    return {"matchExpressions": expressions}


def _drop_unsatisfiable(terms: Iterable[Json]) -> list[Json]:
    return [term for term in terms if not is_unsatisfiable(term["matchExpressions"])]


def _too_many_terms(rule: Rule) -> Mistake:
    message = f"the rules on nodes compile to more than {MAX_NODE_TERMS} terms"
    hint = "expected fewer selectors in AVOID or REPEL nodes(...), or fewer such rules"
    return Mistake(rule.span, message, hint)
