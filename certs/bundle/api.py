"""The cluster as `certs.bundle.interface` wants it, through `webhook.kube.api.client`.

Nothing is asked for that RBAC cannot limit to the objects named: a watch names its one
object by field selector.
"""

import threading
from collections.abc import Callable, Sequence
from datetime import timedelta
from urllib.parse import quote

import msgspec
import structlog

from certs.bundle.interface import NOT_FOUND, ApiError, Target
from webhook.kube.api.client import JSON_MEDIA_TYPE, Client, WatchStream
from webhook.kube.objects import Json

log = structlog.get_logger()

FIELD_MANAGER = "convertor-webhook-certs"

_SECONDS = 10.0
"""To wait for an answer; there is another round."""

_WATCH_SECONDS = 300
_WATCH_PAUSE = 5.0
"""Seconds before the next watch; what changes meanwhile is told when that begins."""

_NOISE = timedelta(seconds=5)
"""Differences of clocks that may as well be the network's."""

_PLURALS = {
    "MutatingWebhookConfiguration": "mutatingwebhookconfigurations",
    "ValidatingWebhookConfiguration": "validatingwebhookconfigurations",
}


class ClusterApi:
    """`certs.bundle.interface.Cluster`; `secret` stays empty where only bundles are published."""

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
        return self._read(*_place(target))

    def patch_configuration(self, target: Target, operations: list[Json]) -> None:
        self._write("PATCH", *_place(target), operations)

    def clock_offset(self) -> timedelta:
        offset = self._client.clock_offset
        return offset if abs(offset) > _NOISE else timedelta()

    def watch(self, wake: Callable[[], None]) -> Callable[[], None]:
        places = [_place(target) for target in self.targets]
        if self._secret[1]:
            places.append(self._secret)
        watches = [_Watch(self._client, *place, wake) for place in places]
        for watch in watches:
            watch.start()

        def end() -> None:
            for watch in watches:
                watch.end()

        return end

    def _read(self, collection: str, name: str) -> Json:
        path = f"{collection}/{quote(name)}"
        try:
            found: Json = msgspec.json.decode(self._client.get(path, timeout_seconds=_SECONDS))
        except msgspec.DecodeError as error:
            raise ApiError(f"{self._client.server} answered {path} with no JSON: {error}") from None
        except ApiError as error:
            if error.status != NOT_FOUND:
                raise
            hint = "it comes with the chart, 'helm upgrade' puts it back"
            raise ApiError(f"{error}: {hint}", error.status, error.reason) from None
        return found

    def _write(self, method: str, collection: str, name: str, body: Json | list[Json]) -> None:
        path, query = f"{collection}/{quote(name)}", {"fieldManager": FIELD_MANAGER}
        self._client.send(method, path, body, query, timeout_seconds=_SECONDS)


class _Watch:
    """Wakes for every line of a watch: what it says is read anew by who is woken."""

    def __init__(
        self, client: Client, collection: str, name: str, wake: Callable[[], None]
    ) -> None:
        self._client = client
        self._collection, self._name = collection, name
        self._wake = wake
        self._ended = threading.Event()
        self._stream: WatchStream | None = None

    def start(self) -> None:
        threading.Thread(target=self._run, name=f"watch of {self._name}", daemon=True).start()

    def end(self) -> None:
        self._ended.set()
        if self._stream is not None:
            self._stream.interrupt()

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                self._follow()
            except ApiError as error:
                if not self._ended.is_set():
                    log.warning("changes are noticed later than they could be", reason=str(error))
            self._ended.wait(_WATCH_PAUSE)

    def _follow(self) -> None:
        query = {
            "fieldSelector": f"metadata.name={self._name}",
            "watch": "true",
            "timeoutSeconds": str(_WATCH_SECONDS),
        }
        silence = _WATCH_SECONDS + _SECONDS
        with self._client.stream(
            self._collection, query, accept=JSON_MEDIA_TYPE, idle_timeout_seconds=silence
        ) as self._stream:
            for _ in self._stream:
                if self._ended.is_set():
                    return
                self._wake()


def _place(target: Target) -> tuple[str, str]:
    plural = _PLURALS[target.kind]
    return f"/apis/admissionregistration.k8s.io/v1/{plural}", target.name
