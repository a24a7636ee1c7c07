"""The effective settings have their source, and are those that pods get."""

from random import Random

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from tests.support.builders import plan
from tests.support.worlds import draw_plan
from webhook import karl
from webhook.karl.minimums import to_expression
from webhook.kube.objects import Json
from webhook.model import ConvertorProfile, Installation, Limits, Mode, Scope, Settings
from webhook.reports.explain import ClusterObjects
from webhook.reports.explain.context import ExplainContext, read_context
from webhook.reports.explain.effective_settings import list_effective_settings

ANNOTATION = "annotation convertor.forklift.konveyor.io/"
NOWHERE = ClusterObjects([], [], [], [])
DEFAULTS = {
    "labels": "batch=0,team=a",
    "nodeSelector": {"disk": "ssd"},
    "affinity": "AVOID nodes(spot=true)",
    "tolerations": ["gpu", "spot:NoSchedule"],
    "affinityPolicy": "replace",
}


def context(plan_object: Json, installation: Installation | None = None) -> ExplainContext:
    return read_context(plan_object, installation or Installation(), NOWHERE)


def rows(found: ExplainContext) -> list[tuple[str, str, str, list[str]]]:
    return [
        (each.name, each.value, each.source, each.overridden)
        for each in list_effective_settings(found)
    ]


def test_the_most_specific_source_overrides_the_others() -> None:
    spec = {
        "convertorLabels": {"batch": "1", "team": "b"},
        "convertorNodeSelector": {"disk": "ssd"},
    }
    found = plan(
        spec=spec,
        labels="batch=2,owner=me",
        node_selector="disk=nvme,cores=16+",
        tolerations="gpu=a100:NoSchedule,:bad",
        mode="audit",
        scope="own",
    )
    installation = Installation(defaults=DEFAULTS, mode=Mode.OFF, scope=Scope.ALL)
    assert rows(context(found, installation)) == [
        ("labels", "batch=1", "spec.convertorLabels", ["batch=0 (defaults labels)"]),
        ("labels", "team=b", "spec.convertorLabels", ["team=a (defaults labels)"]),
        ("labels", "owner=me", f"{ANNOTATION}labels", []),
        (
            *("node-selector", "disk=nvme", f"{ANNOTATION}node-selector"),
            ["disk=ssd (defaults nodeSelector)", "disk=ssd (spec.convertorNodeSelector)"],
        ),
        ("node-selector", "cores=16+", f"{ANNOTATION}node-selector", []),
        ("affinity", "AVOID nodes(spot=true)", "defaults affinity", []),
        ("tolerations", "spot:NoSchedule", "defaults tolerations", []),
        ("tolerations", "gpu=a100:NoSchedule", f"{ANNOTATION}tolerations", []),
        ("affinity-policy", "replace", "defaults affinityPolicy", []),
        ("scope", "own", f"{ANNOTATION}scope", []),
        ("mode", "audit", f"{ANNOTATION}mode", []),
    ]


def test_the_plans_affinity_overrides_the_defaults() -> None:
    term = {"labelSelector": {"matchLabels": {"app": "x"}}, "topologyKey": "zone"}
    spec = {
        "convertorAffinity": {
            "podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}
        }
    }
    found = plan(spec=spec, affinity="AVOID nodes(a=b); PREFER pods( app==y ) on zone")
    affinities = [
        each
        for each in rows(context(found, Installation(defaults=DEFAULTS)))
        if each[0] == "affinity"
    ]
    assert affinities == [
        ("affinity", "an affinity object", "spec.convertorAffinity", []),
        ("affinity", "AVOID nodes(a=b)", f"{ANNOTATION}affinity", []),
        ("affinity", "PREFER pods(app=y) on zone", f"{ANNOTATION}affinity", []),
    ]


def test_settings_for_roles_are_listed_with_the_name_of_the_role() -> None:
    found = plan(
        spec={"convertorLabels": {"batch": "1"}},
        annotations={
            "pods": "importer,convertor",
            "labels.importer": "b=2",
            "node-selector.importer": "cores=16+",
            "affinity.importer": "PREFER nodes( net=fast ); AVOID nodes(spot=true)",
            "tolerations.importer": "",
            "affinity.first-consumer": "REQUIRE pods(app=virt-v2v) on zone",
        },
    )
    roles: Json = {
        "convertor": {"labels": "batch=2,tier=x"},
        "importer": {"labels": "a=1,b=1", "affinity": "AVOID nodes(a=b)", "tolerations": "gpu"},
    }
    defaults = {"disks": "together", "pods": "all", "roles": roles}
    where = "defaults roles"
    assert rows(context(found, Installation(defaults=defaults))) == [
        ("labels", "batch=1", "spec.convertorLabels", []),
        ("pods", "convertor,importer", f"{ANNOTATION}pods", []),
        ("disks", "together", "defaults disks", []),
        ("scope", "all", "installation", []),
        ("mode", "enforce", "installation", []),
        ("labels.convertor", "tier=x", f"{where}.convertor.labels", []),
        ("affinity.first-consumer", "none", f"{ANNOTATION}affinity.first-consumer", []),
        ("labels.importer", "a=1", f"{where}.importer.labels", []),
        (
            *("labels.importer", "b=2", f"{ANNOTATION}labels.importer"),
            [f"b=1 ({where}.importer.labels)"],
        ),
        ("node-selector.importer", "cores=16+", f"{ANNOTATION}node-selector.importer", []),
        ("affinity.importer", "PREFER nodes(net=fast)", f"{ANNOTATION}affinity.importer", []),
        ("affinity.importer", "AVOID nodes(spot=true)", f"{ANNOTATION}affinity.importer", []),
        ("tolerations.importer", "gpu", f"{where}.importer.tolerations", []),
    ]


def test_quantities_have_the_source_that_they_follow() -> None:
    found = plan(
        annotations={
            "resources": "requests.memory=8Gi,limits.cpu=4",
            "resources.first-consumer": "requests.cpu=1",
        }
    )
    defaults = {"resources": "limits.memory=4Gi,requests.cpu=8,limits.ephemeral-storage=9Gi"}
    annotation = f"{ANNOTATION}resources"
    assert sorted(rows(context(found, Installation(defaults=defaults))))[:6] == [
        ("mode", "enforce", "installation", []),
        ("resources", "limits.cpu=4", annotation, []),
        ("resources", "limits.ephemeral-storage=9Gi", "defaults resources", []),
        ("resources", "limits.memory=8Gi", annotation, ["limits.memory=4Gi (defaults resources)"]),
        ("resources", "requests.cpu=4", annotation, ["requests.cpu=8 (defaults resources)"]),
        ("resources", "requests.memory=8Gi", annotation, []),
    ]
    of_role = [each for each in rows(context(found)) if each[0] == "resources.first-consumer"]
    assert of_role == [
        ("resources.first-consumer", "requests.cpu=1", f"{annotation}.first-consumer", [])
    ]


def test_a_priority_class_has_its_source_and_may_be_none() -> None:
    found = plan(annotations={"priority-class": "high", "priority-class.importer": ""})
    installation = Installation(
        defaults={"priorityClass": "low", "podAnnotations": "a/b=c"},
        limits=Limits(priority_classes=("*",)),
    )
    listed = rows(context(found, installation))
    assert listed[:2] == [
        ("priority-class", "high", f"{ANNOTATION}priority-class", ["low (defaults priorityClass)"]),
        ("pod-annotations", "a/b=c", "defaults podAnnotations", []),
    ]
    assert listed[-1] == (
        *("priority-class.importer", "none", f"{ANNOTATION}priority-class.importer"),
        [],
    )
    general = plan(annotations={"priority-class": ""})
    assert rows(context(general, installation))[0] == (
        *("priority-class", "none", f"{ANNOTATION}priority-class"),
        ["low (defaults priorityClass)"],
    )


def test_what_the_installation_enforces_overrides_node_labels() -> None:
    enforced = Settings(
        node_selector={"disk": "ssd"},
        node_requirements=[to_expression("cores", "16")],
        affinity=karl.compile("AVOID nodes(spot=true)"),
        tolerations=[{"key": "gpu", "operator": "Exists"}],
    )
    found = plan(node_selector="disk=hdd,cores=8+,a=b", tolerations="x:NoSchedule")
    listed = rows(context(found, Installation(enforced=enforced)))
    where = "installation enforced."
    assert listed == [
        ("node-selector", "a=b", f"{ANNOTATION}node-selector", []),
        ("tolerations", "x:NoSchedule", f"{ANNOTATION}tolerations", []),
        ("scope", "all", "installation", []),
        ("mode", "enforce", "installation", []),
        (
            *("node-selector", "disk=ssd", f"{where}nodeSelector"),
            [f"disk=hdd ({ANNOTATION}node-selector)"],
        ),
        (
            *("node-selector", "cores=16+", f"{where}nodeSelector"),
            [f"cores=8+ ({ANNOTATION}node-selector)"],
        ),
        ("affinity", "REQUIRE nodes(spot!=true)", f"{where}affinity", []),
        ("tolerations", "gpu", f"{where}tolerations", []),
    ]


def test_the_profile_of_the_target_namespace_is_listed_without_values_of_variables() -> None:
    general = ConvertorProfile(env={"TOKEN": "secret"}, seccomp={"type": "Unconfined"})
    installation = Installation(
        convertor=general,
        namespace_convertors={"vms": msgspec.structs.replace(general, runtime_class="kata")},
    )
    assert rows(context(plan(), installation))[2:] == [
        ("seccomp-profile", "Unconfined", "installation convertor.seccompProfile", []),
        ("env", "TOKEN", "installation convertor.env", []),
        ("runtime-class", "kata", "installation convertor.namespaces.vms.runtimeClass", []),
    ]


def test_a_setting_that_replaces_the_general_one_by_nothing_has_its_source() -> None:
    found = plan(labels="a=b", annotations={"labels.importer": "", "pods": "inspection"})
    installation = Installation(limits=Limits(roles=()))
    assert ("labels.importer", "none", f"{ANNOTATION}labels.importer", []) in rows(context(found))
    assert ("pods", "none", f"{ANNOTATION}pods", []) in rows(context(found, installation))


def test_invalid_rules_are_not_effective() -> None:
    wrong = context(
        plan(affinity="AVOID nodes(a=b); REQIRE pods(a=b) on node"), Installation(defaults=DEFAULTS)
    )
    assert wrong.reading.affinity_sources == []


def test_rules_that_exceed_the_limit_together_with_the_object_are_not_effective() -> None:
    terms = [{"matchExpressions": [{"key": f"k{i}", "operator": "Exists"}]} for i in range(60)]
    required = {"nodeSelectorTerms": terms}
    spec = {
        "convertorAffinity": {
            "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}
        }
    }
    found = context(plan(spec=spec, affinity="AVOID nodes(a=b, c=d)"))
    (source,) = found.reading.affinity_sources
    assert source.affinity == found.plan.settings.affinity == spec["convertorAffinity"]


def test_unset_settings_are_those_of_the_installation() -> None:
    assert rows(context(plan())) == [
        ("scope", "all", "installation", []),
        ("mode", "enforce", "installation", []),
    ]


def test_an_invalid_value_is_not_the_source() -> None:
    assert rows(context(plan(mode="of", scope=" own "))) == [
        ("scope", "own", f"{ANNOTATION}scope", []),
        ("mode", "enforce", "installation", []),
    ]


@given(st.integers(0, 2**32))
def test_the_effective_settings_are_those_that_pods_get(seed: int) -> None:
    found = context(draw_plan(Random(seed)), Installation(defaults=DEFAULTS))
    settings = found.plan.settings
    values: dict[str, list[str]] = {}
    for setting in list_effective_settings(found):
        values.setdefault(setting.name, []).append(setting.value)
    assert dict(each.split("=") for each in values.get("labels", [])) == settings.labels
    selected = dict(each.split("=") for each in values["node-selector"])
    exact = {key: value for key, value in selected.items() if not value.endswith("+")}
    assert exact == settings.node_selector
    assert len(selected) == len(settings.node_selector) + len(settings.node_requirements)
    assert len(values.get("tolerations", [])) == len(settings.tolerations)
    assert bool(values.get("affinity")) == bool(settings.affinity or settings.spread)
