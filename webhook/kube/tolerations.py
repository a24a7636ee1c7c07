"""Tolerations: parsed and formatted as `kubectl taint` has them, and validation of core/v1 ones."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from webhook.kube import labels
from webhook.kube.lookalikes import to_plain_entry
from webhook.kube.messages import did_you_mean, expected_one_of, join_with_or, quote, suggest
from webhook.kube.objects import unite
from webhook.kube.sizes import MAX_ENTRY_CHARACTERS

_NO_EXECUTE = "NoExecute"
_SCHEDULING_EFFECTS = ("NoSchedule", "PreferNoSchedule")
"""The effects that concern pods which have no node yet."""
_EFFECTS = (*_SCHEDULING_EFFECTS, _NO_EXECUTE)
_OPERATORS = ("Equal", "Exists")
_TEXT_FIELDS = ("key", "operator", "value", "effect")
TOLERATION_FIELDS = (*_TEXT_FIELDS, "tolerationSeconds")
_WRONG_EFFECT = f"expected effect {join_with_or(_EFFECTS)}, found"
_FORM = "expected key=value:effect, key:effect or key"


class TolerationError(NamedTuple):
    """An invalid entry of a list of tolerations."""

    entry: int
    """The number of the entry, from 1."""
    text: str
    message: str
    """Without the suggestion of `suggest_toleration`."""


def parse_tolerations(text: str) -> tuple[list[dict[str, Any]], list[TolerationError]]:
    """Parse `dedicated=migration:NoSchedule,gpu:NoExecute,spot` to core/v1 Tolerations.

    An entry is `key[=value][:effect]`. Without a value it tolerates every value of the taint,
    without an effect every effect. Returns the valid entries, each once, and the errors of the
    others.
    """
    tolerations: list[dict[str, Any]] = []
    errors: list[TolerationError] = []
    for number, entry in enumerate(text.split(",") if text.strip() else (), 1):
        try:
            tolerations.append(_parse_toleration(entry.strip()))
        except ValueError as error:
            errors.append(TolerationError(number, entry.strip(), str(error)))
    return unite([], tolerations), errors


def suggest_toleration(entry: str) -> str:
    """Return the suggestion for an invalid entry, or nothing.

    It is valid in ASCII and without quotes, or has a misspelt effect.
    """
    if len(entry) > MAX_ENTRY_CHARACTERS:
        return ""
    plain = to_plain_entry(entry)
    if plain != entry and not parse_tolerations(plain)[1]:
        return suggest(plain)
    taint, _, effect = (part.strip() for part in entry.partition(":"))
    if meant := _find_meant(taint, effect):
        return suggest(meant)
    return _suggest_effect(effect)


def _find_meant(taint: str, effect: str) -> str:
    """Return `a=b:NoSchedule` for `a:b:NoSchedule`; empty for other entries."""
    value, colon, last = effect.rpartition(":")
    return f"{taint}={value}:{last}" if colon and "=" not in taint and last in _EFFECTS else ""


def _suggest_effect(effect: str) -> str:
    return did_you_mean(effect, _EFFECTS) if effect not in ("", *_EFFECTS) else ""


def format_toleration(toleration: dict[str, Any]) -> str:
    """Return a toleration as `kubectl taint` has the taint, `key=value:Effect`; `*` is any key."""
    key, value, effect = (toleration.get(field) or "" for field in ("key", "value", "effect"))
    return (key or "*") + (f"={value}" if value else "") + (f":{effect}" if effect else "")


def covers_no_execute(toleration: dict[str, Any]) -> bool:
    """Return whether a core/v1 Toleration tolerates taints of NoExecute, alone or among others."""
    return (toleration.get("effect") or _NO_EXECUTE) == _NO_EXECUTE


def without_no_execute(tolerations: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what is left of core/v1 Tolerations if none may tolerate taints of NoExecute.

    One without an effect becomes one of NoSchedule and one of PreferNoSchedule.
    """
    left: list[dict[str, Any]] = []
    for each in tolerations:
        if not covers_no_execute(each):
            left.append(each)
        elif not each.get("effect"):
            left += [each | {"effect": effect} for effect in _SCHEDULING_EFFECTS]
    return unite([], left)


def validate_toleration(toleration: dict[str, Any]) -> str | None:
    """Return the error for which the API server would reject a core/v1 Toleration, or None.

    The operators `Gt` and `Lt` are errors, because clusters without their feature gate reject
    them.
    """
    for field in _TEXT_FIELDS:
        if not isinstance(toleration.get(field, ""), str | None):
            return f"{field} must be text"
    if wrong := next(_find_errors(toleration), None):
        is_effect = wrong.startswith(_WRONG_EFFECT)
        return wrong + (_suggest_effect(toleration["effect"]) if is_effect else "")
    return None


def _find_errors(toleration: dict[str, Any]) -> Iterator[str]:
    key, operator, value, effect = (toleration.get(field) or "" for field in _TEXT_FIELDS)
    seconds = toleration.get("tolerationSeconds")
    if operator not in ("", *_OPERATORS):
        yield expected_one_of("operator", _OPERATORS, operator)
    if not key and operator != "Exists":
        yield "must have a key, or the operator Exists to tolerate every taint"
    if key and (wrong := labels.check_key(key)):
        yield f"key {quote(key)} {wrong}"
    if operator == "Exists" and value:
        yield f"must have no value with the operator Exists, found {quote(value)}"
    if wrong := labels.check_value(value):
        yield f"value {quote(value)} {wrong}"
    if effect not in ("", *_EFFECTS):
        yield f"{_WRONG_EFFECT} {quote(effect)}"
    if seconds is not None and not _is_int64(seconds):
        yield "tolerationSeconds must be an integer"
    if seconds is not None and effect != _NO_EXECUTE:
        yield "must have the effect NoExecute with tolerationSeconds"


def _is_int64(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63


def _parse_toleration(entry: str) -> dict[str, Any]:
    if not entry:
        raise ValueError(f"is empty: {_FORM}")
    taint, colon, effect = (part.strip() for part in entry.partition(":"))
    key, equals, value = (part.strip() for part in taint.partition("="))
    if not key:
        raise ValueError(f"{quote(entry)} has no key: {_FORM}")
    if colon and not effect:
        raise ValueError(f"{quote(entry)} has no effect after ':': {_FORM}")
    if _find_meant(taint, effect):
        raise ValueError(f"{_FORM}, found {quote(entry)}")
    operator = {"operator": "Equal", "value": value} if equals else {"operator": "Exists"}
    toleration = {"key": key, **operator, **({"effect": effect} if effect else {})}
    if wrong := next(_find_errors(toleration), None):
        raise ValueError(wrong)
    return toleration
