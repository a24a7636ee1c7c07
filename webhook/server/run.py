"""`convertor-webhook serve`: assembles the parts of the server and runs them."""

import asyncio
import contextlib
import gc
import resource
import shlex
import sys
from collections.abc import Callable, Iterable
from socket import socket
from typing import NamedTuple

import msgspec
import structlog

from certs.serving.local_ca import LocalCA
from certs.serving.source import Source
from webhook.forklift.roles import ROLES_WITH_PVC
from webhook.inventory import NO_PRIORITY_CLASSES, NO_PVCS, Plans, PriorityClasses, Pvcs, VmDisks
from webhook.inventory.cluster_plans import ClusterPlans
from webhook.inventory.cluster_pvcs import ClusterPvcs
from webhook.inventory.conflict_watch import ConflictWatch
from webhook.inventory.directory_plans import DirectoryPlans
from webhook.inventory.pods import PodWatch
from webhook.inventory.priority_classes import ClusterPriorityClasses
from webhook.inventory.profile_watch import ProfileWatch
from webhook.kube.api import client
from webhook.kube.api.errors import KubeconfigError
from webhook.kube.api.version import read_minor_version
from webhook.model import Plan
from webhook.server import app, listener, probes
from webhook.server.certificates import TlsKeeper, create_source
from webhook.server.config import Address, Config, ConfigError
from webhook.server.pod_reviews import PodReviewHandler
from webhook.telemetry.event_recorder import EventRecorder
from webhook.telemetry.metrics import Metrics
from webhook.telemetry.reporter import Reporter

log = structlog.get_logger()

SWITCH_INTERVAL_SECONDS = 0.0005
"""The longest time that a thread runs while others wait. Threads write Events and read plans; with
Python's default of 5 ms each of them would sometimes delay a review for longer than it takes."""

FILES_BESIDE_CONNECTIONS = 300
"""Open files that are not connections of clients: libraries, standard streams, watches."""


async def serve(config: Config, count_dropped_log_lines: Callable[[], int] = int) -> None:
    """Serve until a signal. Raises ConfigError before anything is started."""
    sys.setswitchinterval(SWITCH_INTERVAL_SECONDS)
    with contextlib.ExitStack() as stack:
        sockets = (
            stack.enter_context(listener.bind(config.listen, "--listen")),
            stack.enter_context(listener.bind(config.status_listen, "--status-listen")),
        )
        clusters, config = _connect(config)
        plans, pvcs = clusters.plans, clusters.pvcs
        source = create_source(config.certificates, clusters.cluster)
        tls_keeper = TlsKeeper(source, config.certificates.client_ca)
        metrics = Metrics()
        metrics.export_plans(plans.status)
        if pvcs is not NO_PVCS:
            metrics.export_pvcs(pvcs.status)
        metrics.export_certificate(tls_keeper.status)
        metrics.export_dropped_log_lines(count_dropped_log_lines)
        reporter = Reporter(metrics, _start_watching(config, clusters, metrics, stack))

        classes = clusters.priority_classes
        pod_reviews = PodReviewHandler(plans, config.installation, pvcs, classes)
        webhooks = app.build(pod_reviews, config.installation, reporter, config.max_concurrent)
        reviews = listener.build(webhooks, "reviews", tls_keeper.tls.context, config.max_concurrent)
        checks = {
            "plans": lambda: _not_synced(plans),
            "pvcs": lambda: _not_listed(pvcs),
            "priorityclasses": classes.unready_reason,
            "certificate": tls_keeper.unready_reason,
            "draining": lambda: "the server is shutting down" if reviews.draining else "",
        }
        probed = probes.build(checks, plans.status, pvcs.status, metrics.registry)
        status = listener.build(probed, "status")
        listeners = {"reviews": reviews.connections, "status": status.connections}
        metrics.export_connections(listeners)
        _allow_open_files(sum(each.max_open for each in listeners.values()))

        tls_keeper.start()
        stack.callback(tls_keeper.stop)
        plans.start()
        stack.callback(plans.stop)
        pvcs.start()
        stack.callback(pvcs.stop)
        classes.start()
        stack.callback(classes.stop)
        freezing = asyncio.create_task(_freeze_when_synced(plans, pvcs))
        stack.callback(freezing.cancel)
        _log_addresses(sockets, source)
        await listener.run(reviews, status, sockets, config.drain)
        reporter.flush()
    log.info("stopped")


class _Clusters(NamedTuple):
    """The sources of plans and PVCs, and the clusters of the pods and of the Plans, if any."""

    plans: Plans
    pvcs: Pvcs = NO_PVCS
    disks: VmDisks | None = None
    """The same source as `pvcs`, if it is a cluster."""
    cluster: client.Client | None = None
    hub: client.Client | None = None
    priority_classes: PriorityClasses = NO_PRIORITY_CLASSES
    target_namespaces: Callable[[], Iterable[str] | None] = frozenset
    """Those of the plans; None until they have been read."""


def _connect(config: Config) -> tuple[_Clusters, Config]:
    """Return the sources, and the configuration with the version of the pods' cluster."""
    if config.plans is not None:
        directory = DirectoryPlans(config.plans, config.installation)
        classes = directory.priority_classes
        return _Clusters(directory, directory.pvcs, priority_classes=classes), config
    try:
        cluster = client.connect(config.kubeconfig)
        hub = client.connect(config.hub_kubeconfig) if config.hub_kubeconfig else cluster
    except KubeconfigError as error:
        raise ConfigError(f"{error}; --plans DIR needs no cluster") from None
    version = read_minor_version(cluster)
    installation = msgspec.structs.replace(config.installation, kubernetes=version)
    plans = ClusterPlans(hub, installation, nodes=cluster)
    clusters = _Clusters(
        plans, cluster=cluster, hub=hub, target_namespaces=lambda: plans.target_namespaces
    )
    if installation.has_priority_classes:
        clusters = clusters._replace(priority_classes=ClusterPriorityClasses(cluster))
    if ROLES_WITH_PVC.intersection(installation.roles):
        pvcs = ClusterPvcs(cluster, lambda ref: isinstance(plans.find(ref), Plan))
        clusters = clusters._replace(pvcs=pvcs, disks=pvcs)
    return clusters, msgspec.structs.replace(config, installation=installation)


def _start_watching(
    config: Config, clusters: _Clusters, metrics: Metrics, stack: contextlib.ExitStack
) -> EventRecorder | None:
    """Start writing Events on the Plans, the watches of pods and disks, and profile checks."""
    if clusters.cluster is None or clusters.hub is None:
        return None
    recorder = EventRecorder(clusters.hub)
    metrics.export_dropped_events(recorder.dropped)
    recorder.start()
    stack.callback(recorder.stop)
    if config.watch_pods:
        pods = PodWatch(
            clusters.cluster,
            clusters.plans,
            config.installation,
            recorder,
            pvcs=clusters.pvcs,
            namespaces=config.watch_pods_namespaces,
            webhook_config=config.webhook_config,
        )
        metrics.export_pods(pods.status)
        pods.start()
        stack.callback(pods.stop)
    if config.installation.has_profile:
        profiles = ProfileWatch(clusters.cluster, config.installation, clusters.target_namespaces)
        metrics.export_profiles(profiles.status)
        profiles.start()
        stack.callback(profiles.stop)
    if clusters.disks is not None:
        conflicts = ConflictWatch(
            clusters.cluster,
            clusters.hub,
            clusters.disks,
            clusters.plans,
            config.installation,
            event_sink=recorder,
            lists_pods=config.watch_pods and not config.watch_pods_namespaces,
        )
        metrics.export_conflicts(conflicts.status)
        conflicts.start()
        stack.callback(conflicts.stop)
    return recorder


def _allow_open_files(connections: int) -> None:
    """Raise the limit on open files, which is often 1024, as far as the system permits."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + FILES_BESIDE_CONNECTIONS
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _not_synced(plans: Plans) -> str:
    state = plans.status()
    return "" if state.synced else state.message or "the plans have not been read yet"


def _not_listed(pvcs: Pvcs) -> str:
    """Return a text until all PVCs are known, or their watch fails, maybe for want of a right.

    Importers are admitted unchanged then, but the other pods are placed; an unready replica places
    none at all.
    """
    state = pvcs.status()
    return "" if state.synced or state.message else "the PVCs have not been read yet"


def _log_addresses(sockets: tuple[socket, socket], source: Source) -> None:
    reviews, status = (Address(*listener.getsockname()[:2]) for listener in sockets)
    log.info("serving", reviews=f"https://{reviews}", status=f"http://{status}")
    if isinstance(source, LocalCA) and source.path is not None:
        url = f"https://localhost:{reviews.port}/mutate"
        command = shlex.join(
            ["curl", "--cacert", str(source.path), "--data-binary", "@review.json", url]
        )
        log.info("the certificate is signed by a local CA", ca=str(source.path), try_it=command)


async def _freeze_when_synced(plans: Plans, pvcs: Pvcs) -> None:
    """Wait for plans and PVCs, then exempt all present objects from garbage collection.

    They stay for good, and each collection would traverse them during a review.
    """
    while not plans.status().synced or _not_listed(pvcs):  # noqa: ASYNC110 - threads read them
        await asyncio.sleep(0.1)
    gc.collect()
    gc.freeze()
    state = plans.status()
    log.info("the plans have been read", count=state.count, invalid=state.invalid)
