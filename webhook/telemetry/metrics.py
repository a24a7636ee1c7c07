"""What `/metrics` says. Each name here has its line in `docs/`."""

import platform
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.metadata import version
from itertools import product

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
from webhook.inventory import PlansStatus
from webhook.inventory.pods import PodsStatus
from webhook.model import Decision, Mode, Outcome, Reason, Reviewed
from webhook.telemetry.event_recorder import CAUSES

# A second series beside each counter that says when it was made: nobody asks for that.
disable_created_metrics()  # type: ignore[no-untyped-call]

BUCKETS = (
    *(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05),
    *(0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
"""Seconds. A review takes a fraction of a millisecond; a wait for an unseen plan, seconds."""

_ALERTING = (Reason.INTERNAL_ERROR, Reason.OVERLOADED, Reason.DEADLINE_EXCEEDED)
"""Reasons to alert on: they are there at zero, so that the first increase is one."""


class Metrics:
    """The process's metrics, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._reviews = Counter(
            "convertor_webhook_reviews",
            "Reviews answered, by what was reviewed, what was done to it, why, and in which mode.",
            ["reviewed", "outcome", "reason", "mode"],
            registry=self.registry,
        )
        self._duration = Histogram(
            "convertor_webhook_review_duration_seconds",
            "Time from the first byte of a review's body to its answer.",
            ["reviewed"],
            buckets=BUCKETS,
            registry=self.registry,
        )
        build = Gauge(
            "convertor_webhook_build_info",
            "Always 1; the labels say what runs.",
            ["version", "python"],
            registry=self.registry,
        )
        build.labels(version("convertor-webhook"), platform.python_version()).set(1)
        self._durations = {of: self._duration.labels(of) for of in Reviewed}
        self._children: dict[tuple[Reviewed, Outcome, Reason, Mode], Counter] = {}
        for of, reason, mode in product(Reviewed, _ALERTING, (Mode.ENFORCE, Mode.AUDIT)):
            self._child((of, Outcome.FAILED, reason, mode))

    def review(self, of: Reviewed, decision: Decision, seconds: float) -> None:
        key = (of, decision.outcome, decision.reason, decision.mode)
        (self._children.get(key) or self._child(key)).inc()
        self._durations[of].observe(seconds)

    def watch_plans(self, status: Callable[[], PlansStatus]) -> None:
        """Ask this for the state of the plans at every scrape."""
        self.registry.register(_Collector(lambda: _plans(status())))

    def watch_certificate(self, status: Callable[[], Status]) -> None:
        """Ask this for the state of the certificate at every scrape."""
        self.registry.register(_Collector(lambda: _certificate(status())))

    def watch_pods(self, status: Callable[[], PodsStatus]) -> None:
        """Ask this for the state of the convertor pods at every scrape."""
        self.registry.register(_Collector(lambda: _pods(status())))

    def watch_events(self, dropped: Mapping[str, int]) -> None:
        """Look up here at every scrape how many Events were not written, by cause."""
        self.registry.register(_Collector(lambda: _events(dropped)))

    def _child(self, key: tuple[Reviewed, Outcome, Reason, Mode]) -> Counter:
        """Look a label set up once: `labels()` costs more than counting."""
        child = self._children[key] = self._reviews.labels(*key)
        return child


class _Collector(Collector):
    """Makes metrics at the time of the scrape."""

    def __init__(self, make: Callable[[], Iterable[Metric]]) -> None:
        self._make = make

    def collect(self) -> Iterable[Metric]:
        return self._make()


def _plans(status: PlansStatus) -> Iterator[Metric]:
    yield _gauge("plans", "Plans known.", status.count)
    yield _gauge("plans_invalid", "Plans whose settings have problems.", status.invalid)
    yield _gauge("plans_synced", "Whether all plans have been read once.", status.synced)
    yield _gauge(
        "plans_age_seconds", "Time since the plans were last confirmed.", status.age_seconds
    )
    yield _counter("plan_fetches", "Reviews that asked for a plan not seen yet.", status.fetches)
    yield _counter(
        "watch_restarts", "Watches of plans begun anew after a failure.", status.restarts
    )


def _certificate(status: Status) -> Iterator[Metric]:
    expiries = (
        ("certificate_expiry_timestamp_seconds", "the certificate served", status.not_after),
        ("ca_expiry_timestamp_seconds", "its CA", status.ca_not_after),
    )
    for name, what, until in expiries:
        if until is not None:
            text = f"When {what} expires, in seconds since the epoch."
            yield _gauge(name, text, until.timestamp())
    yield _gauge("ca_published", "Whether API servers were told of the CA.", status.published)
    yield _counter("certificate_changes", "Certificates taken into service.", status.changes)
    yield _counter("ca_repairs", "Bundles put right that others had damaged.", status.repairs)


def _pods(status: PodsStatus) -> Iterator[Metric]:
    yield _gauge("pods", "Convertor pods that have not ended.", status.count)
    yield _gauge("pods_age_seconds", "Time since the pods were last confirmed.", status.age_seconds)
    yield _counter(
        "pod_watch_restarts", "Watches of pods begun anew after a failure.", status.restarts
    )
    now = GaugeMetricFamily(
        "convertor_webhook_missed_pods",
        "Convertor pods that are not as their plan asks, by what happened.",
        labels=["reason"],
    )
    ever = CounterMetricFamily(
        "convertor_webhook_missed_pods_seen",
        "Convertor pods found that are not as their plan asks, by what happened.",
        labels=["reason"],
    )
    for reason in (Reason.MISSED, Reason.CHANGED_BACK):
        now.add_metric([reason], status.missed.get(reason, 0))
        ever.add_metric([reason], status.seen.get(reason, 0))
    yield now
    yield ever


def _events(dropped: Mapping[str, int]) -> Iterator[Metric]:
    family = CounterMetricFamily(
        "convertor_webhook_events_dropped",
        "What was not told in an Event: no room to wait, too many on one plan, or it failed.",
        labels=["cause"],
    )
    for cause in CAUSES:
        family.add_metric([cause], dropped.get(cause, 0))
    yield family


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"convertor_webhook_{name}", text, value=value)


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(f"convertor_webhook_{name}", text, value=value)
