"""Kubernetes' resource quantities, `64Gi` or `500m`, as exact numbers.

After `k8s.io/apimachinery/pkg/api/resource`: the same texts are legal, and a text means the
same number. Nothing is finer than 1n (what is, is rounded up to it, away from zero), and
nothing with a binary suffix is beyond 2**63-1. One difference: `Gi` and `-` are 0 there, and
no quantities here.
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
_FINEST = -9
_LONGEST = 1000  # characters; Python refuses to read numbers much longer
_LARGEST_EXPONENT = 2**31 - 1  # an int32 there
_LARGEST_BINARY = Decimal(2**63 - 1)


@lru_cache(maxsize=1024)  # the same few label values are compared again for every pod
def parse(text: str) -> Decimal:
    """Read a quantity: `64Gi` is more than `64G`, and `1500m` is 1.5.

    Raises:
        ValueError: it is none; the message is a phrase to go behind the quoted text.

    """
    match = _FORM.fullmatch(text)
    if not match or len(text) > _LONGEST:
        raise ValueError(_complaint(text))
    sign, whole, fraction, suffix, exponent = (part or "" for part in match.groups())
    if abs(scale := int(exponent or _DECIMAL.get(suffix, 0))) > _LARGEST_EXPONENT:
        raise ValueError("has an exponent out of range")
    number = int(f"0{whole}{fraction}") << _BINARY.get(suffix, 0)
    digits, scale = _round_up(number, scale - len(fraction))
    magnitude = Decimal((0, tuple(map(int, digits)), scale))
    if suffix in _BINARY:
        magnitude = min(magnitude, _LARGEST_BINARY)
    return magnitude.copy_negate() if sign == "-" else magnitude


def _round_up(number: int, scale: int) -> tuple[str, int]:
    """Bring number * 10**scale to nano units where it is finer, as digits and scale."""
    digits = str(number)
    if (excess := _FINEST - scale) <= 0 or not number:
        return digits, max(scale, _FINEST)
    kept, dropped = digits[:-excess] or "0", digits[-excess:]
    return str(int(kept) + bool(dropped.strip("0"))), _FINEST


def _complaint(text: str) -> str:
    hint = re.fullmatch(r"([0-9.]+)\s*([A-Za-z]+)", text)
    suffixes = {suffix.lower(): suffix for suffix in (*_DECIMAL, *_BINARY)}
    suggestion = hint and suffixes.get(hint[2].lower().removesuffix("b"))
    tail = f"; did you mean '{hint[1]}{suggestion}'?" if hint and suggestion else ""
    return f"must be a quantity such as 16, 500m, 64G or 64Gi{tail}"
