"""The fields of a Plan about its VMs, in each release of Forklift."""

import pytest
import yaml

from tests.support.affinity_terms import is_in, node_terms
from tests.support.builders import plan
from tests.support.paths import DATA
from webhook.kube.objects import Json
from webhook.model import Installation, VmRules
from webhook.settings import read
from webhook.settings.vm_rules import VM_RULES

AFFINITY = node_terms(is_in("zone", "a"))


def rules(**spec: object) -> VmRules | None:
    return read(plan(spec=spec), Installation()).vm_rules


def test_selector_affinity_and_labels_of_the_vms_are_read() -> None:
    found = rules(
        targetLabels={"app": "db"}, targetNodeSelector={"a": "b"}, targetAffinity=AFFINITY
    )
    assert found == VmRules({"app": "db"}, {"a": "b"}, AFFINITY)


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"targetLabels": {"app": "db"}},
        {"targetNodeSelector": {"a": 1}},
        {"targetNodeSelector": ["a"], "targetAffinity": {"nodeAffinity": "x"}},
    ],
    ids=["none", "labels alone", "not text", "not valid"],
)
def test_a_plan_whose_vms_may_run_anywhere_has_no_rules(spec: Json) -> None:
    assert rules(**spec) is None


@pytest.mark.parametrize(("release", "has"), [("2.9.2", False), ("2.10.6", True), ("2.12.5", True)])
def test_the_fields_are_those_of_the_crd(release: str, has: bool) -> None:
    crd = yaml.safe_load((DATA / f"crds/plans-v{release}.yaml").read_text(encoding="utf-8"))
    (version,) = crd["spec"]["versions"]
    fields = version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    assert [name in fields for name in VM_RULES] == [has] * len(VM_RULES)
