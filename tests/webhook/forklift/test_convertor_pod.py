"""The pod of dry runs has what admission checks as in the pods of Forklift."""

import json
from pathlib import Path
from typing import Any

import pytest

from webhook.forklift.convertor_pod import build_convertor_pod
from webhook.forklift.roles import recognize
from webhook.kube.objects import Json

PRINTED = json.loads(
    Path("tests/data/migration-pods/forklift-main-virt-v2v-cold-remote-no-settings.json").read_text(
        encoding="utf-8"
    )
)
POD = build_convertor_pod("vms", "check")


def by_name(pod: Json, containers: str) -> dict[str, Any]:
    return {each["name"]: each for each in pod["spec"][containers]}


@pytest.mark.parametrize("containers", ["initContainers", "containers"])
@pytest.mark.parametrize("field", ["resources", "securityContext"])
def test_its_containers_have_the_resources_and_rights_of_those_of_forklift(
    containers: str, field: str
) -> None:
    found, printed = by_name(POD, containers), by_name(PRINTED, containers)

    assert found.keys() == printed.keys()
    assert all(found[name][field] == printed[name][field] for name in printed)


@pytest.mark.parametrize("field", ["securityContext", "nodeSelector", "restartPolicy"])
def test_its_spec_has_the_values_of_forklift(field: str) -> None:
    assert POD["spec"][field] == PRINTED["spec"][field]


def test_its_volumes_are_of_the_kinds_of_forklift() -> None:
    def kinds(pod: Json) -> set[str]:
        return {key for each in pod["spec"]["volumes"] for key in each if key != "name"}

    assert kinds(POD) == kinds(PRINTED)


def test_it_is_not_a_migration_pod() -> None:
    assert recognize(POD["metadata"], "vms", ["virt-v2v"]) is None
