"""Label values of a cluster's nodes, watched from the first plan on that compares a node label."""

import threading
from collections.abc import Callable, Iterable, Mapping

import msgspec

from webhook.karl.minimums import label_values
from webhook.kube.api import collection, reflector
from webhook.kube.api.client import Client
from webhook.model import NodeValues

PATH = "/api/v1/nodes"


class NodeMetadata(msgspec.Struct):
    name: str
    labels: dict[str, str] | None = None
    resource_version: str = msgspec.field(name="resourceVersion", default="")


class NodeObject(msgspec.Struct):
    """A Node as decoded from the API server: its metadata only."""

    metadata: NodeMetadata

    @property
    def labels(self) -> dict[str, str]:
        return self.metadata.labels or {}


class ClusterNodes:
    """The values of the labels that plans compare, over all nodes.

    Most installations never compare a node label, and then nodes are not even listed. Nodes
    update their status all the time, so only their metadata is watched, and only the labels that
    some plan compares are kept.
    """

    def __init__(
        self,
        client: Client,
        current_keys: Callable[[], frozenset[str]],
        timing: reflector.ReflectorTiming | None = None,
    ) -> None:
        """Watch the labels whose keys `current_keys` returns at each call of `refresh`."""
        self._current_keys = current_keys
        self._keys: frozenset[str] = frozenset()
        self._labels: dict[str, dict[str, str]] = {}
        self._refreshing = threading.Lock()
        self._started = False
        self.values: NodeValues = {}
        """The values by label key; a key that has not been listed yet is missing."""
        nodes = collection.ListWatch(client, PATH, NodeObject, metadata_only=True)
        self._reflector = reflector.Reflector(nodes, self, timing)

    def refresh(self) -> None:
        """Update the keys, and list the nodes again if there is a new one."""
        with self._refreshing:
            before, self._keys = self._keys, self._current_keys()
            if not self._keys - before:
                return
            if self._started:
                self._reflector.relist()
            else:
                self._started = True
                self._reflector.start()

    def stop(self) -> None:
        """Stop the watch; the known values are kept."""
        self._reflector.stop()

    @property
    def keys(self) -> frozenset[str]:
        """The keys of the labels that are watched."""
        return self._keys

    @property
    def message(self) -> str:
        """The error of the watch; empty if there is none."""
        return self._reflector.message

    def awaits(self, keys: frozenset[str]) -> bool:
        """Return whether values of these labels are still to be listed; False if that fails."""
        return not keys <= self.values.keys() and not self.message

    def replace(self, items: Iterable[NodeObject]) -> None:
        """Replace all nodes."""
        keys = self._keys
        self._labels = {node.metadata.name: _select(node.labels, keys) for node in items}
        self.values = label_values(self._labels.values(), keys)

    def update(self, item: NodeObject) -> None:
        """Add or update a node."""
        name, labels = item.metadata.name, _select(item.labels, self.values)
        if self._labels.get(name) != labels:
            self._labels[name] = labels
            self.values = label_values(self._labels.values(), self.values)

    def delete(self, item: NodeObject) -> None:
        """Remove a node."""
        self._labels.pop(item.metadata.name, None)
        self.values = label_values(self._labels.values(), self.values)


def _select(labels: Mapping[str, str], keys: Iterable[str]) -> dict[str, str]:
    return {key: labels[key] for key in keys if key in labels}
