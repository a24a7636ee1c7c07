"""`disks: together` keeps the disks of a VM together, whichever replica reviews an importer.

A simulation of CDI, a provisioner, and two replicas that learn of each event up to a second later.
"""

import heapq
import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from random import Random

import msgspec
import pytest

from tests.support import pvcs
from tests.support.builders import HOST, ZONE, parsed_plan
from tests.support.node_affinity import matches_term
from webhook.forklift.pvc import PvcObject
from webhook.forklift.roles import decides_place
from webhook.inventory.clock import format_time
from webhook.inventory.pvc_index import PvcIndex
from webhook.kube.objects import Json
from webhook.model import Disks, Pvc, PvcRef
from webhook.placement.disks import find_disk_rules

PLAN = parsed_plan(disks=Disks.TOGETHER)
START = datetime(2026, 8, 1, 9, tzinfo=UTC)
NODES = [{ZONE: zone, HOST: f"{zone}{number}"} for zone in "abc" for number in "12"]
KEYS = {"immediate": ZONE, "zonal": ZONE, "local": HOST, "other-local": HOST, "nfs": ""}
"""The node label that decides which nodes reach a volume, by StorageClass; empty for all nodes."""


class Vm:
    """The migration of one VM; times are in seconds."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.now = 0.0
        self.replicas = [PvcIndex(self._age_of) for _ in range(2)]
        self.volumes: dict[str, list[Json]] = {}
        """The node terms of the volumes of bound disks, by the names of these."""
        self._events: list[tuple[float, int, Callable[[], object]]] = []
        self._numbers = itertools.count()
        self._told = [0.0, 0.0]
        """The time of the last event for each replica."""
        for replica in self.replicas:
            replica.set_binding_modes({"immediate": False})

    def run(self) -> None:
        classes = self.random.choices(["zonal", "local", "other-local", "nfs"], k=4)
        classes[0] = self.random.choice(["immediate", classes[0]])
        names = self.random.sample("abcdef", k=len(classes))
        for name, storage_class in zip(names, classes, strict=True):
            self._later(1.0, partial(self._create, name, storage_class))
        while self._events:
            self.now, _, event = heapq.heappop(self._events)
            event()

    def _create(self, name: str, storage_class: str) -> None:
        created = format_time(START + timedelta(seconds=self.now))
        pvc = _read(pvcs.pvc(name, created=created, storage_class=storage_class))
        self._tell_replicas(lambda replica: replica.put(pvc))
        self._later(0.5, lambda: self._review(pvc))
        if storage_class == "immediate":
            self._later(1.0, lambda: self._bind(pvc, []))

    def _review(self, pvc: Pvc) -> None:
        """Review the importer, in one of the replicas."""
        disk = self.random.choice(self.replicas).find_disk(PvcRef(pvc.namespace, pvc.name, pvc.uid))
        if disk is None:  # the review waits for the PVC
            self._later(0.1, lambda: self._review(pvc))
            return
        rules = find_disk_rules(disk, PLAN) if decides_place(disk) else None
        if rules and rules.refusal:
            self._later(20.0, lambda: self._review(pvc))
        elif pvc.storage_class != "immediate":
            assert rules is None or not rules.problems
            self._later(8.0, lambda: self._bind(pvc, rules.node_terms if rules else []))

    def _bind(self, pvc: Pvc, required: list[Json]) -> None:
        """Bind the volume where the importer runs: at any node that its rules allow."""
        allowed = [
            node
            for node in NODES
            if not required or any(matches_term(term, node) for term in required)
        ]
        node = self.random.choice(allowed)
        key = KEYS[pvc.storage_class]
        selected = {"matchExpressions": [{"key": key, "operator": "In", "values": [node.get(key)]}]}
        terms: list[Json] = [selected] if key else []
        self.volumes[pvc.name] = terms
        bound = msgspec.structs.replace(pvc, bound=True, volume=f"pv-{pvc.name}")

        def add_volume(replica: PvcIndex) -> None:
            replica.put(bound)
            self._later(1.0, lambda: replica.set_node_terms(bound, terms))

        self._tell_replicas(add_volume)

    def _tell_replicas(self, change: Callable[[PvcIndex], object]) -> None:
        """Deliver an event to each replica, in order, each with a delay of its own."""
        for number, replica in enumerate(self.replicas):
            at = max(self._told[number], self.now + self.random.uniform(0.0, 1.0))
            self._told[number] = at
            self._at(at, partial(change, replica))

    def _later(self, seconds: float, event: Callable[[], object]) -> None:
        self._at(self.now + self.random.uniform(0.0, seconds), event)

    def _at(self, time: float, event: Callable[[], object]) -> None:
        heapq.heappush(self._events, (time, next(self._numbers), event))

    def _age_of(self, created: str) -> float:
        return self.now - (datetime.fromisoformat(created) - START).total_seconds()


def _read(pvc: Json) -> Pvc:
    return msgspec.convert(pvc, PvcObject).to_pvc()


@pytest.mark.parametrize("seed", range(200))
def test_the_disks_of_a_vm_are_bound_where_one_node_reaches_them_all(seed: int) -> None:
    vm = Vm(seed)

    vm.run()

    assert len(vm.volumes) == 4
    assert vm.now < 600
    assert any(
        all(not terms or matches_term(terms[0], node) for terms in vm.volumes.values())
        for node in NODES
    )
