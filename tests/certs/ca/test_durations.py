from datetime import timedelta

import pytest

from certs.ca.durations import Durations


@pytest.mark.parametrize(
    ("ca", "fault"),
    [
        (
            timedelta(minutes=5),
            "a CA of 0:05:00: expected six times the publish wait of 0:10:00",
        ),
        (
            timedelta(hours=10),
            "a CA of 10:00:00: expected a quarter of leaf and grace, 8 days, 0:00:00",
        ),
    ],
)
def test_durations_that_contradict_each_other_are_refused(ca: timedelta, fault: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        Durations(ca=ca)
    assert str(caught.value) == fault
