"""Mistakes for characters that look like those of the language, such as `≥`."""

from collections.abc import Iterator

from webhook.karl.errors import Mistake
from webhook.karl.parse_failure import split_words
from webhook.karl.syntax import Span, Word
from webhook.kube.lookalikes import QUOTES, to_ascii
from webhook.kube.messages import quote, suggest


def find_lookalikes(text: str, rule: Span) -> Iterator[Mistake]:
    """Yield the mistake of each word of a rule that has such a character, outside of comments.

    Any of them is a mistake, wherever the parser would stop: for it `cores≥16` is one word.
    """
    if text[rule.start : rule.end].isascii():
        return
    for word in split_words(text, rule):
        meant = to_ascii(word.text)
        is_dash = bool(meant) and not meant.strip("-")  # a bullet, or the beginning of a comment
        if meant != word.text and not is_dash:
            yield _describe(word, meant)


def _describe(word: Word, meant: str) -> Mistake:
    place, found = next((i, c) for i, c in enumerate(word.text) if to_ascii(c) != c)
    start = word.span.start + place
    if found in QUOTES:
        hint = "expected no quotes"
    elif ascii_form := to_ascii(found):
        hint = f"expected {quote(ascii_form)}"
    else:
        hint = "expected no such character"
    if meant and word.text != found:
        hint += suggest(meant)
    return Mistake(Span(start, start + 1), f"unexpected character {quote(found)}", hint)
