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
        (
            [
                {
                    "op": "add",
                    "path": "/metadata/annotations",
                    "value": {"a": "b", "c/placement": "d"},
                },
                {"op": "add", "path": "/metadata/annotations/e~1f", "value": "g"},
                {"op": "add", "path": "/metadata/annotations/c~1placement", "value": "g"},
            ],
            "annotations a,e/f",
        ),
        (
            [
                {
                    "op": "add",
                    "path": "/spec/topologySpreadConstraints",
                    "value": [{"topologyKey": "a"}],
                },
                {
                    "op": "add",
                    "path": "/spec/topologySpreadConstraints/-",
                    "value": {"topologyKey": "b"},
                },
            ],
            "topologySpreadConstraints a,b",
        ),
        (
            [
                {"op": "add", "path": "/spec/priorityClassName", "value": "low"},
                {"op": "remove", "path": "/spec/priority"},
                {"op": "remove", "path": "/spec/runtimeClassName"},
            ],
            "priorityClassName low",
        ),
        (
            [
                {
                    "op": "add",
                    "path": "/spec/containers/0/resources/requests",
                    "value": {"cpu": "2", "memory": "4Gi"},
                },
                {"op": "replace", "path": "/spec/containers/0/resources/limits/cpu", "value": "8"},
                {"op": "remove", "path": "/spec/containers/0/securityContext/seccompProfile"},
                {
                    "op": "add",
                    "path": "/spec/containers/0/env",
                    "value": [{"name": "A", "value": "b"}],
                },
                {
                    "op": "add",
                    "path": "/spec/containers/0/volumeMounts/-",
                    "value": {"name": "scratch"},
                },
                {"op": "replace", "path": "/spec/volumes/2", "value": {"name": "scratch"}},
                {
                    "op": "add",
                    "path": "/spec/securityContext/seccompProfile",
                    "value": {"type": "Localhost"},
                },
            ],
            (
                "containers resources.requests.cpu=2,resources.requests.memory=4Gi,"
                "resources.limits.cpu=8,securityContext.seccompProfile-,env.A,"
                "volumeMounts.scratch; "
                "volumes scratch; securityContext seccompProfile.type=Localhost"
            ),
        ),
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
