"""The contexts of a kubeconfig, for completion: without a Kubernetes client, which loads slowly."""

import os
from contextlib import suppress
from pathlib import Path

from webhook.kube import manifests

_UNREADABLE = (OSError, ValueError, LookupError, TypeError)
"""Of a file that is not there, is not text, is not YAML, or has no list of contexts."""


def names(kubeconfig: Path | None) -> list[str]:
    """Return the names of the contexts that kubectl would find; none of files without any."""
    given = [str(kubeconfig)] if kubeconfig else os.environ.get("KUBECONFIG", "").split(os.pathsep)
    paths = [Path(each) for each in given if each] or [Path("~/.kube/config").expanduser()]
    found: dict[str, None] = {}  # in their order, each once
    for path in paths:
        with suppress(*_UNREADABLE):
            for _, document in manifests.parse_documents(
                path.read_text(encoding="utf-8"), is_json=False
            ):
                found |= {str(entry["name"]): None for entry in document["contexts"]}
    return list(found)
