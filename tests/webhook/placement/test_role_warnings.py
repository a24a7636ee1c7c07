"""Warnings about the settings for single roles."""

import pytest

from tests.support.builders import PREFIX, plan
from webhook import settings
from webhook.kube.objects import Json
from webhook.model import Installation, Limits, Role
from webhook.placement.role_warnings import find_role_warnings
from webhook.placement.warnings import find_plan_warnings

ON_SSD, PREFER_SSD = "REQUIRE nodes(disk=ssd)", "PREFER nodes(disk=ssd)"
STAYS = (
    "that fits no node stays pending without a time limit, also after the cutover, while the VM is "
    "off; as general settings, or with PREFER, they are preferences for these pods"
)


def warnings(
    annotations: dict[str, str], defaults: Json | None = None, pods: str = "all"
) -> list[str]:
    installation = Installation(defaults=defaults or {})
    plan_object = plan(annotations={"pods": pods} | annotations)
    found = settings.read(plan_object, installation)
    assert found.settings.problems == []
    return [*find_role_warnings(found, installation)]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("affinity", ON_SSD),
        ("affinity", "REQUIRE pods(app=ceph) on zone"),
        ("affinity", "AVOID pods(app=db) on node; PREFER nodes(a=b)"),
        ("node-selector", "disk=ssd"),
        ("node-selector", "cores=16+"),
    ],
)
@pytest.mark.parametrize(
    ("role", "pod"), [(Role.IMPORTER, "an importer"), (Role.POPULATOR, "a populator")]
)
def test_required_rules_for_pods_without_a_time_limit_are_a_warning(
    role: Role, pod: str, name: str, text: str
) -> None:
    assert warnings({f"{name}.{role}": text}) == [
        f"{name}.{role} has required rules: {pod} {STAYS}"
    ]


@pytest.mark.parametrize("role", [Role.CONVERTOR, Role.INSPECTION, Role.FIRST_CONSUMER])
def test_required_rules_for_other_roles_are_not(role: Role) -> None:
    assert warnings({f"affinity.{role}": ON_SSD, f"node-selector.{role}": "a=b"}) == []


def test_preferences_and_general_rules_are_not() -> None:
    own = {"affinity.importer": PREFER_SSD, "affinity.populator": "", "node-selector.importer": ""}
    assert warnings(own) == []
    assert warnings({"affinity": ON_SSD, "node-selector": "a=b"}) == []


def test_settings_for_roles_that_are_not_selected_are_one_warning() -> None:
    own = {"affinity.importer": ON_SSD, "labels.populator": "", "labels.convertor": "a=b"}
    assert warnings(own | {"disks": "together"}, pods="convertor") == [
        (
            "affinity.importer, labels.populator, disks: no effect, because pods selects "
            "convertor; add importer and populator and first-consumer to the annotation "
            f"{PREFIX}/pods"
        )
    ]
    installation = Installation(limits=Limits(roles=()))
    found = settings.read(plan(disks="together"), installation)
    assert [*find_role_warnings(found, installation)] == [
        (
            "disks: no effect, because pods selects no role; limits.roles of the installation "
            "does not have first-consumer"
        )
    ]


def test_the_defaults_of_roles_are_for_other_plans_too() -> None:
    defaults = {"disks": "together", "roles": {"importer": {"nodeSelector": "a=b"}}}
    assert warnings({}, defaults, pods="convertor") == []
    assert len(warnings({"labels.importer": "a=b"}, defaults, pods="convertor")) == 1


def test_disks_together_are_effective_with_first_consumers() -> None:
    assert warnings({"disks": "together"}, pods="first-consumer") == []


def test_rules_for_a_role_that_only_one_pod_can_meet_are_a_warning_of_the_plan() -> None:
    rules = "REQUIRE pods(app=ceph) on node; REQUIRE pods(team=x) on zone"
    for role in Role:
        annotations = {"pods": "all", f"affinity.{role}": rules}
        plan_object = plan(annotations=annotations)
        found = settings.read(plan_object, Installation())
        *_, warning = find_plan_warnings(found, Installation())
        name = "" if role is Role.CONVERTOR else f"affinity.{role}: "
        start = f"Plan konveyor-forklift/db: {name}no node fits unless one pod matches "
        assert warning.startswith(start)
