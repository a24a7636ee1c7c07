from datetime import timedelta

import pytest

from certs.durations import Durations, parse


def test_what_is_not_named_keeps_its_default() -> None:
    assert parse("") == Durations()
    assert parse("ca=30d, publish-wait=1.5h") == Durations(
        ca=timedelta(days=30), publish_wait=timedelta(minutes=90)
    )


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("leav=1h", "unknown duration 'leav'; did you mean 'leaf'?"),
        (
            "x=1h",
            "unknown duration 'x': expected ca, leaf, backdate, publish-wait, grace, settle",
        ),
        ("leaf=1w", "leaf: expected a duration such as 90s, 10m, 12h or 7d, found '1w'"),
        ("leaf", "leaf: expected a duration such as 90s, 10m, 12h or 7d, found ''"),
        ("ca=5m", "a CA of 0:05:00: expected six times the publish wait of 0:10:00"),
        (
            "ca=10h",
            "a CA of 10:00:00: expected a quarter of leaf and grace, 8 days, 0:00:00",
        ),
    ],
)
def test_durations_that_cannot_be_are_refused(text: str, fault: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        parse(text)
    assert str(caught.value) == fault
