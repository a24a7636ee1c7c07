"""What `audit` reads of a cluster, and what it may not read."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import msgspec

from webhook import settings
from webhook.cli.options.cluster import items
from webhook.cli.options.plan import plan_path
from webhook.cli.release.find import Installed
from webhook.forklift.plan import NAME, PATH, PlanObject
from webhook.inventory import pods
from webhook.karl import minimums
from webhook.karl.minimums import label_values
from webhook.kube.api.client import Client
from webhook.kube.api.collection import ListWatch
from webhook.kube.api.errors import ApiError
from webhook.kube.objects import Json
from webhook.model import Installation, NodeValues
from webhook.placement.missed import EnforcementWindow
from webhook.reports.audit import World

T = TypeVar("T")

NEVER = "9999"
"""Later than any time: no pod is called missed where it is not known what is installed."""
EVERY = 100
"""Objects between two signs of life."""


class _NodeMetadata(msgspec.Struct):
    name: str
    labels: dict[str, str] | None = None
    resource_version: str = msgspec.field(name="resourceVersion", default="")


class _Node(msgspec.Struct):
    metadata: _NodeMetadata


class Reader:
    """Reads a cluster, tells of its progress, and goes on without what it may not read."""

    def __init__(self, client: Client, unread: list[str], progress: Callable[[str], None]) -> None:
        """Have `unread` take what could not be read, and what that means."""
        self._client = client
        self._unread = unread
        self._progress = progress
        self.missing: set[str] = set()
        """Kinds, as `kubectl get` names them, of which not all could be read."""

    def world(
        self, namespace: str, installation: Installation, installed: list[Installed] | None
    ) -> World:
        """Read the plans of a namespace and their pods, or all of both.

        Raises:
            ApiError: the server did not answer, or refused everything.

        """
        path = plan_path(self._client, namespace) if namespace else f"{PATH}/plans"
        plans = self._read("plans", self._plans(path), "no plan is judged")
        known = [settings.read(plan, installation) for plan in plans or ()]
        targets = {plan.target_namespace for plan in known if NAME.fullmatch(plan.target_namespace)}
        places = [f"/api/v1/namespaces/{each}/pods" for each in sorted(targets)]
        found = [self._pods(path) for path in (places if namespace else [pods.PATH])]
        if plans is None and (namespace or None in found):  # pods are read of plans there
            raise ApiError("; ".join(self._unread), 403)
        keys = frozenset[str]().union(*(minimums.keys(plan.settings) for plan in known))
        return World(
            plans=plans or [],
            pods=[pod for read in found for pod in read or ()],
            node_values=self._node_values(keys),
            installed=bool(installed),
            since=_since(installed, installation),
        )

    def _plans(self, path: str) -> Iterator[Json]:
        for plan in ListWatch(self._client, path, PlanObject).list_items():
            yield plan.as_json()

    def _pods(self, path: str) -> list[Json] | None:
        found = items(self._client, path, **pods.QUERY)
        return self._read("pods", found, "pods that are there are not judged")

    def _node_values(self, keys: frozenset[str]) -> NodeValues:
        if not keys:
            return {}
        nodes = ListWatch(self._client, "/api/v1/nodes", _Node, metadata_only=True)
        labels = (node.metadata.labels or {} for node in nodes.list_items())
        consequence = "of labels that settings compare, only the values written there are known"
        return label_values(self._read("nodes", labels, consequence) or (), keys)

    def _read(self, what: str, found: Iterable[T], consequence: str) -> list[T] | None:
        """Return everything of a kind; None where that may not be, or is not served."""
        read: list[T] = []
        try:
            for each in found:
                read.append(each)
                if len(read) % EVERY == 0:
                    self._progress(f"reading {what}: {len(read)}")
        except ApiError as error:
            if error.status not in (403, 404):
                raise
            self._unread.append(f"{error}; {consequence}")
            self.missing.add(what)
            return None
        return read


def _since(
    installed: list[Installed] | None, installation: Installation
) -> EnforcementWindow | None:
    """Return from when on the webhook is known to place pods; None where it has not to.

    That is where there is none, and where the flags of this command ask for other modes than the
    installed one has: what would be placed with those has not been missed.
    """
    if installed is None:
        return EnforcementWindow(NEVER)
    known = [each.installation for each in installed if each.installation]
    if not installed or any(_modes(each) != _modes(installation) for each in known):
        return None
    return EnforcementWindow(max(each.since for each in installed))


def _modes(installation: Installation) -> tuple[object, ...]:
    return installation.mode, installation.namespace_modes, installation.plan_modes
