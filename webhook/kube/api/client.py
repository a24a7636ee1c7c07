"""A client of one API server, with JSON requests and responses and errors that explain themselves.

Of the official client only the transport is used. Its typed models drop unknown fields, and
building them for a whole Plan costs megabytes; for its loader see `webhook.kube.api.kubeconfig`.
"""

import contextlib
import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec
from kubernetes.client import ApiException
from urllib3 import HTTPResponse
from urllib3.exceptions import HTTPError, ReadTimeoutError

from webhook.kube.api.error_messages import (
    ApiRequest,
    error_from_exception,
    error_from_response,
    not_json,
)
from webhook.kube.api.errors import ApiError, KubeconfigError, ResponseTooLargeError
from webhook.kube.api.kubeconfig.find import ClientConfig, find_client_config
from webhook.kube.api.transport import Transport
from webhook.kube.objects import Json

__all__ = ["Client", "WatchStream", "connect"]

READ_TIMEOUT_SECONDS = 30.0
CHUNK_BYTES = 1 << 16
JSON_MEDIA_TYPE = "application/json"


def connect(
    kubeconfig: Path | None = None, context: str = "", *, user_agent: str = "convertor-webhook"
) -> "Client":
    """Return a client for kubectl's current cluster, or in a pod for its own; sends no request.

    Raises:
        KubeconfigError: there is no configuration, or it is invalid.

    """
    return Client(find_client_config(kubeconfig, context), user_agent)


class Client:
    """A client of one API server. It is thread-safe, and every request has a timeout."""

    def __init__(self, config: ClientConfig, user_agent: str = "convertor-webhook") -> None:
        self.clock_offset = timedelta()
        """The API server's clock minus the local one, from the last response; accurate to 1 s."""
        self._config = config
        self._user_agent = user_agent
        self._reloading = threading.Lock()
        self._transport = self._load()
        self._outdated: Transport | None = None

    @property
    def namespace(self) -> str:
        """The default namespace: that of the kubeconfig's context, or of the pod."""
        return self._config.namespace

    @property
    def server(self) -> str:
        """The API server's address and the configuration it comes from, for messages."""
        return f"the API server at {self._transport.address} ({self._config.origin})"

    def get(
        self,
        path: str,
        query: Mapping[str, str] | None = None,
        *,
        accept: str = JSON_MEDIA_TYPE,
        timeout_seconds: float = READ_TIMEOUT_SECONDS,
        max_bytes: int | None = None,
    ) -> bytes:
        """Return an object or a list as JSON; the timeout applies to each read from the connection.

        Raises:
            ApiError: there was no response, or its status was not 2xx, or it was not JSON.
            ResponseTooLargeError: the response has more than `max_bytes`.

        """
        request = ApiRequest("GET", path, query or {}, self.server)
        return self._read(request, {"Accept": accept}, None, timeout_seconds, max_bytes)

    def get_object(
        self,
        path: str,
        query: Mapping[str, str] | None = None,
        *,
        accept: str = JSON_MEDIA_TYPE,
        timeout_seconds: float = READ_TIMEOUT_SECONDS,
    ) -> Json:
        """Return an object or a list; see `get`."""
        body = self.get(path, query, accept=accept, timeout_seconds=timeout_seconds)
        return self._decode(path, body)

    def send(
        self,
        method: str,
        path: str,
        body: Any,
        query: Mapping[str, str] | None = None,
        *,
        timeout_seconds: float = READ_TIMEOUT_SECONDS,
    ) -> Json:
        """POST, PUT or PATCH an object, and return the server's version of it.

        The body of a PATCH is a list of operations (JSON patch, RFC 6902), or an object (merge
        patch, RFC 7386).

        Raises:
            ApiError: there was no response, or its status was not 2xx, or it was not JSON; 409 is
                a conflict with another client's write.

        """
        content_type = JSON_MEDIA_TYPE
        if method == "PATCH":
            patch = "json-patch" if isinstance(body, list) else "merge-patch"
            content_type = f"application/{patch}+json"
        request = ApiRequest(method, path, query or {}, self.server)
        headers = {"Accept": JSON_MEDIA_TYPE, "Content-Type": content_type}
        return self._decode(path, self._read(request, headers, body, timeout_seconds))

    def stream(
        self,
        path: str,
        query: Mapping[str, str],
        *,
        accept: str,
        idle_timeout_seconds: float,
    ) -> "WatchStream":
        """Open a watch, which ends if it is idle for too long.

        Raises:
            ApiError: there was no response, or its status was not 2xx.

        """
        request = ApiRequest("GET", path, query, self.server)
        response = self._open(request, {"Accept": accept}, None, idle_timeout_seconds)
        return WatchStream(request, response)

    def _decode(self, path: str, body: bytes) -> Json:
        try:
            found: Json = msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ApiError(f"{self.server} answered {path} with invalid JSON: {error}") from None
        if not _is_api_object(found):
            raise ApiError(f"{self.server} answered {path} with JSON that is not an API object")
        return found

    def _read(
        self,
        request: ApiRequest,
        headers: Mapping[str, str],
        body: Any,
        timeout_seconds: float,
        max_bytes: int | None = None,
    ) -> bytes:
        response = self._open(request, headers, body, timeout_seconds)
        try:
            found = response.read(None if max_bytes is None else max_bytes + 1)
            if max_bytes is not None and len(found) > max_bytes:
                response.close()  # the connection has the rest of the response
                raise ResponseTooLargeError
        except HTTPError as error:
            raise error_from_exception(request, error) from None
        finally:
            response.release_conn()
        if not found.lstrip().startswith(b"{"):
            raise not_json(request, response.status, response.headers)
        return found

    def _open(
        self, request: ApiRequest, headers: Mapping[str, str], body: Any, timeout_seconds: float
    ) -> HTTPResponse:
        """Return a 2xx response of JSON whose body has not been read.

        After a 401 the credentials are loaded again, once: tokens expire, and their files are
        replaced. After an error of TLS that is done by the next request: there may be a new CA.
        """
        server, transport = request.server, self._transport
        if self._outdated is transport or transport.expired:
            transport = self._reload(transport, f"{server} gets no credentials")
        response = self._send(transport, request, headers, body, timeout_seconds)
        if response.status == 401:
            response.close()
            failure = f"{server} does not accept the credentials, and there are no others"
            transport = self._reload(transport, failure)
            response = self._send(transport, request, headers, body, timeout_seconds)
        self._set_clock_offset(response.headers.get("Date", ""))
        if not 200 <= response.status <= 299:
            received = b""
            with contextlib.suppress(HTTPError):  # the status says enough without it
                received = response.data
            raise error_from_response(request, response.status, response.headers, received)
        if "json" not in response.headers.get("Content-Type", "json"):
            response.close()
            raise not_json(request, response.status, response.headers)
        return response

    def _send(
        self,
        transport: Transport,
        request: ApiRequest,
        headers: Mapping[str, str],
        body: Any,
        timeout_seconds: float,
    ) -> HTTPResponse:
        try:
            return transport.send(request, headers, body, timeout_seconds)
        except KubeconfigError as error:
            raise ApiError(f"{request.server} gets no credentials: {error}") from None
        except ApiException as error:
            self._outdated = transport
            raise error_from_exception(request, error.reason) from None
        except (HTTPError, OSError, ValueError) as error:
            raise error_from_exception(request, error) from None

    def _set_clock_offset(self, date: str) -> None:
        with contextlib.suppress(ValueError, TypeError):  # a proxy may drop the Date header
            self.clock_offset = parsedate_to_datetime(date) - datetime.now(UTC)

    def _load(self) -> Transport:
        return Transport(self._config.load(), self._user_agent)

    def _reload(self, used: Transport, failure: str) -> Transport:
        """Load the configuration again, unless another thread has replaced `used` already.

        Raises:
            ApiError: it cannot be loaded; the message begins with `failure`.

        """
        with self._reloading:
            if self._transport is used:
                try:
                    self._transport = self._load()
                except KubeconfigError as error:
                    raise ApiError(f"{failure}: {error}") from None
            return self._transport


def _is_api_object(found: Json) -> bool:
    items = found.get("items") or []
    are_objects = isinstance(items, list) and all(isinstance(item, dict) for item in items)
    return are_objects and isinstance(found.get("metadata"), dict)


class WatchStream:
    """The lines of an open watch."""

    def __init__(self, request: ApiRequest, response: HTTPResponse) -> None:
        self._request = request
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        """Yield each line, until the server ends the watch or the idle timeout expires.

        Raises:
            ApiError: the connection was lost.

        """
        parts: list[bytes] = []
        try:
            for chunk in self._response.stream(CHUNK_BYTES):
                first, *others = chunk.split(b"\n")
                parts.append(first)
                for other in others:
                    yield b"".join(parts)
                    parts = [other]
        except ReadTimeoutError:
            return  # idle or dead; opening the next watch shows which
        except (HTTPError, OSError, ValueError, AttributeError) as error:
            # ValueError and AttributeError: `interrupt` closed the socket during the read
            raise error_from_exception(self._request, error) from None

    def interrupt(self) -> None:
        """End a read that is blocked in another thread."""
        with contextlib.suppress(OSError, RuntimeError, ValueError):  # it may have ended already
            self._response.shutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self._response.close()
