"""Characters of documents and input methods, and the ASCII ones that are meant."""

# ruff: noqa: RUF001 - characters that look like others

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.kube.lookalikes import to_ascii, to_plain_entry


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("a≥1 b≧1 c⩾1", "a>=1 b>=1 c>=1"),
        ("a≤1 b≦1 c⩽1 d≠1", "a<=1 b<=1 c<=1 d!=1"),
        ("‘a’ “b” „c“ «d» ‹e› ′f″", "a b c d e f"),
        ("a‐b‑c‒d–e−f﹣g", "a-b-c-d-e-f-g"),
        ("—flag", "--flag"),
        ("a\u00a0b\u2009c\u3000d", "a b c d"),
        ("\ufeffa\u200bb\u200cc\u200dd\u2060e\u00adf\u200eg", "abcdefg"),
        ("（ａ＝ｂ，ｃ！＝ｄ）；＃＜＞［１］：＆＆", "(a=b,c!=d);#<>[1]:&&"),
        ("\ufb01le", "file"),
        ("a∕b⁄c∶d、e", "a/b/c:d,e"),
    ],
)
def test_the_ascii_form_is_that_of_a_keyboard(text: str, meant: str) -> None:
    assert to_ascii(text) == meant


@pytest.mark.parametrize("text", ["…", "½", "é", "宮", "а", "•", "\ud800"])
def test_other_characters_stay(text: str) -> None:
    assert to_ascii(text) == text


@given(st.text(string.printable))
def test_ascii_text_stays(text: str) -> None:
    assert to_ascii(text) == text


def test_an_entry_of_a_list_has_no_quotes() -> None:
    assert to_plain_entry("\"a\"＝'b',`c`=“d”") == "a=b,c=d"
