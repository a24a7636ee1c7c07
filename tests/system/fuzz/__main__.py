"""`make fuzz`: searches the slowest inputs, and sends reviews by the hundred thousand.

Prints PASS or FAIL for each measured value. The inputs that break one are files in .build/fuzz.
`--write` writes the result into docs/reliability.md.
"""

import argparse
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from random import SystemRandom

from benchmarks.budget import Budget, at_most
from tests.system.fuzz import campaign, document, durations
from tests.system.fuzz.campaign import LAWS
from tests.system.fuzz.targets import TARGETS


def main() -> int:
    """Print a line for each measured value; return 1 if one is not as it must be."""
    parser = argparse.ArgumentParser(prog="make fuzz", description="search for bad responses")
    parser.add_argument("--seconds", type=float, default=60, help="of the search in each target")
    parser.add_argument("--reviews", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=SystemRandom().randrange(10**6))
    parser.add_argument("--write", action="store_true", help="also write docs/reliability.md")
    options = parser.parse_args()
    print(f"seed {options.seed}, {document.machine()}", flush=True)
    budgets: list[Budget] = []
    run = document.Run(options.seed)
    cores = len(os.sched_getaffinity(0))
    with ProcessPoolExecutor(cores, mp_context=get_context("spawn")) as processes:
        for budget in _measure(options, run, processes):
            print(budget, flush=True)
            budgets.append(budget)
    if options.write:
        document.write(run)
    return 0 if all(budget.met for budget in budgets) else 1


def _measure(
    options: argparse.Namespace, run: document.Run, processes: ProcessPoolExecutor
) -> Iterator[Budget]:
    if options.seconds:
        searches = [
            processes.submit(durations.search, name, options.seconds, options.seed)
            for name in TARGETS
        ]
        for search in searches:
            result = search.result()
            run.results.append(result)
            yield from result.budgets()
            _print_files(result.reproducers)
    if options.reviews:
        began = time.monotonic()
        for counts, breaches, files in processes.map(
            campaign.send, *zip(*campaign.split(options.seed, options.reviews), strict=True)
        ):
            run.counts += counts
            run.breaches += breaches
            _print_files(files)
        run.seconds = time.monotonic() - began
        reviews = run.counts["reviews"]
        for law in LAWS:
            yield at_most(0, f"{law} in {reviews} reviews", run.breaches[law])


def _print_files(files: list[str]) -> None:
    for file in files:
        print(f"     reproduced by {file}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
