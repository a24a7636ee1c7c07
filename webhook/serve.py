"""`convertor-webhook serve`: the parts of the server, put together and run."""

import asyncio
import contextlib
import gc
from socket import socket

import structlog

from certs.source import Source
from kube import client
from webhook import app, certificates, server, status
from webhook.certificates import Served
from webhook.config import Address, Config, ConfigError
from webhook.local_ca import LocalCA
from webhook.metrics import Metrics
from webhook.plans import Plans
from webhook.plans.cluster import ClusterPlans
from webhook.plans.directory import DirectoryPlans
from webhook.report import Reporter

log = structlog.get_logger()


async def serve(config: Config) -> None:
    """Serve until told to stop. Raises ConfigError, before anything has begun."""
    with contextlib.ExitStack() as stack:
        sockets = (
            stack.enter_context(server.bind(config.listen, "--listen")),
            stack.enter_context(server.bind(config.status_listen, "--status-listen")),
        )
        plans, cluster = _world(config)
        source = certificates.source(config.certificates, cluster)
        served = Served(source, config.certificates.client_ca)
        metrics = Metrics()
        metrics.watch_plans(plans.status)
        metrics.watch_certificate(served.status)
        report = Reporter(metrics)

        pods_and_plans = app.build(plans, config.installation, report, config.max_concurrent)
        reviews = server.make(pods_and_plans, served.tls.context)
        checks = {
            "plans": lambda: _unread(plans),
            "certificate": served.missing,
            "draining": lambda: "the server is about to stop" if reviews.draining else "",
        }
        probes = server.make(status.build(checks, {"plans": plans.status}, metrics.registry))

        served.start()
        stack.callback(served.stop)
        plans.start()
        stack.callback(plans.stop)
        settling = asyncio.create_task(_settle(plans))
        stack.callback(settling.cancel)
        _announce(sockets, source)
        await server.run(reviews, probes, sockets, config.drain)
        report.flush()
    log.info("stopped")


def _world(config: Config) -> tuple[Plans, client.Client | None]:
    """Return where the plans are, and the cluster that has the pods, where there is one."""
    if config.plans is not None:
        return DirectoryPlans(config.plans, config.installation), None
    try:
        cluster = client.connect(config.kubeconfig)
        hub = client.connect(config.hub_kubeconfig) if config.hub_kubeconfig else cluster
    except client.ConfigError as error:
        raise ConfigError(f"{error}, or --plans DIR to do without a cluster") from None
    return ClusterPlans(hub, config.installation, nodes=cluster), cluster


def _unread(plans: Plans) -> str:
    state = plans.status()
    return "" if state.synced else state.message or "the plans have not been read yet"


def _announce(sockets: tuple[socket, socket], source: Source) -> None:
    reviews, status = (Address(*listener.getsockname()[:2]) for listener in sockets)
    log.info("serving", reviews=f"https://{reviews}", status=f"http://{status}")
    if isinstance(source, LocalCA) and source.path is not None:
        command = (
            f"curl --cacert {source.path} --data-binary @review.json "
            f"https://localhost:{reviews.port}/mutate"
        )
        log.info("the certificate was made here", ca=str(source.path), try_it=command)


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
