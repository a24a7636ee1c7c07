"""The contexts of a kubeconfig, for completion: without a Kubernetes client, which loads slowly."""

import os
from pathlib import Path

from webhook.kube.api.errors import KubeconfigError
from webhook.kube.api.kubeconfig import files


def names(kubeconfig: Path | None) -> list[str]:
    """Return the names of the contexts that kubectl would find; none of invalid files."""
    try:
        contexts = files.read_files(files.find_files(kubeconfig, os.environ)).contexts
    except KubeconfigError:
        return []
    return [name for name in contexts if name]
