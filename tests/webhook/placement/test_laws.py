"""Laws that hold for every placement, with pods and plans that hypothesis draws."""

from copy import deepcopy
from typing import Any

import jsonpatch
from hypothesis import given
from hypothesis import strategies as st

from tests.support import worlds
from tests.support.node_affinity import admits, matches
from webhook.admission.patch import PATCHED_FIELDS, diff
from webhook.forklift.labels import FORKLIFT_SPREADING_TERM, SYSTEM_LABELS
from webhook.kube.affinity import PREFERRED, REQUIRED, default_to_all_namespaces
from webhook.kube.objects import Json
from webhook.kube.spread import spread_key
from webhook.model import AffinityPolicy, ClusterState, Installation, Plan
from webhook.placement import Placed, place

INSTALLATION = Installation()

GROWN = worlds.NODE_VALUES | {"memory": [*worlds.NODE_VALUES["memory"], "96Gi", "256Gi"]}
SHRUNK = worlds.NODE_VALUES | {"memory": ["32Gi"]}

Case = tuple[Plan, Json]


def placed(case: Case) -> Placed:
    plan, pod = case
    return place(pod, plan, INSTALLATION, ClusterState(worlds.NODE_VALUES))


def affinity(pod: Json) -> Json:
    found: Json = (pod.get("spec") or {}).get("affinity") or {}
    return found


def spread(pod: Json) -> list[Json]:
    return (pod.get("spec") or {}).get("topologySpreadConstraints") or []


def selector(pod: Json) -> dict[str, str]:
    found: dict[str, str] = (pod.get("spec") or {}).get("nodeSelector") or {}
    return found


def terms(affinity: Json, *path: str) -> list[Json]:
    found: Any = affinity
    for field in path:
        found = (found or {}).get(field)
    return found or []


@given(worlds.plans_with_pods())
def test_the_patch_applied_gives_the_placed_pod(case: Case) -> None:
    pod, after = case[1], placed(case).pod

    assert jsonpatch.apply_patch(pod, diff(pod, after)) == after


@given(worlds.plans_with_pods(), st.sampled_from([worlds.NODE_VALUES, GROWN, SHRUNK, {}]))
def test_a_second_placement_changes_nothing_with_any_nodes(
    case: Case, node_values: dict[str, list[str]]
) -> None:
    once = placed(case).pod

    again = place(once, case[0], INSTALLATION, ClusterState(node_values))

    assert diff(once, again.pod) == []
    assert all(note.startswith(("label ", "'SPREAD ")) for note in again.notes)
    assert set(again.notes) <= set(placed(case).notes)


@given(worlds.plans_with_pods())
def test_system_labels_never_change(case: Case) -> None:
    before, after = case[1]["metadata"]["labels"], placed(case).pod["metadata"]["labels"]

    assert {k: v for k, v in after.items() if k in SYSTEM_LABELS} == {
        k: v for k, v in before.items() if k in SYSTEM_LABELS
    }


@given(worlds.plans_with_pods())
def test_only_the_fields_of_a_placement_change(case: Case) -> None:
    def rest(pod: Json) -> Json:
        kept = {key: dict(value) for key, value in pod.items() if value}
        for parent, fields in PATCHED_FIELDS.items():
            for field in fields:
                kept.get(parent, {}).pop(field, None)
        return {key: value for key, value in kept.items() if value}

    assert rest(placed(case).pod) == rest(case[1])


@given(worlds.plans_with_pods())
def test_the_arguments_of_a_placement_are_not_changed(case: Case) -> None:
    plan, pod = deepcopy(case)

    placed(case)

    assert case == (plan, pod)


@given(worlds.plans_with_pods())
def test_no_term_of_the_pod_or_the_plan_is_lost(case: Case) -> None:
    settings, before, after = case[0].settings, affinity(case[1]), affinity(placed(case).pod)
    has_rules = bool(settings.affinity or settings.spread)
    replaced = settings.affinity_policy is AffinityPolicy.REPLACE and has_rules

    for kind in ("podAffinity", "podAntiAffinity"):
        for field in (REQUIRED, PREFERRED):
            copied = terms(settings.copied, kind, field)
            wide = terms(default_to_all_namespaces(settings.copied), kind, field)
            found = terms(after, kind, field)
            for term in terms(before, kind, field):
                if term in copied:
                    assert wide[copied.index(term)] in found
                elif not (
                    replaced and term == FORKLIFT_SPREADING_TERM and kind == "podAntiAffinity"
                ):
                    assert term in found
            assert all(term in found for term in terms(settings.affinity, kind, field))
    for term in terms(before, "nodeAffinity", PREFERRED):
        assert term in terms(after, "nodeAffinity", PREFERRED)


@given(worlds.plans_with_pods())
def test_a_spread_constraint_of_the_plan_is_applied_unless_the_pod_has_another_of_its_kind(
    case: Case,
) -> None:
    before, after = spread(case[1]), spread(placed(case).pod)
    kinds = {spread_key(each) for each in before}
    added = [each for each in case[0].settings.spread if spread_key(each) not in kinds]

    assert after == before + added


@given(worlds.plans_with_pods())
def test_a_node_matches_the_placed_pod_if_it_matches_the_pod_and_the_plan(case: Case) -> None:
    settings, before, after = case[0].settings, case[1], placed(case)
    named = {*settings.node_selector, *(each["key"] for each in settings.node_requirements)}
    of_pod = {key: value for key, value in selector(before).items() if key not in named}

    def matches_both(node: dict[str, str]) -> bool:
        return (
            worlds.selects(of_pod | settings.node_selector, node)
            and all(matches(each, node) for each in settings.node_requirements)
            and admits(affinity(before), node)
            and admits(settings.affinity, node)
        )

    assert after.problems == []
    for node in worlds.NODES:
        matches_placed = worlds.selects(selector(after.pod), node) and admits(
            affinity(after.pod), node
        )
        assert matches_placed == matches_both(node), node
