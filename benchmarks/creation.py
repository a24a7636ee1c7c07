"""Latency of pod creation and of the webhook call in it, by the API server's metrics."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.scrape import Histogram, counter, histogram
from tests.system.controlplane.api import Api, Json
from tests.system.controlplane.replicas import Replicas
from tests.system.e2e.reliability.creators import Creators

ROUNDS, PODS = 7, 150
"""The pods of a round are created one by one, alternately with and without the webhook."""

PODS_WEBHOOK = "pods.convertor.forklift.konveyor.io"
IMPORTERS_WEBHOOK = "importers.convertor.forklift.konveyor.io"
RESOURCES = ("plans", "nodes", "persistentvolumeclaims", "persistentvolumes", "storageclasses")
READS = [(verb, resource) for verb in ("GET", "LIST") for resource in RESOURCES]
"""API requests that a review might cause."""


@dataclass
class Creation:
    """Results of each round."""

    pod: str = "a pod"
    """In the names of the results."""
    called: str = "placed by the webhook"
    """The result of the review."""
    without: list[Histogram] = field(default_factory=list)
    reviewed: list[Histogram] = field(default_factory=list)
    """With the webhook."""
    admission: list[Histogram] = field(default_factory=list)
    """The call of the webhook, including TLS and network."""
    calls: float = 0
    """API requests during the reviews."""
    reviews: float = 0
    reviewing: float = 0
    """Sum of the seconds of all reviews, by the webhook's own metric."""

    @property
    def named(self) -> dict[str, list[Histogram]]:
        return {
            f"creation of {self.pod}, webhook not called": self.without,
            f"creation of {self.pod}, {self.called}": self.reviewed,
            f"the call of the webhook for {self.pod}": self.admission,
        }

    @property
    def added(self) -> float:
        """The mean of the seconds that the webhook adds; the median over the rounds."""
        pairs = zip(self.reviewed, self.without, strict=True)
        return statistics.median(reviewed.mean - without.mean for reviewed, without in pairs)


def measure_placed(api: Api, replicas: Replicas, placed: Json, without: Json) -> Creation:
    """Create pods that the webhook places, and pods for which it is not called."""
    return _measure(Creation(), api, replicas, (placed, without), PODS_WEBHOOK)


def measure_imports(api: Api, replicas: Replicas, importer: Json, without: Json) -> Creation:
    """Create importers of other users for which the webhook is called, and some for which not."""
    found = Creation("another user's importer", "admitted by the webhook")
    found = _measure(found, api, replicas, (importer, without), IMPORTERS_WEBHOOK)
    if found.reviews < ROUNDS * PODS:
        raise RuntimeError(f"the webhook was called for {found.reviews:.0f} importers only")
    return found


def _measure(
    found: Creation, api: Api, replicas: Replicas, pods: tuple[Json, Json], webhook: str
) -> Creation:
    """Fill `found` with the creations of two pods, the first of which is reviewed."""
    reviewed, without = pods
    reads, (reviews, seconds) = _reads(api), _reviews(replicas)
    for number in range(ROUNDS):
        # The order alternates.
        for pod in (reviewed, without) if number % 2 else (without, reviewed):
            creation, admission = _create(api, pod, webhook)
            if pod is reviewed:
                found.reviewed.append(creation)
                found.admission.append(admission)
            else:
                found.without.append(creation)
    found.calls = _reads(api) - reads
    found.reviews, found.reviewing = _reviews(replicas)
    found.reviews -= reviews
    found.reviewing -= seconds
    return found


def total(rounds: Sequence[Histogram]) -> Histogram:
    """Return the sum of all rounds."""
    first, *others = rounds
    for each in others:
        first = first.add(each)
    return first


def _create(api: Api, pod: Json, webhook: str) -> tuple[Histogram, Histogram]:
    before = _histograms(api, webhook)
    with Creators(api, [pod], count=1) as creators:
        creators.more(PODS)
    if creators.tally.rejected:
        raise RuntimeError(f"pods were rejected: {creators.tally}")
    creation, admission = (
        now.since(then) for now, then in zip(_histograms(api, webhook), before, strict=True)
    )
    return creation, admission


def _histograms(api: Api, webhook: str) -> tuple[Histogram, Histogram]:
    text = api.send("GET", "/metrics").text
    requests = "apiserver_request_duration_seconds"
    reviews = "apiserver_admission_webhook_admission_duration_seconds"
    return (
        histogram(text, requests, verb="POST", resource="pods"),
        histogram(text, reviews, name=webhook),
    )


def _reads(api: Api) -> float:
    text = api.send("GET", "/metrics").text
    name = "apiserver_request_total"
    return sum(counter(text, name, verb=verb, resource=resource) for verb, resource in READS)


def _reviews(replicas: Replicas) -> tuple[float, float]:
    """Return the number of reviews, and the sum of their seconds."""
    name = "convertor_webhook_review_duration_seconds"
    count, seconds = (
        sum(replica.metric(f"{name}_{part}") for replica in replicas.running)
        for part in ("count", "sum")
    )
    return count, seconds
