"""The PriorityClasses of the pods' cluster, which a pod's class must be one of."""

from collections.abc import Iterable

from webhook.kube.api.client import Client
from webhook.kube.api.collection import ListWatch
from webhook.kube.api.reflector import Reflector, ReflectorTiming
from webhook.kube.priority import PRIORITY_CLASSES_PATH, PriorityClassObject


class ClusterPriorityClasses:
    """The names of the PriorityClasses, kept current by a watch, as `PriorityClasses`.

    If the watch is not permitted, none are known, and pods get no class.
    """

    def __init__(self, client: Client, timing: ReflectorTiming | None = None) -> None:
        self.names: frozenset[str] | None = None
        classes = ListWatch(client, PRIORITY_CLASSES_PATH, PriorityClassObject, metadata_only=True)
        self._reflector = Reflector(classes, self, timing)

    def unready_reason(self) -> str:
        """Return a text until the classes are known, or their watch fails for want of a right.

        Then pods get no class, but everything else; an unready replica places none at all.
        """
        waits = self.names is None and not self._reflector.status().message
        return "the PriorityClasses have not been read yet" if waits else ""

    def start(self) -> None:
        """Start to list and watch."""
        self._reflector.start()

    def stop(self) -> None:
        """Stop the watch; the known classes are kept."""
        self._reflector.stop()

    def replace(self, items: Iterable[PriorityClassObject]) -> None:
        """Replace all names."""
        self.names = frozenset(item.metadata.name for item in items)

    def update(self, item: PriorityClassObject) -> None:
        """Add a name."""
        self.names = (self.names or frozenset()) | {item.metadata.name}

    def delete(self, item: PriorityClassObject) -> None:
        """Remove a name."""
        self.names = (self.names or frozenset()) - {item.metadata.name}
