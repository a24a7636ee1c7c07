"""The fields of a Plan that are decoded."""

import json

import msgspec
import pytest

from tests.support.builders import PREFIX, plan
from webhook import settings
from webhook.forklift.plan import PlanObject, WatchedPlan
from webhook.kube.objects import Json
from webhook.kube.sizes import MAX_FIELD_BYTES, TooLarge
from webhook.model import Installation


@pytest.mark.parametrize(
    "plan_object",
    [
        plan(labels="a=b"),
        plan(spec={"convertorLabels": {"a": "b"}, "convertorAffinity": "text", "vms": [{}]}),
        plan(spec={"targetLabels": {"a": "b"}, "targetNodeSelector": {}, "targetAffinity": {}}),
        plan(spec={"type": "warm", "warm": True}),
        {"metadata": {"name": "db"}},
        {"metadata": {"name": "db", "managedFields": None, "annotations": None}},
        plan(metadata={"managedFields": [{"time": "x", "fieldsV1": {"f:spec": {"f:a": {}}}}]}),
        {"metadata": {"name": "db"}, "spec": {}},
    ],
)
def test_a_watched_plan_is_read_like_one_from_a_file(plan_object: Json) -> None:
    watched = msgspec.json.decode(json.dumps(plan_object), type=WatchedPlan)

    assert watched.to_json() == msgspec.convert(plan_object, PlanObject).to_json()


def test_a_setting_that_is_too_large_is_not_decoded() -> None:
    labels = [{"a": character * MAX_FIELD_BYTES} for character in "xy"]
    plans = [plan(spec={"targetNamespace": "vms", "convertorLabels": each}) for each in labels]
    watched = [msgspec.json.decode(json.dumps(each), type=WatchedPlan) for each in plans]
    first, second = (each.to_json()["spec"].pop("convertorLabels") for each in watched)

    assert first == TooLarge(MAX_FIELD_BYTES + 9, first.digest)
    assert second == TooLarge(MAX_FIELD_BYTES + 9, second.digest)
    assert first.digest != second.digest


def entry(time: str, *annotations: str) -> Json:
    owned: Json = {f"f:{annotation}": {} for annotation in annotations}
    return {"time": time, "manager": "x", "fieldsV1": {"f:metadata": {"f:annotations": owned}}}


def test_managed_fields_that_are_too_large_may_be_those_of_a_setting() -> None:
    small = [entry("2026-01-01T00:00:00Z", f"{PREFIX}/labels"), entry("2026-02-01T00:00:00Z", "a")]
    large = [*small, entry("2026-03-01T00:00:00Z", "a", "x" * MAX_FIELD_BYTES)]
    for entries, time in ((small, "2026-01-01T00:00:00Z"), (large, "2026-03-01T00:00:00Z")):
        encoded = json.dumps(plan(metadata={"managedFields": entries}))
        watched = msgspec.json.decode(encoded, type=WatchedPlan).to_json()
        assert settings.read(watched, Installation()).settings_modified == time
