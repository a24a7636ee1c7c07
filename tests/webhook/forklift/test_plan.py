"""The fields of a Plan that are decoded."""

import json

import msgspec
import pytest

from tests.support.builders import plan
from webhook.forklift.plan import PlanObject, WatchedPlan
from webhook.kube.objects import Json
from webhook.kube.sizes import MAX_FIELD_BYTES, TooLarge


@pytest.mark.parametrize(
    "plan_object",
    [
        plan(labels="a=b"),
        plan(spec={"convertorLabels": {"a": "b"}, "convertorAffinity": "text", "vms": [{}]}),
        {"metadata": {"name": "db"}},
        {"metadata": {"name": "db"}, "spec": {}},
    ],
)
def test_a_watched_plan_is_read_like_one_from_a_file(plan_object: Json) -> None:
    watched = msgspec.json.decode(json.dumps(plan_object), type=WatchedPlan)

    assert watched.to_json() == msgspec.convert(plan_object, PlanObject).to_json()


def test_a_setting_that_is_too_large_is_not_decoded() -> None:
    spec = {"targetNamespace": "vms", "convertorLabels": {"a": "x" * MAX_FIELD_BYTES}}
    watched = msgspec.json.decode(json.dumps(plan(spec=spec)), type=WatchedPlan)

    assert watched.to_json()["spec"] == {
        "targetNamespace": "vms",
        "convertorLabels": TooLarge(MAX_FIELD_BYTES + 9),
    }
