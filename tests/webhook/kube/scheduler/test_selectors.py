"""Selectors mean what they mean for kube-scheduler."""

from typing import Any

import pytest

from webhook.kube.objects import Json
from webhook.kube.scheduler.selectors import holds, selects, selects_node

LABELS = {"disk": "ssd", "cores": "016", "size": "64Gi", "empty": "", "neg": "-4"}


def says(key: str, operator: str, *values: str) -> Json:
    return {"key": key, "operator": operator} | ({"values": list(values)} if values else {})


@pytest.mark.parametrize(
    ("expression", "held"),
    [
        (says("disk", "In", "hdd", "ssd"), True),
        (says("disk", "In", "hdd"), False),
        (says("rack", "In", "a"), False),
        (says("disk", "NotIn", "ssd"), False),
        (says("rack", "NotIn", "a"), True),
        (says("empty", "Exists"), True),
        (says("rack", "Exists"), False),
        (says("rack", "DoesNotExist"), True),
        (says("empty", "DoesNotExist"), False),
        (says("cores", "Gt", "15"), True),
        (says("cores", "Gt", "16"), False),
        (says("cores", "Lt", "17"), True),
        (says("cores", "Lt", "16"), False),
        (says("neg", "Lt", "0"), True),
        (says("cores", "Gt", "9223372036854775808"), False),
        (says("cores", "Gt", "1" * 5000), False),
        (says("size", "Gt", "1"), False),
        (says("rack", "Lt", "1"), False),
        (says("cores", "Gt", "1", "2"), False),
        (says("cores", "Gt"), False),
        (says("disk", "AtLeast", "ssd"), False),
    ],
)
def test_an_expression_holds_as_for_the_scheduler(expression: Json, held: bool) -> None:
    assert holds(expression, LABELS) is held


@pytest.mark.parametrize(
    ("selector", "selected"),
    [
        (None, False),
        ({}, True),
        ({"matchLabels": None, "matchExpressions": None}, True),
        ({"matchLabels": {"disk": "ssd"}}, True),
        ({"matchLabels": {"disk": "ssd", "rack": "a"}}, False),
        ({"matchLabels": {"disk": "ssd"}, "matchExpressions": [says("rack", "Exists")]}, False),
        ({"matchExpressions": [says("disk", "Exists"), says("cores", "Exists")]}, True),
    ],
)
def test_a_missing_selector_selects_nothing_and_an_empty_one_everything(
    selector: Any, selected: bool
) -> None:
    assert selects(selector, LABELS) is selected


@pytest.mark.parametrize(
    ("term", "selected"),
    [
        ({}, False),
        ({"matchExpressions": []}, False),
        ({"matchExpressions": [says("disk", "Exists")]}, True),
        ({"matchFields": [says("metadata.name", "In", "n1")]}, True),
        ({"matchFields": [says("metadata.name", "NotIn", "n1")]}, False),
        ({"matchFields": [says("metadata.name", "In", "n1", "n2")]}, False),
        ({"matchFields": [says("metadata.name", "Exists")]}, False),
        (
            {
                "matchExpressions": [says("disk", "In", "hdd")],
                "matchFields": [says("metadata.name", "In", "n1")],
            },
            False,
        ),
    ],
)
def test_a_node_term_asks_for_labels_and_for_the_name(term: Json, selected: bool) -> None:
    assert selects_node(term, {"metadata": {"name": "n1", "labels": LABELS}}) is selected
