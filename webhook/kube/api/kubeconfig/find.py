"""The cluster and credentials to use: from a kubeconfig as kubectl finds it, or from the pod."""

import os
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

from webhook.kube.api.errors import KubeconfigError
from webhook.kube.api.kubeconfig import files, proxies, tls
from webhook.kube.api.kubeconfig.credentials import (
    Credentials,
    load_credentials,
    login_of,
    token_file_source,
)
from webhook.kube.api.kubeconfig.files import Cluster, Kubeconfig, User

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


class Connection(NamedTuple):
    """The address, credentials and TLS settings of requests to an API server."""

    url: str
    """The API server's address, without a `/` at its end."""
    tls: ssl.SSLContext | None
    """None for an http address."""
    credentials: Credentials
    tls_server_name: str = ""
    """The name in the API server's certificate, or empty if it is the host of its address."""
    proxy: str = ""
    """The URL of the proxy, or empty."""


class ClientConfig(NamedTuple):
    """A cluster's configuration, which can be loaded again when its credentials have changed."""

    origin: str
    """For messages: `context 'kind' of '/home/me/.kube/config'`."""
    namespace: str
    """The default namespace."""
    load: Callable[[], Connection]
    """Raises KubeconfigError."""


def find_client_config(
    kubeconfig: Path | None = None, context: str = "", environ: Mapping[str, str] = os.environ
) -> ClientConfig:
    """Find the configuration: `kubeconfig`, else KUBECONFIG, `~/.kube/config`, or the pod's.

    In a pod its service account is used if the files of KUBECONFIG, or the default file, have no
    current context. With kubectl that is also so for a `kubeconfig` that is given; here it is an
    error, because a server would take its own cluster for another one.

    Raises:
        KubeconfigError: there is none, or it is invalid.

    """
    paths = files.find_files(kubeconfig, environ)
    found = files.read_files(paths)
    in_pod = _is_pod(environ)
    if in_pod and not (kubeconfig or context or found.current_context):
        return _from_pod(environ)
    if not paths:
        searched = (
            f"no file of KUBECONFIG exists ('{environ['KUBECONFIG']}')"
            if environ.get("KUBECONFIG")
            else f"KUBECONFIG is not set, '{files.default_file(environ)}' does not exist"
        )
        raise KubeconfigError(
            f"no cluster: {searched}, and this is not a pod; try --kubeconfig FILE"
        )
    selected = found.select(context)
    unused = [found]  # a file such as `<(command)` in a shell can be read once only

    def load() -> Connection:
        current = unused.pop() if unused else files.read_files(paths)
        return _connect(current, selected.name, environ)

    origin = f"context '{selected.name}' of '{found.paths}'"
    default = _read_namespace(environ) if in_pod else "default"
    return ClientConfig(origin, selected.context.namespace or default, load)


def _connect(found: Kubeconfig, context: str, environ: Mapping[str, str]) -> Connection:
    selected = found.select(context)
    cluster, user = selected.cluster, selected.user
    whose = f"{found.name}: user '{selected.context.user}'"
    with _prefixed(f"{found.name}: cluster '{selected.context.cluster}'"):
        address = _parse_server(cluster.server)
        host = address.netloc.rpartition("@")[2]
        url = address._replace(netloc=host).geturl()
        tls_context = tls.create_context(cluster) if address.scheme == "https" else None
        proxy = (
            proxies.check(cluster.proxy_url, "'proxy-url'")
            if cluster.proxy_url
            else proxies.from_environment(url, environ)
        )
    with _prefixed(whose):
        credentials = _load_credentials(cluster, user, address)
        if tls_context:
            tls.load_client_certificate(tls_context, credentials)
    authorization = _prefixed(whose)(credentials.authorization)
    credentials = credentials._replace(authorization=authorization)
    return Connection(url, tls_context, credentials, cluster.tls_server_name, proxy)


@contextmanager
def _prefixed(prefix: str) -> Iterator[None]:
    """Begin the message of a KubeconfigError with the entry that it is about."""
    try:
        yield
    except KubeconfigError as error:
        raise KubeconfigError(f"{prefix}: {error}") from None


def _parse_server(server: str) -> SplitResult:
    """Return the address of an API server, with http where no scheme is given."""
    scheme = "" if "://" in server else "http://"
    try:
        address = urlsplit(f"{scheme}{server}")
        host, _ = address.hostname, address.port
    except ValueError:
        host = None
    if not host or address.scheme not in ("http", "https") or (scheme and address.path.strip("/")):
        raise KubeconfigError("'server': expected a URL such as https://HOST:6443, or HOST:PORT")
    return address._replace(path=address.path.rstrip("/"), query="", fragment="")


def _load_credentials(cluster: Cluster, user: User, address: SplitResult) -> Credentials:
    """Return the credentials for an address: as with kubectl, those of a user only with https.

    Unlike kubectl's, an http server of this machine gets them: `kubectl proxy` has its own rights,
    which may be more than those of `as`.
    """
    if address.scheme == "https":
        found = load_credentials(user, cluster)
    elif proxies.is_loopback(address.hostname or ""):
        found = load_credentials(user, cluster, required=False)
    else:
        found = Credentials()
    login = login_of(address)
    return found._replace(authorization=lambda: login) if login else found


def _is_pod(environ: Mapping[str, str]) -> bool:
    has_address = environ.get("KUBERNETES_SERVICE_HOST") and environ.get("KUBERNETES_SERVICE_PORT")
    return bool(has_address)


def _read_namespace(environ: Mapping[str, str]) -> str:
    if given := environ.get("POD_NAMESPACE"):
        return given
    try:
        return (SERVICE_ACCOUNT / "namespace").read_text(encoding="utf-8").strip() or "default"
    except OSError:
        return "default"


def _from_pod(environ: Mapping[str, str]) -> ClientConfig:
    host, port = environ["KUBERNETES_SERVICE_HOST"], environ["KUBERNETES_SERVICE_PORT"]
    url = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"

    @_prefixed("the pod's service account")
    def load() -> Connection:
        authorization = token_file_source(SERVICE_ACCOUNT / "token")
        try:
            authorization()
        except KubeconfigError as error:
            raise KubeconfigError(f"{error}; is automountServiceAccountToken off?") from None
        cluster = Cluster(certificate_authority=str(SERVICE_ACCOUNT / "ca.crt"))
        proxy = proxies.from_environment(url, environ)
        credentials = Credentials(authorization)
        return Connection(url, tls.create_context(cluster), credentials, proxy=proxy)

    return ClientConfig("the pod's service account", _read_namespace(environ), load)
