"""Stand-in for the kubelets of all nodes: bound pods run, and those that only move data end."""

from contextlib import suppress

from tests.system.controlplane.api import Api, Json, StatusError, path, unwrap
from tests.system.e2e.migration.loop import Loop

RUN_SECONDS = 0.3
"""The time that an importer or a first consumer runs."""

_MOVES_DATA = {("cdi.kubevirt.io", "importer"), ("forklift.app", "consumer")}
"""Labels of pods that end."""


class Kubelet:
    """Runs pods."""

    def __init__(self, api: Api, loop: Loop) -> None:
        self._api, self._loop = api, loop
        self.holding = False
        """Importers and first consumers run without end."""
        self._started: set[str] = set()
        """UIDs of pods."""
        loop.watch("Pod", self._handle)

    def _handle(self, pod: Json) -> None:
        metadata = pod["metadata"]
        if "nodeName" not in pod["spec"]:
            return
        if "deletionTimestamp" in metadata:
            self._api.delete("Pod", metadata["name"], metadata["namespace"])
        elif metadata["uid"] not in self._started:
            self._started.add(metadata["uid"])
            self._report(metadata, "Running")
            if not self.holding and _MOVES_DATA & metadata.get("labels", {}).items():
                self._loop.after(RUN_SECONDS, self._report, metadata, "Succeeded")

    def _report(self, metadata: Json, phase: str) -> None:
        where = path("Pod", metadata["namespace"], metadata["name"])
        body = {"metadata": {"uid": metadata["uid"]}, "status": {"phase": phase}}
        with suppress(StatusError):  # it has been deleted
            unwrap(self._api.send("PATCH", f"{where}/status", body))
