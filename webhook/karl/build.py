"""Conversion of a parse tree to a Rule."""

import lark

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

_OPERATORS = {
    "equal": Operator.EQUAL,
    "not_equal": Operator.NOT_EQUAL,
    "is_in": Operator.IN,
    "not_in": Operator.NOT_IN,
    "has": Operator.HAS,
    "not_has": Operator.NOT_HAS,
}


def build_rule(tree: lark.ParseTree, offset: int) -> Rule:
    """Convert a parse tree; `offset` is the position of the parsed rule in the whole text."""
    verb, target = _get_tokens(tree)[:2]
    selectors: list[Selector] = []
    namespaces: Namespaces | None = None
    span = _build_span(tree.meta, offset)
    topology = Word(TOPOLOGIES["node"], span)
    weight: int | None = None
    for part in _get_trees(tree):
        match part.data:
            case "own":
                namespaces = Scope.OWN
            case "all":
                namespaces = Scope.ALL
            case "named":
                namespaces = NamespaceNames(_build_words(part, "NAME", offset))
            case "labelled":
                namespaces = NamespaceSelector(
                    tuple(_build_selector(each, offset) for each in _get_trees(part))
                )
            case "topology":
                (word,) = _build_words(part, "TOPOLOGY", offset)
                topology = Word(TOPOLOGIES.get(word.text.lower(), word.text), word.span)
            case "weight":
                weight = int(_get_tokens(part)[-1])
            case _:
                selectors.append(_build_selector(part, offset))
    return Rule(
        Verb(verb.upper()),
        Target(target.lower()),
        tuple(selectors),
        namespaces,
        topology,
        weight,
        span,
    )


def _build_selector(tree: lark.ParseTree, offset: int) -> Selector:
    tokens = _get_tokens(tree)
    operator = Operator(tokens[1]) if tree.data == "compare" else _OPERATORS[tree.data]
    key = tokens[-1 if operator in {Operator.HAS, Operator.NOT_HAS} else 0]
    values = _build_words(tree, "VALUE", offset)
    return Selector(_build_word(key, offset), operator, values, _build_span(tree.meta, offset))


def _get_trees(tree: lark.ParseTree) -> list[lark.ParseTree]:
    return [child for child in tree.children if isinstance(child, lark.Tree)]


def _get_tokens(tree: lark.ParseTree) -> list[lark.Token]:
    return [child for child in tree.children if isinstance(child, lark.Token)]


def _build_words(tree: lark.ParseTree, kind: str, offset: int) -> tuple[Word, ...]:
    return tuple(_build_word(token, offset) for token in _get_tokens(tree) if token.type == kind)


def _build_word(token: lark.Token, offset: int) -> Word:
    return Word(str(token), _build_span(token, offset))


def _build_span(place: lark.Token | lark.tree.Meta, offset: int) -> Span:
    # only lark's end-of-text token has no position
    return Span((place.start_pos or 0) + offset, (place.end_pos or 0) + offset)
