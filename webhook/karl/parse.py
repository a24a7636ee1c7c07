"""From a text to its rules, or to everything that is wrong with it."""

import re
from functools import cache

import lark

from webhook.karl import check
from webhook.karl.build import build
from webhook.karl.diagnose import explain
from webhook.karl.errors import Mistake, refuse
from webhook.karl.split import split
from webhook.karl.syntax import Rule, Span

MAX_LENGTH = 16_384
"""Characters in a text: far more than people write, and little enough to be read at once."""

MAX_MISTAKES = 50
"""A text with more is no KARL, and the rest of it is not looked at."""

_SPACE = re.compile(r"[^\S\r\n]")
"""The no-break space of a web page is a space too; the grammar itself knows ASCII's."""

_EXAMPLE = "such as REQUIRE pods(app=ceph-osd) on node"


def parse(text: str) -> tuple[Rule, ...]:
    """Read the rules of a text, at least one. Each is sound by itself.

    Raises:
        KarlError: with the faults of all rules.

    """
    if len(text) > MAX_LENGTH:
        message = f"the text is {len(text)} characters long"
        hint = f"expected at most {MAX_LENGTH}"
        raise refuse(text[:MAX_LENGTH], [Mistake(Span(0, 1), message, hint)])
    rules: list[Rule] = []
    mistakes: list[Mistake] = []
    for span in split(text):
        rule = _read(text, span)
        if isinstance(rule, Mistake):
            mistakes.append(rule)
        else:
            rules.append(rule)
            mistakes += check.mistakes(rule)
        if len(mistakes) > MAX_MISTAKES:
            break
    if not rules and not mistakes:
        mistakes.append(Mistake(Span(0, 0), "no rule found", f"expected a rule, {_EXAMPLE}"))
    if mistakes:
        raise refuse(text, _cut(sorted(mistakes)))
    return tuple(rules)


def _read(text: str, span: Span) -> Rule | Mistake:
    try:
        tree = _grammar().parse(_SPACE.sub(" ", text[span.start : span.end]))
    except lark.UnexpectedToken as error:
        return explain(text, span, error)
    return build(tree, span.start)


@cache
def _grammar() -> lark.Lark:
    """Build the parser, once: it takes 25 ms, and a rule a hundredth of that."""
    return lark.Lark.open(
        "grammar.lark",
        rel_to=__file__,
        parser="lalr",
        start="rule",
        g_regex_flags=re.ASCII,  # else `i` matches the dotted and the dotless one in any case
        propagate_positions=True,
        maybe_placeholders=False,
    )


def _cut(mistakes: list[Mistake]) -> list[Mistake]:
    if len(mistakes) <= MAX_MISTAKES:
        return mistakes
    hint = f"expected KARL rules, {_EXAMPLE}; what follows was not looked at"
    more = Mistake(mistakes[MAX_MISTAKES].span, "too many errors", hint)
    return [*mistakes[:MAX_MISTAKES], more]
