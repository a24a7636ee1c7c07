"""The settings for a pod by its role, its preset node, and the settings of the role."""

from typing import Any

import pytest

from tests.support.builders import ZONE, parsed_plan
from tests.support.migration_pods import disk_of
from tests.support.pvcs import zone_terms
from webhook import karl
from webhook.kube.affinity import PREFERRED, REQUIRED
from webhook.kube.objects import Json
from webhook.model import (
    Disks,
    Installation,
    Limits,
    MigrationPod,
    PvcRef,
    Role,
    RoleSettings,
    Settings,
    SiblingDisk,
)
from webhook.placement.role_settings import PodSettings, settings_for

ALL = tuple(Role)
RULES = karl.compile(
    """
    REQUIRE nodes(topology.kubernetes.io/zone=b)
    PREFER nodes(disk=nvme)
    REQUIRE pods(app=ceph-osd) on node
    REQUIRE pods(app=virt-v2v) on zone
    AVOID pods(forklift.app=virt-v2v) on node
    REPEL pods(app=virt-v2v) on node
    """
)
CEPH = RULES["podAffinity"][REQUIRED][0]
GENERAL: dict[str, Any] = {
    "labels": {"team": "a"},
    "node_selector": {"disk": "nvme"},
    "affinity": RULES,
    "tolerations": [{"key": "spot", "operator": "Exists", "effect": "NoSchedule"}],
}
SPOT = GENERAL["tolerations"][0]
GPU = {"key": "gpu", "operator": "Exists", "effect": "NoExecute"}
ANY_EFFECT = {"key": "any", "operator": "Exists"}


def settings_of(role: Role, *, has_node: bool = False, **settings: Any) -> Settings:
    plan = parsed_plan(**{"pods": ALL} | GENERAL | settings)
    return settings_for(MigrationPod(role, has_node=has_node), plan, Installation()).settings


def preference(key: str, value: str) -> Json:
    expression = {"key": key, "operator": "In", "values": [value]}
    return {"weight": 100, "preference": {"matchExpressions": [expression]}}


def test_a_convertor_gets_everything() -> None:
    assert settings_of(Role.CONVERTOR) == Settings(**GENERAL, pods=ALL)


def test_an_inspection_gets_everything_but_terms_that_select_own_pods() -> None:
    found = settings_of(Role.INSPECTION)

    assert found.affinity == {
        "nodeAffinity": RULES["nodeAffinity"],
        "podAffinity": {REQUIRED: [CEPH]},
        "podAntiAffinity": {PREFERRED: RULES["podAntiAffinity"][PREFERRED]},
    }
    assert (found.labels, found.node_selector) == (GENERAL["labels"], GENERAL["node_selector"])


def test_a_first_consumer_gets_required_rules_only() -> None:
    found = settings_of(Role.FIRST_CONSUMER)

    assert found.affinity == {
        "nodeAffinity": {REQUIRED: RULES["nodeAffinity"][REQUIRED]},
        "podAffinity": {REQUIRED: [CEPH]},
    }
    assert (found.labels, found.node_selector) == (GENERAL["labels"], GENERAL["node_selector"])
    assert found.tolerations == [SPOT]


@pytest.mark.parametrize("role", [Role.IMPORTER, Role.POPULATOR])
def test_an_importer_or_populator_gets_preferences(role: Role) -> None:
    found = settings_of(role)

    assert found.affinity == {
        "nodeAffinity": {
            PREFERRED: [
                preference(ZONE, "b"),
                preference("disk", "nvme"),
                *RULES["nodeAffinity"][PREFERRED],
            ]
        },
        "podAffinity": {PREFERRED: [{"weight": 100, "podAffinityTerm": CEPH}]},
        "podAntiAffinity": {PREFERRED: RULES["podAntiAffinity"][PREFERRED]},
    }
    assert (found.labels, found.node_selector) == (GENERAL["labels"], {})
    assert found.tolerations == [SPOT]


@pytest.mark.parametrize("role", Role)
def test_a_role_that_is_not_selected_gets_nothing(role: Role) -> None:
    others = tuple(other for other in Role if other is not role)

    assert settings_of(role, pods=others) == Settings()


@pytest.mark.parametrize("role", Role)
def test_a_pod_with_a_preset_node_gets_labels_and_tolerations(role: Role) -> None:
    assert settings_of(role, has_node=True) == Settings(
        labels=GENERAL["labels"], tolerations=[SPOT]
    )


@pytest.mark.parametrize("role", Role)
def test_tolerations_that_cover_no_execute_apply_to_preset_nodes_of_every_role(role: Role) -> None:
    others = tuple(other for other in Role if other is not role)
    tolerations = [SPOT, GPU, ANY_EFFECT]

    found = settings_of(role, has_node=True, pods=others, tolerations=tolerations)

    assert found == Settings(tolerations=[GPU, ANY_EFFECT])


def test_a_populator_tolerates_the_taints_that_its_first_consumer_tolerates() -> None:
    roles = {
        Role.FIRST_CONSUMER: RoleSettings(tolerations=[GPU]),
        Role.POPULATOR: RoleSettings(tolerations=[SPOT]),
    }

    found = settings_of(Role.POPULATOR, has_node=True, roles=roles, tolerations=[ANY_EFFECT])

    assert found.tolerations == [SPOT, ANY_EFFECT, GPU]


def test_a_role_without_a_webhook_entry_is_left_alone() -> None:
    plan = parsed_plan(pods=(Role.CONVERTOR,), tolerations=[GPU])
    pod = MigrationPod(Role.POPULATOR, has_node=True)
    roles = (Role.CONVERTOR, Role.IMPORTER)

    assert settings_for(pod, plan, Installation(limits=Limits(roles=roles))) == PodSettings(
        Settings()
    )


def test_settings_of_a_role_replace_the_general_ones() -> None:
    own = RoleSettings(labels={"a": "b"}, tolerations=[GPU])

    found = settings_of(Role.INSPECTION, roles={Role.INSPECTION: own})

    assert (found.labels, found.tolerations) == ({"a": "b"}, [GPU])
    assert found.node_selector == GENERAL["node_selector"]
    assert settings_of(Role.IMPORTER, roles={Role.INSPECTION: own}).labels == {"team": "a"}


def test_rules_for_a_role_stay_as_written() -> None:
    rules = karl.compile("REQUIRE pods(app=virt-v2v) on node\nREQUIRE nodes(disk=nvme)")
    own = RoleSettings(affinity=rules, node_selector={"ssd": "x"}, node_requirements=[])

    for role in (Role.IMPORTER, Role.POPULATOR, Role.INSPECTION, Role.CONVERTOR):
        found = settings_of(role, roles={role: own})

        assert (found.affinity, found.node_selector) == (rules, {"ssd": "x"})


def test_rules_for_a_role_do_not_have_the_form_that_forklift_copied() -> None:
    own = RoleSettings(affinity={})

    found = settings_of(Role.CONVERTOR, copied=RULES, roles={Role.CONVERTOR: own})

    assert (found.affinity, found.copied) == ({}, {})


def test_an_importer_with_a_node_selector_of_its_own_prefers_the_general_rules() -> None:
    own = RoleSettings(node_selector={"ssd": "x"}, node_requirements=[])

    found = settings_of(Role.IMPORTER, roles={Role.IMPORTER: own})

    assert found.node_selector == {"ssd": "x"}
    assert found.affinity["nodeAffinity"][PREFERRED][0] == preference(ZONE, "b")
    assert REQUIRED not in found.affinity["nodeAffinity"]


def first_consumer(*siblings: SiblingDisk, **changes: Any) -> PodSettings:
    disk = disk_of(PvcRef("target", "disk-1", "u1"))._replace(
        age_seconds=60, siblings=list(siblings), **changes
    )
    plan = parsed_plan(**GENERAL, pods=ALL, disks=Disks.TOGETHER)
    return settings_for(MigrationPod(Role.FIRST_CONSUMER, disk=disk), plan, Installation())


def test_the_first_importer_of_a_vm_is_placed_as_any_first_consumer() -> None:
    assert first_consumer().settings.affinity == settings_of(Role.FIRST_CONSUMER).affinity


def test_the_importer_of_another_disk_requires_the_place_of_the_first_and_prefers_the_rules() -> (
    None
):
    found = first_consumer(SiblingDisk("disk-0", bound=True, node_terms=zone_terms("a"))).settings

    on_nodes = found.affinity["nodeAffinity"]
    assert on_nodes[REQUIRED] == {"nodeSelectorTerms": zone_terms("a")}
    as_importer = settings_of(Role.IMPORTER).affinity
    assert on_nodes[PREFERRED] == as_importer["nodeAffinity"][PREFERRED]
    assert found.affinity["podAffinity"] == {PREFERRED: [{"weight": 100, "podAffinityTerm": CEPH}]}
    assert found.node_selector == {}


def test_an_importer_of_disks_that_exclude_each_other_gets_labels_and_tolerations() -> None:
    siblings = [
        SiblingDisk(f"disk-{zone}", bound=True, node_terms=zone_terms(zone)) for zone in "ab"
    ]

    found = first_consumer(*siblings)

    placing = ("node_selector", "node_requirements", "affinity", "copied", "spread")
    assert not any(getattr(found.settings, field) for field in placing)
    assert found.settings.labels == GENERAL["labels"]
    assert found.settings.tolerations == [SPOT]
    assert len(found.problems) == 1


def test_an_importer_that_waits_is_refused() -> None:
    found = first_consumer(SiblingDisk("disk-0", bound=False), is_first=False)

    assert found.refusal
