"""Memory and lookup time of many plans."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import TypeVar

from benchmarks import processes
from benchmarks.plan_objects import plan
from benchmarks.processes import Certificate
from webhook.inventory.index import PlanIndex
from webhook.model import Installation, PlanRef

T = TypeVar("T")

KILOBYTES = 50
LOOKUPS = 2000


def memory(plans: int, certificate: Certificate, directory: Path) -> int:
    """Return the private bytes of a webhook that has listed this many plans from an API server."""
    with (
        processes.api_server(plans, KILOBYTES, directory) as api,
        processes.webhook(certificate, "--kubeconfig", api.kubeconfig) as webhook,
    ):
        found = webhook.metric("convertor_webhook_plans ")
        if found != plans:
            raise RuntimeError(f"expected {plans} plans, found {found}")
        return webhook.resident()


def lookups(counts: Sequence[int], rounds: int) -> dict[int, list[float]]:
    """Return the seconds of a lookup among this many plans, for each round.

    The lookups are of as many plans as the smallest count, with the labels of a pod of Forklift
    2.12: of all plans, only a few migrate at a time.
    """
    find = {count: _index(count).find for count in counts}
    return time_lookups(find, _ref, rounds)


def time_lookups(
    find_among: Mapping[int, Callable[[T], object]], ref_of: Callable[[int], T], rounds: int
) -> dict[int, list[float]]:
    """Return the seconds of a lookup among each count of objects, for each round.

    `ref_of` returns the reference to the object with a number.
    """
    found: dict[int, list[float]] = {count: [] for count in find_among}
    for _ in range(rounds):
        for count, find in find_among.items():
            migrating = [ref_of(number) for number in range(0, count, count // min(find_among))]
            began = perf_counter()
            for _ in range(LOOKUPS // len(migrating)):
                for ref in migrating:
                    find(ref)
            found[count].append((perf_counter() - began) / LOOKUPS)
    return found


def _index(count: int) -> PlanIndex:
    index = PlanIndex(Installation())
    index.replace_all(plan(number) for number in range(count))
    return index


def _ref(number: int) -> PlanRef:
    metadata = plan(number)["metadata"]
    return PlanRef(metadata["uid"], metadata["namespace"], metadata["name"])
