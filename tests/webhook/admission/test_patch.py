"""A patch turns one pod into another, and touches no more than differs."""

from typing import Any

import jsonpatch
import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.admission.patch import PATCHED_FIELDS, diff
from webhook.kube.objects import Json

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


@pytest.mark.parametrize(
    ("before", "after", "operations"),
    [
        pytest.param({"spec": {"nodeSelector": {}}}, {"spec": {"nodeSelector": {}}}, [], id="same"),
        pytest.param(
            {},
            {"metadata": {"labels": {"a": "b"}}},
            [("add", "/metadata", {"labels": {"a": "b"}})],
            id="all parents missing",
        ),
        pytest.param(
            {"metadata": {"labels": None}, "spec": None},
            {"metadata": {"labels": {"a": "b"}}, "spec": {"tolerations": [{}]}},
            [
                ("add", "/metadata/labels", {"a": "b"}),
                ("add", "/spec", {"tolerations": [{}]}),
            ],
            id="parents null",
        ),
        pytest.param(
            {"metadata": {"labels": {"a~b/c": "1", "gone": "x"}}},
            {"metadata": {"labels": {"a~b/c": "2", "~/": "3"}}},
            [
                ("replace", "/metadata/labels/a~0b~1c", "2"),
                ("remove", "/metadata/labels/gone", ...),
                ("add", "/metadata/labels/~0~1", "3"),
            ],
            id="keys escaped",
        ),
        pytest.param(
            {"spec": {"tolerations": [{"key": "a"}]}},
            {"spec": {"tolerations": [{"key": "a"}, {"key": "b"}, {"key": "c"}]}},
            [
                ("add", "/spec/tolerations/-", {"key": "b"}),
                ("add", "/spec/tolerations/-", {"key": "c"}),
            ],
            id="array appended to",
        ),
        pytest.param(
            {"spec": {"affinity": {"podAffinity": {REQUIRED: [{"topologyKey": "a"}, {}]}}}},
            {
                "spec": {
                    "affinity": {"podAffinity": {REQUIRED: [{"topologyKey": "a", "x": {}}, {}]}}
                }
            },
            [("add", f"/spec/affinity/podAffinity/{REQUIRED}/0/x", {})],
            id="element added to",
        ),
        pytest.param(
            {"spec": {"tolerations": [{"key": "a", "value": "x"}, {"key": "b"}]}},
            {"spec": {"tolerations": [{"key": "c", "value": "x"}, {"key": "b"}]}},
            [("replace", "/spec/tolerations/0", {"key": "c", "value": "x"})],
            id="element changed",
        ),
        pytest.param(
            {"spec": {"tolerations": [{"key": "a"}, {"key": "b"}]}},
            {"spec": {"tolerations": [{"key": "b"}]}},
            [("replace", "/spec/tolerations", [{"key": "b"}])],
            id="element gone",
        ),
        pytest.param(
            {"spec": {"containers": [1], "hostname": "a"}, "status": {}},
            {"spec": {"containers": [2], "nodeName": "b"}},
            [],
            id="nothing else looked at",
        ),
    ],
)
def test_a_patch_is_the_smallest_that_does(
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


def bare(value: Any) -> Any:
    """Leave out the members that are null."""
    if isinstance(value, dict):
        return {key: bare(member) for key, member in value.items() if member is not None}
    return [bare(item) for item in value] if isinstance(value, list) else value


@given(pods, pods)
def test_a_patch_applied_gives_the_target(before: Json, after: Json) -> None:
    assert bare(jsonpatch.apply_patch(before, diff(before, after))) == bare(after)
