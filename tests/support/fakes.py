"""Stand-ins: plans, whoever is told, and HTTP without a network."""

import asyncio
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from starlette.types import ASGIApp, Message

from webhook.inventory import PlansStatus
from webhook.kube.objects import Json
from webhook.model import (
    Decision,
    Plan,
    PlanRef,
    Reason,
    Request,
    Reviewed,
)


class FakePlans:
    """Plans that answer as they are told."""

    def __init__(self, found: Plan | Reason, fetched: Plan | Reason | None = None) -> None:
        self.found = found
        self.fetched = fetched
        self.fetches: list[float] = []
        """The seconds that each fetch was given."""
        self.bug: Exception | None = None
        self.hangs = False
        self.state = PlansStatus(synced=True, age_seconds=0.0, count=1, invalid=0)
        self.node_values: Mapping[str, Collection[str]] = {}

    def find(self, ref: PlanRef) -> Plan | Reason:
        if self.bug is not None:
            raise self.bug
        return self.found

    async def fetch(self, ref: PlanRef, seconds: float) -> Plan | Reason:
        self.fetches.append(seconds)
        if self.hangs:
            await asyncio.Event().wait()
        return self.found if self.fetched is None else self.fetched

    def status(self) -> PlansStatus:
        return self.state

    def start(self) -> None:
        pass

    def stop(self) -> None:
        pass


class Told:
    """Remembers what was reported."""

    def __init__(self) -> None:
        self.decisions: list[tuple[Request | None, Decision]] = []
        self.reviewed: list[Reviewed] = []
        self.bugs: list[tuple[str, Exception]] = []

    def __call__(
        self, of: Reviewed, request: Request | None, decision: Decision, seconds: float
    ) -> None:
        assert seconds >= 0
        self.reviewed.append(of)
        self.decisions.append((request, decision))

    def report_error(self, uid: str, error: Exception) -> None:
        self.bugs.append((uid, error))

    @property
    def reasons(self) -> list[str]:
        return [decision.reason.value for _request, decision in self.decisions]


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Exchange:
    """One request to an ASGI application, its body arriving in chunks."""

    def __init__(
        self,
        chunks: Iterable[bytes | Message],
        *,
        method: str = "POST",
        path: str = "/mutate",
        query: str = "",
        headers: Mapping[str, str] | None = None,
        pause: float = 0,
    ) -> None:
        self.scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "scheme": "https",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": query.encode(),
            "headers": [(k.lower().encode(), v.encode()) for k, v in (headers or {}).items()],
            "state": {},
        }
        self._chunks = list(chunks)
        self._pause = pause
        """Seconds before each chunk."""
        self.sent: list[Message] = []
        self.read = 0
        """How many chunks were asked for."""

    async def receive(self) -> Message:
        if self.read == len(self._chunks):
            await asyncio.Event().wait()  # a client that sends no more
        await asyncio.sleep(self._pause)
        chunk = self._chunks[self.read]
        self.read += 1
        if not isinstance(chunk, bytes):
            return chunk
        return {"type": "http.request", "body": chunk, "more_body": self.read < len(self._chunks)}

    async def send(self, message: Message) -> None:
        self.sent.append(message)

    @property
    def answer(self) -> Answer:
        start, *bodies = self.sent
        headers = {name.decode(): value.decode() for name, value in start["headers"]}
        return Answer(start["status"], headers, b"".join(body["body"] for body in bodies))


async def send(app: ASGIApp, exchange: Exchange) -> Answer:
    await app(exchange.scope, exchange.receive, exchange.send)
    return exchange.answer


def review(pod: Json, uid: str = "u-1", **fields: Any) -> bytes:
    request = {
        "uid": uid,
        "kind": {"group": "", "version": "v1", "kind": "Pod"},
        "operation": "CREATE",
        "namespace": "target",
        "object": pod,
    }
    return json.dumps(
        {
            "apiVersion": "admission.k8s.io/v1",
            "kind": "AdmissionReview",
            "request": request | fields,
        }
    ).encode()


def pod(labels: Mapping[str, str] | None = None) -> Json:
    found = {"forklift.app": "virt-v2v", "plan": "p-1"} if labels is None else dict(labels)
    return {"metadata": {"generateName": "db-vm-1-", "labels": found}, "spec": {}}


def parts(body: bytes, size: int) -> Sequence[bytes]:
    return [body[at : at + size] for at in range(0, len(body), size)]
