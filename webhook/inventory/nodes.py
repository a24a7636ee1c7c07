"""The label values of a cluster's nodes, watched from the first time that one is needed."""

import threading
from collections.abc import Callable, Iterable, Mapping

import msgspec

from webhook.karl.minimums import label_values
from webhook.kube.api import collection, reflector
from webhook.kube.api.client import Client
from webhook.model import NodeValues

PATH = "/api/v1/nodes"


class _Metadata(msgspec.Struct):
    name: str
    labels: dict[str, str] = {}
    resource_version: str = msgspec.field(name="resourceVersion", default="")


class _Node(msgspec.Struct):
    metadata: _Metadata


class ClusterNodes:
    """The values of the labels that count, on all nodes together.

    Most installations never compare a label, and then the nodes are not even listed. Nodes
    write their status all the time, so only their metadata is asked for, and of their labels
    only those are kept that some plan compares.
    """

    def __init__(
        self,
        client: Client,
        wanted: Callable[[], frozenset[str]],
        timing: reflector.Timing | None = None,
    ) -> None:
        """Follow the labels that `wanted` returns whenever `refresh` is called."""
        self._wanted = wanted
        self._keys: frozenset[str] = frozenset()
        self._labels: dict[str, dict[str, str]] = {}
        self._refreshing = threading.Lock()
        self._started = False
        self.values: NodeValues = {}
        """The values of each label that is needed; what is not known yet is not there."""
        nodes = collection.Collection(client, PATH, _Node, metadata_only=True)
        self._reflector = reflector.Reflector(nodes, self, timing)

    def refresh(self) -> None:
        """Ask which labels count now; those that did not before are looked up at once."""
        with self._refreshing:
            before, self._keys = self._keys, self._wanted()
            if not self._keys - before:
                return
            if self._started:
                self._reflector.relist()
            else:
                self._started = True
                self._reflector.start()

    def stop(self) -> None:
        """End the watch; what is known stays."""
        self._reflector.stop()

    @property
    def keys(self) -> frozenset[str]:
        """The labels that count."""
        return self._keys

    @property
    def message(self) -> str:
        """What is wrong with the watch; empty when nothing is."""
        return self._reflector.message

    def awaited(self, keys: frozenset[str]) -> bool:
        """Whether values of these labels will be there soon: not when the watch fails."""
        return not keys <= self.values.keys() and not self.message

    def replace(self, items: Iterable[_Node]) -> None:
        """Take all nodes there are."""
        keys = self._keys
        self._labels = {node.metadata.name: _only(node.metadata.labels, keys) for node in items}
        self.values = label_values(self._labels.values(), keys)

    def put(self, item: _Node) -> None:
        """Take a node that is new or has changed."""
        name, labels = item.metadata.name, _only(item.metadata.labels, self.values)
        if self._labels.get(name) != labels:
            self._labels[name] = labels
            self.values = label_values(self._labels.values(), self.values)

    def discard(self, item: _Node) -> None:
        """Forget a node that is gone."""
        self._labels.pop(item.metadata.name, None)
        self.values = label_values(self._labels.values(), self.values)


def _only(labels: Mapping[str, str], keys: Iterable[str]) -> dict[str, str]:
    return {key: labels[key] for key in keys if key in labels}
