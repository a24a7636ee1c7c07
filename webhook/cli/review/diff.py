"""Unified diff of a pod's YAML before and after."""

import difflib
from collections.abc import Iterator

import yaml
from rich.text import Text

from webhook.kube.messages import escape
from webhook.kube.objects import Json

_STYLES = {"+": "green", "-": "red", "@": "cyan"}


def diff_lines(before: Json, after: Json, context: int = 2) -> Iterator[str]:
    """Yield a unified diff without its file names; nothing when the pods are equal."""
    old, new = (_dump(pod).splitlines() for pod in (before, after))
    yield from list(difflib.unified_diff(old, new, n=context, lineterm=""))[2:]


def coloured_diff(before: Json, after: Json, context: int = 2) -> Text:
    """Return the diff for a terminal, coloured if the terminal supports it."""
    text = Text()
    for line in diff_lines(before, after, context):
        text.append(f"{escape(line)}\n", _STYLES.get(line[0], ""))
    return text


def _dump(pod: Json) -> str:
    return str(yaml.safe_dump(pod, sort_keys=False, allow_unicode=True, width=100))
