"""An affinity is valid if the API server accepts it, and every error has its path."""

import json
import re
from typing import Any

import kubernetes.client
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.paths import DATA
from webhook.kube.affinity_fields import AFFINITY
from webhook.kube.affinity_validation import validate_affinity, validate_selector, validate_spread
from webhook.kube.tolerations import TOLERATION_FIELDS

CASES = json.loads((DATA / "affinities.json").read_text(encoding="utf-8"))["cases"]
NAME = (
    "must consist of alphanumeric characters, '-', '_' or '.', "
    "and must start and end with an alphanumeric character"
)
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


@pytest.mark.parametrize("case", CASES, ids=map(str, range(len(CASES))))
def test_an_affinity_is_valid_if_the_api_server_accepts_it(case: dict[str, Any]) -> None:
    assert (validate_affinity(case["affinity"]) == []) == case["accepted"]


def pods(**term: Any) -> Any:
    return {"podAffinity": {REQUIRED: [{"topologyKey": "kubernetes.io/hostname"} | term]}}


def nodes(*expressions: Any) -> Any:
    terms = [{"matchExpressions": list(expressions)}]
    return {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": terms}}}


def by_name(**requirement: Any) -> Any:
    field = {"key": "metadata.name", "operator": "In", "values": ["node-1"]} | requirement
    return {"nodeAffinity": {PREFERRED: [{"weight": 1, "preference": {"matchFields": [field]}}]}}


def weighed(weight: Any) -> Any:
    term = {"topologyKey": "kubernetes.io/hostname"}
    return {"podAntiAffinity": {PREFERRED: [{"weight": weight, "podAffinityTerm": term}]}}


POD_TERM = f".podAffinity.{REQUIRED}[0]"
TERMS = f".nodeAffinity.{REQUIRED}.nodeSelectorTerms"
NODE_EXPRESSION = f"{TERMS}[0].matchExpressions[0]"
NODE_FIELD = f".nodeAffinity.{PREFERRED}[0].preference.matchFields[0]"
KINDS = "nodeAffinity, podAffinity or podAntiAffinity"
WEIGHTED = f".podAntiAffinity.{PREFERRED}[0]"


@pytest.mark.parametrize(
    ("affinity", "errors"),
    [
        ([], [("", "expected a map, found a list")]),
        ({"podAffinity": "x"}, [(".podAffinity", "expected a map, found 'x'")]),
        (
            {"podAffinity": {REQUIRED: {}}},
            [(f".podAffinity.{REQUIRED}", "expected a list, found a map")],
        ),
        (pods(topologyKey=None), [(f"{POD_TERM}.topologyKey", "is missing")]),
        (pods(topologyKey=""), [(f"{POD_TERM}.topologyKey", "'' must not be empty")]),
        (pods(topologyKey="the zone"), [(f"{POD_TERM}.topologyKey", f"'the zone' {NAME}")]),
        (pods(topologyKey=5), [(f"{POD_TERM}.topologyKey", "expected text, found 5")]),
        (
            pods(namespaces=["rook-ceph", "Rook"]),
            [
                (
                    f"{POD_TERM}.namespaces[1]",
                    (
                        "'Rook' must consist of lower case alphanumeric characters or '-', "
                        "and must start and end with an alphanumeric character"
                    ),
                )
            ],
        ),
        (
            pods(labelSelector={"matchLabels": {"app": "a b", "c d": "e"}}),
            [
                (f"{POD_TERM}.labelSelector.matchLabels['app']", f"'a b' {NAME}"),
                (f"{POD_TERM}.labelSelector.matchLabels", f"'c d' {NAME}"),
            ],
        ),
        (
            pods(namespaceSelector={"matchExpressions": [{"key": "a", "operator": "Gt"}]}),
            [
                (
                    f"{POD_TERM}.namespaceSelector.matchExpressions[0].operator",
                    "expected operator In, NotIn, Exists or DoesNotExist, found 'Gt'",
                )
            ],
        ),
        (
            pods(matchLabelKeys=["app"]),
            [(f"{POD_TERM}.labelSelector", "is missing beside label keys to match")],
        ),
        (
            pods(
                labelSelector={"matchLabels": {"app": "a"}},
                matchLabelKeys=["app", "row"],
                mismatchLabelKeys=["row"],
            ),
            [
                (f"{POD_TERM}.matchLabelKeys[0]", "is in labelSelector too"),
                (f"{POD_TERM}.matchLabelKeys[1]", "is among mismatchLabelKeys too"),
            ],
        ),
        (weighed(0), [(f"{WEIGHTED}.weight", "expected a weight from 1 to 100, found 0")]),
        (weighed(True), [(f"{WEIGHTED}.weight", "expected a weight from 1 to 100, found true")]),
        (weighed(None), [(f"{WEIGHTED}.weight", "is missing")]),
        (
            {"nodeAffinity": {REQUIRED: {}}},
            [(f"{TERMS}", "is missing")],
        ),
        (
            {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": []}}},
            [(f"{TERMS}", "must not be empty")],
        ),
        (
            nodes({"key": "disk", "operator": "in", "values": ["nvme"]}),
            [
                (
                    f"{NODE_EXPRESSION}.operator",
                    (
                        "expected operator In, NotIn, Exists, DoesNotExist, Gt or Lt, found 'in'"
                        "; did you mean 'In'?"
                    ),
                )
            ],
        ),
        (
            nodes({"key": "disk", "operator": "NotIn", "values": []}),
            [(f"{NODE_EXPRESSION}.values", "must not be empty with the operator NotIn")],
        ),
        (
            nodes({"key": "disk", "operator": "Exists", "values": ["nvme"]}),
            [(f"{NODE_EXPRESSION}.values", "must be empty with the operator Exists")],
        ),
        (
            nodes({"key": "cpu", "operator": "Gt", "values": ["16Gi"]}),
            [(f"{NODE_EXPRESSION}.values", "must be one integer with the operator Gt")],
        ),
        (
            nodes({"key": "cpu", "operator": "Gt", "values": ["1", "2"]}),
            [(f"{NODE_EXPRESSION}.values", "must be one integer with the operator Gt")],
        ),
        (
            nodes({"key": "cpu", "operator": "Gt", "values": ["-1"]}),
            [(f"{NODE_EXPRESSION}.values[0]", f"'-1' {NAME}")],
        ),
        (nodes({"operator": "Exists"}), [(f"{NODE_EXPRESSION}.key", "is missing")]),
        (
            by_name(key="metadata.uid"),
            [
                (
                    f"{NODE_FIELD}.key",
                    (
                        "expected field metadata.name, found 'metadata.uid'; "
                        "did you mean 'metadata.name'?"
                    ),
                )
            ],
        ),
        (
            by_name(values=["a", "b"]),
            [(f"{NODE_FIELD}.values", "must be exactly one for a field of the node")],
        ),
    ],
)
def test_every_error_has_its_path(affinity: Any, errors: list[tuple[str, str]]) -> None:
    assert validate_affinity(affinity) == errors


def test_unknown_fields_are_valid() -> None:
    affinity = pods(labelSelector={"matchLabels": {"app": "a"}}, next=[2])

    assert validate_affinity(affinity | {"podLove": {}}) == []


@pytest.mark.parametrize(
    ("affinity", "path", "field", "hint"),
    [
        ({"podAffinty": {}}, "", "podAffinty", "podAffinity"),
        (pods(labelselector={"matchLabels": {}}), POD_TERM, "labelselector", "labelSelector"),
        (
            {"podAffinity": {"requiredDuringScheduling": []}},
            ".podAffinity",
            "requiredDuringScheduling",
            REQUIRED,
        ),
        (
            {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": [{"matchExpression": []}]}}},
            f"{TERMS}[0]",
            "matchExpression",
            "matchExpressions",
        ),
        (
            nodes({"key": "a", "operator": "Exists", "value": []}),
            NODE_EXPRESSION,
            "value",
            "values",
        ),
    ],
)
def test_a_misspelt_field_is_an_error_with_a_suggestion(
    affinity: Any, path: str, field: str, hint: str
) -> None:
    (error,) = validate_affinity(affinity)
    assert error.path == path
    assert error.message.startswith(f"unknown field '{field}': expected ")
    assert error.message.endswith(f"; did you mean '{hint}'?")


@pytest.mark.parametrize(
    ("affinity", "path", "field", "hint"),
    [
        (
            pods(labelSelector={"app": "web"}),
            f"{POD_TERM}.labelSelector",
            "app",
            "matchExpressions or matchLabels; did you mean 'matchLabels: {app: web}'?",
        ),
        (
            pods(namespaceSelector={"matchNames": ["a"]}),
            f"{POD_TERM}.namespaceSelector",
            "matchNames",
            "matchExpressions or matchLabels; did you mean 'matchLabels'?",
        ),
        (
            pods(labelSelector={"matchLabels": {"a": "b"}, "topologyKey": "zone"}),
            f"{POD_TERM}.labelSelector",
            "topologyKey",
            (
                f"matchExpressions or matchLabels; 'topologyKey' is a field of {REQUIRED} or "
                "podAffinityTerm"
            ),
        ),
        (
            {"affinity": pods()},
            "",
            "affinity",
            f"{KINDS}; leave out 'affinity' and keep what is in it",
        ),
        (
            {REQUIRED: []},
            "",
            REQUIRED,
            f"{KINDS}; '{REQUIRED}' is a field of {KINDS}",
        ),
        (
            {"podAffinity": pods()},
            ".podAffinity",
            "podAffinity",
            f"{PREFERRED} or {REQUIRED}; 'podAffinity' is a field of affinity",
        ),
        (
            {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": [{"matchLabels": {"a": "b"}}]}}},
            f"{TERMS}[0]",
            "matchLabels",
            (
                "matchExpressions or matchFields; 'matchLabels' is a field of labelSelector or "
                "namespaceSelector"
            ),
        ),
        (
            pods(weight=5),
            POD_TERM,
            "weight",
            (
                "labelSelector, matchLabelKeys, mismatchLabelKeys, namespaceSelector, namespaces "
                f"or topologyKey; 'weight' is a field of {PREFERRED}"
            ),
        ),
    ],
)
def test_a_field_that_would_be_lost_is_an_error_with_its_place(
    affinity: Any, path: str, field: str, hint: str
) -> None:
    assert validate_affinity(affinity) == [(path, UNKNOWN.format(field, hint))]


def test_every_unknown_field_of_a_closed_affinity_is_an_error() -> None:
    affinity = pods(labelSelector={"matchLabels": {"app": "a"}, "future": 1}) | {"podLove": {}}

    assert validate_affinity(affinity, closed=True) == [
        (f"{POD_TERM}.labelSelector", UNKNOWN.format("future", "matchExpressions or matchLabels")),
        ("", UNKNOWN.format("podLove", "nodeAffinity, podAffinity or podAntiAffinity")),
    ]


UNKNOWN = "unknown field '{}': expected {}"


def test_the_known_fields_are_those_of_the_api() -> None:
    def fields(kind: str) -> Any:
        model = getattr(kubernetes.client, kind)
        kinds = {
            model.attribute_map[name]: re.findall("V1[A-Za-z]+", written)
            for name, written in model.openapi_types.items()
        }
        return {name: fields(below[0]) if below else None for name, below in kinds.items()}

    def known(fields: Any) -> Any:
        return fields and {name: known(below) for name, below in fields.known.items()}

    assert known(AFFINITY) == fields("V1Affinity")
    assert set(TOLERATION_FIELDS) == fields("V1Toleration").keys()


def test_excessive_nesting_is_reported() -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]

    assert validate_affinity({"future": deep}) == [("", "is nested more than 64 levels deep")]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(), children),
    max_leaves=5,
)
FIELDS = ["nodeAffinity", "podAffinity", REQUIRED, PREFERRED, "matchExpressions", "labelSelector"]


@given(
    st.recursive(
        json_values,
        lambda children: (
            st.dictionaries(st.sampled_from(FIELDS), children) | st.lists(children, max_size=2)
        ),
    )
)
def test_any_object_is_valid_or_has_errors(affinity: Any) -> None:
    for error in validate_affinity(affinity):
        assert error.message


def test_an_operator_that_is_not_text_is_an_error() -> None:
    [error] = validate_affinity(nodes({"key": "a", "operator": 3}))

    assert error == (f"{NODE_EXPRESSION}.operator", "expected text, found 3")


SPREAD = {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}


@pytest.mark.parametrize(
    ("constraint", "errors"),
    [
        ({}, []),
        ({"labelSelector": {"matchLabels": {"a": "b"}}, "minDomains": 2}, []),
        ({"nodeAffinityPolicy": "Ignore", "nodeTaintsPolicy": None, "matchLabelKeys": ["a"]}, []),
        ({"topologyKey": None}, ["[0].topologyKey"]),
        ({"maxSkew": 0, "minDomains": True}, ["[0].maxSkew", "[0].minDomains"]),
        ({"whenUnsatisfiable": "Never"}, ["[0].whenUnsatisfiable"]),
        ({"nodeTaintsPolicy": "ignore"}, ["[0].nodeTaintsPolicy"]),
        ({"labelSelector": {"matchLabels": []}}, ["[0].labelSelector.matchLabels"]),
    ],
)
def test_every_error_of_a_spread_constraint_has_its_path(
    constraint: dict[str, Any], errors: list[str]
) -> None:
    assert [each.path for each in validate_spread([SPREAD | constraint])] == errors


def test_every_error_of_a_selector_has_its_path() -> None:
    wrong = {"matchExpressions": [{"key": "a", "operator": "In"}]}
    assert validate_selector({"matchLabels": {"a": "b"}}) == []
    assert [each.path for each in validate_selector(wrong)] == [".matchExpressions[0].values"]
