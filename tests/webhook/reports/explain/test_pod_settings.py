"""Settings that let a pod run, and rules beyond the limits, in an explanation."""

from tests.support.builders import node, plan
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
    found = explained(plan(annotations={"priority-class": ""}), installation=installation)
    assert settings_of(found) == [
        (
            *("priority-class", "none", f"{ANNOTATION}priority-class"),
            ["migration (defaults priorityClass)"],
        )
    ]


def test_a_rule_beyond_the_limits_is_a_problem_and_not_listed() -> None:
    rules = "AVOID pods(has app) on kubernetes.io/os; PREFER nodes(zone=a)"
    found = explained(plan(affinity=rules), installation=Installation())
    assert [each.text for each in found.rules] == ["PREFER nodes(zone=a)"]
    assert [value for name, value, *_ in settings_of(found) if name == "affinity"] == [
        "PREFER nodes(zone=a)"
    ]
    assert "limits.avoidTopologies" in found.problems[0].message
