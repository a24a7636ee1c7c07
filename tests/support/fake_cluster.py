"""What commands are run with: a cluster in memory, with the methods of `Client`."""

import json
from collections.abc import Callable, Mapping
from typing import Any, Protocol
from urllib.parse import urlencode

from click.testing import Result

from webhook.kube.api.errors import ApiError, Call, refused

Json = dict[str, Any]

PLANS = "/apis/forklift.konveyor.io/v1beta1"
RESOURCES = {
    "Plan": (PLANS, "plans"),
    "Pod": ("/api/v1", "pods"),
    "Node": ("/api/v1", "nodes"),
    "Namespace": ("/api/v1", "namespaces"),
    "ConfigMap": ("/api/v1", "configmaps"),
    "Deployment": ("/apis/apps/v1", "deployments"),
    "MutatingWebhookConfiguration": (
        "/apis/admissionregistration.k8s.io/v1",
        "mutatingwebhookconfigurations",
    ),
}


class Run(Protocol):
    def __call__(self, *words: str, **options: Any) -> Result: ...


class FakeCluster:
    """Objects by path; answers as an API server does, also when it refuses."""

    namespace = "konveyor-forklift"
    server = "the API server at https://fake (context 'fake' of 'config')"

    def __init__(self) -> None:
        self.objects: dict[str, Json] = {}
        self.served = {plural for _, plural in RESOURCES.values()}
        self.asked: list[str] = []
        """`GET /api/v1/nodes?limit=100`, in their order."""
        self.before_write: list[Callable[[], None]] = []
        """Each is called before one of the next writes."""
        self.refusals: dict[str, tuple[int, str, str]] = {}
        """Status, reason and message by the beginning of what is asked."""
        self._version = 100

    def add(self, *bodies: Json) -> None:
        for body in bodies:
            start, plural = RESOURCES[body["kind"]]
            metadata = body["metadata"]
            inside = f"/namespaces/{metadata['namespace']}" if metadata.get("namespace") else ""
            self._put(f"{start}{inside}/{plural}/{metadata['name']}", body)

    def plan(self, name: str = "db", namespace: str = "konveyor-forklift") -> Json:
        return self.objects[f"{PLANS}/namespaces/{namespace}/plans/{name}"]

    def get(
        self,
        path: str,
        query: Mapping[str, str] | None = None,
        *,
        accept: str = "application/json",
        seconds: float = 30,
    ) -> bytes:
        assert seconds > 0
        call = self._ask("GET", path, query)
        if path in self.objects:
            return json.dumps(self.objects[path]).encode()
        start, _, plural = path.rpartition("/")
        if plural not in self.served:
            _, _, plural = start.rpartition("/")
            if plural in self.served:
                raise self._refused(call, 404, "NotFound", f'"{path}" not found')
            raise refused(call, 404, {}, b"404 page not found")
        return json.dumps(self._list(start, plural, query or {})).encode()

    def send(
        self,
        method: str,
        path: str,
        body: Any,
        query: Mapping[str, str] | None = None,
        *,
        seconds: float = 30,
    ) -> bytes:
        assert (method, seconds > 0) == ("PATCH", True)
        if self.before_write:
            self.before_write.pop(0)()
        call = self._ask(method, path, query)
        known = self.objects[path]
        version = body["metadata"].get("resourceVersion")
        if version not in (None, known["metadata"]["resourceVersion"]):
            raise self._refused(call, 409, "Conflict", "the object has been modified")
        after = merged(known, body)
        if "dryRun" not in (query or {}):
            after = self._put(path, after)
        return json.dumps(after).encode()

    def _ask(self, method: str, path: str, query: Mapping[str, str] | None) -> Call:
        asked = f"{method} {path}" + (f"?{urlencode(query)}" if query else "")
        self.asked.append(asked)
        call = Call(method, path, query or {}, self.server)
        for start, (status, reason, message) in self.refusals.items():
            if asked.startswith(start):
                raise self._refused(call, status, reason, message)
        return call

    def _refused(self, call: Call, status: int, reason: str, message: str) -> ApiError:
        said = {"kind": "Status", "reason": reason, "message": message}
        return refused(call, status, {}, json.dumps(said).encode())

    def _list(self, start: str, plural: str, query: Mapping[str, str]) -> Json:
        """Return the objects of a namespace or of all, in pages where that is asked for."""
        found = [
            body
            for path, body in sorted(self.objects.items())
            if path.rpartition("/")[0].endswith(f"/{plural}") and path.startswith(f"{start}/")
            if selected(body, query.get("labelSelector", ""))
        ]
        first = int(query.get("continue", 0))
        last = first + int(query.get("limit", len(found)))
        more = {"continue": str(last)} if last < len(found) else {}
        return {"metadata": {"resourceVersion": str(self._version), **more}} | {
            "items": found[first:last]
        }

    def _put(self, path: str, body: Json) -> Json:
        self._version += 1
        metadata = body["metadata"] | {"resourceVersion": str(self._version)}
        self.objects[path] = body | {"metadata": metadata}
        return self.objects[path]


def selected(body: Json, selector: str) -> bool:
    """Whether a label selector of the form `key=value`, or none, takes an object."""
    key, _, value = selector.partition("=")
    return not selector or body["metadata"].get("labels", {}).get(key) == value


def merged(target: Any, patch: Any) -> Any:
    """Merge as RFC 7386 says."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


def plan(name: str = "db", namespace: str = "konveyor-forklift", **more: Any) -> Json:
    """Return a Plan; `annotations` are those of the webhook, without their prefix."""
    annotations = {
        f"convertor.forklift.konveyor.io/{key}": text
        for key, text in more.pop("annotations", {}).items()
    }
    return {
        "apiVersion": "forklift.konveyor.io/v1beta1",
        "kind": "Plan",
        "metadata": {"name": name, "namespace": namespace, "uid": f"uid-{name}"}
        | ({"annotations": annotations} if annotations else {}),
        "spec": {"targetNamespace": "vms", **more},
    }
