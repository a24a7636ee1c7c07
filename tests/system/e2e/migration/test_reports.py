"""Events about a warm migration: conflicts before the cutover, and missed importers."""

import json
import time
from collections.abc import Iterator

import pytest

from tests.system.controlplane.api import Json
from tests.system.controlplane.process import until
from tests.system.controlplane.replicas import Replicas
from tests.system.e2e.kubectl import Kubectl
from tests.system.e2e.migration.cluster import WITH, ZONES, Cluster
from tests.system.e2e.migration.printed import Versions
from tests.system.e2e.migration.provisioner import IMMEDIATE
from tests.system.guide.rows import PLAN_NAMESPACE, PREFIX

IN_ZONE_B = {"node-selector": "topology.kubernetes.io/zone=b"}


@pytest.fixture(scope="module", autouse=True)
def zones(shared_cluster: Cluster) -> Iterator[None]:
    with shared_cluster.nodes(ZONES):
        yield


@pytest.mark.parametrize("versions", [Versions("1.62", "2.10"), Versions("1.66", "2.12")])
def test_a_disk_where_the_convertor_cannot_run_is_reported_before_the_cutover(
    cluster: Cluster, replicas: Replicas, versions: Versions
) -> None:
    plan = cluster.plan(WITH, IN_ZONE_B | {"pods": "convertor"})
    warm = cluster.migrate(plan, versions)
    warm.imported()
    assert warm.zones() == [{"a"}]
    (event,) = until(
        "an Event about the conflict", lambda: cluster.events(plan, "PlacementConflict")
    )
    assert event["type"] == "Warning"
    (vm,) = warm.vms
    assert vm in event["message"]
    assert not [each for each in cluster.api.list("Pod", WITH) if _is_convertor(each)]
    assert _conflicts(replicas) >= 1
    kubectl, message = Kubectl(cluster.plane), event["message"]
    assert message in kubectl("convertor", "show", "-n", PLAN_NAMESPACE).stderr
    name = plan["metadata"]["name"]
    assert message in kubectl.done("convertor", "explain", "plan", name, "-n", PLAN_NAMESPACE)
    (conflict,) = _audited(kubectl, plan)["conflicts"]
    assert (conflict["vm"], conflict["kind"], conflict["message"]) == (vm, "convertor", message)
    (convertor,) = warm.cut_over()
    assert convertor.why_pending, convertor


def test_disks_of_a_vm_in_two_zones_are_reported_before_the_cutover(
    cluster: Cluster, replicas: Replicas
) -> None:
    plan = cluster.plan(WITH)
    warm = cluster.migrate(plan, Versions("1.66", "2.12"), disks=2, storage_class=IMMEDIATE)
    warm.imported()
    assert warm.zones() == [{"a", "b"}]
    (event,) = until(
        "an Event about the conflict", lambda: cluster.events(plan, "PlacementConflict")
    )
    (disks,) = warm.vms.values()
    assert all(disk.name in event["message"] for disk in disks)
    (convertor,) = warm.cut_over()
    assert convertor.why_pending, convertor


def test_a_migration_whose_rule_is_met_has_no_conflict(
    cluster: Cluster, replicas: Replicas
) -> None:
    plan = cluster.plan(WITH, IN_ZONE_B)
    warm = cluster.migrate(plan, Versions("1.66", "2.12"))
    warm.imported()
    (convertor,) = warm.cut_over()
    assert convertor.node
    until("no conflict", lambda: _conflicts(replicas) == 0)
    assert cluster.events(plan, "PlacementConflict") == []


def test_an_importer_that_was_created_while_the_webhook_was_down_is_reported(
    cluster: Cluster, replicas: Replicas
) -> None:
    versions = Versions("1.62", "2.12")
    cluster.kubelet.holding = True
    plan = cluster.plan(WITH, IN_ZONE_B | {"labels": "wave=3", "pods": "all"})
    time.sleep(1.1)  # the API server's times have whole seconds
    placed = cluster.migrate(plan, versions)
    until("an importer to be placed", placed.importers)
    assert placed.importers()[0].labels["wave"] == "3"
    down = replicas.running
    for replica in down:
        replica.process.kill()
    missed = cluster.migrate(plan, versions)
    until("an importer to be created", missed.importers)
    (importer,) = missed.importers()
    assert f"{PREFIX}/placement" not in importer.pod["metadata"]["annotations"]
    for replica in down:
        replica.start()
    for replica in down:
        replica.await_ready()
    replicas.await_used()
    (event,) = until("an Event about it", lambda: cluster.events(plan, "Missed"))
    name = importer.pod["metadata"]["name"]
    assert event["related"]["name"] == name
    pods = {each["name"]: each for each in _audited(Kubectl(cluster.plane), plan)["pods"]}
    assert (pods[f"{WITH}/{name}"]["role"], pods[f"{WITH}/{name}"]["missed"]) == (
        "importer",
        "Missed",
    )


def _audited(kubectl: Kubectl, plan: Json) -> Json:
    """Return what `kubectl convertor audit` reports about a plan."""
    report = json.loads(kubectl.done("convertor", "audit", "-o", "json", "-n", PLAN_NAMESPACE))
    name = f"{PLAN_NAMESPACE}/{plan['metadata']['name']}"
    found: Json = next(each for each in report["plans"] if each["plan"] == name)
    return found


def _is_convertor(pod: Json) -> bool:
    labels: dict[str, str] = pod["metadata"].get("labels", {})
    return labels.get("forklift.app") == "virt-v2v"


def _conflicts(replicas: Replicas) -> float:
    return max(
        replica.metric("convertor_webhook_placement_conflicts") for replica in replicas.running
    )
