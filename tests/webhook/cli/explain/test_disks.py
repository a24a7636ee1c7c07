"""`kubectl convertor explain plan`: disks of running migrations, and what may not be read."""

import json

import pytest

from tests.support import pvcs
from tests.support.builders import ZONE, node, plan
from tests.support.commands import Run
from tests.support.fake_api import FakeApi
from tests.support.golden import Golden
from tests.webhook.cli.explain.test_explain import EXPECTED
from webhook.kube.objects import Json

NODES = [node("a1", {ZONE: "a"}), node("b1", {ZONE: "b", "disk": "nvme"}), node("far")]
FIRST = pvcs.pvc("db-vm-1-disk-0", volume="pv-0")
SECOND = pvcs.pvc("db-vm-1-disk-1", volume="pv-1")
PLAN = plan(
    affinity="REQUIRE nodes(disk=nvme)\nPREFER pods(app=proxy) on zone",
    pods="convertor,first-consumer,importer",
    spec={"targetNodeSelector": {ZONE: "b"}},
)


@pytest.fixture
def migration(cluster: FakeApi) -> FakeApi:
    """Add a migration: two disks in zones that exclude each other, and other VMs."""
    waiting = pvcs.pvc("db-vm-3-disk-0", vm="vm-3")
    cluster.add(
        *(PLAN, *NODES, FIRST, SECOND),
        pvcs.volume("pv-0", pvcs.zone_terms("a")),
        pvcs.volume("pv-1", pvcs.zone_terms("b")),
        pvcs.pvc("db-vm-2-disk-0", vm="vm-2", volume="pv-2"),
        pvcs.volume("pv-2", pvcs.zone_terms("a")),
        pvcs.pvc("other-disk", plan="uid-other", volume="pv-0"),
        *(waiting, pvcs.prime_pvc(waiting, volume="pv-3"), pvcs.volume("pv-3")),
    )
    return cluster


def explained(run: Run, *words: str) -> Json:
    result = run("explain", "plan", "db", *words, "-o", "json")
    assert (result.exit_code, result.stderr) == (0, "")
    found: Json = json.loads(result.stdout)
    return found


@pytest.mark.parametrize("output", ["text", "json"])
@pytest.mark.usefixtures("migration")
def test_disks_and_their_conflicts_are_explained_in_each_format(
    run: Run, golden: Golden, output: str
) -> None:
    result = run("explain", "plan", "db", "-o", output)
    assert (result.exit_code, result.stderr) == (0, "")
    golden(EXPECTED / f"explain-disks.{output}", result.stdout)


def test_only_the_pvcs_of_the_plan_are_read(run: Run, migration: FakeApi) -> None:
    explained(run)
    selectors = [
        request.query["labelSelector"]
        for request in migration.filter_requests("list")
        if request.resource == "persistentvolumeclaims"
    ]
    assert selectors == ["plan=uid-db", "app=containerized-data-importer,!plan"]


def test_long_lists_of_disks_and_conflicts_are_truncated_in_text_only(
    run: Run, migration: FakeApi
) -> None:
    migration.add(
        *(pvcs.pvc(f"db-{number}", vm=f"vm-{number}", volume="pv-0") for number in range(10, 60))
    )
    text = run("explain", "plan", "db").stdout
    assert "… and 14 more; -o json has all\n\nConflicts" in text
    assert "… and 63 more; -o json has all\n\nNot evaluated" in text
    found = explained(run)
    assert (len(found["disks"]), len(found["conflicts"])) == (54, 103)


def test_volumes_are_not_read_before_a_disk_is_bound(run: Run, cluster: FakeApi) -> None:
    cluster.add(plan(), pvcs.pvc())
    assert len(explained(run)["disks"]) == 1
    resources = {request.resource for request in cluster.filter_requests("list")}
    assert "persistentvolumes" not in resources


@pytest.mark.parametrize(
    ("resource", "consequence", "places"),
    [
        ("persistentvolumeclaims", "the disks of running migrations are not checked", []),
        ("persistentvolumes", "the places of bound disks are not known", ["not known"] * 4),
    ],
)
def test_a_missing_right_is_reported_with_its_consequence(
    run: Run, migration: FakeApi, resource: str, consequence: str, places: list[str]
) -> None:
    migration.forbid("list", resource, user="eve")
    found = explained(run)
    (unread,) = found["unread"]
    assert unread.startswith(f"'eve' may not list {resource} ")
    assert unread.endswith(f"; {consequence}")
    assert [disk["place"] for disk in found["disks"]] == places
    assert found["conflicts"] == []
