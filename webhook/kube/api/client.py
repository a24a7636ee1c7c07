"""Calls to an API server: JSON in and out, and an error that says what to do about it.

The official client knows how to authenticate, everything above that is bytes here: its typed
models drop fields that they do not know, and building them of a whole Plan costs megabytes.
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

from webhook.kube.api import errors
from webhook.kube.api.errors import ApiError, Call
from webhook.kube.api.kubeconfig import ConfigError, Source
from webhook.kube.api.kubeconfig import source as find

__all__ = ["ApiError", "Client", "ConfigError", "Stream", "connect"]

CONNECT_SECONDS = 5.0
READ_SECONDS = 30.0
CHUNK = 1 << 16
POOL = 32
JSON = "application/json"


def connect(
    kubeconfig: Path | None = None, context: str = "", *, user_agent: str = "convertor-webhook"
) -> "Client":
    """Return a client of the cluster that kubectl would talk to, or of the pod's own.

    Raises:
        ConfigError: there is no configuration, or it is not sound. Nothing is called yet.

    """
    return Client(find(kubeconfig, context), user_agent)


class Client:
    """One API server. Thread-safe; every call has a time limit."""

    def __init__(self, source: Source, user_agent: str = "convertor-webhook") -> None:
        self.clock_offset = timedelta()
        """How far the server's clock is ahead of ours, by its last answer: about a second off."""
        self._source = source
        self._user_agent = user_agent
        self._reloading = threading.Lock()
        self._api = self._load()

    @property
    def namespace(self) -> str:
        """The namespace that is meant where none is named."""
        return self._source.namespace

    @property
    def server(self) -> str:
        """The API server and how it was chosen, for messages."""
        host = self._api.configuration.host
        return f"the API server at {host} ({self._source.origin})"

    def get(
        self,
        path: str,
        query: Mapping[str, str] | None = None,
        *,
        accept: str = JSON,
        seconds: float = READ_SECONDS,
    ) -> bytes:
        """Return an object or a list; `seconds` limits each wait for a part of the answer.

        Raises:
            ApiError: there was no answer, or it was not 2xx.

        """
        call = Call("GET", path, query or {}, self.server)
        return self._read(call, {"Accept": accept}, None, seconds)

    def send(
        self,
        method: str,
        path: str,
        body: Any,
        query: Mapping[str, str] | None = None,
        *,
        seconds: float = READ_SECONDS,
    ) -> bytes:
        """Write: POST, PUT or PATCH an object, and return it as the server has it then.

        The body of a PATCH is a list of RFC 6902 operations, or an object to be merged
        (RFC 7386).

        Raises:
            ApiError: there was no answer, or it was not 2xx. 409 where somebody else was first.

        """
        kind = JSON
        if method == "PATCH":
            kind = f"application/{'json' if isinstance(body, list) else 'merge'}-patch+json"
        call = Call(method, path, query or {}, self.server)
        return self._read(call, {"Accept": JSON, "Content-Type": kind}, body, seconds)

    def stream(
        self, path: str, query: Mapping[str, str], *, accept: str, seconds: float
    ) -> "Stream":
        """Open a watch; `seconds` is how long it may be silent.

        Raises:
            ApiError: there was no answer, or it was not 2xx.

        """
        call = Call("GET", path, query, self.server)
        return Stream(call, self._answer(call, {"Accept": accept}, None, seconds))

    def _read(self, call: Call, headers: Mapping[str, str], body: Any, seconds: float) -> bytes:
        response = self._answer(call, headers, body, seconds)
        try:
            return response.read()
        except HTTPError as error:
            raise errors.unreachable(call, error) from None
        finally:
            response.release_conn()

    def _answer(
        self, call: Call, headers: Mapping[str, str], body: Any, seconds: float
    ) -> HTTPResponse:
        """Return a 2xx response whose body is still to be read.

        Credentials are read anew after a 401, once: tokens expire, and their files are replaced.
        """
        api = self._api
        response = self._send(api, call, headers, body, seconds)
        if response.status == 401 and self._reload(api):
            response.close()
            response = self._send(self._api, call, headers, body, seconds)
        self._compare_clocks(response.headers.get("Date", ""))
        if 200 <= response.status <= 299:
            return response
        raise errors.refused(call, response.status, response.headers, response.data)

    def _send(
        self, api: ApiClient, call: Call, headers: Mapping[str, str], body: Any, seconds: float
    ) -> HTTPResponse:
        limits = (min(CONNECT_SECONDS, seconds), seconds)
        try:
            request = api.param_serialize(
                call.method,
                call.path,
                query_params=list(call.query.items()),
                header_params=dict(headers),
                body=body,
                auth_settings=["BearerToken"],
            )
            answer = api.call_api(*request, _request_timeout=limits)
        except ApiException as error:  # TLS: a new CA would be in a new kubeconfig
            self._reload(api)
            raise errors.unreachable(call, error.reason) from None
        except (HTTPError, ConfigException, OSError, ValueError) as error:
            raise errors.unreachable(call, error) from None
        return cast("HTTPResponse", answer.response)

    def _compare_clocks(self, date: str) -> None:
        with contextlib.suppress(ValueError, TypeError):  # a proxy may leave it out
            self.clock_offset = parsedate_to_datetime(date) - datetime.now(UTC)

    def _load(self) -> ApiClient:
        configuration = self._source.load()
        configuration.retries = False  # whoever calls knows better when to try again
        configuration.keep_alive = True  # load balancers forget an idle watch without a word
        configuration.connection_pool_maxsize = POOL  # more would be closed after each call
        api = ApiClient(configuration)
        api.user_agent = self._user_agent
        return api

    def _reload(self, used: ApiClient) -> bool:
        """Read the configuration again, unless another thread has since `used` was current."""
        with self._reloading:
            if self._api is used:
                try:
                    self._api = self._load()
                except ConfigError:
                    return False
        return True


class Stream:
    """The lines of an open watch."""

    def __init__(self, call: Call, response: HTTPResponse) -> None:
        self._call = call
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        """Yield the lines as they come, until the server ends the watch or is silent too long.

        Raises:
            ApiError: the connection broke.

        """
        parts: list[bytes] = []
        try:
            for chunk in self._response.stream(CHUNK):
                first, *others = chunk.split(b"\n")
                parts.append(first)
                for other in others:
                    yield b"".join(parts)
                    parts = [other]
        except ReadTimeoutError:
            return  # nothing happens, or nobody is there any more: to ask again tells which
        except (HTTPError, OSError, ValueError, AttributeError) as error:
            # the last two: `interrupt` took the socket from under the read
            raise errors.unreachable(self._call, error) from None

    def interrupt(self) -> None:
        """End a read that waits in another thread."""
        with contextlib.suppress(OSError, RuntimeError, ValueError):  # it has ended already
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
