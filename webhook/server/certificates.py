"""Where the certificate that is served comes from, and which clients are served.

Three ways: a CA of our own in a Secret of the cluster; files, whose CA is published by others
or by us; and, without a cluster, a CA that is made when the server starts.
"""

import threading
from pathlib import Path

import structlog

from certs.bundle.api import ClusterApi
from certs.bundle.interface import targets
from certs.ca.certificate import KeyPair
from certs.serving.files import FileError, FileSource, read
from certs.serving.local_ca import LocalCA, LocalCAError
from certs.serving.loop import Loop
from certs.serving.provided_ca import Provided
from certs.serving.self_managed import SelfManaged
from certs.serving.source import Source
from certs.serving.tls import ClientCAError, Serving, check_client_ca
from webhook.kube.api.client import Client
from webhook.server.config import Certificates, ConfigError

CLIENT_CA_SECONDS = 10.0
"""Between two looks at the file with the client CA."""

log = structlog.get_logger()


def source(config: Certificates, cluster: Client | None) -> Source:
    """Return what keeps the server in certificates; `cluster` is None where there is none."""
    if cluster and config.secret:
        namespace, secret = config.secret
        published = targets(config.webhook_config)
        api = ClusterApi(cluster, targets=published, namespace=namespace, secret=secret)
        return SelfManaged(api, config.names)
    if config.files is None:
        return LocalCA(config.names, config.state_dir)
    cert, key = config.files
    name = config.names[0] if config.names else ""
    provided = None
    if cluster and config.webhook_config:
        api = ClusterApi(cluster, targets=targets(config.webhook_config))
        provided = Provided(api, cert.with_name("ca.crt"), name)
    return FileSource(cert, key, name=name, provided=provided)


class Served:
    """The listener's TLS, kept up to date by a source of certificates and a client CA's file."""

    def __init__(self, certificates: Source, client_ca: Path | None) -> None:
        self.tls = Serving(client_auth=client_ca is not None)
        self.status = certificates.status
        self._source = certificates
        self._pair: KeyPair | None = None
        self._client_ca = b""
        self._file = client_ca
        self._watch = Loop(self._look, "client CA")
        self._swapping = threading.Lock()
        """Held from looking at one half until both are served: they come in two threads."""

    def start(self) -> None:
        """Serve what there is. Raises ConfigError for files that cannot be served."""
        if self._file is not None:
            try:
                (self._client_ca,) = read([self._file])
                check_client_ca(self._client_ca)
            except FileError as error:
                raise ConfigError(str(error)) from None
            except ClientCAError as error:
                raise ConfigError(f"'{self._file}': {error}") from None
            self._watch.start()
        try:
            self._source.start(self._take)
        except LocalCAError as error:
            raise ConfigError(str(error)) from None
        if isinstance(self._source, FileSource) and self._source.current() is None:
            raise ConfigError(self._source.status().message)

    def stop(self) -> None:
        self._source.stop()
        if self._file is not None:
            self._watch.stop()

    def missing(self) -> str:
        """Say what keeps API servers from trusting this server, for `/readyz`."""
        state = self.status()
        return "" if state.ready else state.message or "there is no certificate yet"

    def _take(self, pair: KeyPair) -> None:
        with self._swapping:
            self.tls.swap(pair.chain, pair.key, self._client_ca)
            self._pair = pair

    def _take_client_ca(self, client_ca: bytes) -> None:
        """Serve clients of this CA, or be ready to when there is a certificate."""
        with self._swapping:
            if self._pair is None:
                check_client_ca(client_ca)
            else:
                self.tls.swap(self._pair.chain, self._pair.key, client_ca)
            self._client_ca = client_ca

    def _look(self) -> float:
        """Take a new client CA into service; what cannot be used changes nothing."""
        try:
            (found,) = read([self._file] if self._file else [])
            if found != self._client_ca:
                self._take_client_ca(found)
                log.info("client CA read", path=str(self._file))
        except (FileError, ClientCAError) as error:
            log.warning("the client CA is not replaced", path=str(self._file), error=str(error))
        return CLIENT_CA_SECONDS
