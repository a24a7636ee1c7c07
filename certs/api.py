"""The cluster as `certs.cluster` wants it, on the `kubernetes` client.

Objects stay dicts: a round trip through the client's models drops fields that it does not
know. Nothing is asked for that RBAC cannot limit to the objects named.
"""

import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec
import structlog
from kubernetes.client import AdmissionregistrationV1Api, ApiClient, ApiException, CoreV1Api
from urllib3.exceptions import HTTPError

from certs.cluster import ApiError, Json, Target
from certs.refusal import Thing, explain

log = structlog.get_logger()

FIELD_MANAGER = "convertor-webhook-certs"

_TIMEOUT = (3, 10)
"""Seconds to connect, and to answer."""

_WATCH_SECONDS = 300
_WATCH_PAUSE = 5.0
"""Seconds before the next watch; what changes meanwhile is told when that begins."""

_NOISE = timedelta(seconds=5)
"""Differences of clocks that may as well be the network's: `Date` has whole seconds."""

_METHODS = {
    "Secret": "namespaced_secret",
    "MutatingWebhookConfiguration": "mutating_webhook_configuration",
    "ValidatingWebhookConfiguration": "validating_webhook_configuration",
}
"""What the client's methods for a kind end with."""


class ClusterApi:
    """`certs.cluster.Cluster`; `secret` stays empty where only bundles are published."""

    def __init__(
        self, client: ApiClient, *, targets: Sequence[Target], namespace: str = "", secret: str = ""
    ) -> None:
        self.targets = tuple(targets)
        self._core = CoreV1Api(client)
        self._admission = AdmissionregistrationV1Api(client)
        self._secret = Thing("Secret", secret, namespace)
        self._offset = timedelta()

    def read_secret(self) -> Json:
        return self._call("get", "read", self._secret)

    def update_secret(self, secret: Json) -> None:
        self._call("update", "replace", self._secret, body=secret, field_manager=FIELD_MANAGER)

    def read_configuration(self, target: Target) -> Json:
        return self._call("get", "read", Thing(target.kind, target.name))

    def patch_configuration(self, target: Target, operations: list[Json]) -> None:
        thing = Thing(target.kind, target.name)
        # A list makes the client send application/json-patch+json.
        self._call("patch", "patch", thing, body=operations, field_manager=FIELD_MANAGER)

    def clock_offset(self) -> timedelta:
        return self._offset

    def watch(self, wake: Callable[[], None]) -> Callable[[], None]:
        things = [Thing(target.kind, target.name) for target in self.targets]
        if self._secret.name:
            things.append(self._secret)
        ended = threading.Event()
        for thing in things:
            threading.Thread(
                target=self._watch, args=(thing, wake, ended), name="watch", daemon=True
            ).start()
        return ended.set

    def _call(self, verb: str, method: str, thing: Thing, **arguments: Any) -> Json:
        call = self._method(method, thing)
        where = (thing.name, *self._namespace(thing))
        try:
            response = call(*where, _preload_content=False, _request_timeout=_TIMEOUT, **arguments)
            self._compare_clocks(response.headers.get("Date"))
            found: Json = msgspec.json.decode(response.data)
        except (ApiException, HTTPError, msgspec.DecodeError) as error:
            raise explain(error, verb, thing) from None
        return found

    def _watch(self, thing: Thing, wake: Callable[[], None], ended: threading.Event) -> None:
        """Wake for every line of a watch: what it says is read anew by who is woken."""
        while not ended.is_set():
            try:
                self._watch_once(thing, wake, ended)
            except ApiError as error:
                log.warning("changes are noticed later than they could be", reason=str(error))
            ended.wait(_WATCH_PAUSE)

    def _watch_once(self, thing: Thing, wake: Callable[[], None], ended: threading.Event) -> None:
        try:
            response = self._method("list", thing)(
                *self._namespace(thing),
                field_selector=f"metadata.name={thing.name}",
                watch=True,
                timeout_seconds=_WATCH_SECONDS,
                _preload_content=False,
                _request_timeout=(_TIMEOUT[0], _WATCH_SECONDS + 30),
            )
            for _ in response.stream():
                if ended.is_set():
                    return
                wake()
        except (ApiException, HTTPError) as error:
            raise explain(error, "watch", thing) from None

    def _method(self, method: str, thing: Thing) -> Callable[..., Any]:
        api = self._core if thing.kind == "Secret" else self._admission
        found: Callable[..., Any] = getattr(api, f"{method}_{_METHODS[thing.kind]}")
        return found

    def _namespace(self, thing: Thing) -> tuple[str, ...]:
        return (thing.namespace,) if thing.kind == "Secret" else ()

    def _compare_clocks(self, date: str | None) -> None:
        if date is None:
            return
        offset = parsedate_to_datetime(date) - datetime.now(UTC)
        self._offset = offset if abs(offset) > _NOISE else timedelta()
