"""`certs.bundle.interface.Cluster` on the Kubernetes API.

Every request names one object, a watch by field selector, so that RBAC can limit the rights to
these objects.
"""

import threading
from collections.abc import Callable, Sequence
from datetime import timedelta
from http import HTTPStatus
from urllib.parse import quote

import structlog

from certs.bundle.interface import Target
from webhook.kube.api.client import JSON_MEDIA_TYPE, Client, WatchStream
from webhook.kube.api.errors import ApiError
from webhook.kube.objects import Json

log = structlog.get_logger()

FIELD_MANAGER = "convertor-webhook-certs"

_REQUEST_TIMEOUT_SECONDS = 10.0
"""Short, because the next round sends the request again."""

_WATCH_TIMEOUT_SECONDS = 300
_WATCH_PAUSE_SECONDS = 5.0
"""The pause between two watches. A change in between is sent when the next one begins."""

_MIN_CLOCK_OFFSET = timedelta(seconds=5)
"""A smaller offset may be network latency, and is ignored."""

_PLURALS = {
    "MutatingWebhookConfiguration": "mutatingwebhookconfigurations",
    "ValidatingWebhookConfiguration": "validatingwebhookconfigurations",
}


class ClusterApi:
    """The cluster behind a client; without `secret` only caBundles can be published."""

    def __init__(
        self,
        client: Client,
        *,
        targets: Sequence[Target] = (),
        namespace: str = "",
        secret: str = "",
    ) -> None:
        self.targets = tuple(targets)
        self._client = client
        self._secret = (f"/api/v1/namespaces/{quote(namespace)}/secrets", secret)

    def read_secret(self) -> Json:
        return self._read(*self._secret)

    def update_secret(self, secret: Json) -> None:
        self._write("PUT", *self._secret, secret)

    def read_configuration(self, target: Target) -> Json:
        return self._read(*_path_of(target))

    def patch_configuration(self, target: Target, operations: list[Json]) -> None:
        self._write("PATCH", *_path_of(target), operations)

    def clock_offset(self) -> timedelta:
        offset = self._client.clock_offset
        return offset if abs(offset) > _MIN_CLOCK_OFFSET else timedelta()

    def watch(self, on_change: Callable[[], None]) -> Callable[[], None]:
        paths = [_path_of(target) for target in self.targets]
        if self._secret[1]:
            paths.append(self._secret)
        watches = [_Watch(self._client, *path, on_change) for path in paths]
        for watch in watches:
            watch.start()

        def stop() -> None:
            for watch in watches:
                watch.stop()

        return stop

    def _read(self, collection: str, name: str) -> Json:
        path = f"{collection}/{quote(name)}"
        try:
            return self._client.get_object(path, timeout_seconds=_REQUEST_TIMEOUT_SECONDS)
        except ApiError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
            hint = "the chart contains it, 'helm upgrade' creates it again"
            raise ApiError(f"{error}: {hint}", error.status, error.reason) from None

    def _write(self, method: str, collection: str, name: str, body: Json | list[Json]) -> None:
        path, query = f"{collection}/{quote(name)}", {"fieldManager": FIELD_MANAGER}
        self._client.send(method, path, body, query, timeout_seconds=_REQUEST_TIMEOUT_SECONDS)


class _Watch:
    """A watch of one object in a thread; it reports that the object changed, not what changed."""

    def __init__(
        self, client: Client, collection: str, name: str, on_change: Callable[[], None]
    ) -> None:
        self._client = client
        self._collection, self._name = collection, name
        self._on_change = on_change
        self._stopped = threading.Event()
        self._stream: WatchStream | None = None

    def start(self) -> None:
        threading.Thread(target=self._run, name=f"watch of {self._name}", daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()
        if self._stream is not None:
            self._stream.interrupt()

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                self._watch()
            except ApiError as error:
                if not self._stopped.is_set():
                    log.warning("watch failed, changes are noticed with a delay", reason=str(error))
            self._stopped.wait(_WATCH_PAUSE_SECONDS)

    def _watch(self) -> None:
        query = {
            "fieldSelector": f"metadata.name={self._name}",
            "watch": "true",
            "timeoutSeconds": str(_WATCH_TIMEOUT_SECONDS),
        }
        seconds = _WATCH_TIMEOUT_SECONDS + _REQUEST_TIMEOUT_SECONDS
        with self._client.stream(
            self._collection, query, accept=JSON_MEDIA_TYPE, idle_timeout_seconds=seconds
        ) as self._stream:
            for _ in self._stream:
                if self._stopped.is_set():
                    return
                self._on_change()


def _path_of(target: Target) -> tuple[str, str]:
    """Return the path of the collection, and the name."""
    plural = _PLURALS[target.kind]
    return f"/apis/admissionregistration.k8s.io/v1/{plural}", target.name
