"""Messages of failed requests to the API server, which say how to fix the cause."""

import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

import msgspec
from urllib3.exceptions import (
    ConnectTimeoutError,
    NameResolutionError,
    NewConnectionError,
    ProtocolError,
    ProxyError,
    ReadTimeoutError,
)

from webhook.kube.api.errors import ApiError
from webhook.kube.messages import quote

_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_PATH = re.compile(
    r"/(?:api|apis/(?P<group>[^/]+))/(?P<version>[^/]+)(?:/namespaces/(?P<namespace>[^/]+)(?=/))?"
    r"/(?P<resource>[^/]+)(?:/(?P<name>[^/]+))?(?:/(?P<subresource>[^/]+))?"
)
_SOCKS_PREFIX = re.compile(r".*Failed to establish a new connection: (?:\[Errno \d+\] )?")
_USER = re.compile(r'User "([^"]+)" cannot ')
_MAX_BODY_BYTES = 200  # of a response that is not a Status object


class ApiRequest(NamedTuple):
    """A request to an API server, for messages."""

    method: str
    path: str
    query: Mapping[str, str]
    server: str
    """The API server's address and the configuration it comes from."""


class _Status(msgspec.Struct):
    kind: str = ""
    message: str = ""
    reason: str = ""


def error_from_response(
    request: ApiRequest, code: int, headers: Mapping[str, str], body: bytes
) -> ApiError:
    """Return the error for a response whose status is not 2xx."""
    try:
        status = msgspec.json.decode(body, type=_Status)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        text = body[:_MAX_BODY_BYTES].decode(errors="replace")
        printable = (character if character.isprintable() else " " for character in text)
        status = _Status(message=" ".join("".join(printable).split()))
    server = request.server
    if code == 401:
        message = f"{server} does not accept the credentials: they are wrong or have expired"
    elif code == 403:
        message = _describe_forbidden(request, status.message)
    elif code == 404 and status.kind != "Status":
        message = _describe_not_served(request)
    elif 300 <= code <= 399:
        target = urlsplit(headers.get("Location", ""))
        to = f" to {target.scheme}://{target.netloc}" if target.netloc else ""
        message = f"{server} redirects{to}: is it a login page, or a proxy?"
    else:
        message = f"{server} answered {code}: {status.message or status.reason or 'no message'}"
    retry_after = headers.get("Retry-After", "")
    seconds = float(retry_after) if re.fullmatch("[0-9]{1,5}", retry_after) else 0
    lacks_right = code == 403 and bool(_USER.search(status.message))
    return ApiError(message, code, status.reason, seconds, lacks_right=lacks_right)


def not_json(request: ApiRequest, code: int, headers: Mapping[str, str]) -> ApiError:
    """Return the error for a 2xx response that an API server cannot have sent."""
    media_type = headers.get("Content-Type", "").partition(";")[0] or "something else"
    return ApiError(
        f"{request.server} answered {code} with {quote(media_type)} instead of JSON: is it a login "
        "page, or a proxy?"
    )


def error_from_exception(request: ApiRequest, error: Exception | str) -> ApiError:
    """Return the error for a request without a response."""
    cause = _describe_cause(error) if isinstance(error, Exception) else error.replace("\n", ": ")
    return ApiError(f"{request.server} cannot be reached: {cause}")


def _describe_forbidden(request: ApiRequest, message: str) -> str:
    user = _USER.search(message)
    path = _PATH.fullmatch(request.path)
    if not user or not path:  # not denied by RBAC, but by an admission webhook or a quota
        return f"{request.server} forbids it: {message}"
    verb = _VERBS.get(request.method, "get" if path["name"] else "list")
    if request.query.get("watch"):
        verb = "watch"
    resource = "/".join(part for part in (path["resource"], path["subresource"]) if part)
    group = path["group"] or ""
    where, role = "at the cluster scope", "ClusterRole"
    if path["namespace"]:
        where, role = f"in namespace '{path['namespace']}'", "Role or ClusterRole"
    rule = f'apiGroups: ["{group}"], resources: ["{resource}"], verbs: ["{verb}"]'
    return f"'{user[1]}' may not {verb} {resource} {where}: it needs a {role} with {rule}"


def _describe_not_served(request: ApiRequest) -> str:
    path = _PATH.fullmatch(request.path)
    if not path:
        return f"{request.server} has no '{request.path}'"
    version = "/".join(part for part in (path["group"], path["version"]) if part)
    return (
        f"{request.server} does not serve {path['resource']} of {version}: "
        "is their CustomResourceDefinition installed?"
    )


def _describe_cause(error: BaseException) -> str:
    cause = error.__cause__
    match error:
        case NameResolutionError():
            return "its host name cannot be resolved; is it the right cluster?"
        case NewConnectionError() if isinstance(cause, OSError) and cause.strerror:
            return f"{cause.strerror.lower()}; is it running, and is it the right cluster?"
        case ProxyError() | NewConnectionError():  # a SOCKS proxy's has no cause
            return f"the proxy failed: {_describe_proxy_error(error)}"
        case ConnectTimeoutError() | ReadTimeoutError():
            return "no response before the timeout"
        case ProtocolError():
            return "the connection was closed before the response was complete"
        case _:
            return str(error) or type(error).__name__


def _describe_proxy_error(error: ProxyError | NewConnectionError) -> str:
    if isinstance(error, ProxyError):
        return _describe_cause(error.original_error).partition("; ")[0]
    return _SOCKS_PREFIX.sub("", str(error)).lower()
