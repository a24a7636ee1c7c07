"""The place where the parser stopped in a rule, for the probes that explain likely mistakes."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import takewhile

import lark

from webhook.karl.errors import Mistake
from webhook.karl.syntax import MAX_SKEW, WORD, Span, Word
from webhook.kube.messages import join_with_or, quote

_SIGN = re.compile(r"==|!=|[<>]=?|[()\[\],=!]")
_PART = re.compile(rf"#[^\r\n]*|{WORD}|{_SIGN.pattern}")

_NAMES = {
    "LPAR": "'('",
    "LSQB": "'['",
    "KEY": "a label key",
    "VALUE": "a value",
    "NAME": "a namespace",
    "TOPOLOGY": "node, zone, region, rack, a label key",
    "NUMBER": "a whole number from 1 to 100",
    "COUNT": f"a whole number from 1 to {MAX_SKEW}",
    "HAS": "'has'",
    "NOT": "'not'",
    "BANG": "'!'",
    "IN": "'in'",
    "NOTIN": "'notin'",
    "EQUAL": "'='",
    "EQUALS": "'=='",
    "UNEQUAL": "'!='",
    "COMPARE": "'>', '>=', '<', '<='",
    "OWN": "'own'",
    "ALL": "'all'",
    "NAMESPACE": "'namespace'",
    "NAMESPACES": "'namespaces'",
    "COMMA": "','",
    "RSQB": "']'",
    "RPAR": "')'",
    "ON": "'on'",
    "WEIGHT": "'weight'",
    "SKEW": "'skew'",
    "ENFORCED": "'hard'",
    "$END": "the end of the rule",
}
"""The terminals of the grammar in messages, in the order in which a message lists them."""


@dataclass(frozen=True, slots=True)
class ParseFailure:
    """A rule at the word where the parser stopped."""

    before: tuple[Word, ...]
    found: Word
    """The unexpected word or sign as written, or empty at the end of the rule."""
    after: tuple[Word, ...]
    rest: str
    """The rule's text from `found` on."""
    accepts: frozenset[str]
    """The terminals of the grammar that the parser would have accepted."""

    @property
    def text(self) -> str:
        """The unexpected word as written."""
        return self.found.text

    @property
    def word(self) -> str:
        """The unexpected word in lower case."""
        return self.text.lower()

    @property
    def next(self) -> str:
        """The following word, or empty."""
        return self.after[0].text if self.after else ""

    @property
    def is_sign(self) -> bool:
        """True for a sign, False for a word and the end of the rule."""
        return bool(_SIGN.fullmatch(self.text))

    def previous(self, steps: int = 1) -> str:
        """Return a word before it in lower case, or empty."""
        return self.before[-steps].text.lower() if steps <= len(self.before) else ""


def locate(text: str, rule: Span, error: lark.UnexpectedToken) -> ParseFailure:
    """Locate the parser's error in the words of the rule."""
    token = error.token
    # lark's token for the end of the text has the position of the last token
    place = token.end_pos if token.type == "$END" else token.start_pos
    place = place or rule.start
    words = list(split_words(text, rule))
    before = tuple(takewhile(lambda word: word.span.start < place, words))
    found, *after = (*words[len(before) :], Word("", Span(place, place)))
    rest = text[place : rule.end]
    return ParseFailure(before, found, tuple(after), rest, frozenset(error.accepts))


def split_words(text: str, rule: Span) -> Iterator[Word]:
    """Yield the words and signs of a rule, without comments."""
    for match in _PART.finditer(text, rule.start, rule.end):
        if not match[0].startswith("#"):
            yield Word(match[0], Span(*match.span()))


def step_back(failure: ParseFailure) -> ParseFailure:
    """Return the failure as if the parser had stopped a word earlier."""
    *before, found = failure.before
    after = (failure.found, *failure.after)
    return replace(failure, before=tuple(before), found=found, after=after)


def format_list(failure: ParseFailure) -> str:
    """Format the list after an unexpected bracket, in square brackets."""
    words = (word.text for word in takewhile(lambda word: word.text not in "])", failure.after))
    return f"[{', '.join(word for word in words if word != ',')}]"


def mistake_at(failure: ParseFailure, message: str, hint: str) -> Mistake:
    return Mistake(failure.found.span, message, hint)


def missing_before(failure: ParseFailure, what: str, hint: str) -> Mistake:
    """Return the mistake that something is missing before the unexpected word."""
    place = f" before {quote(failure.text)}" if failure.text else ""
    return mistake_at(failure, f"missing {what}{place}", hint)


def unexpected(failure: ParseFailure, hint: str = "") -> Mistake:
    """Return the general mistake; the hint defaults to what the parser expected."""
    message = f"unexpected {quote(failure.text)}" if failure.text else "the rule is incomplete"
    return mistake_at(failure, message, hint or describe_expected(failure))


def describe_expected(failure: ParseFailure) -> str:
    """Return the hint with everything that the parser would have accepted."""
    names = [name for terminal, name in _NAMES.items() if terminal in failure.accepts]
    return f"expected {join_with_or(names)}"
