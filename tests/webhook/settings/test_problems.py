"""An invalid setting is a problem with its location, and the rest is applied."""

from typing import Any

import pytest

from tests.support.builders import PREFIX, plan
from webhook import karl
from webhook.kube.objects import Json
from webhook.model import Installation, Problem
from webhook.settings import read
from webhook.settings.installation import check_defaults

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
NAME = (
    "must consist of alphanumeric characters, '-', '_' or '.', "
    "and must start and end with an alphanumeric character"
)
SYSTEM = "is a system label, by which Forklift finds its pods: give the label another name"
TOPOLOGY = (
    "unknown topology 'nodes': expected node, zone, region, rack or a label key; "
    "did you mean 'node'?"
)
EXISTS = {"matchExpressions": [{"key": "disk", "operator": "Exists"}]}
EFFECTS = "expected effect NoSchedule, PreferNoSchedule or NoExecute"
QUANTITY = "must be a quantity such as 16, 500m, 64G or 64Gi"


def problems(
    annotations: Json | None = None, defaults: Json | None = None, **spec: Any
) -> list[str]:
    """Return the problems of a Plan `mtv/db`; annotations are named without the prefix."""
    plan_object = plan("db", "mtv", annotations=annotations, spec=spec)
    found = read(plan_object, Installation(defaults=defaults or {})).settings
    return [str(problem) for problem in found.problems]


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("labels", "a=b,batch", " entry 2: expected key=value, found 'batch'"),
        ("labels", "a=b,", " entry 2: expected key=value, found ''"),
        ("labels", "a=b,x y=1", f" entry 2: key 'x y' {NAME}"),
        ("labels", "a=b c", f" entry 1: value 'b c' {NAME}"),
        ("labels", "plan=x", f" entry 1: 'plan' {SYSTEM}"),
        ("labels", "a=b,a=b,a=c", " entry 3: 'a' is specified twice: 'b' is applied, 'c' is not"),
        ("node-selector", "cpu=lots+", f" entry 1: minimum 'lots' {QUANTITY}"),
        (
            "node-selector",
            "memory=64GiB+",
            f" entry 1: minimum '64GiB' {QUANTITY}; did you mean '64Gi'?",
        ),
        ("node-selector", "cpu=-5+", f" entry 1: minimum '-5' {NAME}"),
        ("node-selector", "cpu=+16", f" entry 1: value '+16' {NAME}"),
        (
            "node-selector",
            "cpu=16,cpu=16+",
            " entry 2: 'cpu' is specified twice: '16' is applied, '16+' is not",
        ),
        (
            "node-selector",
            "memory>=64Gi",
            f" entry 1: key 'memory>' {NAME}; did you mean 'memory=64Gi+'?",
        ),
        (
            "node-selector",
            "disk=ssd,memory≥64Gi",
            " entry 2: expected key=value, found 'memory≥64Gi'; did you mean 'memory=64Gi+'?",
        ),
        ("labels", "memory>=64Gi", f" entry 1: key 'memory>' {NAME}"),
        ("labels", "a=b\u2013c", f" entry 1: value 'b\u2013c' {NAME}; did you mean 'a=b-c'?"),
        (
            "labels",
            "a\uff1db",
            " entry 1: expected key=value, found 'a\uff1db'; did you mean 'a=b'?",
        ),
        ("labels", "a=b\uff0cc=d", f" entry 1: value 'b\uff0cc=d' {NAME}; did you mean 'a=b,c=d'?"),
        ("labels", "a=b\uff0cc", f" entry 1: value 'b\uff0cc' {NAME}"),
        ("labels", "a\u200b=“b”", f" entry 1: key 'a\\u200b' {NAME}; did you mean 'a=b'?"),
        (
            "node-selector",
            'disk="ssd"',
            f" entry 1: value '\"ssd\"' {NAME}; did you mean 'disk=ssd'?",
        ),
        (
            "tolerations",
            "a\uff1db\uff1aNoExecute",
            f" entry 1: key 'a\uff1db\uff1aNoExecute' {NAME}; did you mean 'a=b:NoExecute'?",
        ),
        (
            "tolerations",
            "spot,gpu:NoExec",
            (
                " entry 2: expected effect NoSchedule, PreferNoSchedule or NoExecute, "
                "found 'NoExec'; did you mean 'NoExecute'?"
            ),
        ),
        (
            "mode",
            "Audit",
            ": expected mode enforce, audit or off, found 'Audit'; did you mean 'audit'?",
        ),
        ("mode", "", ": expected mode enforce, audit or off, found ''"),
        ("scope", "other", ": expected scope all or own, found 'other'"),
        (
            "affinity-policy",
            "replaces",
            (
                ": expected affinity policy merge or replace, found 'replaces'"
                "; did you mean 'replace'?"
            ),
        ),
        (
            "afinity",
            "",
            (
                ": unknown annotation: expected affinity, affinity-policy, disks, labels, mode, "
                "node-selector, pod-annotations, pods, priority-class, resources, scope or "
                "tolerations, or a setting of a role such as affinity.importer; did you mean "
                "'affinity'?"
            ),
        ),
        ("mode", False, ": expected text, found false: put it in quotes"),
        ("labels", {"a": "b"}, ": expected text, found a map"),
    ],
)
def test_a_problem_of_an_annotation_has_its_entry(name: str, text: Any, problem: str) -> None:
    assert problems({name: text}) == [f"Plan mtv/db annotation {PREFIX}/{name}{problem}"]


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("Labels", {"x y": "1"}, f"['x y']: key 'x y' {NAME}"),
        ("Labels", {"vmID": "1"}, f"['vmID']: 'vmID' {SYSTEM}"),
        ("Labels", {"batch": 1}, "['batch']: expected text, found 1: put it in quotes"),
        ("Labels", {"batch": None}, "['batch']: expected text, found null"),
        ("Labels", {1: "batch"}, "[1]: expected text, found 1: put it in quotes"),
        ("Labels", [], ": expected key=value,key=value or a map, found a list"),
        ("NodeSelector", {"cpu": "many+"}, f"['cpu']: minimum 'many' {QUANTITY}"),
        ("NodeSelector", {"disk": "ssd nvme"}, f"['disk']: value 'ssd nvme' {NAME}"),
        ("Affinity", 5, ": expected rules as text or an affinity as a map, found 5"),
        (
            "Affinity",
            {"podAffinity": {REQUIRED: [{}]}},
            f".podAffinity.{REQUIRED}[0].topologyKey: is missing",
        ),
        (
            "Affinity",
            {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": [{}, {"matchFields": []}]}}},
            (
                f".nodeAffinity.{REQUIRED}.nodeSelectorTerms: an empty term matches no node, and "
                "there is no other"
            ),
        ),
        (
            "Affinity",
            {"podAffinity": {REQUIRED: [{"topologyKey": "zone"}]}},
            (
                f".podAffinity.{REQUIRED}[0].labelSelector: is missing, and without it no pod "
                "matches; {} matches all"
            ),
        ),
        (
            "Affinity",
            "REQUIRE pods(app=ceph-osd) on nodes",
            f" line 1 column 31: {TOPOLOGY}",
        ),
    ],
)
def test_a_problem_of_a_field_has_its_path(field: str, value: Any, problem: str) -> None:
    assert problems(**{f"convertor{field}": value}) == [
        f"Plan mtv/db spec.convertor{field}{problem}"
    ]


CHANGE = "kubectl patch plans.forklift.konveyor.io db -n mtv --type merge -p"


def contradiction(entry: int, key: str, value: str, instead: str) -> str:
    return (
        f"Plan mtv/db annotation {PREFIX}/labels entry {entry}: expected '{key}={value}' as in "
        "spec.convertorLabels, by which Forklift finds its pods, found "
        f"'{key}={instead}'; remove the entry, or change the field: {CHANGE} "
        f"""'{{"spec":{{"convertorLabels":{{"{key}":"{instead}"}}}}}}'"""
    )


def test_a_label_that_contradicts_the_field_is_a_problem_with_the_command_that_changes_it() -> None:
    labels = {"labels": "team=a,batch=2,app.io/x=,batch=1,none=1"}
    field = {"batch": "1", "app.io/x": "y", "other": "1", "none": None}

    assert problems(labels, convertorLabels=field) == [
        "Plan mtv/db spec.convertorLabels['none']: expected text, found null",
        contradiction(2, "batch", "1", "2"),
        contradiction(3, "app.io/x", "y", ""),
    ]


def test_a_label_that_contradicts_an_invalid_value_of_the_field_is_a_problem() -> None:
    found = problems({"labels": "batch=2"}, convertorLabels={"batch": "one two"})

    assert found[1:] == [contradiction(1, "batch", "one two", "2")]


def test_a_label_that_contradicts_a_field_that_is_text_is_a_problem() -> None:
    assert problems({"labels": "batch=2"}, convertorLabels="team=a,batch=1") == [
        contradiction(1, "batch", "1", "2")
    ]


def test_a_default_label_that_the_field_overrides_is_not_a_problem() -> None:
    assert problems({}, {"labels": "batch=1"}, convertorLabels={"batch": "2"}) == []


def test_a_system_label_is_one_problem_in_each_source() -> None:
    found = problems({"labels": "migration=b"}, convertorLabels={"migration": "a"})

    assert [text.partition(": ")[2] for text in found] == [f"'migration' {SYSTEM}"] * 2


@pytest.mark.parametrize(
    "affinity",
    [
        {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": [{}, EXISTS]}}},
        {"podAffinity": {REQUIRED: [{"topologyKey": "zone", "labelSelector": {}}]}},
        {"podAntiAffinity": {REQUIRED: [{"topologyKey": "zone"}]}},
        {"podAffinity": {REQUIRED: []}, "nodeAffinity": {}},
    ],
)
def test_an_affinity_that_can_be_satisfied_is_not_a_problem(affinity: Json) -> None:
    assert problems(convertorAffinity=affinity) == []


def test_an_annotation_with_a_misspelt_prefix_is_a_problem_and_others_are_not() -> None:
    annotations = {
        "convertor.forklift.konveyer.io/affinity": "",
        "Convertor.forklift.konveyor.io/labels": "a=b",
        "convertor.forklift.konveyer.io/owner": "",
        "example.com/labels": "",
        "affinity": "",
    }
    metadata = {"namespace": "mtv", "name": "db", "annotations": annotations}
    found = read({"metadata": metadata}, Installation()).settings

    assert found.labels == {}
    assert [str(problem) for problem in found.problems] == [
        f"Plan mtv/db annotation {key}: expected the prefix '{PREFIX}'; "
        f"did you mean '{PREFIX}/{key.partition('/')[2]}'?"
        for key in list(annotations)[:2]
    ]


@pytest.mark.parametrize(
    ("defaults", "problem"),
    [
        ({"nodeSelector": {"k": "a b"}}, f" nodeSelector['k']: value 'a b' {NAME}"),
        ({"labels": "a=b,migration=x"}, f" labels entry 2: 'migration' {SYSTEM}"),
        (
            {"tolerations": ["a:NoSchedule", "b,c:Never"]},
            (f" tolerations[1] entry 2: {EFFECTS}, found 'Never'"),
        ),
        (
            {"tolerations": [{"operator": "Exists"}, {"key": "a", "operator": "Equals"}]},
            (
                " tolerations[1]: expected operator Equal or Exists, found 'Equals'; "
                "did you mean 'Equal'?"
            ),
        ),
        (
            {"tolerations": {"key": "a"}},
            "",
        ),
        (
            {"tolerations": [5]},
            " tolerations[0]: expected key=value:effect or a toleration, found 5",
        ),
        (
            {"tolerations": [{"key": "x", "operator": "Exists", "efect": "NoSchedule"}]},
            (
                " tolerations[0]: unknown field 'efect': expected effect, key, operator, "
                "tolerationSeconds or value; did you mean 'effect'?"
            ),
        ),
        (
            {"affinity": {"podAffinity": {"next": 1}}},
            (
                " affinity.podAffinity: unknown field 'next': expected "
                f"preferredDuringSchedulingIgnoredDuringExecution or {REQUIRED}"
            ),
        ),
        ({"affinityPolicy": 1}, " affinityPolicy: expected text, found 1: put it in quotes"),
        (
            {"lables": {}},
            (
                " lables: unknown field: expected affinity, affinityPolicy, disks, labels, "
                "nodeSelector, podAnnotations, pods, priorityClass, resources, roles or "
                "tolerations; did you mean 'labels'?"
            ),
        ),
        ([], ": expected a map, found a list"),
        ({}, ""),
        (None, ""),
    ],
)
def test_a_problem_of_the_defaults_has_the_name_of_the_file(defaults: Any, problem: str) -> None:
    found = check_defaults(defaults, "defaults.yaml", Installation())

    assert [str(each) for each in found] == ([f"defaults.yaml{problem}"] if problem else [])


def test_a_plan_has_the_problems_of_the_defaults_too() -> None:
    assert problems(defaults={"labels": {"plan": "x"}}) == [
        f"defaults labels['plan']: 'plan' {SYSTEM}"
    ]


def test_every_error_of_rules_is_a_problem_with_a_caret() -> None:
    text = "REQUIRE pods(app=ceph-osd) on nodes\nAVOID pods(app=a,app=b) on node"
    plan = read(
        {"metadata": {"name": "db", "annotations": {f"{PREFIX}/affinity": text}}}, Installation()
    )
    where = f"Plan /db annotation {PREFIX}/affinity"
    with pytest.raises(karl.KarlError) as error:
        karl.compile(text)
    second = error.value.errors[1]

    assert plan.settings.affinity == {}
    assert plan.settings.problems == [
        Problem(
            where=f"{where} line 1 column 31",
            message="unknown topology 'nodes': expected node, zone, region, rack or a label key; "
            "did you mean 'node'?",
            detail="  REQUIRE pods(app=ceph-osd) on nodes\n                                ^^^^^",
        ),
        Problem(
            where=f"{where} line 2 column {second.column}",
            message=f"{second.message}: {second.hint}",
            detail=f"  {second.source}\n  {second.underline}",
        ),
    ]


def test_rules_that_make_more_than_64_terms_with_the_object_are_not_applied() -> None:
    terms = [
        {"matchExpressions": [{"key": f"k{number}", "operator": "Exists"}]} for number in range(40)
    ]
    written = {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": terms}}}
    rules = "AVOID nodes(a=b, c=d)"
    metadata = {"annotations": {f"{PREFIX}/affinity": rules}}
    plan = read({"metadata": metadata, "spec": {"convertorAffinity": written}}, Installation())

    assert plan.settings.affinity == written
    assert [str(problem) for problem in plan.settings.problems] == [
        (
            f"Plan / annotation {PREFIX}/affinity: makes more than 64 required node terms "
            "together with spec.convertorAffinity: the rules are not applied"
        )
    ]


@pytest.mark.parametrize(
    ("plan", "problem"),
    [
        ([], "Plan: expected a map, found a list"),
        ({"metadata": "x"}, "Plan metadata: expected a map, found 'x'"),
        ({"spec": []}, "Plan / spec: expected a map, found a list"),
        (
            {"metadata": {"name": "db", "namespace": 5, "annotations": "x"}},
            "Plan /db metadata.annotations: expected a map, found 'x'",
        ),
        ({"metadata": None, "spec": None}, None),
        (None, None),
    ],
)
def test_an_object_that_is_not_a_plan_has_no_settings(plan: Any, problem: str | None) -> None:
    found = read(plan, Installation()).settings

    assert [str(each) for each in found.problems] == ([problem] if problem else [])
