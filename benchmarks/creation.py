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

WEBHOOK = "pods.convertor.forklift.konveyor.io"
READS = [(verb, resource) for verb in ("GET", "LIST") for resource in ("plans", "nodes")]
"""API requests that a review might cause."""


@dataclass
class Creation:
    """Results of each round."""

    without: list[Histogram] = field(default_factory=list)
    placed: list[Histogram] = field(default_factory=list)
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
            "creation of a pod, webhook not called": self.without,
            "creation of a pod, placed by the webhook": self.placed,
            "the call of the webhook": self.admission,
        }

    @property
    def added(self) -> float:
        """The mean of the seconds that the webhook adds; the median over the rounds."""
        pairs = zip(self.placed, self.without, strict=True)
        return statistics.median(placed.mean - without.mean for placed, without in pairs)


def measure(api: Api, replicas: Replicas, placed: Json, without: Json) -> Creation:
    """Create pods that the webhook places, and pods for which it is not called."""
    found = Creation()
    reads, (reviews, seconds) = _reads(api), _reviews(replicas)
    for number in range(ROUNDS):
        # The order alternates.
        for pod in (placed, without) if number % 2 else (without, placed):
            creation, admission = _create(api, pod)
            if pod is placed:
                found.placed.append(creation)
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


def _create(api: Api, pod: Json) -> tuple[Histogram, Histogram]:
    before = _histograms(api)
    with Creators(api, [pod], count=1) as creators:
        creators.more(PODS)
    if creators.tally.rejected:
        raise RuntimeError(f"pods were rejected: {creators.tally}")
    creation, admission = (
        now.since(then) for now, then in zip(_histograms(api), before, strict=True)
    )
    return creation, admission


def _histograms(api: Api) -> tuple[Histogram, Histogram]:
    text = api.send("GET", "/metrics").text
    requests = "apiserver_request_duration_seconds"
    reviews = "apiserver_admission_webhook_admission_duration_seconds"
    return (
        histogram(text, requests, verb="POST", resource="pods"),
        histogram(text, reviews, name=WEBHOOK),
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
