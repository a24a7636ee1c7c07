"""The time at which a plan's settings were last written."""

import pytest

from tests.support.builders import PREFIX
from webhook.kube.objects import Json
from webhook.settings.last_modified import last_modified

CREATED = "2026-08-01T08:00:00Z"
LABELS: Json = {"f:metadata": {"f:annotations": {".": {}, f"f:{PREFIX}/labels": {}}}}
AFFINITY: Json = {"f:spec": {"f:convertorAffinity": {}, "f:vms": {}}}
STATUS: Json = {"f:status": {"f:conditions": {}}}
FOREIGN: Json = {"f:metadata": {"f:annotations": {"f:convertor.example.com/labels": {}}}}


def entry(time: str, fields: Json) -> Json:
    return {"manager": "kubectl", "time": time, "fieldsV1": fields}


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        (None, CREATED),
        ([], CREATED),
        ([entry("2026-08-01T09:00:00Z", LABELS)], "2026-08-01T09:00:00Z"),
        ([entry("2026-08-01T09:00:00Z", AFFINITY)], "2026-08-01T09:00:00Z"),
        ([entry("2026-08-01T09:00:00Z", STATUS), entry("2026-08-01T09:00:00Z", FOREIGN)], CREATED),
        (
            [entry("2026-08-01T10:00:00Z", LABELS), entry("2026-08-01T09:00:00Z", AFFINITY)],
            "2026-08-01T10:00:00Z",
        ),
        ([{"time": 1, "fieldsV1": LABELS}, "text", entry("", {"f:metadata": "text"})], CREATED),
        ("text", CREATED),
    ],
)
def test_the_latest_manager_of_a_setting_or_the_creation_has_the_time(
    entries: object, expected: str
) -> None:
    assert (
        last_modified({"creationTimestamp": CREATED, "managedFields": entries}, PREFIX) == expected
    )


@pytest.mark.parametrize("metadata", [{}, {"creationTimestamp": None}, {"creationTimestamp": 5}])
def test_without_timestamps_the_time_is_unknown(metadata: Json) -> None:
    assert last_modified(metadata, PREFIX) == ""
