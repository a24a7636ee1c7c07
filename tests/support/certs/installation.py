"""A fake cluster with an installation of the chart, for the sources of certificates.

It keeps the contents that each caBundle has had, so that tests can check what API servers accept.
"""

import base64
import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from certs.bundle.interface import Target, targets_of
from certs.bundle.publisher import decode_bundles
from certs.ca import secret
from certs.ca.certificate import TrustBundle, parse_pem_as_go
from certs.ca.secret import State
from tests.support.object_tracker import Key, ObjectTracker
from webhook.kube.objects import Json

START = datetime(2030, 1, 1, tzinfo=UTC)
TARGETS = targets_of("hook")
SECRET = Key("secrets", "migration", "ca")
"""The Secret in which the replicas share their CA."""


def chart_objects() -> list[Json]:
    """Return what the chart installs: a Secret without data, and webhooks without caBundle."""
    secret = {"kind": "Secret", "metadata": {"name": "ca", "namespace": "migration"}}
    configurations = [
        {
            "kind": target.kind,
            "metadata": {"name": target.name},
            "webhooks": [{"name": f"{n}.hook", "clientConfig": {}} for n in range(webhooks)],
        }
        for target, webhooks in zip(TARGETS, (2, 1), strict=True)
    ]
    return [secret, *configurations]


def key_of(target: Target) -> Key:
    return Key(f"{target.kind.lower()}s", "", target.name)


@dataclass
class Time:
    """The API server's clock, in seconds since START."""

    seconds: float = 0.0

    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds)


@dataclass
class BundleContent:
    """One content of one caBundle, and when it was there."""

    bundle: TrustBundle
    since: float
    until: float | None = None
    damaged: bool = False
    """Another client wrote it, not a replica."""


class Installation(ObjectTracker):
    """An API server with the objects of the chart."""

    def __init__(self, time: Time | None = None) -> None:
        super().__init__()
        self.time = time or Time()
        self.history: dict[tuple[Target, int], list[BundleContent]] = {}
        self._damaging = False
        self.admission.append(self._record_bundles)
        self.add(*chart_objects())

    @property
    def secret(self) -> Json | None:
        return self.objects.get(SECRET)

    @property
    def state(self) -> State:
        """The rotation state in the Secret, which must be valid."""
        state = secret.decode((self.secret or {}).get("data"))
        assert state is not None
        return state

    def put_secret(self, data: dict[str, str]) -> None:
        """Write the Secret's data as another client would."""
        metadata = {"name": SECRET.name, "namespace": SECRET.namespace}
        self.add({"kind": "Secret", "metadata": metadata, "data": data})

    def delete_secret(self) -> None:
        self.delete(*SECRET)

    def damage(self, target: Target, index: int, pem: bytes) -> None:
        """Write a caBundle as another client would."""
        path = f"/webhooks/{index}/clientConfig/caBundle"
        value = base64.b64encode(pem).decode()
        self._damaging = True
        self.patch(key_of(target), [{"op": "add", "path": path, "value": value}])
        self._damaging = False

    def bundles(self) -> list[TrustBundle]:
        """Return the content of every caBundle."""
        return [contents[-1].bundle for contents in self.history.values()]

    def _record_bundles(self, key: Key, item: Json) -> None:
        for target in TARGETS:
            if key != key_of(target):
                continue
            for index, pem in enumerate(decode_bundles(item)):
                bundle = parse_pem_as_go(pem)
                refused = pem and not bundle and not self._damaging
                assert not refused, "the API server refuses a caBundle without a certificate"
                contents = self.history.setdefault((target, index), [])
                if contents and contents[-1].bundle == bundle:
                    continue
                if contents:
                    contents[-1].until = self.time.seconds
                content = BundleContent(bundle, self.time.seconds, damaged=self._damaging)
                contents.append(content)


T = TypeVar("T")


class CrashError(BaseException):
    """The process of a replica ends in the middle of a request."""


@dataclass
class FakeCluster:
    """The `Cluster` of one replica; `before` and `after` run around each of its requests."""

    installation: Installation
    before: Callable[[], None] = lambda: None
    after: Callable[[], None] = lambda: None
    offset: timedelta = timedelta()
    targets: tuple[Target, ...] = field(default=TARGETS)

    def read_secret(self) -> Json:
        return self._request(lambda: copy.deepcopy(self.installation.get(*SECRET)))

    def update_secret(self, secret: Json) -> None:
        self._request(lambda: self.installation.update("secrets", copy.deepcopy(secret)))

    def read_configuration(self, target: Target) -> Json:
        return self._request(lambda: copy.deepcopy(self.installation.get(*key_of(target))))

    def patch_configuration(self, target: Target, operations: list[Json]) -> None:
        self._request(lambda: self.installation.patch(key_of(target), operations))

    def watch(self, on_change: Callable[[], None]) -> Callable[[], None]:
        return lambda: None

    def clock_offset(self) -> timedelta:
        return self.offset

    def _request(self, request: Callable[[], T]) -> T:
        self.before()
        response = request()
        self.after()
        return response
