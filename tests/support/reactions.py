"""Requests to the fake API server, and the reactions with which a test replaces its responses.

Reaction and ReactionChain are the words of client-go's fake clients.
"""

import json
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

_PATH = re.compile(
    r"/(?:api|apis/(?P<group>[^/]+))/[^/]+(?:/namespaces/(?P<namespace>[^/]+)(?=/))?"
    r"/(?P<resource>[^/]+)(?:/(?P<name>[^/]+))?(?:/[^/]+)?"
)
_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


class Request(NamedTuple):
    """A request as RBAC sees it, and as it was sent."""

    verb: str
    """`get`, `list`, `watch`, `create`, `update`, `patch` or `delete`."""
    group: str
    resource: str
    """The plural, such as `plans`."""
    namespace: str
    name: str
    query: dict[str, str]
    line: str
    """The method and the path with its query, such as `GET /api/v1/nodes?limit=20`."""
    headers: dict[str, str]
    """By lower-case name."""
    body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.line.partition(" ")[2]).path

    def json(self) -> Any:
        return json.loads(self.body)


def parse(method: str, target: str, headers: Mapping[str, str], body: bytes) -> Request:
    """Return the request of an HTTP request."""
    url = urlsplit(target)
    path = _PATH.fullmatch(url.path)
    assert path, f"the fake API server does not know the path '{url.path}'"
    group, namespace, resource, name = (part or "" for part in path.groups())
    query = dict(parse_qsl(url.query))
    read = "watch" if "watch" in query else "get" if name else "list"
    verb = _VERBS.get(method, read)
    lower = {key.lower(): value for key, value in headers.items()}
    line = f"{method} {target}"
    return Request(verb, group, resource, namespace, name, query, line, lower, body)


@dataclass
class Reaction:
    """A response in place of the real one, to the requests that it matches."""

    verb: str
    resource: str
    namespace: str | None
    times: float
    status: int
    """0 closes the connection without a response."""
    body: Callable[[Request], bytes] = lambda _: b"{}"
    headers: tuple[tuple[str, str], ...] = ()
    hangs: bool = False
    """The real response is sent when the requests are released."""

    def matches(self, request: Request) -> bool:
        return (
            self.verb in ("*", request.verb)
            and self.resource in ("*", request.resource)
            and self.namespace in (None, request.namespace)
        )


class ReactionChain:
    """Reactions to the requests that match, the earliest first.

    `verb` and `resource` may be `*`. Without `namespace` any matches; an empty one is the cluster
    scope. A reaction ends after so many `times`, or when a test clears `reactions`.
    """

    def __init__(self) -> None:
        self.reactions: list[Reaction] = []
        self._lock = threading.Lock()
        self._released = threading.Event()

    def fail(
        self,
        verb: str,
        status: int,
        resource: str = "*",
        *,
        namespace: str | None = None,
        message: str = "",
        body: bytes = b"{}",
        headers: tuple[tuple[str, str], ...] = (),
        times: float = 1,
    ) -> None:
        """Respond with an error; `status` 0 closes the connection without a response.

        The body is a Status where there is a `message`.
        """
        if message:
            body = encode_status(code=status, message=message)
        reaction = Reaction(verb, resource, namespace, times, status, lambda _: body, headers)
        self.reactions.append(reaction)

    def forbid(
        self,
        verb: str,
        resource: str = "*",
        *,
        namespace: str | None = None,
        user: str = "jane",
        times: float = inf,
    ) -> None:
        """Refuse requests as RBAC does, without a limit of `times`."""

        def body(request: Request) -> bytes:
            scope = f'in the namespace "{request.namespace}"'
            message = (
                f'{request.resource} is forbidden: User "{user}" cannot {request.verb} resource '
                f'"{request.resource}" in API group "{request.group}" '
                f"{scope if request.namespace else 'at the cluster scope'}"
            )
            return encode_status(code=403, reason="Forbidden", message=message)

        self.reactions.append(Reaction(verb, resource, namespace, times, 403, body))

    def hang(self, verb: str, resource: str = "*", *, times: float = 1) -> None:
        """Give the next requests no response until `release` is called."""
        self.reactions.append(Reaction(verb, resource, None, times, 0, hangs=True))

    def release(self) -> None:
        """Respond to every request that hangs; from now on none does."""
        self._released.set()

    def react(self, request: Request) -> Reaction | None:
        """Return the reaction to a request; one that hangs has ended then."""
        with self._lock:
            matching = (each for each in self.reactions if each.matches(request))
            reaction = next(matching, None)
            if reaction:
                reaction.times -= 1
                if not reaction.times:
                    self.reactions.remove(reaction)
        if reaction and reaction.hangs:
            self._released.wait()
            return None
        return reaction


def encode_status(**fields: Any) -> bytes:
    """Return a Status, the body of an API server's errors."""
    return json.dumps({"kind": "Status", "apiVersion": "v1", **fields}).encode()
