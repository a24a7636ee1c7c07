"""`convertor-webhook serve`: the parts of the server, put together and run."""

import asyncio
import gc
from pathlib import Path
from socket import socket

import structlog

from certs.loop import Loop
from kube import client
from webhook import app, local_ca, server, status
from webhook.certificates import Served, watch
from webhook.config import Address, Config, ConfigError
from webhook.metrics import Metrics
from webhook.plans import Plans
from webhook.plans.cluster import ClusterPlans
from webhook.plans.directory import DirectoryPlans
from webhook.report import Reporter

log = structlog.get_logger()


async def serve(config: Config) -> None:
    """Serve until told to stop. Raises ConfigError, before anything has begun."""
    metrics = Metrics()
    sockets = (
        server.bind(config.listen, "--listen"),
        server.bind(config.status_listen, "--status-listen"),
    )
    certificate = Served(metrics, client_auth=bool(config.tls and config.tls.client_ca))
    watches = _certify(certificate, config, sockets[0])
    plans = _plans(config)
    metrics.watch_plans(plans.status)

    mutate = app.build(plans, config.installation, Reporter(metrics), config.max_concurrent)
    reviews = server.make(mutate, certificate.tls.context)
    checks = {
        "plans": lambda: _unread(plans),
        "certificate": certificate.missing,
        "draining": lambda: "the server is about to stop" if reviews.draining else "",
    }
    probes = server.make(status.build(checks, {"plans": plans.status}, metrics.registry))

    plans.start()
    settling = asyncio.create_task(_settle(plans))
    log.info("serving", reviews=_url(sockets[0], "https"), status=_url(sockets[1], "http"))
    await server.run(reviews, probes, sockets, config.drain)
    settling.cancel()
    plans.stop()
    for loop in watches:
        loop.stop()
    log.info("stopped")


def _plans(config: Config) -> Plans:
    if config.plans is not None:
        return DirectoryPlans(config.plans, config.installation)
    try:
        cluster = client.connect(config.kubeconfig)
        hub = client.connect(config.hub_kubeconfig) if config.hub_kubeconfig else cluster
    except client.ConfigError as error:
        raise ConfigError(f"{error}, or --plans DIR to do without a cluster") from None
    return ClusterPlans(hub, config.installation, nodes=cluster)


def _unread(plans: Plans) -> str:
    state = plans.status()
    return "" if state.synced else state.message or "the plans have not been read yet"


def _certify(certificate: Served, config: Config, listener: socket) -> list[Loop]:
    """Take the first certificate into service; return what watches for the next."""
    files = config.tls
    if files is None:
        made = local_ca.make([*local_ca.NAMES, *config.tls_names])
        certificate.take(made.cert, made.key)
        _tell_of_ca(
            local_ca.publish(made.ca, config.state_dir), _url(listener, "https", "localhost")
        )
        return []
    loops = (
        []
        if files.client_ca is None
        else [watch([files.client_ca], certificate.trust, certificate.refuse)]
    )
    return [*loops, watch([files.cert, files.key], certificate.take, certificate.refuse)]


def _tell_of_ca(path: Path | None, url: str) -> None:
    if path is None:
        log.warning("the certificate is our own, and there was no place to write its CA to")
        return
    command = f"curl --cacert {path} --data-binary @review.json {url}/mutate"
    log.info("the certificate is our own", ca=str(path), try_it=command)


async def _settle(plans: Plans) -> None:
    """Wait for the plans, then let the garbage collector forget what is there.

    It will stay, and looking through it again and again would cost every review.
    """
    while not plans.status().synced:  # noqa: ASYNC110 - the plans live in threads
        await asyncio.sleep(0.1)
    gc.collect()
    gc.freeze()
    state = plans.status()
    log.info("the plans have been read", count=state.count, invalid=state.invalid)


def _url(listener: socket, scheme: str, host: str = "") -> str:
    address = Address(*listener.getsockname()[:2])
    return f"{scheme}://{address._replace(host=host or address.host)}"
