"""Measure in a real cluster the memory of many large plans and the latency of pod creation.

It takes ten minutes, most of them to create the plans. `--write` writes the results into
docs/performance.md and the raw data into benchmarks/results.
"""

import argparse
import ssl
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

from benchmarks import cluster_document, creation, crowd, disk_objects, document
from benchmarks.budget import Budget, at_most
from benchmarks.cluster_document import Raw
from benchmarks.load import Target
from benchmarks.plans import KILOBYTES
from benchmarks.processes import Webhook
from tests.system.controlplane.api import Json
from tests.system.controlplane.cluster import ControlPlane
from tests.system.controlplane.process import until
from tests.system.controlplane.replica import Replica
from tests.system.e2e.preparation import add_namespace, furnish
from tests.system.e2e.reliability.running import TARGET, running
from tests.system.guide.forklift import Generation, convertor_pod

ONE, MANY = 1, 10_000
"""Numbers of plans. The pods that are created belong to the first plan."""

EXCLUDED = "excluded"
"""A namespace for whose pods the API server does not call the webhook."""


def main() -> int:
    """Print a line for each result; return 1 if a budget is not met."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--write", action="store_true", help="also write docs/performance.md and the raw data"
    )
    parser.add_argument(
        "--plans", type=int, default=MANY, help="number of plans of the larger measurement"
    )
    options = parser.parse_args()
    raw = Raw()
    measure(raw, options.plans)
    budgets = compare(raw, options.plans)
    print(*budgets, *cluster_document.lines(raw), sep="\n")
    if options.write:
        document.put("cluster", cluster_document.results(budgets, raw), cluster_document.data(raw))
    return 0 if all(budget.met for budget in budgets) else 1


def measure(raw: Raw, many: int) -> None:
    """Fill `raw`; the replicas are restarted for each number of plans."""
    with cluster() as plane:
        api = plane.admin
        made = api.create(crowd.large(0, TARGET))
        pod = convertor_pod(Generation.V2_12, made)
        importer = in_namespace(disk_objects.foreign_importer(), TARGET)
        # Without validation, because no replica runs while ten thousand Plans are created.
        with running(plane, pod, "bench", planValidation={"enabled": False}) as replicas:
            both = replicas.running
            for plans in (ONE, many):
                end(both)
                began = perf_counter()
                crowd.create(api, range(ONE, plans))
                raw.created = perf_counter() - began
                raw.ready[plans] = start(both)
                raw.memory[plans] = memory(both[0])
                replicas.await_used()
                raw.creation[plans] = creation.measure_placed(
                    api, replicas, pod, in_namespace(pod, EXCLUDED)
                )
            raw.imports = creation.measure_imports(
                api, replicas, importer, in_namespace(importer, EXCLUDED)
            )


def in_namespace(pod: Json, namespace: str) -> Json:
    return pod | {"metadata": pod["metadata"] | {"namespace": namespace}}


@contextmanager
def cluster() -> Iterator[ControlPlane]:
    """Run a control plane without a scheduler, so that only the benchmark changes objects."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        plane = ControlPlane(Path(folder))
        try:
            plane.start()
            plane.scheduler.stop()
            furnish(plane.admin)
            crowd.furnish(plane.admin)
            for name in (TARGET, EXCLUDED):
                add_namespace(plane.admin, name)
            yield plane
        finally:
            plane.stop()


def end(replicas: Sequence[Replica]) -> None:
    for replica in replicas:
        replica.process.kill()


def start(replicas: Sequence[Replica]) -> float:
    """Start the replicas one by one; return the seconds until the first was ready."""
    began = perf_counter()
    first, *others = replicas
    first.start()
    until("the first replica", first.ready, seconds=600)
    seconds = perf_counter() - began
    for other in others:
        other.start()
        until("another replica", other.ready, seconds=600)
    return seconds


def memory(replica: Replica) -> int:
    """Return the bytes of its private memory."""
    return Webhook(Target(0, ssl.create_default_context(), replica.process.pid), "").resident()


def compare(raw: Raw, many: int) -> list[Budget]:
    """Compare the results with the budgets."""
    growth = (raw.memory[many] - raw.memory[ONE]) / 1e6
    calls = sum(each.calls for each in raw.creations)
    reviews = sum(each.reviews for each in raw.creations)
    added = raw.imports.added / raw.creation[many].added
    return [
        at_most(20, f"memory for {many} plans of {KILOBYTES} KB in a cluster", growth, " MB"),
        at_most(0, f"API calls of {reviews:.0f} reviews in a cluster", calls),
        at_most(1.1, "added to another user's import, relative to a convertor pod", added),
    ]


if __name__ == "__main__":
    sys.exit(main())
