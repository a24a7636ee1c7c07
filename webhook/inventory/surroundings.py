"""The nodes and pods that a search for conflicts needs, reduced to the fields that decide it."""

import time
from collections.abc import Iterable

import msgspec

from webhook.inventory.nodes import PATH as NODES_PATH
from webhook.inventory.pods import NOT_ENDED, collection_path
from webhook.kube.api.client import Client
from webhook.kube.api.collection import ListWatch
from webhook.kube.objects import Json
from webhook.kube.selectors import format_label_selector


class _NodeMetadata(msgspec.Struct):
    name: str
    labels: dict[str, str] | None = None
    resource_version: str = msgspec.field(name="resourceVersion", default="")


class _NodeSpec(msgspec.Struct):
    taints: list[Json] | None = None


class _NodeObject(msgspec.Struct):
    metadata: _NodeMetadata
    spec: _NodeSpec | None = None

    def to_json(self) -> Json:
        """Return the fields that decide where pods can run; no other field changes the result."""
        taints = self.spec.taints if self.spec else None
        return {
            "metadata": {"name": self.metadata.name, "labels": self.metadata.labels or {}},
            "spec": {"taints": taints or []},
        }


class _PodMetadata(msgspec.Struct):
    name: str
    namespace: str = ""
    labels: dict[str, str] | None = None
    resource_version: str = msgspec.field(name="resourceVersion", default="")


class _PodSpec(msgspec.Struct):
    node_name: str = msgspec.field(name="nodeName", default="")


class _PodObject(msgspec.Struct):
    metadata: _PodMetadata
    spec: _PodSpec | None = None


class SurroundingsReader:
    """Lists nodes, and the pods that pod terms select.

    Every method raises ApiError if the API server does not permit it or does not answer.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._nodes: list[Json] = []
        self._listed = -float("inf")

    def read_nodes(self, reuse_seconds: float) -> list[Json]:
        """Return all nodes, as they were at most this long ago."""
        is_recent = time.monotonic() <= self._listed + reuse_seconds
        return self._nodes if is_recent else self.list_nodes()

    def list_nodes(self) -> list[Json]:
        """List all nodes now."""
        found = ListWatch(self._client, NODES_PATH, _NodeObject).list_items()
        self._nodes = [node.to_json() for node in found]
        self._listed = time.monotonic()
        return self._nodes

    def list_pods(self, terms: Iterable[Json]) -> list[Json]:
        """List the pods that pod terms select, one request for each selector."""
        written = (term.get("labelSelector") for term in terms)
        selectors = dict.fromkeys(
            format_label_selector(each) for each in written if each is not None
        )
        return [
            msgspec.to_builtins(pod)
            for selector in selectors
            for pod in ListWatch(
                self._client,
                collection_path(),
                _PodObject,
                {"labelSelector": selector, "fieldSelector": NOT_ENDED},
            ).list_items()
        ]
