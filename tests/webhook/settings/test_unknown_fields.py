"""Fields of a Plan file that are meant as settings are problems; those of Forklift are not."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support import yaml_files
from tests.support.builders import PREFIX
from tests.support.paths import DATA
from webhook.inventory import plan_files
from webhook.kube.objects import Json
from webhook.model import Installation
from webhook.settings import read, unknown_fields

CRDS = sorted((DATA / "crds").glob("plans-*.yaml"))


def problems(path: Path, plan: Json, installation: Installation | None = None) -> list[str]:
    """Return the problems of a Plan in a file."""
    identity = {"apiVersion": "forklift.konveyor.io/v1beta1", "kind": "Plan"}
    path.write_text(yaml.safe_dump(identity | plan), encoding="utf-8")
    (found,) = plan_files.read_file(path).plans
    return [str(each) for each in read(found, installation or Installation()).settings.problems]


@pytest.mark.parametrize(
    ("fields", "where", "meant"),
    [
        ({"spec": {"convertorLabel": {"a": "b"}}}, "spec.convertorLabel", "spec.convertorLabels"),
        (
            {"spec": {"convertornodeSelector": {"a": "b"}}},
            "spec.convertornodeSelector",
            "spec.convertorNodeSelector",
        ),
        ({"spec": {"targetNamspace": "vms"}}, "spec.targetNamspace", "spec.targetNamespace"),
        ({"spec": {"annotations": {}}}, "spec.annotations", "metadata.annotations"),
        ({"annotations": {"a": "b"}}, "annotations", "metadata.annotations"),
        ({"convertorAffinity": {}}, "convertorAffinity", "spec.convertorAffinity"),
        ({"Spec": {}}, "Spec", "spec"),
        ({"metadata": {"annotation": {}}}, "metadata.annotation", "metadata.annotations"),
        (
            {"metadata": {"convertorAffinty": {}}},
            "metadata.convertorAffinty",
            "spec.convertorAffinity",
        ),
    ],
)
def test_a_misspelt_or_misplaced_field_is_a_problem(
    tmp_path: Path, fields: Json, where: str, meant: str
) -> None:
    metadata = {"name": "db", "namespace": "mtv"} | fields.get("metadata", {})
    assert problems(tmp_path / "db.yaml", fields | {"metadata": metadata}) == [
        f"Plan mtv/db {where}: unknown field; did you mean '{meant}'?"
    ]


@pytest.mark.parametrize(
    ("field", "annotation"),
    [
        ("convertorTolerations", "tolerations"),
        ("convertorToleration", "tolerations"),
        ("convertorMode", "mode"),
        ("convertorScope", "scope"),
        ("convertorAffinityPolicy", "affinity-policy"),
    ],
)
@pytest.mark.parametrize("prefix", [PREFIX, "example.com"])
def test_the_problem_of_a_setting_without_a_field_has_its_annotation(
    tmp_path: Path, field: str, annotation: str, prefix: str
) -> None:
    plan = {"metadata": {"name": "db", "namespace": "mtv"}, "spec": {field: ["spot"]}}
    assert problems(tmp_path / "db.yaml", plan, Installation(prefix=prefix)) == [
        f"Plan mtv/db spec.{field}: unknown field: use the annotation '{prefix}/{annotation}'"
    ]


def test_other_unknown_fields_and_null_are_no_problems(tmp_path: Path) -> None:
    spec: Json = {"convertorDisk": {}, "vms": [], "convertorTolerations": None}
    metadata = {"name": "db", "labels": {"a": "b"}, "ownerReferences": []}
    plan = {"metadata": metadata, "spec": spec, "status": {}}
    assert problems(tmp_path / "db.yaml", plan) == []


@pytest.mark.parametrize("path", CRDS, ids=lambda path: path.stem)
def test_no_field_of_forklift_is_a_problem(path: Path) -> None:
    (version, *_) = yaml_files.load(path)["spec"]["versions"]
    fields = version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    assert unknown_fields.find({"spec": dict.fromkeys(fields, "set")}) == []


def test_a_newer_forklift_may_have_such_a_field_in_a_cluster() -> None:
    plan = {"metadata": {"name": "db"}, "spec": {"convertorTolerations": [{"key": "spot"}]}}
    assert read(plan, Installation()).settings.problems == []


@pytest.mark.parametrize("paths", [7, [7], {"a": "b"}, ["spec.vms"], None])
def test_any_value_of_the_field_with_the_paths_is_read(paths: Any) -> None:
    plan = {"metadata": {"name": "db"}, unknown_fields.UNKNOWN_FIELDS: paths}
    read(plan, Installation())
