"""Sends requests to an API server through the transport of the official client."""

import datetime as dt
from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import quote, urlencode, urlsplit

from kubernetes.client import Configuration
from kubernetes.client.rest import RESTClientObject
from urllib3 import HTTPHeaderDict, HTTPResponse

from webhook.kube.api.error_messages import ApiRequest
from webhook.kube.api.kubeconfig import proxies
from webhook.kube.api.kubeconfig.credentials import login_of
from webhook.kube.api.kubeconfig.find import Connection

CONNECT_TIMEOUT_SECONDS = 5.0
CONNECTION_POOL_SIZE = 32
"""Connections that are kept; further ones are closed after each request."""


class Transport:
    """Sends requests with the credentials of a connection. It is thread-safe."""

    def __init__(self, connection: Connection, user_agent: str) -> None:
        self.address = connection.url
        """The API server's address, and that of the proxy, for messages."""
        if connection.proxy:
            self.address += f" through proxy {proxies.without_password(connection.proxy)}"
        self._connection = connection
        self._headers = HTTPHeaderDict({"User-Agent": user_agent})
        for name, value in connection.credentials.impersonation:
            self._headers.add(name, value)
        self._rest = _create_rest_client(connection)

    @property
    def expired(self) -> bool:
        """True if the credentials have to be loaded again before the next request."""
        expires_at = self._connection.credentials.expires_at
        return expires_at is not None and expires_at <= dt.datetime.now(dt.UTC)

    def send(
        self,
        request: ApiRequest,
        headers: Mapping[str, str],
        body: Any,
        timeout_seconds: float,
    ) -> HTTPResponse:
        """Send a request with a JSON body, and return its response, whose body has not been read.

        Raises:
            KubeconfigError: the credentials cannot be read.
            kubernetes.client.ApiException: an error of TLS.
            urllib3.exceptions.HTTPError, OSError, ValueError: there is no response.

        """
        url = f"{self._connection.url}{request.path}"
        if request.query:
            url += f"?{urlencode(request.query, quote_via=quote, safe='/')}"
        all_headers = self._headers.copy()
        all_headers.update(headers)
        if authorization := self._connection.credentials.authorization():
            all_headers["Authorization"] = authorization
        timeouts = (min(CONNECT_TIMEOUT_SECONDS, timeout_seconds), timeout_seconds)
        response = self._rest.request(
            request.method, url, headers=all_headers, body=body, _request_timeout=timeouts
        )
        return cast("HTTPResponse", response.response)


def _create_rest_client(connection: Connection) -> RESTClientObject:
    proxy = connection.proxy
    configuration = Configuration(host=connection.url, proxy=proxy, no_proxy="")
    configuration.retries = False  # the callers retry, with their own backoff
    configuration.keep_alive = True  # load balancers silently drop idle connections
    configuration.connection_pool_maxsize = CONNECTION_POOL_SIZE
    configuration.verify_ssl = connection.tls is None or connection.tls.check_hostname
    configuration.tls_server_name = connection.tls_server_name
    configuration.proxy_ssl_context = connection.tls  # of an https proxy, as in Go
    if login := login_of(urlsplit(proxy)):
        configuration.proxy_headers = {"Proxy-Authorization": login}
    rest = RESTClientObject(configuration)
    if connection.tls:
        rest.pool_manager.connection_pool_kw["ssl_context"] = connection.tls
    return rest
