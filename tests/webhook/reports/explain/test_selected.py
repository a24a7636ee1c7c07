"""Objects that select the pods of a plan are listed, with the labels of the plan."""

from tests.support.builders import plan
from webhook.kube.objects import Json
from webhook.kube.pod_selectors import PodSelector
from webhook.model import Installation, Limits
from webhook.reports.explain import ClusterObjects, Explanation, explain

ALL = Installation(limits=Limits(labels=("*",)))
COMMAND = "kubectl convertor patch plan db -n konveyor-forklift --convertor-labels"


def explained(
    a_plan: Json, *selectors: PodSelector, installation: Installation = ALL
) -> Explanation:
    cluster = ClusterObjects([], [], [], [], pod_selectors=selectors)
    return explain(a_plan, installation, cluster)


def select(kind: str = "Service", *directions: str, **labels: str) -> PodSelector:
    return PodSelector(kind, "web", {"matchLabels": labels}, directions)


def rows(found: Explanation) -> list[tuple[str, list[str], list[str]]]:
    return [(row.kind, row.pods, row.labels) for row in found.selected_by]


def test_objects_that_select_no_pod_of_the_plan_are_not_listed() -> None:
    found = explained(plan(labels="tier=db"), select(tier="web"), PodSelector("Service", "x", None))
    assert (rows(found), found.advice) == ([], [])


def test_a_label_of_the_plan_that_selects_its_pods_is_advised_against() -> None:
    kinds = ("Service", "ReplicaSet", "PodDisruptionBudget")
    found = explained(
        plan(labels="tier=web,team=a"), *(select(kind, tier="web", team="a") for kind in kinds)
    )
    both, pods = ["tier=web", "team=a"], ["convertor", "first-consumer"]
    assert rows(found) == [(kind, pods, both) for kind in sorted(kinds)]
    assert [(each.problem, each.remedy, each.command) for each in found.advice] == [
        (
            f"{kind} web selects convertor and first-consumer pods and {effect}",
            *("leave out tier=web or team=a", f"{COMMAND} tier-"),
        )
        for kind, effect in (
            ("PodDisruptionBudget", "counts them, and allows more evictions of its other pods"),
            ("ReplicaSet", "adopts them, and deletes one pod for each"),
            ("Service", "sends them its traffic once they are ready"),
        )
    ]


def test_only_the_labels_of_the_plan_are_named() -> None:
    found = explained(plan(labels="tier=web"), select(tier="web", **{"forklift.app": "virt-v2v"}))
    assert rows(found) == [("Service", ["convertor"], ["tier=web"])]


def test_labels_of_the_spec_and_the_defaults_are_of_the_plan_too() -> None:
    in_spec = explained(plan(spec={"convertorLabels": {"tier": "web"}}), select(tier="web"))
    in_defaults = explained(
        plan(),
        select(tier="web"),
        installation=Installation(defaults={"labels": "tier=web"}, limits=ALL.limits),
    )
    for found in (in_spec, in_defaults):
        assert found.selected_by[0].labels == ["tier=web"]
        (advice,) = found.advice
        assert (advice.remedy, advice.command) == ("leave out tier=web", "")


def test_the_label_of_the_webhook_is_named() -> None:
    assert rows(explained(plan(), select(app="virt-v2v"))) == [
        ("Service", ["convertor"], ["app=virt-v2v"])
    ]


def test_an_object_that_selects_the_pods_anyhow_is_listed_last_and_without_advice() -> None:
    anyhow = PodSelector("NetworkPolicy", "all", {}, ("Ingress", "Egress"))
    found = explained(plan(labels="tier=web", pods="convertor"), anyhow, select(tier="web"))
    assert rows(found) == [
        ("Service", ["convertor"], ["tier=web"]),
        ("NetworkPolicy", ["convertor"], []),
    ]
    assert found.selected_by[1].effect == "restricts their incoming and outgoing connections"
    assert len(found.advice) == 1


def test_a_network_policy_may_be_what_the_label_is_for() -> None:
    found = explained(plan(labels="net=on"), select("NetworkPolicy", "Egress", net="on"))
    assert found.selected_by[0].labels == ["net=on"]
    assert found.advice == []


def test_pods_in_the_namespace_of_the_plan_are_not_selected() -> None:
    found = explained(plan(labels="tier=web", pods="inspection"), select(tier="web"))
    assert rows(found) == []


def test_a_replica_set_adopts_no_pod_that_has_a_controller() -> None:
    found = explained(
        plan(labels="tier=web", pods="all"),
        select("ReplicaSet", tier="web"),
        select("PodDisruptionBudget", tier="web"),
    )
    assert [(row.kind, row.pods) for row in found.selected_by] == [
        ("PodDisruptionBudget", ["convertor", "first-consumer", "importer", "populator"]),
        ("ReplicaSet", ["convertor", "first-consumer", "populator"]),
    ]
