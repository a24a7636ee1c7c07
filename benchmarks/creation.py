"""What the API server says of pods: how long their creation took, and the webhook's part of it."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.scrape import Histogram, counter, histogram
from tests.system.controlplane.api import Api, Json
from tests.system.controlplane.replicas import Replicas
from tests.system.e2e.reliability.creators import Creators

ROUNDS, PODS = 7, 150
"""One pod after the other, in turns with the webhook and without it."""

WEBHOOK = "pods.convertor.forklift.konveyor.io"
READS = [(verb, resource) for verb in ("GET", "LIST") for resource in ("plans", "nodes")]
"""What a review could ask the API server for."""


@dataclass
class Creation:
    """Round by round."""

    without: list[Histogram] = field(default_factory=list)
    placed: list[Histogram] = field(default_factory=list)
    """With the webhook."""
    admission: list[Histogram] = field(default_factory=list)
    """The webhook's part of it, TLS and network included."""
    calls: float = 0
    """That a review could have made."""
    reviews: float = 0
    reviewing: float = 0
    """Seconds that all reviews together took the webhook itself."""

    @property
    def named(self) -> dict[str, list[Histogram]]:
        return {
            "creation of a pod, the webhook not asked": self.without,
            "creation of a pod, placed by the webhook": self.placed,
            "the webhook's part of it": self.admission,
        }

    @property
    def added(self) -> float:
        """The seconds that the webhook adds on average: the median over the rounds."""
        pairs = zip(self.placed, self.without, strict=True)
        return statistics.median(placed.mean - without.mean for placed, without in pairs)


def measure(api: Api, replicas: Replicas, placed: Json, without: Json) -> Creation:
    """Create pods that the webhook places, and such that it is not asked about."""
    found = Creation()
    reads, (reviews, seconds) = _reads(api), _reviews(replicas)
    for number in range(ROUNDS):
        # Each round begins with the other one.
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
    """Return all rounds as one."""
    first, *others = rounds
    for each in others:
        first = first.and_also(each)
    return first


def _create(api: Api, pod: Json) -> tuple[Histogram, Histogram]:
    before = _histograms(api)
    with Creators(api, [pod], count=1) as creators:
        creators.more(PODS)
    if creators.tally.refused:
        raise RuntimeError(f"pods were refused: {creators.tally}")
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
    """Return how many reviews there were, and the seconds that they took."""
    name = "convertor_webhook_review_duration_seconds"
    count, seconds = (
        sum(replica.metric(f"{name}_{part}") for replica in replicas.running)
        for part in ("count", "sum")
    )
    return count, seconds
