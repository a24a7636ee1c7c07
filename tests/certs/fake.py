"""An API server that is played: what it stores, with versions and every bundle's history."""

import base64
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import jsonpatch

from certs.bundle.interface import (
    CONFLICT,
    NOT_FOUND,
    ApiError,
    Target,
)
from certs.ca.certificate import TrustBundle, parse_pem_as_go
from webhook.kube.objects import Json

START = datetime(2030, 1, 1, tzinfo=UTC)
TARGETS = (
    Target("MutatingWebhookConfiguration", "ours"),
    Target("ValidatingWebhookConfiguration", "ours"),
)


@dataclass
class Time:
    """Seconds since START, as the API server has them."""

    seconds: float = 0.0

    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds)


@dataclass
class Content:
    """One content of one bundle, for as long as it was there."""

    view: TrustBundle
    since: float
    until: float | None = None
    damaged: bool = False


@dataclass
class ApiServer:
    time: Time
    secret: Json | None = None
    configurations: dict[Target, Json] = field(default_factory=dict)
    history: dict[tuple[Target, int], list[Content]] = field(default_factory=dict)
    versions: Iterator[int] = field(default_factory=lambda: iter(range(1, 1_000_000)))
    writes: int = 0

    def __post_init__(self) -> None:
        """Be as after the chart's installation: an empty Secret, no caBundle anywhere."""
        self.put_secret({})
        for target, webhooks in zip(TARGETS, (2, 1), strict=True):
            hooks = [{"name": f"{n}.ours", "clientConfig": {}} for n in range(webhooks)]
            self._put(target, {"metadata": {"name": target.name}, "webhooks": hooks})

    def put_secret(self, data: dict[str, str] | None) -> None:
        metadata = {"name": "ca", "resourceVersion": self._version()}
        self.secret = {"metadata": metadata, **({"data": data} if data else {})}

    def replace_secret(self, body: Json) -> None:
        if self.secret is None:
            raise ApiError("secrets 'ca' not found", NOT_FOUND)
        if body["metadata"]["resourceVersion"] != self.secret["metadata"]["resourceVersion"]:
            raise ApiError("the object has been modified", CONFLICT)
        self.put_secret(copy.deepcopy(body["data"]))
        self.writes += 1

    def patch(self, target: Target, operations: list[Json], *, damaged: bool = False) -> None:
        found = self.configurations[target]
        body = jsonpatch.apply_patch(found, operations)
        if body["metadata"]["resourceVersion"] != found["metadata"]["resourceVersion"]:
            raise ApiError("the object has been modified", CONFLICT)
        for operation in operations:
            bundle = operation["value"]
            if operation["path"].endswith("/caBundle") and bundle and not damaged:
                assert parse_pem_as_go(base64.b64decode(bundle)), "the API server refuses this"
        self._put(target, body, damaged=damaged)
        self.writes += 1

    def damage(self, target: Target, index: int, pem: bytes) -> None:
        """Write a bundle as some other client would."""
        path = f"/webhooks/{index}/clientConfig/caBundle"
        value = base64.b64encode(pem).decode()
        self.patch(target, [{"op": "add", "path": path, "value": value}], damaged=True)

    def bundles(self) -> list[TrustBundle]:
        return [contents[-1].view for contents in self.history.values()]

    def _put(self, target: Target, body: Json, *, damaged: bool = False) -> None:
        self.configurations[target] = copy.deepcopy(body)
        self.configurations[target]["metadata"]["resourceVersion"] = self._version()
        for index, webhook in enumerate(body["webhooks"]):
            bundle = base64.b64decode(webhook["clientConfig"].get("caBundle", ""))
            contents = self.history.setdefault((target, index), [])
            if contents and contents[-1].view == parse_pem_as_go(bundle):
                continue
            if contents:
                contents[-1].until = self.time.seconds
            contents.append(Content(parse_pem_as_go(bundle), self.time.seconds, damaged=damaged))

    def _version(self) -> str:
        return str(next(self.versions))


T = TypeVar("T")


class CrashError(BaseException):
    """The process of a replica is gone, in the midst of what it did."""


@dataclass
class Client:
    """A `Cluster` for one replica; hooks run around each call that reaches out."""

    api: ApiServer
    before: Callable[[], None] = lambda: None
    after: Callable[[], None] = lambda: None
    offset: timedelta = timedelta()
    targets: tuple[Target, ...] = TARGETS

    def read_secret(self) -> Json:
        found = self._call(lambda: copy.deepcopy(self.api.secret))
        if found is None:
            raise ApiError("secrets 'ca' not found", NOT_FOUND)
        return found

    def update_secret(self, secret: Json) -> None:
        self._call(lambda: self.api.replace_secret(secret))

    def read_configuration(self, target: Target) -> Json:
        found = self._call(lambda: copy.deepcopy(self.api.configurations.get(target)))
        if found is None:
            raise ApiError(f"{target} not found", NOT_FOUND)
        return found

    def patch_configuration(self, target: Target, operations: list[Json]) -> None:
        self._call(lambda: self.api.patch(target, operations))

    def watch(self, wake: Callable[[], None]) -> Callable[[], None]:
        return lambda: None

    def clock_offset(self) -> timedelta:
        return self.offset

    def _call(self, call: Callable[[], T]) -> T:
        self.before()
        answer = call()
        self.after()
        return answer
