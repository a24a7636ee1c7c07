"""Selectors match as in kube-scheduler."""

from typing import Any

import pytest

from webhook.kube.objects import Json
from webhook.kube.selectors import (
    expression_matches,
    label_selector_matches,
    node_selector_term_matches,
)

LABELS = {"disk": "ssd", "cores": "016", "size": "64Gi", "empty": "", "neg": "-4"}


def requirement(key: str, operator: str, *values: str) -> Json:
    return {"key": key, "operator": operator} | ({"values": list(values)} if values else {})


@pytest.mark.parametrize(
    ("expression", "matched"),
    [
        (requirement("disk", "In", "hdd", "ssd"), True),
        (requirement("disk", "In", "hdd"), False),
        (requirement("rack", "In", "a"), False),
        (requirement("disk", "NotIn", "ssd"), False),
        (requirement("rack", "NotIn", "a"), True),
        (requirement("empty", "Exists"), True),
        (requirement("rack", "Exists"), False),
        (requirement("rack", "DoesNotExist"), True),
        (requirement("empty", "DoesNotExist"), False),
        (requirement("cores", "Gt", "15"), True),
        (requirement("cores", "Gt", "16"), False),
        (requirement("cores", "Lt", "17"), True),
        (requirement("cores", "Lt", "16"), False),
        (requirement("neg", "Lt", "0"), True),
        (requirement("cores", "Gt", "9223372036854775808"), False),
        (requirement("cores", "Gt", "1" * 5000), False),
        (requirement("size", "Gt", "1"), False),
        (requirement("rack", "Lt", "1"), False),
        (requirement("cores", "Gt", "1", "2"), False),
        (requirement("cores", "Gt"), False),
        (requirement("disk", "AtLeast", "ssd"), False),
    ],
)
def test_an_expression_matches_as_in_kube_scheduler(expression: Json, matched: bool) -> None:
    assert expression_matches(expression, LABELS) is matched


@pytest.mark.parametrize(
    ("selector", "matched"),
    [
        (None, False),
        ({}, True),
        ({"matchLabels": None, "matchExpressions": None}, True),
        ({"matchLabels": {"disk": "ssd"}}, True),
        ({"matchLabels": {"disk": "ssd", "rack": "a"}}, False),
        (
            {"matchLabels": {"disk": "ssd"}, "matchExpressions": [requirement("rack", "Exists")]},
            False,
        ),
        (
            {"matchExpressions": [requirement("disk", "Exists"), requirement("cores", "Exists")]},
            True,
        ),
    ],
)
def test_an_absent_selector_matches_nothing_and_an_empty_one_everything(
    selector: Any, matched: bool
) -> None:
    assert label_selector_matches(selector, LABELS) is matched


@pytest.mark.parametrize(
    ("term", "matched"),
    [
        ({}, False),
        ({"matchExpressions": []}, False),
        ({"matchExpressions": [requirement("disk", "Exists")]}, True),
        ({"matchFields": [requirement("metadata.name", "In", "n1")]}, True),
        ({"matchFields": [requirement("metadata.name", "NotIn", "n1")]}, False),
        ({"matchFields": [requirement("metadata.name", "In", "n1", "n2")]}, False),
        ({"matchFields": [requirement("metadata.name", "Exists")]}, False),
        (
            {
                "matchExpressions": [requirement("disk", "In", "hdd")],
                "matchFields": [requirement("metadata.name", "In", "n1")],
            },
            False,
        ),
    ],
)
def test_a_node_selector_term_matches_labels_and_the_name(term: Json, matched: bool) -> None:
    assert (
        node_selector_term_matches(term, {"metadata": {"name": "n1", "labels": LABELS}}) is matched
    )
