"""Fields of objects that need not be what Kubernetes defines."""

import pytest

from webhook.kube.objects import nested_map, nested_string

POD = {"metadata": {"name": "a", "labels": {"b": "c"}, "generation": 1, "annotations": None}}


def test_a_nested_field_is_found_by_its_path() -> None:
    assert nested_map(POD, "metadata", "labels") == nested_map({"b": "c"}) == {"b": "c"}
    assert nested_string(POD, "metadata", "name") == nested_string("a") == "a"


@pytest.mark.parametrize(
    "path",
    [
        ["spec"],
        ["spec", "affinity"],
        ["metadata", "annotations"],
        ["metadata", "generation"],
        ["metadata", "name", "labels"],
    ],
)
def test_a_nested_field_that_is_absent_null_or_of_another_type_is_empty(path: list[str]) -> None:
    assert nested_map(POD, *path) == {}
    assert nested_string(POD, *path) == ""
