"""A release with `failurePolicy: Fail` and its replicas, for the pods of one namespace."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.system.controlplane.api import Api, Json
from tests.system.controlplane.cluster import ControlPlane
from tests.system.controlplane.installed import Installed
from tests.system.controlplane.process import until
from tests.system.controlplane.release import OPT_IN
from tests.system.controlplane.replica import PROGRAM
from tests.system.controlplane.replicas import Replicas
from tests.system.e2e.pod_results import send
from tests.system.e2e.preparation import add_namespace
from tests.system.guide.rows import PREFIX

TARGET = "vms-reliability"
"""The namespace that the VMs migrate into; its label names the release that is called."""


@contextmanager
def running(
    plane: ControlPlane,
    pod: Json,
    name: str,
    program: Sequence[str | Path] = PROGRAM,
    **further: Any,
) -> Iterator[Replicas]:
    """Install a release in a new namespace `name`, which handles pods such as `pod`.

    `further` are additional values of the chart.
    """
    add_namespace(plane.admin, name)
    release = Installed(plane, "convertor-webhook", name, values(name) | further)
    release.install()
    try:
        replicas = Replicas(release, program)
        try:
            replicas.start()
            with opted_in(plane.admin, pod, name):
                yield replicas
        finally:
            replicas.stop()
    finally:
        release.uninstall()


def values(name: str) -> Json:
    """Return the chart's values for a release whose failures are visible."""
    selector = {"matchLabels": {OPT_IN: name}}
    return {"webhook": {"failurePolicy": "Fail", "namespaceSelector": selector}}


@contextmanager
def opted_in(api: Api, pod: Json, name: str) -> Iterator[None]:
    """Label the namespace of the VMs for the release, and wait until that is effective."""
    label: Json = {"metadata": {"labels": {OPT_IN: name}}}
    api.patch("Namespace", TARGET, label)
    try:
        until(f"release {name} to place a pod", lambda: _is_placed(api, pod))
        yield
    finally:
        label["metadata"]["labels"][OPT_IN] = None
        api.patch("Namespace", TARGET, label)
        until(f"release {name} to be no longer called", lambda: not _is_placed(api, pod))


def _is_placed(api: Api, pod: Json) -> bool:
    metadata = send(api, pod, dryRun="All").pod.get("metadata", {})
    return f"{PREFIX}/placement" in metadata.get("annotations", {})
