"""Parsing of Kubernetes' resource quantities, such as `64Gi` or `500m`, to exact numbers.

Follows `k8s.io/apimachinery/pkg/api/resource`: values are rounded up to 1n, away from zero, and
with a binary suffix they are limited to 2**63-1. There is one difference: `Gi` and `-` are 0
there, and invalid here.
"""

import re
from decimal import Decimal
from functools import lru_cache

_FORM = re.compile(
    r"([+-]?)(?=\.?[0-9])([0-9]*)(?:\.([0-9]*))?"
    r"(?:([numkMGTPE]|[KMGTPE]i)|[eE]([+-]?[0-9]+))?"
)
_DECIMAL = {"n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_SUFFIXES = {suffix.lower(): suffix for suffix in (*_DECIMAL, *_BINARY)}
_NEARLY = re.compile(r"([0-9.]+)\s*([A-Za-z]+)")
_MIN_SCALE = -9  # 1n
_MAX_CHARACTERS = 1000  # Python parses integers of up to 4300 digits
_MAX_EXPONENT = 2**31 - 1  # an int32 in Kubernetes
_MAX_BINARY = Decimal(2**63 - 1)


@lru_cache(maxsize=16 * 1024)  # the same label values, of some thousand nodes, come with each pod
def parse(text: str) -> Decimal:
    """Parse a quantity: `64Gi` is more than `64G`, and `1500m` is 1.5.

    Raises:
        ValueError: the text is not a quantity. The message is a phrase that follows the quoted
            text.

    """
    match = _FORM.fullmatch(text) if len(text) <= _MAX_CHARACTERS else None
    if not match:
        raise ValueError(_describe_error(text[:_MAX_CHARACTERS]))
    sign, whole, fraction, suffix, exponent = (part or "" for part in match.groups())
    if abs(scale := int(exponent or _DECIMAL.get(suffix, 0))) > _MAX_EXPONENT:
        raise ValueError("has an exponent out of range")
    number = int(f"0{whole}{fraction}") << _BINARY.get(suffix, 0)
    digits, scale = _round_up(number, scale - len(fraction))
    magnitude = Decimal((0, tuple(map(int, digits)), scale))
    if suffix in _BINARY:
        magnitude = min(magnitude, _MAX_BINARY)
    return magnitude.copy_negate() if sign == "-" else magnitude


def check(text: str) -> str | None:
    """Return a phrase that follows the quoted text if it is not a quantity, else None."""
    try:
        parse(text)
    except ValueError as error:
        return str(error)
    return None


def check_positive(text: str) -> str | None:
    """Return a phrase that follows the quoted text if it is not a quantity above 0, else None."""
    return check(text) or (None if parse(text) > 0 else "must be more than 0")


def is_more(first: str, second: str) -> bool:
    """Return whether a valid quantity is more than another."""
    return parse(first) > parse(second)


def _round_up(number: int, scale: int) -> tuple[str, int]:
    """Round number * 10**scale up to 1n; returns digits and scale."""
    digits = str(number)
    if (excess := _MIN_SCALE - scale) <= 0 or not number:
        return digits, max(scale, _MIN_SCALE)
    kept, dropped = digits[:-excess] or "0", digits[-excess:]
    return str(int(kept) + bool(dropped.strip("0"))), _MIN_SCALE


def _describe_error(text: str) -> str:
    hint = _NEARLY.fullmatch(text)
    suggestion = hint and _SUFFIXES.get(hint[2].lower().removesuffix("b"))
    tail = f"; did you mean '{hint[1]}{suggestion}'?" if hint and suggestion else ""
    return f"must be a quantity such as 16, 500m, 64G or 64Gi{tail}"
