"""The API server's defaults are added to a pod that has not been created."""

from typing import Any

import pytest

from tests.support.builders import pod
from webhook.kube.affinity import PREFERRED, REQUIRED
from webhook.kube.defaulting import with_defaults
from webhook.kube.objects import Json


def outage(name: str) -> Json:
    return {
        "key": f"node.kubernetes.io/{name}",
        "operator": "Exists",
        "effect": "NoExecute",
        "tolerationSeconds": 300,
    }


NOT_READY, UNREACHABLE = outage("not-ready"), outage("unreachable")


@pytest.mark.parametrize(
    ("tolerations", "added"),
    [
        ([], [NOT_READY, UNREACHABLE]),
        ([{"key": "gpu", "operator": "Exists"}], [NOT_READY, UNREACHABLE]),
        ([{"operator": "Exists"}], []),
        ([{"operator": "Exists", "effect": "NoSchedule"}], [NOT_READY, UNREACHABLE]),
        ([{"key": "node.kubernetes.io/not-ready", "value": "x"}], [UNREACHABLE]),
        ([NOT_READY], [UNREACHABLE]),
    ],
)
def test_default_tolerations_are_added_unless_the_pod_has_its_own(
    tolerations: list[Json], added: list[Json]
) -> None:
    found = with_defaults(pod("a/b", tolerations=tolerations))["spec"]["tolerations"]
    assert found == tolerations + added


def term(**selector: Any) -> Json:
    keys = {"matchLabelKeys": ["app", "gone"], "mismatchLabelKeys": ["batch"]}
    return {"topologyKey": "zone", "labelSelector": selector, **keys}


def test_label_keys_become_expressions_with_the_values_of_the_pod() -> None:
    before = term(matchLabels={"tier": "db"}, matchExpressions=[{"key": "a", "operator": "Exists"}])
    weighted = {"weight": 5, "podAffinityTerm": term()}
    kinds = {
        "podAffinity": {REQUIRED: [before]},
        "podAntiAffinity": {PREFERRED: [weighted]},
        "nodeAffinity": {PREFERRED: []},
    }
    own = [
        {"key": "app", "operator": "In", "values": ["x"]},
        {"key": "batch", "operator": "NotIn", "values": ["1"]},
    ]
    found = with_defaults(pod("a/b", labels={"app": "x", "batch": "1"}, affinity=kinds))
    exists = {"key": "a", "operator": "Exists"}
    after = term(matchLabels={"tier": "db"}, matchExpressions=[exists, *own])
    assert found["spec"]["affinity"] == {
        "podAffinity": {REQUIRED: [after]},
        "podAntiAffinity": {
            PREFERRED: [{"weight": 5, "podAffinityTerm": term(matchExpressions=own)}]
        },
        "nodeAffinity": {PREFERRED: []},
    }


def test_a_term_without_a_label_selector_is_unchanged() -> None:
    without_selector = {"topologyKey": "zone", "matchLabelKeys": ["app"]}
    affinity = {"podAffinity": {REQUIRED: [without_selector]}}
    found = with_defaults(pod("a/b", labels={"app": "x"}, affinity=affinity))
    assert found["spec"]["affinity"] == affinity


def test_other_fields_of_the_pod_are_unchanged() -> None:
    before = pod("a/b", volumes=[{"name": "v"}])
    after = with_defaults(before)
    assert after.pop("spec") == before["spec"] | {"tolerations": [NOT_READY, UNREACHABLE]}
    assert after == {field: value for field, value in before.items() if field != "spec"}
