"""The timeout of a request, and the seconds in which to respond."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.server.deadline import MAX_QUERY_BYTES, parse_duration, seconds_to_respond


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("3s", 3.0),
        ("1.5s", 1.5),
        (".5s", 0.5),
        ("1.s", 1.0),
        ("500ms", 0.5),
        ("250us", 0.00025),
        ("250µs", 0.00025),
        ("10ns", 1e-8),
        ("1m0s", 60.0),
        ("1h2m3.5s", 3723.5),
        ("0", 0.0),
    ],
)
def test_a_duration_is_parsed_as_in_go(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "3", "s", "3 s", "-3s", "3x", "3s ", "1e3s", "٣s"])
def test_any_other_text_is_not_a_duration(text: str) -> None:
    with pytest.raises(ValueError, match="expected a duration such as '3s' or '500ms', found"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("query", "seconds"),
    [
        (b"timeout=3s", 2.7),
        (b"timeout=500ms", 0.4),
        (b"timeout=50ms", 0.0),
        (b"a=b&timeout=20s", 18.0),
        (b"timeout=30s", 27.0),
        (b"timeout=1m0s", 27.0),
        (b"timeout=" + b"9" * 80 + b"h", 27.0),
        (b"", 9.0),
        (b"timeout=soon", 9.0),
        (b"timeout=-1s", 9.0),
        (b"timeout=inf", 9.0),
        (b"timeout=3s&".ljust(MAX_QUERY_BYTES, b"x"), 2.7),
        (b"timeout=3s&".ljust(MAX_QUERY_BYTES + 1, b"x"), 9.0),
    ],
)
def test_a_tenth_of_the_timeout_is_left_for_the_way_back(query: bytes, seconds: float) -> None:
    assert seconds_to_respond(query) == pytest.approx(seconds)


@pytest.mark.parametrize("part", ["1", "1.", ".1", "1.1", "1s", ".1ms", "1.5h"])
def test_a_long_text_takes_linear_time(part: str) -> None:
    text = part * 100_000 + "!"  # if it were quadratic, hours
    with pytest.raises(ValueError, match="expected a duration"):
        parse_duration(text)


@given(st.binary(max_size=40))
def test_any_query_string_has_a_deadline(query: bytes) -> None:
    assert 0 <= seconds_to_respond(b"timeout=" + query) <= 27
