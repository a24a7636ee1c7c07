"""JSON and YAML where a setting has a form of its own, and the same in that form, for messages.

An annotation is text, so it is easily given the form that its setting has elsewhere: a map of
labels, or a list of core/v1 Tolerations.
"""

import re
from typing import Any

from webhook.kube.affinity_fields import AFFINITY
from webhook.kube.labels import check_key, check_value
from webhook.kube.lookalikes import to_ascii
from webhook.kube.messages import quote, suggest
from webhook.kube.objects import Json
from webhook.kube.sizes import (
    MAX_ENTRIES,
    MAX_ENTRY_CHARACTERS,
    MAX_STRUCTURED_CHARACTERS,
    count_items,
)
from webhook.kube.tolerations import TOLERATION_FIELDS, format_toleration, parse_tolerations

Collection = dict[str, Any] | list[Any]

_COLLECTION = re.compile(r"\s*(?:[\[{]|- +\S)")
"""The beginning of a list or a map, except for a YAML map `key: value`."""
_MAP = re.compile(r":(?:\s|$)")
_SEPARATOR = re.compile("[=:]")
_SCALARS = (str, int, float, type(None))


def describe_pairs(text: str) -> str | None:
    """Return the error of JSON or YAML where `k=v,k2=v2` is expected, or None for other texts."""
    found = _parse_for_pairs(text)
    if found is None:
        return None
    return f"expected key=value,key=value, found {quote(text.strip())}{suggest_pairs(found)}"


def describe_tolerations(text: str) -> str | None:
    """Return the error of JSON or YAML where `k=v:effect` is expected, or None for other texts.

    YAML such as `a: NoSchedule` is one of the other texts, because it is such an entry too.
    """
    found = _parse(text) if _COLLECTION.match(text) else None
    if found is None:
        return None
    entries = ",".join(map(_format_toleration, found if isinstance(found, list) else [found]))
    valid, errors = parse_tolerations(entries)
    hint = suggest(entries) if valid and not errors else ""
    return f"expected key=value:effect,key:effect, found {quote(text.strip())}{hint}"


def suggest_pairs(found: Collection) -> str:
    """Return `; did you mean 'k=v,k2=v2'?`, or nothing if there is no such form."""
    if count_items(found, MAX_ENTRIES) > MAX_ENTRIES:
        return ""
    parts = [_format_pairs(each) for each in (found if isinstance(found, list) else [found])]
    return suggest(",".join(parts)) if parts and all(parts) else ""


def suggest_pair(entry: str) -> str:
    """Return the suggestion for one entry of a list, `team: a`, `team:a` or `{"team": "a"}`."""
    found = _parse_for_pairs(entry)
    return suggest_pairs([entry] if found is None else found)


def parse_affinity(text: str) -> Json | None:
    """Return the core/v1 Affinity of a JSON or YAML text where rules are expected."""
    from webhook.kube.manifests import DocumentError, parse_document  # noqa: PLC0415 - see below

    try:
        found = parse_document(to_ascii(text)) if _is_short(text) else None
    except DocumentError:
        return None
    if not isinstance(found, dict):
        return None
    affinity = found.get("affinity", found)
    return affinity if isinstance(affinity, dict) and affinity.keys() & AFFINITY.known else None


def _parse_for_pairs(text: str) -> Collection | None:
    """Return the JSON or YAML of a text where `k=v,k2=v2` is expected, which is never either.

    None for a list of entries of which one is `k: v`: the others are applied.
    """
    is_map = _MAP.search(text) and "," not in text
    return _parse(text) if is_map or _COLLECTION.match(text) else None


def _parse(text: str) -> Collection | None:
    """Return the map or list of a text, with all values as text, as they are written."""
    from webhook.kube.manifests import DocumentError, parse_as_text  # noqa: PLC0415 - only for invalid settings

    try:
        found = parse_as_text(to_ascii(text)) if _is_short(text) else None
    except DocumentError:
        return None
    return found if isinstance(found, dict | list) else None


def _is_short(text: str) -> bool:
    return len(text) <= MAX_STRUCTURED_CHARACTERS


def _format_pairs(found: object) -> str:
    """Return the entries of a map, or of a text with some; empty if one is not valid."""
    if isinstance(found, dict):
        entries = [
            f"{key}:{value}" if isinstance(value, _SCALARS) else "" for key, value in found.items()
        ]
    else:
        entries = found.split(",") if isinstance(found, str) else []
    pairs = [_format_pair(each) for each in entries]
    return ",".join(pairs) if all(pairs) else ""


def _format_pair(entry: str) -> str:
    """Return `k=v` for that, for `k: v`, and for `k:v:`; empty if key or value is not valid.

    The last is `{k:v}` in YAML, a key without a value.
    """
    if len(entry) > MAX_ENTRY_CHARACTERS:
        return ""
    key, *rest = (part.strip() for part in _SEPARATOR.split(entry, maxsplit=1))
    value = "".join(rest).removesuffix(":")
    valid = rest and check_key(key) is None and check_value(value.removesuffix("+")) is None
    return f"{key}={value}" if valid else ""


def _format_toleration(found: object) -> str:
    """Return the entry of a core/v1 Toleration, or of `{key: value:effect}`; or empty."""
    if isinstance(found, str):
        return found
    if not isinstance(found, dict):
        return ""
    if not found.keys() & set(TOLERATION_FIELDS):
        return ",".join(f"{key}={value}" if value else str(key) for key, value in found.items())
    if not found.keys() <= {"key", "operator", "value", "effect"}:
        return ""
    return format_toleration(found)
