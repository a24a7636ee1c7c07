"""Enforced settings of the installation, on every pod of a plan that switches its own off."""

from collections.abc import Iterator

import pytest

from tests.system.controlplane.api import Json
from tests.system.controlplane.release import OPT_IN, Release
from tests.system.e2e.migration.cluster import WITHOUT, ZONES, Cluster
from tests.system.e2e.migration.every_pod import EVERY_POD, bind, pod_of, role_of
from tests.system.e2e.pod_results import PodResult, send
from tests.system.e2e.preparation import add_namespace
from tests.system.e2e.settings.conftest import FLOOR, FLOORED
from tests.system.guide.forklift import Generation, convertor_pod
from tests.system.guide.rows import PLAN_NAMESPACE
from webhook.model import Reason, Role

AUDITED = "audited"
ALLOWED = {"migration": "allowed"}
TOLERATION = {
    "key": "dedicated",
    "operator": "Equal",
    "value": "migration",
    "effect": "NoSchedule",
}
REQUIRED, PREFERRED = (
    f"{kind}DuringSchedulingIgnoredDuringExecution" for kind in ("required", "preferred")
)
OFF = {"mode": "off", "affinity": "", "affinity-policy": "replace", "pods": "convertor"}


@pytest.fixture(scope="module", autouse=True)
def zones(shared_cluster: Cluster) -> Iterator[None]:
    with shared_cluster.nodes(ZONES):
        yield


def sent(cluster: Cluster, body: Json) -> tuple[PodResult, PodResult]:
    """Return the results with the webhook and without it."""
    elsewhere = body | {"metadata": body["metadata"] | {"namespace": WITHOUT}}
    results = (send(cluster.api, each, dryRun="All") for each in (body, elsewhere))
    placed, original = results
    assert not placed.rejection, placed
    assert not original.rejection, original
    return placed, original


def tolerated(result: PodResult) -> bool:
    return TOLERATION in result.pod["spec"]["tolerations"]


@pytest.mark.parametrize("name", EVERY_POD)
def test_every_pod_gets_it_in_the_form_of_its_role(
    cluster: Cluster, floor: Release, name: str
) -> None:
    body, pvc = pod_of(cluster, cluster.plan(FLOORED, OFF), name)
    body["metadata"].pop("finalizers", None)
    role = role_of(name)
    if role is None or body["metadata"]["namespace"] == PLAN_NAMESPACE:
        placed, original = sent(cluster, body)
        assert placed.pod["spec"] == original.pod["spec"]
        return
    floor.wait("the pod to be placed", lambda: tolerated(sent(cluster, body)[0]))
    if role is Role.IMPORTER and "nodeName" not in body["spec"]:
        check(sent(cluster, body)[0], Role.FIRST_CONSUMER)
        assert pvc is not None
        bind(cluster, pvc)
        floor.wait("the PVC to be bound", lambda: not required(sent(cluster, body)[0]))
    placed, original = sent(cluster, body)
    if "nodeName" in body["spec"]:
        tolerations = {"tolerations": None}
        assert placed.pod["spec"] | tolerations == original.pod["spec"] | tolerations
    else:
        check(placed, role)


def required(result: PodResult) -> bool:
    return bool(ALLOWED.items() <= result.pod["spec"].get("nodeSelector", {}).items())


def check(result: PodResult, role: Role) -> None:
    """Check that a pod without a node has what is enforced."""
    affinity = result.pod["spec"]["affinity"]
    softened = role in (Role.IMPORTER, Role.POPULATOR)
    assert required(result) is not softened
    assert ("allowed" in str(affinity.get("nodeAffinity", {}).get(PREFERRED))) is softened
    against = affinity["podAntiAffinity"]
    assert "payments" in str(against[PREFERRED if softened else REQUIRED])


@pytest.fixture(scope="module")
def audited(shared_cluster: Cluster) -> Iterator[Release]:
    """Install the chart in mode audit, with the same settings."""
    add_namespace(shared_cluster.api, AUDITED, {OPT_IN: AUDITED})
    release = Release(shared_cluster.plane, AUDITED, FLOOR | {"mode": "audit"})
    try:
        release.install()
        release.start()
        yield release
    finally:
        release.kill()


@pytest.mark.parametrize(
    ("mode", "reason"),
    [
        ("audit", Reason.WOULD_PLACE),
        ("off", Reason.MODE_OFF),
        ("enforce", Reason.PLACED),
    ],
)
def test_an_installation_that_does_not_enforce_adds_nothing_of_it(
    cluster: Cluster, audited: Release, mode: str, reason: Reason
) -> None:
    plan = cluster.plan(AUDITED, {"mode": mode, "labels": "team=a"})
    body = convertor_pod(Generation.V2_12, plan)

    def reviewed() -> float:
        sent(cluster, body)
        return audited.metric("convertor_webhook_reviews_total", reason=reason)

    audited.wait("the plan to be known", reviewed)
    placed, original = sent(cluster, body)
    assert placed.pod["spec"] == original.pod["spec"]
    assert (placed.labels.get("team") == "a") is (mode == "enforce")
