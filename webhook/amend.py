"""How the settings in a Plan's annotations change: `k=v` sets, `k-` removes, as in kubectl."""

from collections.abc import Callable, Mapping

from webhook.model import Json

LISTS = ("labels", "node-selector", "tolerations")
"""Settings that are lists of entries, each with a key of its own."""


def amend(annotations: Mapping[str, str], changes: Mapping[str, str], prefix: str) -> Json:
    """Return the annotations to be merged into a Plan (RFC 7386: None removes).

    Args:
        annotations: the Plan's, as they are.
        changes: by the name of a setting what the user asked for; an empty text removes it. In
            a list an entry replaces those with its key, and `key-` removes them.
        prefix: of the annotations.

    """
    amended: Json = {}
    for name, change in changes.items():
        key = f"{prefix}/{name}"
        before = annotations.get(key, "")
        after = _amend_list(before, change, _key_of[name]) if name in LISTS else change.strip()
        if after != before or (not after and key in annotations):
            amended[key] = after or None
    return amended


def _amend_list(before: str, change: str, key_of: Callable[[str], str]) -> str:
    """Return the list after the change; what is wrong in it stays for the reader to tell."""
    entries = _entries(change)
    if not entries:
        return ""
    changed = {key_of(entry.removesuffix("-") if _removes(entry) else entry) for entry in entries}
    kept = [entry for entry in _entries(before) if key_of(entry) not in changed]
    return ",".join(kept + [entry for entry in entries if not _removes(entry)])


def _entries(text: str) -> list[str]:
    return [entry.strip() for entry in text.split(",") if entry.strip()]


def _removes(entry: str) -> bool:
    return entry.endswith("-") and "=" not in entry


def _pair_key(entry: str) -> str:
    return entry.partition("=")[0].strip()


def _taint_key(entry: str) -> str:
    return _pair_key(entry.partition(":")[0])


_key_of: dict[str, Callable[[str], str]] = {
    "labels": _pair_key,
    "node-selector": _pair_key,
    "tolerations": _taint_key,
}
