"""Building of a Rule: the parser calls a method for each rule of the grammar, with its parts.

No tree is built, which would take as long as everything else.
"""

import lark
from lark import Token

from webhook.karl.syntax import (
    TOPOLOGIES,
    NamespaceNames,
    Namespaces,
    NamespaceSelector,
    Operator,
    Rule,
    Selector,
    Span,
    Target,
    Verb,
    Word,
)
from webhook.model import Scope

_Part = Token | Selector | Word | Namespaces


class RuleBuilder(lark.Transformer[Token, Rule]):
    """Takes all tokens of a rule, also signs, because positions end at them."""

    def rule(self, parts: list[_Part]) -> Rule:
        verb, target, *_ = (part for part in parts if isinstance(part, Token))
        namespaces: Namespaces | None = None
        topology: Word | None = None
        weight: int | None = None
        skew: int | None = None
        enforced = False
        end = 0
        for part in parts:
            match part:
                case Token():
                    end = part.end_pos or 0
                    match part.type:
                        case "NUMBER":
                            weight = int(part)
                        case "COUNT":
                            skew = int(part)
                        case "ENFORCED":
                            enforced = True
                case Word():
                    end = part.span.end
                    topology = part
                case Scope() | NamespaceNames() | NamespaceSelector():
                    namespaces = part
        span = Span(verb.start_pos or 0, end)
        return Rule(
            Verb(verb.upper()),
            Target(target.lower()),
            _find_selectors(parts),
            namespaces,
            topology or Word(TOPOLOGIES["node"], span),
            weight,
            span,
            skew,
            enforced,
        )

    def own(self, _: list[_Part]) -> Scope:
        return Scope.OWN

    def all(self, _: list[_Part]) -> Scope:
        return Scope.ALL

    def named(self, parts: list[Token]) -> NamespaceNames:
        return NamespaceNames(_build_words(parts, "NAME"))

    def labelled(self, parts: list[_Part]) -> NamespaceSelector:
        return NamespaceSelector(_find_selectors(parts))

    def topology(self, parts: list[Token]) -> Word:
        word = _build_word(parts[-1])
        return Word(TOPOLOGIES.get(word.text.lower(), word.text), word.span)

    def weight(self, parts: list[Token]) -> Token:
        return parts[-1]

    def skew(self, parts: list[Token]) -> Token:
        return parts[-1]

    def enforced(self, parts: list[Token]) -> Token:
        return parts[-1]

    def equal(self, parts: list[Token]) -> Selector:
        return _build_selector(parts[0], Operator.EQUAL, parts)

    def not_equal(self, parts: list[Token]) -> Selector:
        return _build_selector(parts[0], Operator.NOT_EQUAL, parts)

    def is_in(self, parts: list[Token]) -> Selector:
        return _build_selector(parts[0], Operator.IN, parts)

    def not_in(self, parts: list[Token]) -> Selector:
        return _build_selector(parts[0], Operator.NOT_IN, parts)

    def has(self, parts: list[Token]) -> Selector:
        return _build_selector(parts[-1], Operator.HAS, parts)

    def not_has(self, parts: list[Token]) -> Selector:
        return _build_selector(parts[-1], Operator.NOT_HAS, parts)

    def compare(self, parts: list[Token]) -> Selector:
        return _build_selector(parts[0], Operator(parts[1]), parts)


def _build_selector(key: Token, operator: Operator, parts: list[Token]) -> Selector:
    span = Span(_span_of(parts[0]).start, _span_of(parts[-1]).end)
    return Selector(_build_word(key), operator, _build_words(parts, "VALUE"), span)


def _find_selectors(parts: list[_Part]) -> tuple[Selector, ...]:
    return tuple(part for part in parts if isinstance(part, Selector))


def _build_words(parts: list[Token], kind: str) -> tuple[Word, ...]:
    return tuple(_build_word(token) for token in parts if token.type == kind)


def _build_word(token: Token) -> Word:
    return Word(str(token), _span_of(token))


def _span_of(token: Token) -> Span:
    # only lark's end-of-text token has no position
    return Span(token.start_pos or 0, token.end_pos or 0)
