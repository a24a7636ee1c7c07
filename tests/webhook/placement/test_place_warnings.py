"""Warnings about rules that lead volumes to where their convertor pod or VM cannot run."""

import pytest

from tests.support.affinity_terms import is_in, node_terms
from tests.support.builders import ZONE, plan
from webhook import settings
from webhook.kube.objects import Json
from webhook.model import Installation, Limits, Role
from webhook.placement.warnings import find_plan_warnings

B = f"{ZONE}=b"
NOT_REACHED = "a volume that not every node reaches may be bound where"


def warnings(plan_object: Json, **installation: object) -> list[str]:
    given = Installation(**installation)  # type: ignore[arg-type]
    found = find_plan_warnings(settings.read(plan_object, given), given)
    return [warning.removeprefix("Plan konveyor-forklift/db: ") for warning in found]


@pytest.mark.parametrize(
    ("rules", "names"),
    [
        ({"node-selector": B}, "node-selector"),
        ({"node-selector": "cores=16+"}, "node-selector"),
        ({"affinity": f"REQUIRE nodes({B})"}, "affinity"),
        ({"affinity": "REQUIRE pods(app=ceph-osd) on node"}, "affinity"),
        (
            {"affinity": f"AVOID nodes({B})", "node-selector": B[:-1] + "a"},
            "node-selector and affinity",
        ),
    ],
)
def test_required_rules_that_first_consumers_do_not_get_are_a_warning(
    rules: dict[str, str], names: str
) -> None:
    (found,) = warnings(plan(annotations=rules | {"pods": "convertor"}))
    assert found == (
        f"the required rules of {names} do not apply to first consumers, so a volume that waits "
        "for its first consumer may be bound where the convertor pod cannot run; add "
        "first-consumer to the annotation convertor.forklift.konveyor.io/pods"
    )
    assert warnings(plan(annotations=rules)) == []
    assert warnings(plan(annotations=rules | {"pods": "first-consumer"})) == []


@pytest.mark.parametrize(
    "rules",
    [
        {"affinity": "PREFER nodes(disk=nvme)"},
        {"affinity": "AVOID pods(app=virt-v2v) on node"},
        {"labels": "a=b", "tolerations": "gpu"},
    ],
)
def test_other_rules_need_no_first_consumer(rules: dict[str, str]) -> None:
    assert warnings(plan(annotations=rules | {"pods": "convertor"})) == []
    assert warnings(plan(annotations=rules)) == []


def test_the_limit_of_the_installation_is_the_reason_if_it_excludes_first_consumers() -> None:
    (warning,) = warnings(plan(node_selector=B), limits=Limits(roles=(Role.CONVERTOR,)))
    assert warning.endswith("; limits.roles of the installation does not have first-consumer")


def test_rules_of_first_consumers_and_convertors_that_exclude_each_other_are_a_warning() -> None:
    (found,) = warnings(
        plan(
            affinity=f"REQUIRE nodes({B})",
            annotations={"affinity.first-consumer": f"REQUIRE nodes({ZONE}=a)"},
        )
    )
    assert found == (
        f"affinity.first-consumer nodes({ZONE}=a) of the pods that bind volumes and affinity "
        f"nodes({B}) exclude each other: {NOT_REACHED} the convertor pod cannot run"
    )
    assert not warnings(
        plan(
            affinity=f"REQUIRE nodes({B})",
            annotations={"node-selector.first-consumer": "disk=nvme"},
        )
    )


@pytest.mark.parametrize(
    ("pods", "setting"),
    [("", f"node-selector nodes({B})"), ("convertor", f"node-selector nodes({B})")],
)
def test_rules_of_the_pods_that_bind_volumes_and_of_the_vm_exclude_each_other(
    pods: str, setting: str
) -> None:
    spec = {"targetNodeSelector": {ZONE: "a"}, "targetAffinity": node_terms(is_in("disk", "x"))}
    annotations = {"pods": pods} if pods else {}
    found = warnings(plan(node_selector=B, spec=spec, annotations=annotations))
    assert found[-1] == (
        f"{setting} of the pods that bind volumes and targetNodeSelector nodes({ZONE}=a) and "
        f"targetAffinity nodes(disk=x) exclude each other: {NOT_REACHED} the VM cannot run"
    )
    spec["targetNodeSelector"] = {ZONE: "b"}
    assert warnings(plan(node_selector=B, spec=spec)) == []


def test_rules_that_contradict_themselves_are_no_warning_about_others() -> None:
    spec = {"targetNodeSelector": {ZONE: "a"}}
    rules = f"REQUIRE nodes({ZONE}=c)"
    assert warnings(plan(node_selector=B, affinity=rules, spec=spec)) == []


@pytest.mark.parametrize(
    ("rule", "warns"),
    [
        ("REQUIRE pods(app=virt-v2v) in all namespaces on zone", True),
        ("REQUIRE pods(app=virt-v2v) in all namespaces on node", True),
        ("AVOID pods(app=virt-v2v) in own namespace on zone", True),
        ("AVOID pods(app=virt-v2v) in all namespaces on node", False),
        ("REQUIRE pods(app=ceph-osd) in all namespaces on node", False),
        ("REPEL pods(app=virt-v2v) in all namespaces on zone", False),
    ],
)
def test_required_rules_on_the_pods_of_the_plan_that_only_convertors_get_are_a_warning(
    rule: str, *, warns: bool
) -> None:
    expected = (
        f"'{rule}' selects pods of the plan's own migrations, so only convertor pods get it: "
        f"{NOT_REACHED} they cannot run"
    )
    assert warnings(plan(affinity=rule)) == [expected] * warns
