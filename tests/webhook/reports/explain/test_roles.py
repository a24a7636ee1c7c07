"""The nodes of each role and of the VMs, and those that they have in common."""

from typing import Any

import msgspec
import pytest

from tests.support.affinity_terms import is_in, node_terms
from tests.support.builders import ZONE, node, plan
from webhook.kube.objects import Json
from webhook.model import Installation, Limits, Mode, Role, Settings
from webhook.reports.explain import ClusterObjects, Explanation, explain

NODES = [
    node("a1", {ZONE: "a", "disk": "nvme"}),
    node("a2", {ZONE: "a"}),
    node("b1", {ZONE: "b", "disk": "nvme"}),
    node("b2", {ZONE: "b"}, taints=("gpu:NoSchedule",)),
    node("far", {"disk": "hdd"}),
]


def explained(
    a_plan: Json | None = None, nodes: list[Json] = NODES, **installation: Any
) -> Explanation:
    cluster = ClusterObjects(nodes, [], [], [])
    return explain(a_plan or plan(), Installation(**installation), cluster)


def rows(found: Explanation) -> dict[str, tuple[list[str], list[str], str]]:
    return {row.role: (row.nodes, row.zones, row.settings) for row in found.roles}


def advice(found: Explanation) -> list[tuple[str, str]]:
    return [(each.problem, each.remedy) for each in found.advice]


def test_convertors_and_vms_have_a_row_and_other_roles_if_settings_apply_to_them() -> None:
    everywhere = ["a1", "a2", "b1", "far"]
    assert rows(explained()) == {
        "convertor": (everywhere, ["a", "b"], "none"),
        "vm": (everywhere, ["a", "b"], ""),
    }
    roles = rows(explained(plan(node_selector="disk=nvme", pods="all")))
    assert list(roles) == [
        *("convertor", "inspection", "first-consumer", "importer", "populator", "vm")
    ]
    nvme = ["a1", "b1"]
    assert roles["convertor"] == (nvme, ["a", "b"], "all settings")
    assert roles["inspection"] == (nvme, ["a", "b"], "all settings")
    assert roles["first-consumer"] == (nvme, ["a", "b"], "required rules, no preferences")
    assert roles["importer"] == (everywhere, ["a", "b"], "rules as preferences")
    assert roles["populator"] == roles["importer"]


def test_settings_for_a_role_are_named() -> None:
    annotations = {
        "pods": "importer,first-consumer",
        "node-selector.importer": "disk=hdd",
        "tolerations.importer": "gpu",
    }
    found = rows(explained(plan(affinity=f"REQUIRE nodes({ZONE}=b)", annotations=annotations)))
    own = "rules as preferences, node-selector.importer, tolerations.importer"
    assert found["importer"] == (["far"], [], own)
    assert found["first-consumer"] == (["b1"], ["b"], "required rules, no preferences")
    assert found["convertor"][2] == "none"


def test_a_plan_that_is_not_placed_has_rows_for_what_forklift_creates() -> None:
    found = explained(plan(node_selector="disk=nvme"), mode=Mode.AUDIT)
    assert [row.role for row in found.roles] == ["convertor", "vm"]
    assert len(found.roles[0].nodes) == 4


def test_without_nodes_there_are_no_rows() -> None:
    found = explained(nodes=[])
    assert (found.roles, found.common.nodes, found.common.zones) == ([], [], [])
    assert not any("VMs" in each for each in found.limitations)


@pytest.mark.parametrize(
    ("target", "nodes", "zones"),
    [
        ({}, ["a1", "b1"], ["a", "b"]),
        ({ZONE: "b"}, ["b1"], ["b"]),
        ({"kubernetes.io/hostname": "a2"}, [], ["a"]),
        ({"disk": "hdd"}, [], []),
    ],
)
def test_common_places_are_those_that_all_pods_with_disks_and_the_vms_fit(
    target: dict[str, str], nodes: list[str], zones: list[str]
) -> None:
    a_plan = plan(node_selector="disk=nvme", pods="all", spec={"targetNodeSelector": target})
    common = explained(a_plan).common
    assert (common.nodes, common.zones) == (nodes, zones)


@pytest.mark.parametrize(
    ("spec", "setting"),
    [
        ({"targetNodeSelector": {"disk": "hdd"}}, "targetNodeSelector"),
        ({"targetAffinity": node_terms(is_in("disk", "hdd"))}, "targetAffinity"),
    ],
)
def test_the_settings_are_named_if_pods_and_vms_have_no_place_in_common(
    spec: Json, setting: str
) -> None:
    found = explained(plan(node_selector="disk=nvme", spec=spec))
    assert advice(found) == [
        (
            f"no node or zone fits both {pods} pods and the VMs, which use the same disks",
            f"change node-selector or {setting}",
        )
        for pods in ("convertor", "first-consumer")
    ]


def test_a_role_that_fits_no_node_is_advised_on_if_convertors_fit_one() -> None:
    annotations = {"affinity.first-consumer": "REQUIRE pods(app=ceph-osd) in namespace x on node"}
    found = explained(plan(node_selector="disk=nvme", annotations=annotations))
    assert advice(found) == [
        ("no node fits first-consumer pods", "change node-selector or affinity.first-consumer")
    ]
    assert "first-consumer" not in str(advice(explained(plan(node_selector="disk=floppy"))))


def test_vms_without_rules_are_kept_away_by_taints() -> None:
    nodes = [node("a1", {ZONE: "a"}, taints=(f"{key}:NoSchedule",)) for key in ("gpu", "spot")]
    found = explained(plan(tolerations="gpu"), nodes)
    assert advice(found) == [("no node fits the VMs", "change the taints of the nodes")]
    roles = [node("a1", {ZONE: "a"}), node("b1", {ZONE: "b"}, taints=("gpu:NoSchedule",))]
    found = explained(plan(node_selector=f"{ZONE}=b", tolerations="gpu"), roles)
    assert advice(found)[0][1] == "change node-selector or the taints of the nodes"


def test_roles_whose_tolerations_differ_are_kept_apart_by_them() -> None:
    nodes = [node("a1", {ZONE: "a"}, taints=("gpu:NoSchedule",))]
    annotations = {"tolerations.first-consumer": "spot"}
    found = explained(plan(tolerations="gpu", annotations=annotations), nodes)
    assert ("no node fits first-consumer pods", "change tolerations.first-consumer") in advice(
        found
    )


ENFORCED = "only those that the installation enforces"
FLOOR = Installation(enforced=Settings(node_selector={"disk": "ssd"}))


def settings_by_role(a_plan: Json, installation: Installation) -> dict[str, str]:
    cluster = ClusterObjects([node("a", {"disk": "ssd"}), node("b")], [], [], [])
    rows = explain(a_plan, installation, cluster).roles
    softened = {Role.IMPORTER, Role.POPULATOR, "vm"}
    assert all((row.nodes == ["a"]) == (row.role not in softened) for row in rows)
    return {row.role: row.settings for row in rows if row.role != "vm"}


def test_roles_that_the_plan_does_not_place_have_what_is_enforced() -> None:
    found = settings_by_role(plan(labels="a=b"), FLOOR)
    assert found == {
        "convertor": "all settings",
        "inspection": ENFORCED,
        "first-consumer": "required rules, no preferences",
        "importer": ENFORCED,
        "populator": ENFORCED,
    }
    assert {*settings_by_role(plan(mode="off"), FLOOR).values()} == {ENFORCED}


def test_roles_that_the_webhook_is_not_called_for_have_nothing_enforced() -> None:
    limited = msgspec.structs.replace(FLOOR, limits=Limits(roles=(Role.CONVERTOR,)))
    assert settings_by_role(plan(mode="off"), limited) == {"convertor": ENFORCED}
    (convertor, _) = explained(mode=Mode.AUDIT, enforced=FLOOR.enforced).roles
    assert convertor.settings == "none"
