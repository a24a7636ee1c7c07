"""Settings that the installation enforces on the pods of all plans, by the role of a pod."""

from typing import Any

import pytest

from tests.support.builders import minimal_pod as pod
from webhook.admission.patch import diff
from webhook.karl import compile as compile_rules
from webhook.kube.affinity import PREFERRED, REQUIRED
from webhook.kube.objects import Json
from webhook.model import (
    AffinityPolicy,
    ClusterState,
    Installation,
    Limits,
    MigrationPod,
    Plan,
    PvcRef,
    Role,
    RoleSettings,
    Settings,
)
from webhook.placement import place, place_enforced

AWAY_FROM_DATABASES = compile_rules("AVOID pods(app=db) in namespace payments on node")
ALLOWED, SPOT, GPU = {"migration": "allowed"}, {"key": "spot"}, {"key": "gpu"}
ENFORCED = Settings(node_selector=ALLOWED, affinity=AWAY_FROM_DATABASES, tolerations=[SPOT])
INSTALLATION = Installation(enforced=ENFORCED, identity_labels=False)
AVOIDED = AWAY_FROM_DATABASES["podAntiAffinity"][REQUIRED]
ALL = tuple(Role)


def spec_of_placed(role: Role = Role.CONVERTOR, **settings: Any) -> Json:
    """Return the spec of a pod of this role, placed by a plan with these settings."""
    plan = Plan("mtv", "db", "uid", target_namespace="vms", settings=Settings(**settings))
    sent = pod()
    migration_pod = MigrationPod(role)
    placed = place(sent, plan, INSTALLATION, ClusterState(), migration_pod)
    assert not placed.problems
    again = place(placed.pod, plan, INSTALLATION, ClusterState(), migration_pod)
    assert diff(placed.pod, again.pod) == []
    spec: Json = placed.pod["spec"]
    return spec


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({}, id="no setting"),
        pytest.param({"pods": (Role.IMPORTER,)}, id="another role only"),
        pytest.param({"affinity_policy": AffinityPolicy.REPLACE}, id="replace"),
        pytest.param({"node_selector": {"migration": "elsewhere"}}, id="another value"),
        pytest.param({"roles": {Role.CONVERTOR: RoleSettings(affinity={}, spread=[])}}, id="role"),
    ],
)
def test_a_plan_does_not_switch_off_what_the_installation_enforces(settings: Any) -> None:
    spec = spec_of_placed(**settings)

    assert spec["nodeSelector"] == ALLOWED
    assert spec["affinity"]["podAntiAffinity"][REQUIRED] == AVOIDED
    assert spec["tolerations"] == [SPOT]


def test_enforced_rules_are_added_to_those_of_the_plan() -> None:
    near = compile_rules("REQUIRE pods(app=ceph-osd) on node")
    spec = spec_of_placed(
        affinity=near, node_selector={"disk": "nvme"}, tolerations=[GPU], pods=ALL
    )

    assert spec["affinity"] == near | AWAY_FROM_DATABASES
    assert spec["nodeSelector"] == {"disk": "nvme"} | ALLOWED
    assert spec["tolerations"] == [GPU, SPOT]


def test_enforced_minimums_are_required_of_the_node() -> None:
    cores = {"key": "cores", "operator": "AtLeast", "values": ["16"]}
    enforced = Settings(node_requirements=[cores])
    plan = Plan("mtv", "db", settings=Settings(node_requirements=[cores]))
    placed = place(pod(), plan, Installation(enforced=enforced), ClusterState({"cores": ["32"]}))

    (term,) = placed.pod["spec"]["affinity"]["nodeAffinity"][REQUIRED]["nodeSelectorTerms"]
    assert term["matchExpressions"] == [cores | {"operator": "In", "values": ["16", "32"]}]


@pytest.mark.parametrize("role", [Role.IMPORTER, Role.POPULATOR])
def test_enforced_rules_are_preferences_for_importers_and_populators(role: Role) -> None:
    spec = spec_of_placed(role)

    assert "nodeSelector" not in spec
    (on_node,) = spec["affinity"]["nodeAffinity"][PREFERRED]
    assert on_node["preference"]["matchExpressions"][0]["key"] == "migration"
    assert [each["podAffinityTerm"] for each in spec["affinity"]["podAntiAffinity"][PREFERRED]] == (
        AVOIDED
    )


def test_rules_that_a_plan_has_for_a_role_do_not_make_enforced_ones_required() -> None:
    own = RoleSettings(affinity=compile_rules("REQUIRE nodes(disk=nvme)"), spread=[])
    spec = spec_of_placed(Role.IMPORTER, pods=ALL, roles={Role.IMPORTER: own})

    assert REQUIRED in spec["affinity"]["nodeAffinity"]
    assert REQUIRED not in spec["affinity"]["podAntiAffinity"]


def test_a_pod_with_a_preset_node_gets_enforced_tolerations_alone() -> None:
    plan = Plan("mtv", "db")
    sent = pod(nodeName="n1")
    placed = place(sent, plan, INSTALLATION, ClusterState(), MigrationPod(has_node=True)).pod

    assert placed["spec"] == {"nodeName": "n1", "tolerations": [SPOT]}


def test_roles_that_the_webhook_is_not_called_for_get_nothing() -> None:
    limits = Limits(roles=(Role.CONVERTOR,))
    installation = Installation(enforced=ENFORCED, limits=limits)
    importer = MigrationPod(Role.IMPORTER, pvc=PvcRef("vms", "disk-0", "u"))

    assert place(pod(), Plan("mtv", "db"), installation, ClusterState(), importer).pod == pod()


def test_an_affinity_that_is_too_large_together_with_the_enforced_one_is_left_out() -> None:
    def terms(key: str) -> Json:
        each = [
            {"matchExpressions": [{"key": key, "operator": "In", "values": [str(i)]}]}
            for i in range(9)
        ]
        return {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": each}}}

    installation = Installation(enforced=Settings(affinity=terms("a")))
    plan = Plan("mtv", "db", settings=Settings(affinity=terms("b")))
    placed = place(pod(), plan, installation)

    assert placed.pod["spec"]["affinity"] == terms("a")
    (problem,) = placed.problems
    assert problem.message == (
        "the affinity is not applied: with that which the installation enforces it makes more "
        "than 64 required node terms"
    )


def test_a_plan_in_another_mode_has_pods_with_the_enforced_settings_alone() -> None:
    plan = Plan("mtv", "db", settings=Settings(labels={"a": "b"}, node_selector={"disk": "nvme"}))
    placed = place_enforced(pod(), plan, INSTALLATION)

    assert placed.pod["metadata"] == pod()["metadata"]
    assert placed.pod["spec"] == {
        "nodeSelector": ALLOWED,
        "affinity": AWAY_FROM_DATABASES,
        "tolerations": [SPOT],
    }
    assert not placed.marked
