"""The parser: the rules of a text, or all of its errors."""

import re
from collections.abc import Iterator
from functools import cache
from itertools import islice
from typing import cast

import lark

from webhook.karl import check
from webhook.karl.build import RuleBuilder
from webhook.karl.diagnose import diagnose
from webhook.karl.errors import Mistake, build_error
from webhook.karl.lookalikes import find_lookalikes
from webhook.karl.split import split_rules
from webhook.karl.syntax import Rule, Span
from webhook.kube.sizes import MAX_REPORTED, MAX_RULES_CHARACTERS

_SPACE = re.compile(r"[^\S\r\n]")
"""All spaces, such as the no-break space of a web page; the grammar accepts those of ASCII."""

_EXAMPLE = "such as REQUIRE pods(app=ceph-osd) on node"


def parse(text: str) -> tuple[Rule, ...]:
    """Parse and validate the rules of a text; there is at least one.

    Raises:
        KarlError: with the errors of all rules, up to MAX_REPORTED.

    """
    if len(text) > MAX_RULES_CHARACTERS:
        message = f"the text is {len(text)} characters long"
        hint = f"expected at most {MAX_RULES_CHARACTERS}"
        raise build_error(text[:MAX_RULES_CHARACTERS], [Mistake(Span(0, 1), message, hint)])
    rules: list[Rule] = []
    mistakes = list(islice(_parse_rules(text, rules), MAX_REPORTED + 1))
    if not rules and not mistakes:
        mistakes.append(Mistake(Span(0, 0), "no rule found", f"expected a rule, {_EXAMPLE}"))
    if mistakes:
        raise build_error(text, _limit_mistakes(sorted(mistakes)))
    return tuple(rules)


def _parse_rules(text: str, rules: list[Rule]) -> Iterator[Mistake]:
    """Yield the mistakes of all rules, and append the parsed rules."""
    plain = _SPACE.sub(" ", text)
    for span in split_rules(text):
        found = False
        for mistake in find_lookalikes(text, span):
            found = True
            yield mistake
        if found:
            continue
        rule = _parse_rule(text, plain, span)
        if isinstance(rule, Mistake):
            yield rule
        else:
            rules.append(rule)
            yield from check.find_mistakes(rule)


def _parse_rule(text: str, plain: str, span: Span) -> Rule | Mistake:
    try:
        return cast("Rule", _get_parser().parse(lark.TextSlice(plain, *span)))
    except lark.UnexpectedToken as error:
        return diagnose(text, span, error)


@cache
def _get_parser() -> lark.Lark:
    """Build the parser once: that takes 25 ms, a hundred times as long as parsing a rule."""
    return lark.Lark.open(
        "grammar.lark",
        rel_to=__file__,
        parser="lalr",
        start="rule",
        g_regex_flags=re.ASCII,  # otherwise `i` also matches two Turkish letters
        maybe_placeholders=False,
        keep_all_tokens=True,
        transformer=RuleBuilder(),
    )


def _limit_mistakes(mistakes: list[Mistake]) -> list[Mistake]:
    if len(mistakes) <= MAX_REPORTED:
        return mistakes
    hint = f"expected KARL rules, {_EXAMPLE}; the rest of the text was not checked"
    more = Mistake(mistakes[MAX_REPORTED].span, "too many errors", hint)
    return [*mistakes[:MAX_REPORTED], more]
