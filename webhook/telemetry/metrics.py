"""The metrics that `/metrics` exports; `docs/metrics.md` lists them all."""

import platform
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.metadata import version
from itertools import product
from typing import Protocol

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from certs.serving.source import Status
from webhook.inventory import PlansStatus, PvcsStatus
from webhook.inventory.conflict_watch import ConflictsStatus
from webhook.inventory.pods import PodsStatus
from webhook.inventory.profile_watch import ProfilesStatus
from webhook.model import Decision, Mode, Outcome, Reason, Reviewed, Role
from webhook.telemetry.event_recorder import DROP_CAUSES
from webhook.telemetry.refusals import RefusalsStatus

# No dashboard or alert uses the `_created` series that accompany each counter.
disable_created_metrics()  # type: ignore[no-untyped-call]

DURATION_BUCKETS_SECONDS = (
    *(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05),
    *(0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
"""A review takes a fraction of a millisecond, or seconds if it waits for its plan."""

_ALERTING = (Reason.INTERNAL_ERROR, Reason.OVERLOADED, Reason.DEADLINE_EXCEEDED)
"""Reasons of alerts: their counters start at zero, or `increase()` would miss the first one."""

_NO_ROLE = ""
"""The role of Plans, of pods that are not of a migration, and of what cannot be read."""
_ChildKey = tuple[Reviewed, Outcome, Reason, Mode, str]


class OpenConnections(Protocol):
    """The connections of a listener; in the server `webhook.server.connections.Connections`."""

    closed: int
    refused: int

    def __len__(self) -> int: ...


class Metrics:
    """The metrics of the process, in their own registry."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._reviews = Counter(
            "convertor_webhook_reviews",
            "Reviews answered, by kind of object reviewed, outcome, reason, mode and role.",
            ["reviewed", "outcome", "reason", "mode", "role"],
            registry=self.registry,
        )
        self._duration = Histogram(
            "convertor_webhook_review_duration_seconds",
            "Time from the first byte of the request body to the response.",
            ["reviewed"],
            buckets=DURATION_BUCKETS_SECONDS,
            registry=self.registry,
        )
        build = Gauge(
            "convertor_webhook_build_info",
            "Always 1; the labels are the versions of the webhook and of Python.",
            ["version", "python"],
            registry=self.registry,
        )
        build.labels(version("convertor-webhook"), platform.python_version()).set(1)
        self._durations = {reviewed: self._duration.labels(reviewed) for reviewed in Reviewed}
        self._children: dict[_ChildKey, Counter] = {}
        modes = (Mode.ENFORCE, Mode.AUDIT)
        for reviewed, reason, mode in product(Reviewed, _ALERTING, modes):
            self._child((reviewed, Outcome.FAILED, reason, mode, _NO_ROLE))
        for role, mode in product(Role, modes):
            late = Reason.DEADLINE_EXCEEDED  # the role is known, only the plan is not
            self._child((Reviewed.POD, Outcome.FAILED, late, mode, role))

    def observe_review(self, reviewed: Reviewed, decision: Decision, seconds: float) -> None:
        role = decision.role or _NO_ROLE
        key = (reviewed, decision.outcome, decision.reason, decision.mode, role)
        (self._children.get(key) or self._child(key)).inc()
        self._durations[reviewed].observe(seconds)

    def export_plans(self, status: Callable[[], PlansStatus]) -> None:
        """Export the status of the plans, as it is at each scrape."""
        self.registry.register(_Collector(lambda: _plans(status())))

    def export_pvcs(self, status: Callable[[], PvcsStatus]) -> None:
        """Export the status of the PVCs, as it is at each scrape."""
        self.registry.register(_Collector(lambda: _pvcs(status())))

    def export_certificate(self, status: Callable[[], Status]) -> None:
        """Export the status of the certificate, as it is at each scrape."""
        self.registry.register(_Collector(lambda: _certificate(status())))

    def export_pods(self, status: Callable[[], PodsStatus]) -> None:
        """Export the status of the migration pods, as it is at each scrape."""
        self.registry.register(_Collector(lambda: _pods(status())))

    def export_refusals(self, status: Callable[[], RefusalsStatus]) -> None:
        """Export the status of refused importers, as it is at each scrape."""
        self.registry.register(_Collector(lambda: _refusals(status())))

    def export_conflicts(self, status: Callable[[], ConflictsStatus]) -> None:
        """Export the number of VMs with a conflict, as it is at each scrape."""
        self.registry.register(_Collector(lambda: _conflicts(status())))

    def export_profiles(self, status: Callable[[], ProfilesStatus]) -> None:
        """Export the results of the checks of the profile, as they are at each scrape."""
        self.registry.register(_Collector(lambda: _profiles(status())))

    def export_connections(self, listeners: Mapping[str, OpenConnections]) -> None:
        """Export the connections of each listener, as they are at each scrape."""
        self.registry.register(_Collector(lambda: _connections(listeners)))

    def export_dropped_events(self, dropped: Mapping[str, int]) -> None:
        """Export the number of dropped Events by cause, as it is at each scrape."""
        self.registry.register(_Collector(lambda: _events(dropped)))

    def export_dropped_log_lines(self, count: Callable[[], int]) -> None:
        """Export the number of dropped log lines, as it is at each scrape."""
        self.registry.register(_Collector(lambda: _log_lines(count())))

    def _child(self, key: _ChildKey) -> Counter:
        """Cache the counter of a label set: `labels()` takes longer than `inc()`."""
        child = self._children[key] = self._reviews.labels(*key)
        return child


class _Collector(Collector):
    """Builds its metrics when they are scraped."""

    def __init__(self, make: Callable[[], Iterable[Metric]]) -> None:
        self._make = make

    def collect(self) -> Iterable[Metric]:
        return self._make()


def _plans(status: PlansStatus) -> Iterator[Metric]:
    yield _gauge("plans", "Plans known.", status.count)
    yield _gauge("plans_invalid", "Plans with problems in their settings.", status.invalid)
    yield _gauge("plans_synced", "1 once all plans have been listed, else 0.", status.synced)
    yield _gauge(
        "plans_age_seconds",
        "Time since the source last confirmed that the known plans are current.",
        status.age_seconds,
    )
    yield _counter(
        "plan_fetches", "Lookups of plans that the watch had not delivered.", status.fetches
    )
    yield _counter("watch_restarts", "Watches of plans restarted after a failure.", status.restarts)


def _pvcs(status: PvcsStatus) -> Iterator[Metric]:
    yield _gauge("pvcs", "PVCs of migrations known.", status.count)
    yield _gauge(
        "pvcs_synced", "1 once all PVCs and StorageClasses have been listed, else 0.", status.synced
    )
    yield _gauge(
        "pvcs_age_seconds",
        "Time since the source last confirmed that the known PVCs are current.",
        status.age_seconds,
    )
    yield _counter(
        "pvc_watch_restarts",
        "Watches of PVCs and StorageClasses restarted after a failure.",
        status.restarts,
    )


def _certificate(status: Status) -> Iterator[Metric]:
    expiries = (
        ("certificate_expiry_timestamp_seconds", "the serving certificate", status.not_after),
        ("ca_expiry_timestamp_seconds", "its CA", status.ca_not_after),
    )
    for name, certificate, expiry in expiries:
        if expiry is not None:
            text = f"Expiry of {certificate}, in seconds since the epoch."
            yield _gauge(name, text, expiry.timestamp())
    yield _gauge(
        "ca_published",
        "1 if the caBundle verifies the certificate that is served, else 0.",
        status.published,
    )
    yield _counter(
        "certificate_changes", "Replacements of the serving certificate.", status.changes
    )
    yield _counter("ca_repairs", "caBundle repairs after changes by other clients.", status.repairs)


def _pods(status: PodsStatus) -> Iterator[Metric]:
    yield _gauge("pods", "Migration pods that have not ended.", status.count)
    yield _gauge(
        "pods_age_seconds",
        "Time since the API server last confirmed that the known pods are current.",
        status.age_seconds,
    )
    yield _counter(
        "pod_watch_restarts", "Watches of pods restarted after a failure.", status.restarts
    )
    current = GaugeMetricFamily(
        "convertor_webhook_missed_pods",
        "Migration pods without their placement, by reason and role.",
        labels=["reason", "role"],
    )
    total = CounterMetricFamily(
        "convertor_webhook_missed_pods_seen",
        "Migration pods found without their placement, by reason and role.",
        labels=["reason", "role"],
    )
    for key in product((Reason.MISSED, Reason.CHANGED_BACK), Role):
        current.add_metric([*key], status.missed.get(key, 0))
        total.add_metric([*key], status.seen.get(key, 0))
    yield current
    yield total


def _refusals(status: RefusalsStatus) -> Iterator[Metric]:
    yield _gauge("refused_importers", "Importers refused until a disk is bound.", status.count)
    yield _gauge(
        "refused_importers_seconds",
        "The longest time between the first and the last refusal of an importer.",
        status.longest_seconds,
    )


def _conflicts(status: ConflictsStatus) -> Iterator[Metric]:
    yield _gauge(
        "placement_conflicts",
        "VMs with disks that are bound where their convertor pod or the VM cannot run.",
        status.count,
    )


def _profiles(status: ProfilesStatus) -> Iterator[Metric]:
    yield _gauge(
        "profile_refused_namespaces",
        "Target namespaces that refuse convertor pods with the convertor profile.",
        status.refused,
    )
    yield _gauge(
        "profile_unchecked_namespaces",
        "Target namespaces for which the check of the convertor profile has no result.",
        status.unchecked,
    )


def _connections(listeners: Mapping[str, OpenConnections]) -> Iterator[Metric]:
    current = GaugeMetricFamily(
        "convertor_webhook_connections", "Open connections, by listener.", labels=["listener"]
    )
    total = CounterMetricFamily(
        "convertor_webhook_connections_limited",
        "Connections closed for another one, and new ones refused, at a limit; by listener.",
        labels=["listener", "action"],
    )
    for listener, connections in listeners.items():
        current.add_metric([listener], len(connections))
        total.add_metric([listener, "closed"], connections.closed)
        total.add_metric([listener, "refused"], connections.refused)
    yield current
    yield total


def _events(dropped: Mapping[str, int]) -> Iterator[Metric]:
    family = CounterMetricFamily(
        "convertor_webhook_events_dropped",
        "Events not written, by cause: queue full, rate limited on its plan, or request failed.",
        labels=["cause"],
    )
    for cause in DROP_CAUSES:
        family.add_metric([cause], dropped.get(cause, 0))
    yield family


def _log_lines(dropped: int) -> Iterator[Metric]:
    yield _counter(
        "log_lines_dropped",
        "Log lines not written, because their reader does not keep up.",
        dropped,
    )


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"convertor_webhook_{name}", text, value=value)


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(f"convertor_webhook_{name}", text, value=value)
