"""Properties of the verdicts, for any cluster."""

import copy
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from tests.support.builders import node
from tests.support.builders import pod as make_pod
from tests.support.worlds import TARGET, DrawnCluster, build_namespaces, draw_cluster
from webhook.kube.defaulting import with_defaults
from webhook.kube.scheduler import Verdict, take_snapshot
from webhook.kube.scheduler.node_resources_fit import PLUGIN as FIT
from webhook.kube.scheduler.scores import score
from webhook.kube.scheduler.taint_toleration import PLUGIN as TAINTS

cases = st.integers(0, 2**32).map(lambda seed: draw_cluster(Random(seed)))


def rejected_by(verdicts: list[Verdict]) -> list[list[str]]:
    return [[rejection.plugin for rejection in verdict.rejections] for verdict in verdicts]


@given(cases)
def test_filters_and_scores_do_not_change_their_input(case: DrawnCluster) -> None:
    before = copy.deepcopy((case.nodes, case.pods, case.pod))
    case.verdicts()
    score(case.pod, take_snapshot(case.nodes, case.pods, build_namespaces()))
    assert (case.nodes, case.pods, case.pod) == before


@given(cases)
def test_the_order_of_nodes_and_pods_does_not_matter(case: DrawnCluster) -> None:
    expected = rejected_by(case.verdicts())
    case.random.shuffle(case.nodes)
    case.random.shuffle(case.pods)
    assert rejected_by(case.verdicts()) == expected


@given(cases)
def test_tolerating_everything_removes_only_the_rejections_by_taints(case: DrawnCluster) -> None:
    taints_ignored = [
        {name: value for name, value in each.items() if name != "nodeTaintsPolicy"}
        for each in case.pod["spec"].get("topologySpreadConstraints", [])
    ]
    spec = case.pod["spec"] | {"topologySpreadConstraints": taints_ignored}
    case = case._replace(pod=case.pod | {"spec": spec})
    kept = [
        [each for each in plugins if each not in (TAINTS, "NodeUnschedulable")]
        for plugins in rejected_by(case.verdicts())
    ]
    spec = spec | {"tolerations": [{"operator": "Exists"}]}
    found = case._replace(pod=case.pod | {"spec": spec})
    assert rejected_by(found.verdicts()) == kept


@given(cases)
def test_a_finished_pod_does_not_count(case: DrawnCluster) -> None:
    if not case.pods:
        return
    gone = case.random.choice(case.pods)
    without = case._replace(pods=[each for each in case.pods if each is not gone])
    finished = [
        each | {"status": {"phase": "Succeeded"}} if each is gone else each for each in case.pods
    ]
    assert case._replace(pods=finished).verdicts() == without.verdicts()


@given(cases)
def test_removing_a_pod_does_not_reduce_free_resources(case: DrawnCluster) -> None:
    before = {
        verdict.node
        for verdict in case.verdicts()
        if FIT not in [rejection.plugin for rejection in verdict.rejections]
    }
    for verdict in case._replace(pods=case.pods[1:]).verdicts():
        if verdict.node in before:
            assert FIT not in [rejection.plugin for rejection in verdict.rejections]


@given(cases)
def test_an_added_node_without_labels_changes_no_other_verdict(case: DrawnCluster) -> None:
    before = case.verdicts()
    alone = node("zzz-alone")
    alone["metadata"]["labels"] = {}
    assert case._replace(nodes=[*case.nodes, alone]).verdicts()[:-1] == before


@given(cases, st.booleans())
def test_anti_affinity_is_symmetric(case: DrawnCluster, in_target: bool) -> None:
    with_affinity = [each for each in case.pods if each["spec"].get("affinity")]
    if not with_affinity:
        return
    existing = with_defaults(with_affinity[0])
    other = make_pod(f"{TARGET if in_target else 'apps-drawn'}/other", labels={"app": "virt-v2v"})
    for node_of_pod in case.nodes:
        name = node_of_pod["metadata"]["name"]
        there = existing | {"spec": existing["spec"] | {"nodeName": name}}
        arriving = _rejecting_by_anti_affinity(case._replace(pods=[there], pod=other))
        for verdict in arriving:
            on_it = other | {"spec": other["spec"] | {"nodeName": verdict}}
            moving = existing | {"spec": existing["spec"] | {"nodeName": ""}}
            back = _rejecting_by_anti_affinity(case._replace(pods=[on_it], pod=moving))
            assert name in back


def _rejecting_by_anti_affinity(case: DrawnCluster) -> set[str]:
    return {
        verdict.node
        for verdict in case.verdicts()
        for rejection in verdict.rejections
        if "anti-affinity" in rejection.reasons[0]
    }
