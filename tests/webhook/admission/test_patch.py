"""The JSON patch from one pod to another."""

from typing import Any

import jsonpatch
import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.admission.patch import PATCHED_FIELDS, diff
from webhook.kube.objects import Json

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
CPU = {"cpu": "2"}


@pytest.mark.parametrize(
    ("before", "after", "operations"),
    [
        pytest.param(
            {"spec": {"nodeSelector": {}}}, {"spec": {"nodeSelector": {}}}, [], id="equal pods"
        ),
        pytest.param(
            {},
            {"metadata": {"labels": {"a": "b"}}},
            [("add", "/metadata", {"labels": {"a": "b"}})],
            id="missing parents are added",
        ),
        pytest.param(
            {"metadata": {"labels": None}, "spec": None},
            {"metadata": {"labels": {"a": "b"}}, "spec": {"tolerations": [{}]}},
            [
                ("add", "/metadata/labels", {"a": "b"}),
                ("add", "/spec", {"tolerations": [{}]}),
            ],
            id="null parents are replaced",
        ),
        pytest.param(
            {"metadata": {"labels": {"a~b/c": "1", "old": "x"}}},
            {"metadata": {"labels": {"a~b/c": "2", "~/": "3"}}},
            [
                ("replace", "/metadata/labels/a~0b~1c", "2"),
                ("remove", "/metadata/labels/old", ...),
                ("add", "/metadata/labels/~0~1", "3"),
            ],
            id="keys are escaped",
        ),
        pytest.param(
            {"spec": {"tolerations": [{"key": "a"}]}},
            {"spec": {"tolerations": [{"key": "a"}, {"key": "b"}, {"key": "c"}]}},
            [
                ("add", "/spec/tolerations/-", {"key": "b"}),
                ("add", "/spec/tolerations/-", {"key": "c"}),
            ],
            id="elements are appended",
        ),
        pytest.param(
            {"spec": {"affinity": {"podAffinity": {REQUIRED: [{"topologyKey": "a"}, {}]}}}},
            {
                "spec": {
                    "affinity": {"podAffinity": {REQUIRED: [{"topologyKey": "a", "x": {}}, {}]}}
                }
            },
            [("add", f"/spec/affinity/podAffinity/{REQUIRED}/0/x", {})],
            id="a field is added to an element",
        ),
        pytest.param(
            {"spec": {"tolerations": [{"key": "a", "value": "x"}, {"key": "b"}]}},
            {"spec": {"tolerations": [{"key": "c", "value": "x"}, {"key": "b"}]}},
            [("replace", "/spec/tolerations/0", {"key": "c", "value": "x"})],
            id="an element is replaced",
        ),
        pytest.param(
            {"spec": {"tolerations": [{"key": "a"}, {"key": "b"}]}},
            {"spec": {"tolerations": [{"key": "b"}]}},
            [("replace", "/spec/tolerations", [{"key": "b"}])],
            id="a shorter array is replaced",
        ),
        pytest.param(
            {"spec": {"containers": [{"name": "a", "image": "b"}], "hostname": "a"}, "status": {}},
            {"spec": {"containers": [{"name": "a", "image": "c"}], "nodeName": "b"}},
            [],
            id="other fields are ignored",
        ),
        pytest.param(
            {"spec": {"containers": [{}, {"name": "b", "resources": {"limits": {}}}]}},
            {
                "spec": {
                    "containers": [{"name": "a"}, {"name": "b", "resources": {"requests": CPU}}]
                }
            },
            [
                ("remove", "/spec/containers/1/resources/limits", ...),
                ("add", "/spec/containers/1/resources/requests", CPU),
            ],
            id="of a container only the fields that a placement may change are patched",
        ),
    ],
)
def test_a_patch_has_only_the_differences(
    before: Json, after: Json, operations: list[tuple[str, str, Any]]
) -> None:
    assert diff(before, after) == [
        {"op": op, "path": path} | ({} if value is ... else {"value": value})
        for op, path, value in operations
    ]


texts = st.sampled_from(["", "a", "b/c", "~1", "~"])
values = st.recursive(
    st.none() | texts | st.integers(0, 2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
pods = st.fixed_dictionaries(
    {},
    optional={
        parent: st.none() | st.fixed_dictionaries({}, optional=dict.fromkeys(fields, values))
        for parent, fields in PATCHED_FIELDS.items()
    },
)


def drop_nulls(value: Any) -> Any:
    """Return JSON without the members that are null."""
    if isinstance(value, dict):
        return {key: drop_nulls(member) for key, member in value.items() if member is not None}
    return [drop_nulls(item) for item in value] if isinstance(value, list) else value


@given(pods, pods)
def test_the_patch_applied_gives_the_target(before: Json, after: Json) -> None:
    assert drop_nulls(jsonpatch.apply_patch(before, diff(before, after))) == drop_nulls(after)
