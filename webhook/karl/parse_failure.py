"""Where the parser stopped in a rule: what the probes for likely mistakes look at."""

import re
from dataclasses import dataclass, replace
from itertools import takewhile

import lark

from webhook.karl.errors import Mistake
from webhook.karl.syntax import WORD, Span, Word
from webhook.kube.messages import quote

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
    "$END": "the end of the rule",
}
"""What the terminals of the grammar are called in messages, in the order of telling."""


@dataclass(frozen=True, slots=True)
class Stumble:
    """A rule up to where the parser stopped, what it found there, and what comes behind."""

    before: tuple[Word, ...]
    found: Word
    """A word or sign, as it is written; the empty text at the end of the rule."""
    after: tuple[Word, ...]
    rest: str
    """The rule's text from `found` on."""
    accepts: frozenset[str]
    """What the parser would have taken: terminals of the grammar."""

    @property
    def word(self) -> str:
        """What was found, in lower case."""
        return self.found.text.lower()

    @property
    def next(self) -> str:
        """The word behind the found one, or the empty text."""
        return self.after[0].text if self.after else ""

    @property
    def sign(self) -> bool:
        """Whether a sign was found, neither a word nor the end."""
        return bool(_SIGN.fullmatch(self.found.text))

    def previous(self, steps: int = 1) -> str:
        """Return a word before the place in lower case, or the empty text."""
        return self.before[-steps].text.lower() if steps <= len(self.before) else ""


def meet(text: str, rule: Span, error: lark.UnexpectedToken) -> Stumble:
    """Return what the parser's error says, in words of the text."""
    token = error.token
    # lark gives the end of the text the position of the last token
    place = token.end_pos if token.type == "$END" else token.start_pos
    place = rule.start + (place or 0)
    words = [
        Word(match[0], Span(*match.span()))
        for match in _PART.finditer(text, rule.start, rule.end)
        if not match[0].startswith("#")
    ]
    before = tuple(takewhile(lambda word: word.span.start < place, words))
    found, *after = (*words[len(before) :], Word("", Span(place, place)))
    rest = text[place : rule.end]
    return Stumble(before, found, tuple(after), rest, frozenset(error.accepts))


def step_back(stumble: Stumble) -> Stumble:
    """Return the stumble as if the parser had stopped a word earlier."""
    *before, found = stumble.before
    after = (stumble.found, *stumble.after)
    return replace(stumble, before=tuple(before), found=found, after=after)


def bracketed(stumble: Stumble) -> str:
    """Return the list that begins behind the found bracket, in square ones."""
    words = (word.text for word in takewhile(lambda word: word.text not in "])", stumble.after))
    return f"[{', '.join(word for word in words if word != ',')}]"


def here(stumble: Stumble, message: str, hint: str) -> Mistake:
    return Mistake(stumble.found.span, message, hint)


def missing(stumble: Stumble, what: str, hint: str) -> Mistake:
    """Return the mistake that something should stand before what was found."""
    place = f" before {quote(stumble.found.text)}" if stumble.found.text else ""
    return here(stumble, f"missing {what}{place}", hint)


def unexpected(stumble: Stumble, hint: str = "") -> Mistake:
    """Return what can be said of any stumble; the hint defaults to what the parser expected."""
    found = stumble.found.text
    message = f"unexpected {quote(found)}" if found else "the rule is not complete"
    return here(stumble, message, hint or expected(stumble))


def expected(stumble: Stumble) -> str:
    """Return the hint that names what the parser would have taken."""
    names = [name for terminal, name in _NAMES.items() if terminal in stumble.accepts]
    return "expected " + " or ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
