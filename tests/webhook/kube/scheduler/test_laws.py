"""What must be true of verdicts, whatever the world."""

import copy
from random import Random
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from tests.support.clusters import node
from tests.support.clusters import pod as make_pod
from tests.support.scheduler_worlds import TARGET, draw_namespaces, draw_nodes, draw_plan, draw_pods
from webhook import settings
from webhook.kube.objects import Json
from webhook.kube.scheduler import Verdict, judge, look
from webhook.kube.scheduler.defaulting import admitted
from webhook.kube.scheduler.node_resources_fit import PLUGIN as FIT
from webhook.kube.scheduler.scores import points
from webhook.kube.scheduler.taint_toleration import PLUGIN as TAINTS
from webhook.model import Installation
from webhook.placement import place
from webhook.reports.model_pod import model_pod


class Drawn(NamedTuple):
    nodes: list[Json]
    pods: list[Json]
    pod: Json
    random: Random

    def verdicts(self) -> list[Verdict]:
        return judge(self.pod, look(self.nodes, self.pods, draw_namespaces()))


def draw(random: Random) -> Drawn:
    nodes = draw_nodes(random)
    pods = draw_pods(random, nodes)
    plan_object = draw_plan(random)
    plan = settings.read(plan_object, Installation())
    placed = place(model_pod(plan, plan_object["spec"]), plan, Installation(), {})
    return Drawn(nodes, pods, admitted(placed.pod), random)


worlds = st.integers(0, 2**32).map(lambda seed: draw(Random(seed)))


def rejected_by(verdicts: list[Verdict]) -> list[list[str]]:
    return [[rejection.plugin for rejection in verdict.rejections] for verdict in verdicts]


@given(worlds)
def test_judging_changes_nothing(world: Drawn) -> None:
    before = copy.deepcopy((world.nodes, world.pods, world.pod))
    world.verdicts()
    points(world.pod, look(world.nodes, world.pods, draw_namespaces()))
    assert (world.nodes, world.pods, world.pod) == before


@given(worlds)
def test_the_order_of_nodes_and_pods_makes_no_difference(world: Drawn) -> None:
    expected = rejected_by(world.verdicts())
    world.random.shuffle(world.nodes)
    world.random.shuffle(world.pods)
    assert rejected_by(world.verdicts()) == expected


@given(worlds)
def test_to_tolerate_everything_takes_away_taints_alone(world: Drawn) -> None:
    kept = [
        [each for each in plugins if each not in (TAINTS, "NodeUnschedulable")]
        for plugins in rejected_by(world.verdicts())
    ]
    spec = world.pod["spec"] | {"tolerations": [{"operator": "Exists"}]}
    found = world._replace(pod=world.pod | {"spec": spec})
    assert rejected_by(found.verdicts()) == kept


@given(worlds)
def test_a_pod_that_has_finished_is_as_good_as_gone(world: Drawn) -> None:
    if not world.pods:
        return
    gone = world.random.choice(world.pods)
    without = world._replace(pods=[each for each in world.pods if each is not gone])
    finished = [
        each | {"status": {"phase": "Succeeded"}} if each is gone else each for each in world.pods
    ]
    assert world._replace(pods=finished).verdicts() == without.verdicts()


@given(worlds)
def test_where_a_pod_goes_there_is_no_less_room(world: Drawn) -> None:
    before = {
        verdict.node
        for verdict in world.verdicts()
        if FIT not in [rejection.plugin for rejection in verdict.rejections]
    }
    for verdict in world._replace(pods=world.pods[1:]).verdicts():
        if verdict.node in before:
            assert FIT not in [rejection.plugin for rejection in verdict.rejections]


@given(worlds)
def test_a_node_that_is_new_and_alone_changes_no_verdict_on_others(world: Drawn) -> None:
    before = world.verdicts()
    alone = node("zzz-alone")
    alone["metadata"]["labels"] = {}
    assert world._replace(nodes=[*world.nodes, alone]).verdicts()[:-1] == before


@given(worlds, st.booleans())
def test_who_keeps_away_is_kept_away(world: Drawn, in_target: bool) -> None:
    keepers = [each for each in world.pods if each["spec"].get("affinity")]
    if not keepers:
        return
    keeper = admitted(keepers[0])
    other = make_pod(f"{TARGET if in_target else 'apps-drawn'}/other", labels={"app": "virt-v2v"})
    for place_of_keeper in world.nodes:
        name = place_of_keeper["metadata"]["name"]
        there = keeper | {"spec": keeper["spec"] | {"nodeName": name}}
        arriving = _anti_affine(judge(other, look(world.nodes, [there], draw_namespaces())))
        for verdict in arriving:
            on_it = other | {"spec": other["spec"] | {"nodeName": verdict}}
            moving = keeper | {"spec": keeper["spec"] | {"nodeName": ""}}
            back = _anti_affine(judge(moving, look(world.nodes, [on_it], draw_namespaces())))
            assert name in back


def _anti_affine(verdicts: list[Verdict]) -> set[str]:
    return {
        verdict.node
        for verdict in verdicts
        for rejection in verdict.rejections
        if "anti-affinity" in rejection.reasons[0]
    }
