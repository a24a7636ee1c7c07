"""Results of the measurements in a cluster, for the terminal and for docs/performance.md."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.budget import Budget
from benchmarks.creation import Creation, total
from benchmarks.document import table, verdicts
from benchmarks.scrape import Histogram

HEAD = ("plans", "what", "pods", "mean", "p50 at most", "p99 at most")


@dataclass
class Raw:
    """Raw results, by number of plans."""

    created: float = 0
    """Seconds to create all plans."""
    ready: dict[int, float] = field(default_factory=dict)
    """Seconds from the start of a replica until it is ready."""
    memory: dict[int, int] = field(default_factory=dict)
    """Private bytes of a replica after its start."""
    creation: dict[int, Creation] = field(default_factory=dict)
    imports: Creation = field(default_factory=Creation)
    """Importers of other users, with most plans."""

    @property
    def creations(self) -> list[Creation]:
        return [*self.creation.values(), self.imports]

    @property
    def results(self) -> Iterator[tuple[str, str, Sequence[Histogram]]]:
        """Yield the number of plans, the name, and the rounds of each result."""
        for plans, found in (*self.creation.items(), (max(self.creation), self.imports)):
            for what, rounds in found.named.items():
                yield _plans(plans), what, rounds


def lines(raw: Raw) -> Iterator[str]:
    """Yield the results without a budget, as text."""
    for fact in _facts(raw):
        yield f"     {fact}"
    for plans, what, pods, mean, half, most in _rows(raw):
        yield f"     {plans}, {what}: {mean}, p50 at most {half}, p99 at most {most}, {pods} pods"


def results(budgets: Sequence[Budget], raw: Raw) -> str:
    """Return the section of docs/performance.md."""
    return "\n\n".join(
        (
            verdicts(budgets),
            "\n".join(f"* {fact}" for fact in _facts(raw)),
            table(HEAD, [*_rows(raw)]),
        )
    )


def _facts(raw: Raw) -> Iterator[str]:
    for plans, found in raw.creation.items():
        each = found.reviewing / found.reviews
        yield f"with {_plans(plans)} a replica is ready {raw.ready[plans]:.1f} s after its start"
        yield f"with {_plans(plans)} a review takes {_ms(each)} in the webhook itself"
        yield f"with {_plans(plans)} the webhook adds {_ms(found.added)} to a pod's creation"
    yield f"the webhook adds {_ms(raw.imports.added)} to the creation of another user's importer"


def _rows(raw: Raw) -> Iterator[tuple[str, ...]]:
    for plans, what, rounds in raw.results:
        all_of_them = total(rounds)
        yield (
            plans,
            what,
            f"{all_of_them.count:.0f}",
            _ms(all_of_them.mean),
            _ms(all_of_them.bound(0.5)),
            _ms(all_of_them.bound(0.99)),
        )


def data(raw: Raw) -> dict[str, Any]:
    """Return all numbers."""
    return {
        "seconds to create all plans": round(raw.created, 1),
        "seconds to readiness, by plans": {str(k): round(v, 2) for k, v in raw.ready.items()},
        "bytes of private memory, by plans": raw.memory,
        "reviews, seconds of them, API calls for them": [
            (found.reviews, found.reviewing, found.calls) for found in raw.creations
        ],
        "µs on average, by round": {
            f"{plans}, {what}": [round(1e6 * each.mean) for each in rounds]
            for plans, what, rounds in raw.results
        },
        "creations within seconds": {
            f"{plans}, {what}": _counts(total(rounds)) for plans, what, rounds in raw.results
        },
    }


def _counts(found: Histogram) -> dict[str, float]:
    """Return the cumulative count of each bucket, up to the first that has all."""
    counts = {}
    for bound, count in sorted(found.at_most.items()):
        counts[f"{bound:g}"] = count
        if count == found.count:
            break
    return counts


def _plans(count: int) -> str:
    return f"{count:,} plan{'s' * (count > 1)}"


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.3g} ms"
