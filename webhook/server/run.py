"""`convertor-webhook serve`: the parts of the server, put together and run."""

import asyncio
import contextlib
import gc
import sys
from socket import socket
from typing import NamedTuple

import structlog

from certs.serving.local_ca import LocalCA
from certs.serving.source import Source
from webhook.inventory import Plans
from webhook.inventory.cluster_plans import ClusterPlans
from webhook.inventory.directory_plans import DirectoryPlans
from webhook.inventory.pods import PodWatch
from webhook.kube.api import client
from webhook.server import app, certificates, listener, probes
from webhook.server.certificates import Served
from webhook.server.config import Address, Config, ConfigError
from webhook.telemetry.event_recorder import EventRecorder
from webhook.telemetry.metrics import Metrics
from webhook.telemetry.reporter import Reporter

log = structlog.get_logger()

SWITCH = 0.0005
"""Seconds that a thread may keep the others waiting. Threads write Events and read plans, and with
Python's own 5 ms each of these would now and then hold up a review for longer than it takes."""


async def serve(config: Config) -> None:
    """Serve until told to stop. Raises ConfigError, before anything has begun."""
    sys.setswitchinterval(SWITCH)
    with contextlib.ExitStack() as stack:
        sockets = (
            stack.enter_context(listener.bind(config.listen, "--listen")),
            stack.enter_context(listener.bind(config.status_listen, "--status-listen")),
        )
        world = _world(config)
        plans = world.plans
        source = certificates.source(config.certificates, world.cluster)
        served = Served(source, config.certificates.client_ca)
        metrics = Metrics()
        metrics.export_plans(plans.status)
        metrics.export_certificate(served.status)
        report = Reporter(metrics, _look_after(config, world, metrics, stack))

        pods_and_plans = app.build(plans, config.installation, report, config.max_concurrent)
        reviews = listener.make(pods_and_plans, served.tls.context)
        checks = {
            "plans": lambda: _unread(plans),
            "certificate": served.missing,
            "draining": lambda: "the server is about to stop" if reviews.draining else "",
        }
        status = listener.make(probes.build(checks, {"plans": plans.status}, metrics.registry))

        served.start()
        stack.callback(served.stop)
        plans.start()
        stack.callback(plans.stop)
        settling = asyncio.create_task(_settle(plans))
        stack.callback(settling.cancel)
        _announce(sockets, source)
        await listener.run(reviews, status, sockets, config.drain)
        report.flush()
    log.info("stopped")


class _World(NamedTuple):
    """Where the plans are, and the clusters that have the pods and the Plans, where there are."""

    plans: Plans
    cluster: client.Client | None = None
    hub: client.Client | None = None


def _world(config: Config) -> _World:
    if config.plans is not None:
        return _World(DirectoryPlans(config.plans, config.installation))
    try:
        cluster = client.connect(config.kubeconfig)
        hub = client.connect(config.hub_kubeconfig) if config.hub_kubeconfig else cluster
    except client.ConfigError as error:
        raise ConfigError(f"{error}; --plans DIR does without a cluster") from None
    return _World(ClusterPlans(hub, config.installation, nodes=cluster), cluster, hub)


def _look_after(
    config: Config, world: _World, metrics: Metrics, stack: contextlib.ExitStack
) -> EventRecorder | None:
    """Begin to write Events on the Plans, and to look for pods that no review has seen."""
    if world.cluster is None or world.hub is None:
        return None
    recorder = EventRecorder(world.hub)
    metrics.export_dropped_events(recorder.dropped)
    recorder.start()
    stack.callback(recorder.stop)
    if config.watch_pods:
        pods = PodWatch(world.cluster, world.plans, config.installation, recorder)
        metrics.export_pods(pods.status)
        pods.start()
        stack.callback(pods.stop)
    return recorder


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
