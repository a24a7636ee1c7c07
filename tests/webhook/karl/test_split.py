"""A text is split into rules, even if a rule has a syntax error."""

import pytest

from webhook.karl.split import split_rules


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        ("", []),
        (" \t\n;;\r\n # a; b\n", []),
        ("a;b\nc\rd\r\ne", ["a", "b", "c", "d", "e"]),
        ("a # x; y\nb", ["a # x; y", "b"]),
        ("  # x\n  a  ", ["a  "]),
        ("a (b\nc) d\ne", ["a (b\nc) d", "e"]),
        ("a (b # )\nc) d", ["a (b # )\nc) d"]),
        ("a (b;c", ["a (b", "c"]),
        ("a ))\nb (c\nd)", ["a ))", "b (c\nd)"]),
        ("a (b\n\n  AVOID pods(c)", ["a (b\n", "AVOID pods(c)"]),
        ("a (b\nREQIRE Nodes (c)", ["a (b", "REQIRE Nodes (c)"]),
        ("a (b\nREQUIRE=c)", ["a (b\nREQUIRE=c)"]),
    ],
)
def test_a_text_is_split_into_rules(text: str, rules: list[str]) -> None:
    assert [text[span.start : span.end] for span in split_rules(text)] == rules
