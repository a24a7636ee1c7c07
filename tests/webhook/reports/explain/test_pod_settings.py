"""Settings that let a pod run, limits and spread constraints in an explanation."""

from tests.support.builders import node, plan, pod
from webhook.kube.objects import Json
from webhook.model import Installation, Limits
from webhook.reports.explain import ClusterObjects, Explanation, explain

ANNOTATION = "annotation convertor.forklift.konveyor.io/"
LIMITS = Limits(priority_classes=("*",), pod_annotations=("*",))
NODES = [node(name, {"zone": name[0], "kubernetes.io/hostname": name}) for name in ("a1", "b1")]
CONVERTOR = {"app": "virt-v2v", "forklift.app": "virt-v2v"}


def explained(a_plan: Json, *pods: Json, installation: Installation | None = None) -> Explanation:
    cluster = ClusterObjects(NODES, list(pods), [], [], priority_classes=frozenset({"migration"}))
    return explain(a_plan, installation or Installation(limits=LIMITS), cluster)


def settings_of(found: Explanation) -> list[tuple[str, str, str, list[str]]]:
    names = ("resources", "priority-class", "pod-annotations", "affinity")
    return [
        (each.name, each.value, each.source, each.overridden)
        for each in found.settings
        if each.name.partition(".")[0] in names
    ]


def test_each_setting_has_its_source_and_what_it_overrides() -> None:
    annotations = {
        "resources": "requests.memory=4Gi",
        "priority-class": "migration",
        "pod-annotations": "a=b",
        "priority-class.importer": "low",
        "resources.first-consumer": "requests.cpu=1",
        "pod-annotations.populator": "c=d",
    }
    defaults = {"priorityClass": "default", "resources": {"requests": {"memory": "2Gi"}}}
    found = explained(
        plan(annotations=annotations), installation=Installation(limits=LIMITS, defaults=defaults)
    )

    assert settings_of(found) == [
        (
            *("resources", "requests.memory=4Gi", f"{ANNOTATION}resources"),
            ["requests.memory=2Gi (defaults resources)"],
        ),
        (
            *("priority-class", "migration", f"{ANNOTATION}priority-class"),
            ["default (defaults priorityClass)"],
        ),
        ("pod-annotations", "a=b", f"{ANNOTATION}pod-annotations", []),
        (
            *("resources.first-consumer", "requests.cpu=1"),
            *(f"{ANNOTATION}resources.first-consumer", []),
        ),
        ("priority-class.importer", "low", f"{ANNOTATION}priority-class.importer", []),
        ("pod-annotations.populator", "c=d", f"{ANNOTATION}pod-annotations.populator", []),
    ]


def test_an_empty_class_overrides_the_default_by_none() -> None:
    installation = Installation(limits=LIMITS, defaults={"priorityClass": "migration"})
    assert not settings_of(
        explained(plan(annotations={"priority-class": ""}), installation=installation)
    )


def test_a_rule_that_spreads_pods_is_explained_and_evaluated() -> None:
    rules = "SPREAD pods(app=virt-v2v) on zone hard; SPREAD pods(app=virt-v2v) on rack skew=2"
    here = pod("vms/other", "a1", CONVERTOR)
    found = explained(plan(affinity=rules.replace("on zone", "on example.com/zone")), here)
    assert [each.text for each in found.rules] == [
        "SPREAD pods(app=virt-v2v) on example.com/zone hard",
        "SPREAD pods(app=virt-v2v) on rack skew=2",
    ]
    assert found.rules[0].sentence.startswith(
        "The pods where app is virt-v2v, in its own namespace"
    )
    assert found.rules[1].topology_spread_constraint["maxSkew"] == 2
    assert found.rules[0].affinity == {}
    assert [each.details for each in found.nodes] == [
        ["no label example.com/zone for SPREAD pods(app=virt-v2v) on example.com/zone hard"]
    ] * 2


def test_the_nodes_with_more_pods_are_named_with_the_remedy() -> None:
    here = pod("vms/other", "a1", CONVERTOR)
    found = explained(plan(affinity="SPREAD pods(app=virt-v2v) on node hard"), here)
    by_name = {each.name: each for each in found.nodes}
    assert (by_name["a1"].fits, by_name["b1"].fits) == (False, True)
    assert by_name["a1"].details == [
        "1 matching pods nearby, 0 elsewhere: SPREAD pods(app=virt-v2v) on node hard"
    ]


def test_a_rule_beyond_the_limits_is_a_problem_and_not_listed() -> None:
    rules = "AVOID pods(has app) on kubernetes.io/os; PREFER nodes(zone=a)"
    found = explained(plan(affinity=rules), installation=Installation())
    assert [each.text for each in found.rules] == ["PREFER nodes(zone=a)"]
    assert [value for name, value, *_ in settings_of(found) if name == "affinity"] == [
        "PREFER nodes(zone=a)"
    ]
    assert "limits.avoidTopologies" in found.problems[0].message
