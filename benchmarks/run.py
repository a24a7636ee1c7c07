"""Measure the performance budgets that need no cluster, and print PASS or FAIL for each.

Machines are noisy, so where possible a budget is a ratio of two things that are measured
alternately in one run. `--write` writes the results into docs/performance.md and the raw data into
benchmarks/results.
"""

import argparse
import json
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter

import uvloop

from benchmarks import disk_objects, disks, document, load, plans, processes, speed
from benchmarks.budget import Budget, at_least, at_most
from benchmarks.plan_objects import plan
from benchmarks.processes import Certificate, Webhook
from benchmarks.raw import Raw
from tests.system.fuzz import slow_inputs
from tests.system.fuzz.clock import LOOPS_IN_100_MS

PLANS = 100
"""Plans of the webhook while its speed is measured; successive reviews are of different plans."""

FEW, MANY = 10, 10_000
"""Numbers of plans, and of disks."""

DISKS = PLANS * disk_objects.DISKS_OF_A_VM

OTHERS = {"plain": "the plainest FastAPI webhook", "bare": "a bare ASGI response"}

DIFFERENT = 1000
"""Pods that are all different: more than the response cache has entries."""


METRICS_DELAY_SECONDS = 0.2
"""More than the time from a response to its metrics."""


def main() -> int:
    """Print a line for each budget; return 1 if one is not met."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--write", action="store_true", help="also write docs/performance.md and the raw data"
    )
    options = parser.parse_args()
    processes.pin(processes.CLIENT_CPU)
    budgets: list[Budget] = []
    raw = Raw()
    for budget in measure(raw):
        print(budget, flush=True)
        budgets.append(budget)
    if options.write:
        document.write(budgets, raw)
    return 0 if all(budget.met for budget in budgets) else 1


def measure(raw: Raw) -> Iterator[Budget]:
    """Measure all budgets, one after the other."""
    with tempfile.TemporaryDirectory() as made:
        directory = Path(made)
        certificate = processes.certificate(directory)
        yield from speed_of_reviews(certificate, directory, raw)
        yield from cost_of_plans(certificate, directory, raw)
        yield from cost_of_disks(directory, raw)
    yield time_of_slow_inputs(raw)
    yield time_of_tests(raw)


def speed_of_reviews(certificate: Certificate, directory: Path, raw: Raw) -> Iterator[Budget]:
    """Compare the webhook with other applications on the same server."""
    requests = [load.request(review(number)) for number in range(PLANS)]
    with (
        processes.api_server(PLANS, 1, directory, disks=DISKS) as api,
        processes.webhook(certificate, "--kubeconfig", api.kubeconfig) as webhook,
        processes.compared("plain", certificate) as plain,
        processes.compared("bare", certificate) as bare,
    ):
        calls = api.count_reads()
        targets = {"webhook": webhook.target, "plain": plain, "bare": bare}
        rates = raw.rates = uvloop.run(speed.rates(targets, requests, rounds=27, seconds=0.35))
        for bar, name in ((1.0, "plain"), (0.5, "bare")):
            ours, theirs = ([one.reviews for one in rates[each]] for each in ("webhook", name))
            ratio = speed.ratio(ours, theirs)
            yield at_least(bar, f"reviews/s, relative to {OTHERS[name]}", ratio)
        different = [load.request(review(number, alike=False)) for number in range(DIFFERENT)]
        alone = {"webhook, all pods different": webhook.target}
        raw.rates |= uvloop.run(speed.rates(alone, different, rounds=3, seconds=1.0))
        importers = [load.request(disk_objects.importer_review(each)) for each in range(DISKS)]
        unplaced = _unplaced(webhook)
        alone = {"webhook, importers of two disks": webhook.target}
        raw.rates |= uvloop.run(speed.rates(alone, importers, rounds=3, seconds=1.0))
        if _unplaced(webhook) != unplaced:
            raise RuntimeError("not all importers were placed")
        targets = {"webhook": webhook.target, "plain": plain}
        for rate, seconds in ((20, 10.0), (300, 3.0)):
            times = uvloop.run(speed.latencies(targets, requests, rate, rounds=5, seconds=seconds))
            raw.latencies[rate] = times
            ours, theirs = (
                [speed.percentile(one, 99) for one in times[name]] for name in ("webhook", "plain")
            )
            ratio = speed.ratio(ours, theirs)
            name = f"p99 at {rate} reviews/s, relative to {OTHERS['plain']}"
            yield at_most(1.2, name, ratio)
        yield at_most(
            0,
            "API calls per review, importers included",
            (api.count_reads() - calls) / _reviews(webhook),
        )


def review(number: int, *, alike: bool = True) -> bytes:
    """Return the review of a pod that Forklift 2.12 would create for one of the plans.

    The pods of one plan get the same response. If not `alike`, an annotation makes each different.
    """
    found = json.loads((processes.ROOT / "examples" / "review.json").read_text())
    metadata = plan(number % PLANS)["metadata"]
    pod = found["request"]["object"]["metadata"]
    if not alike:
        pod["annotations"] = {"example.com/number": str(number)}
    labels = pod["labels"]
    labels |= {"plan": metadata["uid"], "plan-name": metadata["name"], "vmID": f"vm-{number}"}
    labels["plan-namespace"] = metadata["namespace"]
    return json.dumps(found, separators=(",", ":")).encode()


def cost_of_plans(certificate: Certificate, directory: Path, raw: Raw) -> Iterator[Budget]:
    """Compare lookups with those among few plans, and memory with that of no plans."""
    # In a process of its own, whose memory has only the plans.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        times = raw.lookups = process.submit(plans.lookups, (FEW, MANY), rounds=151).result()
    ratio = speed.ratio(times[MANY], times[FEW])
    yield at_most(1.1, f"lookup time among {MANY} plans, relative to {FEW}", ratio)
    sizes = {count: plans.memory(count, certificate, directory) for count in (0, MANY)}
    raw.memory = sizes
    growth = (sizes[MANY] - sizes[0]) / 1e6
    yield at_most(20, f"memory for {MANY} plans of {plans.KILOBYTES} KB", growth, " MB")


def cost_of_disks(directory: Path, raw: Raw) -> Iterator[Budget]:
    """Compare lookups among many disks, and their memory, with those of few."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        times = raw.disk_lookups = process.submit(disks.lookups, (FEW, MANY), rounds=51).result()
    ratio = speed.ratio(times[MANY], times[FEW])
    yield at_most(1.1, f"lookup time of a disk among {MANY} PVCs, relative to {FEW}", ratio)
    sizes = raw.disks = {count: disks.memory(count, directory) for count in (FEW, MANY)}
    yield at_most(10, f"memory for {MANY} watched PVCs", (sizes[MANY] - sizes[FEW]) / 1e6, " MB")


def time_of_slow_inputs(raw: Raw) -> Budget:
    """Measure the slowest inputs that `make fuzz` has found, relative to a calibration loop."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        raw.slow_inputs = process.submit(slow_inputs.measure).result()
    name, loops = max(raw.slow_inputs.items(), key=lambda each: each[1])
    text = f"CPU time of the slowest known input ({name}), in calibration loops"
    return at_most(LOOPS_IN_100_MS, text, loops)


def time_of_tests(raw: Raw) -> Budget:
    """Run the tests as `make test` does; if they fail, their time is infinite."""
    processes.unpin()
    began = perf_counter()
    done = subprocess.run(["make", "tests"], cwd=processes.ROOT, check=False, capture_output=True)
    raw.tests = perf_counter() - began
    if done.returncode:
        print(done.stdout.decode()[-2000:], file=sys.stderr)
        raw.tests = math.inf
    return at_most(30, "default test run", raw.tests, " s")


def _reviews(webhook: Webhook) -> float:
    return webhook.metric("convertor_webhook_reviews_total")


def _unplaced(webhook: Webhook) -> float:
    time.sleep(METRICS_DELAY_SECONDS)
    placed = webhook.metric('convertor_webhook_reviews_total{mode="enforce",outcome="patched"')
    return _reviews(webhook) - placed


if __name__ == "__main__":
    sys.exit(main())
