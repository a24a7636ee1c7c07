"""`AtLeast` is an expression until it is expanded to the values of the nodes."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.karl.minimums import (
    expand,
    is_minimum,
    label_keys,
    label_values,
    list_minimums,
    to_expression,
)
from webhook.kube import quantity
from webhook.kube.objects import Json
from webhook.model import Settings

NAME = (
    "must consist of alphanumeric characters, '-', '_' or '.', "
    "and must start and end with an alphanumeric character"
)
NODES = {"memory": ["64G", "64Gi", "1Ti", "0.125Ti", "lots", ""], "cpu": ["8"]}


@pytest.mark.parametrize(
    ("minimum", "operator", "values"),
    [
        ("16", "Gt", ["15"]),
        ("1", "Gt", ["0"]),
        ("9223372036854775807", "Gt", ["9223372036854775806"]),
        pytest.param("0", "AtLeast", ["0"], id="the API server rejects Gt -1"),
        pytest.param("9223372036854775808", "AtLeast", ["9223372036854775808"], id="not an int64"),
        ("64Gi", "AtLeast", ["64Gi"]),
        ("1.5", "AtLeast", ["1.5"]),
        ("2k", "AtLeast", ["2k"]),
    ],
)
def test_an_integer_becomes_gt_and_a_quantity_becomes_at_least(
    minimum: str, operator: str, values: list[str]
) -> None:
    expected = {"key": "memory", "operator": operator, "values": values}

    assert to_expression("memory", minimum) == expected
    assert is_minimum(f"{minimum}+")


@pytest.mark.parametrize(
    ("minimum", "phrase"),
    [
        ("lots", "must be a quantity such as 16, 500m, 64G or 64Gi"),
        ("", "must be a quantity such as 16, 500m, 64G or 64Gi"),
        ("-5", NAME),
        ("0." + "1" * 62, "must be no more than 63 characters"),
    ],
)
def test_a_minimum_that_is_not_a_label_value_is_an_error(minimum: str, phrase: str) -> None:
    with pytest.raises(ValueError, match="must") as error:
        to_expression("memory", minimum)

    assert str(error.value) == phrase
    assert not is_minimum(f"{minimum}+")


@pytest.mark.parametrize("value", ["16", "nvme", "", "+16", "16 +"])
def test_a_plain_value_is_not_a_minimum(value: str) -> None:
    assert not is_minimum(value)


@pytest.mark.parametrize(("operator", "expanded"), [("AtLeast", "In"), ("NotAtLeast", "NotIn")])
def test_the_sufficient_values_of_the_nodes_are_sorted(operator: str, expanded: str) -> None:
    before = {"key": "memory", "operator": operator, "values": ["64Gi"]}

    assert expand(before, NODES) == {
        "key": "memory",
        "operator": expanded,
        "values": ["64Gi", "0.125Ti", "1Ti"],
    }
    assert before["operator"] == operator


def test_the_minimum_itself_is_among_the_values() -> None:
    before = [to_expression("memory", "64Gi"), to_expression("disk", "1T")]

    assert expand(before, {"memory": ["1Ti"]}) == [
        {"key": "memory", "operator": "In", "values": ["64Gi", "1Ti"]},
        {"key": "disk", "operator": "In", "values": ["1T"]},
    ]


def affinity(*expressions: Json) -> Json:
    terms = [{"matchExpressions": [each]} for each in expressions]
    required = {"nodeSelectorTerms": terms}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}


def test_minimums_in_an_affinity_are_expanded() -> None:
    plain = {"key": "disk", "operator": "In", "values": ["nvme"]}

    assert expand(affinity(to_expression("memory", "64Gi"), plain), {}) == affinity(
        {"key": "memory", "operator": "In", "values": ["64Gi"]}, plain
    )


def test_an_object_without_minimums_is_not_copied() -> None:
    before = affinity(to_expression("cpu", "16"))
    labels = {"matchLabels": {"operator": "AtLeast", "key": "k", "values": "v"}}

    assert expand(before, NODES) is before
    assert expand(labels, NODES) is labels


UNKNOWN: list[Any] = [
    {"operator": ["x"]},
    {"operator": {}},
    {"operator": "AtLeast", "values": ["zz"]},
    {"operator": "AtLeast", "key": "k", "values": ["zz"]},
    {"operator": "AtLeast", "key": 5, "values": ["64Gi"]},
    {"operator": "AtLeast", "key": "k", "values": [5]},
    {"operator": "AtLeast", "key": "k", "values": ["1Gi", "2Gi"]},
    {"future": {"operator": "AtLeast", "key": "k", "values": ["64Gi"]}},
]


@pytest.mark.parametrize("fields", UNKNOWN, ids=map(str, range(len(UNKNOWN))))
def test_unknown_fields_are_unchanged(fields: Json) -> None:
    plain = {"key": "disk", "operator": "Exists"}
    before = affinity(to_expression("cpu", "16"))
    required = before["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    required["nodeSelectorTerms"] += [fields | {"matchExpressions": [plain]}]
    before["podAffinity"] = fields

    assert expand(before, NODES) is before
    assert label_keys(Settings(affinity=before)) == set()


@pytest.mark.parametrize(
    "before", [{"nodeAffinity": "text"}, {"nodeAffinity": {"matchExpressions": ["text"]}}]
)
def test_an_affinity_with_fields_of_other_types_is_unchanged(before: Json) -> None:
    assert expand(before, NODES) is before
    assert label_keys(Settings(affinity=before)) == set()


@given(st.lists(st.sampled_from(["1", "512Mi", "1Gi", "1G", "2e9", "x", "1n"])), st.data())
def test_all_sufficient_values_are_selected(values: list[str], data: st.DataObject) -> None:
    minimum = data.draw(st.sampled_from(["512Mi", "1Gi", "1.0"]))
    expanded = expand(to_expression("memory", minimum), {"memory": values})
    sizes = [quantity.parse(value) for value in expanded["values"]]

    assert set(expanded["values"]) == {minimum} | {
        value
        for value in values
        if value != "x" and quantity.parse(value) >= quantity.parse(minimum)
    }
    assert sizes == sorted(sizes)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (Settings(), set()),
        (Settings(node_requirements=[to_expression("cpu", "16")]), set()),
        (
            Settings(
                node_requirements=[to_expression("memory", "64Gi")],
                affinity=affinity({"key": "disk", "operator": "NotAtLeast", "values": ["1T"]}),
            ),
            {"memory", "disk"},
        ),
    ],
)
def test_the_label_keys_are_those_of_the_minimums(settings: Settings, expected: set[Any]) -> None:
    assert label_keys(settings) == expected


def test_minimums_of_an_expansion_are_all_spellings_of_its_smallest_amount() -> None:
    def minimums(operator: str, *values: str) -> list[str]:
        expression = {"key": "memory", "operator": operator, "values": list(values)}
        return [each["values"][0] for each in list_minimums(expression)]

    assert minimums("In", "64Gi", "65536Mi", "1Ti") == ["64Gi", "65536Mi"]
    assert minimums("NotIn", "64Gi") == ["64Gi"]
    assert minimums("In", "1Ti", "64Gi") == []
    assert minimums("In", "64Gi", "64Gi") == []
    assert minimums("In", "64Gi", "lots") == []
    assert minimums("In", "0." + "1" * 62) == []
    assert minimums("In") == minimums("Exists") == []


def test_the_sizes_of_node_values_are_parsed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """There may be thousands of nodes, and a pod is placed much more often than they change."""
    parsed: list[str] = []
    parse = quantity.parse

    def record(text: str) -> Decimal:
        parsed.append(text)
        return parse(text)

    monkeypatch.setattr(quantity, "parse", record)
    nodes = label_values([{"memory": f"{number}Mi"} for number in range(5000)], ["memory"])
    term = {"matchExpressions": [to_expression("memory", "64Gi")] * 10}
    for _ in range(3):
        assert expand(term, nodes)["matchExpressions"][0]["values"] == ["64Gi"]
    assert len(parsed) < 5000 + 100
