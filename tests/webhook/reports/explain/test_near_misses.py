"""Suggestions for a term that matches nothing."""

import pytest

from tests.support.builders import HOST, node, plan, pod
from webhook.kube.objects import Json
from webhook.model import Installation
from webhook.reports.explain import ClusterObjects
from webhook.reports.explain.context import read_context
from webhook.reports.explain.near_misses import diagnose_pod_term

NEW = pod("vms/new")


def diagnose(term: Json, *labels: dict[str, str]) -> str:
    """Diagnose a term in a cluster whose pods have these labels."""
    pods = [pod(f"vms/p{number}", "a", each) for number, each in enumerate(labels)]
    cluster = ClusterObjects([node("a")], pods, [], [])
    context = read_context(plan(), Installation(), cluster)
    return diagnose_pod_term({"topologyKey": HOST, "labelSelector": term}, NEW, context)


def test_the_first_label_that_no_pod_has_gets_a_suggestion() -> None:
    term = {"matchLabels": {"app": "ceph", "tier": "b"}}

    assert diagnose(term, {"app": "ceph", "tier": "a"}) == (
        "no pod of any namespace has these labels; did you mean 'tier=a'?"
    )


@pytest.mark.parametrize(
    "term",
    [
        {"matchLabels": {"app": "ceph", "tier": "b"}},
        {"matchExpressions": [{"key": "app", "operator": "In", "values": ["cehp"]}]},
    ],
    ids=["pods have each label alone", "expressions"],
)
def test_other_terms_get_no_suggestion(term: Json) -> None:
    assert diagnose(term, {"app": "ceph"}, {"tier": "b"}) == (
        "no pod of any namespace has these labels"
    )
