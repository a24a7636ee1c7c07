"""A client of one API server, with JSON requests and responses and errors that explain themselves.

The official client is used for authentication only. Its typed models drop unknown fields, and
building them for a whole Plan costs megabytes.
"""

import contextlib
import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

from kubernetes.client import ApiClient, ApiException
from kubernetes.config import ConfigException
from urllib3 import HTTPResponse
from urllib3.exceptions import HTTPError, ReadTimeoutError

from webhook.kube.api.error_messages import ApiRequest, error_from_exception, error_from_response
from webhook.kube.api.errors import KubeconfigError
from webhook.kube.api.kubeconfig import ClientConfig, find_client_config

__all__ = ["Client", "WatchStream", "connect"]

CONNECT_TIMEOUT_SECONDS = 5.0
READ_TIMEOUT_SECONDS = 30.0
CHUNK_BYTES = 1 << 16
CONNECTION_POOL_SIZE = 32
"""Connections that are kept; further ones are closed after each request."""
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
        self._api = self._load()

    @property
    def namespace(self) -> str:
        """The default namespace: that of the kubeconfig's context, or of the pod."""
        return self._config.namespace

    @property
    def server(self) -> str:
        """The API server's address and the configuration it comes from, for messages."""
        host = self._api.configuration.host
        return f"the API server at {host} ({self._config.origin})"

    def get(
        self,
        path: str,
        query: Mapping[str, str] | None = None,
        *,
        accept: str = JSON_MEDIA_TYPE,
        timeout_seconds: float = READ_TIMEOUT_SECONDS,
    ) -> bytes:
        """Return an object or a list; the timeout applies to each read from the connection.

        Raises:
            ApiError: there was no response, or its status was not 2xx.

        """
        request = ApiRequest("GET", path, query or {}, self.server)
        return self._read(request, {"Accept": accept}, None, timeout_seconds)

    def send(
        self,
        method: str,
        path: str,
        body: Any,
        query: Mapping[str, str] | None = None,
        *,
        timeout_seconds: float = READ_TIMEOUT_SECONDS,
    ) -> bytes:
        """POST, PUT or PATCH an object, and return the server's version of it.

        The body of a PATCH is a list of operations (JSON patch, RFC 6902), or an object (merge
        patch, RFC 7386).

        Raises:
            ApiError: there was no response, or its status was not 2xx; 409 is a conflict with
                another client's write.

        """
        content_type = JSON_MEDIA_TYPE
        if method == "PATCH":
            patch = "json-patch" if isinstance(body, list) else "merge-patch"
            content_type = f"application/{patch}+json"
        request = ApiRequest(method, path, query or {}, self.server)
        headers = {"Accept": JSON_MEDIA_TYPE, "Content-Type": content_type}
        return self._read(request, headers, body, timeout_seconds)

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

    def _read(
        self, request: ApiRequest, headers: Mapping[str, str], body: Any, timeout_seconds: float
    ) -> bytes:
        response = self._open(request, headers, body, timeout_seconds)
        try:
            return response.read()
        except HTTPError as error:
            raise error_from_exception(request, error) from None
        finally:
            response.release_conn()

    def _open(
        self, request: ApiRequest, headers: Mapping[str, str], body: Any, timeout_seconds: float
    ) -> HTTPResponse:
        """Return a 2xx response whose body has not been read.

        After a 401 the credentials are reloaded once: tokens expire, and their files are replaced.
        """
        api = self._api
        response = self._send(api, request, headers, body, timeout_seconds)
        if response.status == 401 and self._reload(api):
            response.close()
            response = self._send(self._api, request, headers, body, timeout_seconds)
        self._set_clock_offset(response.headers.get("Date", ""))
        if 200 <= response.status <= 299:
            return response
        raise error_from_response(request, response.status, response.headers, response.data)

    def _send(
        self,
        api: ApiClient,
        request: ApiRequest,
        headers: Mapping[str, str],
        body: Any,
        timeout_seconds: float,
    ) -> HTTPResponse:
        timeouts = (min(CONNECT_TIMEOUT_SECONDS, timeout_seconds), timeout_seconds)
        try:
            serialized = api.param_serialize(
                request.method,
                request.path,
                query_params=list(request.query.items()),
                header_params=dict(headers),
                body=body,
                auth_settings=["BearerToken"],
            )
            response = api.call_api(*serialized, _request_timeout=timeouts)
        except ApiException as error:  # a TLS error: a new CA would be in a new kubeconfig
            self._reload(api)
            raise error_from_exception(request, error.reason) from None
        except (HTTPError, ConfigException, OSError, ValueError) as error:
            raise error_from_exception(request, error) from None
        return cast("HTTPResponse", response.response)

    def _set_clock_offset(self, date: str) -> None:
        with contextlib.suppress(ValueError, TypeError):  # a proxy may drop the Date header
            self.clock_offset = parsedate_to_datetime(date) - datetime.now(UTC)

    def _load(self) -> ApiClient:
        configuration = self._config.load()
        configuration.retries = False  # the callers retry, with their own backoff
        configuration.keep_alive = True  # load balancers silently drop idle connections
        configuration.connection_pool_maxsize = CONNECTION_POOL_SIZE
        api = ApiClient(configuration)
        api.user_agent = self._user_agent
        return api

    def _reload(self, used: ApiClient) -> bool:
        """Reload the configuration, unless another thread has replaced `used` already.

        Returns whether there is a newer configuration than `used`.
        """
        with self._reloading:
            if self._api is used:
                try:
                    self._api = self._load()
                except KubeconfigError:
                    return False
        return True


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
