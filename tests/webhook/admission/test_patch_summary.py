"""The summary of a patch in one line."""

import pytest
from hypothesis import given

from tests.support import worlds
from tests.support.placements import place_pod
from webhook.admission.patch import diff
from webhook.admission.patch_summary import ANNOTATION_ONLY, list_changes, summarize
from webhook.kube.objects import Json
from webhook.model import Plan

PLACEMENT = "/metadata/annotations/convertor.forklift.konveyor.io~1placement"


@pytest.mark.parametrize(
    ("patch", "expected"),
    [
        ([], ANNOTATION_ONLY),
        ([{"op": "add", "path": PLACEMENT, "value": "{}"}], ANNOTATION_ONLY),
        (
            [
                {"op": "add", "path": "/metadata/labels/forklift.app~1plan", "value": "db"},
                {"op": "replace", "path": "/metadata/labels/a~0b", "value": "c"},
            ],
            "labels forklift.app/plan=db,a~b=c",
        ),
        (
            [
                {"op": "add", "path": "/spec/nodeSelector", "value": {"disk": "nvme"}},
                {"op": "remove", "path": "/spec/nodeSelector/cpu-cores"},
            ],
            "nodeSelector disk=nvme,cpu-cores-",
        ),
        (
            [
                {"op": "add", "path": "/spec/affinity", "value": {"podAffinity": {}}},
                {"op": "add", "path": "/spec/affinity/podAffinity/preferred/-", "value": {}},
                {"op": "replace", "path": "/spec/affinity/nodeAffinity/required/0", "value": {}},
            ],
            "affinity podAffinity,nodeAffinity",
        ),
        (
            [
                {"op": "add", "path": "/spec/tolerations", "value": [{"operator": "Exists"}]},
                {"op": "add", "path": "/spec/tolerations/-", "value": {"key": "a", "value": "b"}},
            ],
            "tolerations *,a=b",
        ),
        (
            [{"op": "add", "path": "/metadata", "value": {"labels": {"a": ""}, "annotations": {}}}],
            "labels a=",
        ),
        ([{"op": "add", "path": "/spec", "value": None}], ANNOTATION_ONLY),
    ],
)
def test_a_summary_has_the_changes_of_each_field(patch: list[Json], expected: str) -> None:
    assert summarize(patch) == expected


@given(worlds.plans_with_pods())
def test_every_added_label_is_in_the_summary(case: tuple[Plan, Json]) -> None:
    plan, before = case
    after = place_pod(before, plan).pod
    changes = list_changes(diff(before, after)).get("labels", [])

    old, new = before["metadata"].get("labels") or {}, after["metadata"].get("labels") or {}
    assert sorted(changes) == sorted(
        f"{key}={value}" for key, value in new.items() if old.get(key) != value
    )
