"""Quantities are parsed as by Kubernetes: `data/apimachinery.json` is the output of its code."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.paths import DATA
from webhook.kube import quantity

VECTORS: dict[str, Any] = json.loads((DATA / "apimachinery.json").read_text(encoding="utf-8"))
DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
BINARY = ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"]


def parse(text: str) -> Decimal | None:
    try:
        return quantity.parse(text)
    except ValueError:
        return None


@pytest.mark.parametrize(("text", "number"), VECTORS["quantities"].items())
def test_a_text_is_parsed_to_the_number_of_kubernetes(text: str, number: str | None) -> None:
    assert parse(text) == (None if number is None else Decimal(number))


@pytest.mark.parametrize("text", VECTORS["quantities without a digit"])
def test_a_text_without_a_digit_is_invalid_unlike_in_kubernetes(text: str) -> None:
    assert parse(text) is None


@pytest.mark.parametrize(
    ("less", "more"),
    [("64G", "64Gi"), ("500m", "1"), ("999Ki", "1Mi"), ("1024Gi", "1025Gi"), ("9", "10")],
)
def test_quantities_are_compared_as_numbers(less: str, more: str) -> None:
    assert quantity.parse(less) < quantity.parse(more)


@given(st.integers(0, 10**12), st.sampled_from(sorted(DECIMAL)))
def test_a_decimal_suffix_is_a_power_of_ten(number: int, suffix: str) -> None:
    assert quantity.parse(f"{number}{suffix}") == number * Decimal(10) ** DECIMAL[suffix]


@given(st.integers(0, 2**63 - 1), st.sampled_from(BINARY))
def test_a_binary_suffix_is_a_power_of_1024_up_to_int64(number: int, suffix: str) -> None:
    power = BINARY.index(suffix) + 1

    assert quantity.parse(f"{number}{suffix}") == min(number * 1024**power, 2**63 - 1)


@given(st.decimals(min_value=0, max_value=10**9, places=15))
def test_fractions_of_a_nano_are_rounded_up(number: Decimal) -> None:
    excess = quantity.parse(f"{number:f}") - number

    assert 0 <= excess < Decimal("1e-9")
    assert quantity.parse(f"-{number:f}") == -quantity.parse(f"{number:f}")


@given(st.text() | st.from_regex(r"[+-]?[0-9.]*[numkMGTPEeEi]*[+-]?[0-9]*", fullmatch=True))
def test_any_text_is_a_quantity_or_a_value_error(text: str) -> None:
    assert parse(text) is None or quantity.parse(text).is_finite()


@pytest.mark.parametrize(
    ("text", "phrase"),
    [
        ("lots", "must be a quantity such as 16, 500m, 64G or 64Gi"),
        ("64GB", "must be a quantity such as 16, 500m, 64G or 64Gi; did you mean '64G'?"),
        ("64 gib", "must be a quantity such as 16, 500m, 64G or 64Gi; did you mean '64Gi'?"),
        ("64K", "must be a quantity such as 16, 500m, 64G or 64Gi; did you mean '64k'?"),
        ("1e99999999999", "has an exponent out of range"),
        ("9" * 5000, "must be a quantity such as 16, 500m, 64G or 64Gi"),
    ],
)
def test_the_error_suggests_a_correction(text: str, phrase: str) -> None:
    with pytest.raises(ValueError, match=r"quantity|exponent") as error:
        quantity.parse(text)

    assert str(error.value) == phrase
