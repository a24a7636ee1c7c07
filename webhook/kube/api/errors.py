"""What went wrong with a call to the API server, in words that say what to do about it."""

import re
from collections.abc import Mapping
from typing import NamedTuple

import msgspec
from urllib3.exceptions import (
    ConnectTimeoutError,
    NameResolutionError,
    NewConnectionError,
    ProtocolError,
    ReadTimeoutError,
)

_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_PATH = re.compile(
    r"/(?:api|apis/(?P<group>[^/]+))/(?P<version>[^/]+)(?:/namespaces/(?P<namespace>[^/]+)(?=/))?"
    r"/(?P<resource>[^/]+)(?:/(?P<name>[^/]+))?(?:/(?P<subresource>[^/]+))?"
)
_USER = re.compile(r'User "([^"]+)" cannot ')


class ApiError(Exception):
    """The API server did not do as asked, or was not reached; the text says all.

    `status` is that of HTTP, 0 where there was no answer. `reason` is the word of Kubernetes'
    Status object, such as `NotFound` or `Expired`, empty where there was none.
    `retry_after` is what the server asked for, in seconds.
    """

    def __init__(
        self, message: str, status: int = 0, reason: str = "", retry_after: float = 0
    ) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.retry_after = retry_after


class Call(NamedTuple):
    """What was asked of which API server."""

    method: str
    path: str
    query: Mapping[str, str]
    server: str
    """The API server and how it was chosen."""


class _Status(msgspec.Struct):
    kind: str = ""
    message: str = ""
    reason: str = ""


def refused(call: Call, status: int, headers: Mapping[str, str], body: bytes) -> ApiError:
    """Make an error of an answer that is not 2xx."""
    try:
        said = msgspec.json.decode(body, type=_Status)
    except msgspec.DecodeError:
        said = _Status(message=body[:200].decode(errors="replace").strip())
    if status == 401:
        message = f"{call.server} does not accept the credentials: they are wrong or have expired"
    elif status == 403:
        message = _forbidden(call, said.message)
    elif status == 404 and said.kind != "Status":
        message = _not_served(call)
    else:
        message = (
            f"{call.server} answered {status}: {said.message or said.reason or 'nothing more'}"
        )
    retry_after = headers.get("Retry-After", "")
    seconds = float(retry_after) if retry_after.isdecimal() else 0
    return ApiError(message, status, said.reason, seconds)


def unreachable(call: Call, error: Exception | str) -> ApiError:
    """Make an error of a call without an answer."""
    cause = _cause(error) if isinstance(error, Exception) else error.replace("\n", ": ")
    return ApiError(f"{call.server} cannot be reached: {cause}")


def _forbidden(call: Call, said: str) -> str:
    user = _USER.search(said)
    asked = _PATH.fullmatch(call.path)
    if not user or not asked:  # not RBAC that refused: an admission webhook, a quota
        return f"{call.server} forbids it: {said}"
    verb = _VERBS.get(call.method, "get" if asked["name"] else "list")
    if call.query.get("watch"):
        verb = "watch"
    resource = "/".join(part for part in (asked["resource"], asked["subresource"]) if part)
    group = asked["group"] or ""
    where, role = "at the cluster scope", "ClusterRole"
    if asked["namespace"]:
        where, role = f"in namespace '{asked['namespace']}'", "Role or ClusterRole"
    rule = f'apiGroups: ["{group}"], resources: ["{resource}"], verbs: ["{verb}"]'
    return f"'{user[1]}' may not {verb} {resource} {where}: it needs a {role} with {rule}"


def _not_served(call: Call) -> str:
    asked = _PATH.fullmatch(call.path)
    if not asked:
        return f"{call.server} has no '{call.path}'"
    version = "/".join(part for part in (asked["group"], asked["version"]) if part)
    return (
        f"{call.server} does not serve {asked['resource']} of {version}: "
        "is their CustomResourceDefinition installed?"
    )


def _cause(error: BaseException) -> str:
    cause = error.__cause__
    match error:
        case NameResolutionError():
            return "the name of its host is not known; is it the right cluster?"
        case NewConnectionError() if isinstance(cause, OSError) and cause.strerror:
            return f"{cause.strerror.lower()}; is it running, and is it the right cluster?"
        case ConnectTimeoutError() | ReadTimeoutError():
            return "no answer in time"
        case ProtocolError():
            return "the connection was closed before the answer was complete"
        case _:
            return str(error) or type(error).__name__
