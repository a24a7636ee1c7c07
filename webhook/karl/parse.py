"""The parser: the rules of a text, or all of its errors."""

import re
from functools import cache

import lark

from webhook.karl import check
from webhook.karl.build import build_rule
from webhook.karl.diagnose import diagnose
from webhook.karl.errors import Mistake, build_error
from webhook.karl.lookalikes import find_lookalikes
from webhook.karl.split import split_rules
from webhook.karl.syntax import Rule, Span

MAX_TEXT_CHARACTERS = 16_384
"""Limits the time to compile a text; those that people write are much shorter."""

MAX_MISTAKES = 50
"""A text with more is probably not KARL; the rest of it is not checked."""

_SPACE = re.compile(r"[^\S\r\n]")
"""All spaces, such as the no-break space of a web page; the grammar accepts those of ASCII."""

_EXAMPLE = "such as REQUIRE pods(app=ceph-osd) on node"


def parse(text: str) -> tuple[Rule, ...]:
    """Parse and validate the rules of a text; there is at least one.

    Raises:
        KarlError: with the errors of all rules.

    """
    if len(text) > MAX_TEXT_CHARACTERS:
        message = f"the text is {len(text)} characters long"
        hint = f"expected at most {MAX_TEXT_CHARACTERS}"
        raise build_error(text[:MAX_TEXT_CHARACTERS], [Mistake(Span(0, 1), message, hint)])
    rules: list[Rule] = []
    mistakes: list[Mistake] = []
    for span in split_rules(text):
        if lookalikes := list(find_lookalikes(text, span)):
            mistakes += lookalikes
        elif isinstance(rule := _parse_rule(text, span), Mistake):
            mistakes.append(rule)
        else:
            rules.append(rule)
            mistakes += check.find_mistakes(rule)
        if len(mistakes) > MAX_MISTAKES:
            break
    if not rules and not mistakes:
        mistakes.append(Mistake(Span(0, 0), "no rule found", f"expected a rule, {_EXAMPLE}"))
    if mistakes:
        raise build_error(text, _limit_mistakes(sorted(mistakes)))
    return tuple(rules)


def _parse_rule(text: str, span: Span) -> Rule | Mistake:
    try:
        tree = _get_parser().parse(_SPACE.sub(" ", text[span.start : span.end]))
    except lark.UnexpectedToken as error:
        return diagnose(text, span, error)
    return build_rule(tree, span.start)


@cache
def _get_parser() -> lark.Lark:
    """Build the parser once: that takes 25 ms, a hundred times as long as parsing a rule."""
    return lark.Lark.open(
        "grammar.lark",
        rel_to=__file__,
        parser="lalr",
        start="rule",
        g_regex_flags=re.ASCII,  # otherwise `i` also matches two Turkish letters
        propagate_positions=True,
        maybe_placeholders=False,
    )


def _limit_mistakes(mistakes: list[Mistake]) -> list[Mistake]:
    if len(mistakes) <= MAX_MISTAKES:
        return mistakes
    hint = f"expected KARL rules, {_EXAMPLE}; the rest of the text was not checked"
    more = Mistake(mistakes[MAX_MISTAKES].span, "too many errors", hint)
    return [*mistakes[:MAX_MISTAKES], more]
