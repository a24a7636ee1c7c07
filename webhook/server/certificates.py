"""The listener's TLS: the source of its certificate by configuration, and its client CA.

The certificate is self-managed, with a CA in a Secret of the cluster; or it is in files, whose CA
others publish or the replicas do; or, without a cluster, it is created when the server starts.
"""

import threading
from pathlib import Path

import structlog

from certs.bundle.api import ClusterApi
from certs.bundle.interface import targets_of
from certs.ca.certificate import KeyPair
from certs.serving.files import FileError, FileSource, read_files
from certs.serving.local_ca import LocalCA, LocalCAError
from certs.serving.loop import Loop
from certs.serving.provided_ca import ProvidedCA
from certs.serving.self_managed import SelfManaged
from certs.serving.source import Source
from certs.serving.tls import ClientCAError, SwappableContext, check_client_ca
from webhook.kube.api.client import Client
from webhook.server.config import Certificates, ConfigError

_CLIENT_CA_POLL_SECONDS = 10.0

log = structlog.get_logger()


def create_source(config: Certificates, cluster: Client | None) -> Source:
    """Return the configured source of certificates; `cluster` is None if there is none."""
    if cluster and config.secret:
        namespace, secret = config.secret
        targets = targets_of(config.webhook_config)
        api = ClusterApi(cluster, targets=targets, namespace=namespace, secret=secret)
        return SelfManaged(api, config.names)
    if config.files is None:
        return LocalCA(config.names, config.state_dir)
    cert, key = config.files
    name = config.names[0] if config.names else ""
    provided_ca = None
    if cluster and config.webhook_config:
        api = ClusterApi(cluster, targets=targets_of(config.webhook_config))
        provided_ca = ProvidedCA(api, cert.with_name("ca.crt"), name)
    return FileSource(cert, key, name=name, provided_ca=provided_ca)


class TlsKeeper:
    """Keeps the listener's TLS up to date, from a source of certificates and a client CA file."""

    def __init__(self, source: Source, client_ca: Path | None) -> None:
        self.tls = SwappableContext(client_auth=client_ca is not None)
        self.status = source.status
        self._source = source
        self._pair: KeyPair | None = None
        self._client_ca = b""
        self._file = client_ca
        self._loop = Loop(self._reload_client_ca, "client CA")
        self._swapping = threading.Lock()
        """Held while either half is replaced: key pairs and client CAs come in two threads."""

    def start(self) -> None:
        """Serve the first certificate. Raises ConfigError if a file cannot be used."""
        if self._file is not None:
            try:
                (self._client_ca,) = read_files([self._file])
                check_client_ca(self._client_ca)
            except FileError as error:
                raise ConfigError(str(error)) from None
            except ClientCAError as error:
                raise ConfigError(f"'{self._file}': {error}") from None
            self._loop.start()
        try:
            self._source.start(self._swap_pair)
        except LocalCAError as error:
            raise ConfigError(str(error)) from None
        if isinstance(self._source, FileSource) and self._source.current() is None:
            raise ConfigError(self._source.status().message)

    def stop(self) -> None:
        self._source.stop()
        if self._file is not None:
            self._loop.stop()

    def unready_reason(self) -> str:
        """Return why API servers cannot trust this server yet, for `/readyz`; empty if they can."""
        status = self.status()
        return "" if status.ready else status.message or "there is no certificate yet"

    def _swap_pair(self, pair: KeyPair) -> None:
        with self._swapping:
            self.tls.swap(pair.chain, pair.key, self._client_ca)
            self._pair = pair

    def _swap_client_ca(self, client_ca: bytes) -> None:
        """Require clients of this CA, from the first certificate on if there is none yet."""
        with self._swapping:
            if self._pair is None:
                check_client_ca(client_ca)
            else:
                self.tls.swap(self._pair.chain, self._pair.key, client_ca)
            self._client_ca = client_ca

    def _reload_client_ca(self) -> float:
        """Use the client CA of the file if it has changed and is valid; return the pause."""
        try:
            (found,) = read_files([self._file] if self._file else [])
            if found != self._client_ca:
                self._swap_client_ca(found)
                log.info("client CA loaded", path=str(self._file))
        except (FileError, ClientCAError) as error:
            log.warning("the client CA is not replaced", path=str(self._file), error=str(error))
        return _CLIENT_CA_POLL_SECONDS
