from datetime import timedelta

import pytest

from certs.ca.durations import Durations


@pytest.mark.parametrize(
    ("ca", "error"),
    [
        (
            timedelta(minutes=5),
            "CA lifetime: found 0:05:00, expected at least 1:00:00, six times the publish wait",
        ),
        (
            timedelta(hours=10),
            (
                "CA lifetime: found 10:00:00, expected at least 1 day, 17:08:34.285714: replaced"
                " CAs stay trusted for 8 days, 0:00:00, more of them than a caBundle can hold"
            ),
        ),
    ],
)
def test_a_ca_lifetime_that_is_too_short_is_an_error(ca: timedelta, error: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        Durations(ca=ca)
    assert str(caught.value) == error
