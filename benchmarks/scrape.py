"""Parser of histograms and counters in the `/metrics` of an API server."""

from collections.abc import Iterator
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample


@dataclass(frozen=True)
class Histogram:
    """A histogram of seconds: count, sum, and the cumulative count by upper bound."""

    count: float
    sum: float
    at_most: dict[float, float]

    def since(self, before: "Histogram") -> "Histogram":
        """Return the observations after `before`."""
        then = before.at_most
        at_most = {bar: count - then.get(bar, 0) for bar, count in self.at_most.items()}
        return Histogram(self.count - before.count, self.sum - before.sum, at_most)

    def add(self, other: "Histogram") -> "Histogram":
        """Return the sum of both."""
        at_most = {bar: count + other.at_most[bar] for bar, count in self.at_most.items()}
        return Histogram(self.count + other.count, self.sum + other.sum, at_most)

    @property
    def mean(self) -> float:
        return self.sum / self.count

    def bound(self, share: float) -> float:
        """Return the bucket's upper bound that this share of the observations does not exceed."""
        wanted = share * self.count
        return min(bar for bar, count in self.at_most.items() if count >= wanted)


def histogram(text: str, name: str, /, **labels: str) -> Histogram:
    """Return the sum of the histograms of this name with these labels."""
    count = total = 0.0
    at_most: dict[float, float] = {}
    for sample in _samples(text, name, labels):
        if sample.name == f"{name}_count":
            count += sample.value
        elif sample.name == f"{name}_sum":
            total += sample.value
        elif sample.name == f"{name}_bucket":
            bar = float(sample.labels["le"])
            at_most[bar] = at_most.get(bar, 0) + sample.value
    return Histogram(count, total, at_most)


def counter(text: str, name: str, /, **labels: str) -> float:
    """Return the sum of the counters of this name with these labels."""
    return sum(sample.value for sample in _samples(text, name, labels))


def _samples(text: str, name: str, labels: dict[str, str]) -> Iterator[Sample]:
    # Parsing the whole text takes seconds.
    lines = (line for line in text.splitlines(keepends=True) if line.startswith(name))
    for family in text_string_to_metric_families("".join(lines)):
        for sample in family.samples:
            if labels.items() <= sample.labels.items():
                yield sample
