"""A pod that is not there yet is judged as the API server will have it."""

from typing import Any

import pytest

from tests.support.clusters import pod
from webhook.kube.affinity import PREFERRED, REQUIRED
from webhook.kube.objects import Json
from webhook.kube.scheduler.defaulting import admitted


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
def test_a_pod_tolerates_for_a_while_that_its_node_is_not_ready(
    tolerations: list[Json], added: list[Json]
) -> None:
    found = admitted(pod("a/b", tolerations=tolerations))["spec"]["tolerations"]
    assert found == tolerations + added


def term(**selector: Any) -> Json:
    keys = {"matchLabelKeys": ["app", "gone"], "mismatchLabelKeys": ["batch"]}
    return {"topologyKey": "zone", "labelSelector": selector, **keys}


def test_label_keys_become_expressions_of_the_pods_own_values() -> None:
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
    found = admitted(pod("a/b", labels={"app": "x", "batch": "1"}, affinity=kinds))
    exists = {"key": "a", "operator": "Exists"}
    after = term(matchLabels={"tier": "db"}, matchExpressions=[exists, *own])
    assert found["spec"]["affinity"] == {
        "podAffinity": {REQUIRED: [after]},
        "podAntiAffinity": {
            PREFERRED: [{"weight": 5, "podAffinityTerm": term(matchExpressions=own)}]
        },
        "nodeAffinity": {PREFERRED: []},
    }


def test_a_term_without_a_selector_stays_as_it_is() -> None:
    nothing = {"topologyKey": "zone", "matchLabelKeys": ["app"]}
    affinity = {"podAffinity": {REQUIRED: [nothing]}}
    assert admitted(pod("a/b", labels={"app": "x"}, affinity=affinity))["spec"]["affinity"] == (
        affinity
    )


def test_the_rest_of_a_pod_is_untouched() -> None:
    before = pod("a/b", volumes=[{"name": "v"}])
    after = admitted(before)
    assert after.pop("spec") == before["spec"] | {"tolerations": [NOT_READY, UNREACHABLE]}
    assert after == {field: value for field, value in before.items() if field != "spec"}
