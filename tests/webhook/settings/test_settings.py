"""The settings of a Plan, merged over the defaults of the installation."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.builders import PREFIX, plan
from tests.support.paths import DATA
from webhook import karl
from webhook.kube.objects import Json
from webhook.model import (
    AffinityPolicy,
    Installation,
    Limits,
    Mode,
    Plan,
    Problem,
    Role,
    Scope,
    Settings,
)
from webhook.settings import ANNOTATIONS, read
from webhook.settings.installation import check_defaults
from webhook.settings.names import DEFAULTS

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


def settings(plan_object: Json, **installation: Any) -> Settings:
    return read(plan_object, Installation(**installation)).settings


def test_the_affinity_of_a_plan_of_forklift_2_12_is_widened_to_all_namespaces() -> None:
    plan_object = json.loads((DATA / "plan-v2.12.json").read_text(encoding="utf-8"))
    copied = plan_object["spec"]["convertorAffinity"]

    assert read(plan_object, Installation()) == Plan(
        namespace="konveyor-forklift",
        name="high-io-migration",
        uid="b277064e-c8ce-430a-99ee-75a0a2a7d0ea",
        generation=1,
        target_namespace="target",
        settings=Settings(
            labels={"io-intensive": "true", "workload": "migration"},
            node_selector={"disk": "nvme", "storage-tier": "fast"},
            affinity=karl.compile("REQUIRE pods(app=ceph-osd) on node"),
            copied=copied,
        ),
        settings_modified="2026-11-22T23:22:39Z",
    )


def test_labels_merge_key_by_key_and_the_most_specific_source_wins() -> None:
    assert settings(
        plan(
            spec={"convertorLabels": {"b": "spec", "e": "same"}},
            labels="c=annotation, d = annotation, e=same",
        ),
        defaults={"labels": {"a": "default", "b": "default", "c": "default"}},
    ) == Settings(
        labels={"a": "default", "b": "spec", "c": "annotation", "d": "annotation", "e": "same"}
    )


@pytest.mark.parametrize("source", ["defaults", "spec", "annotation"])
def test_every_source_accepts_lists_as_text(source: str) -> None:
    labels, selector = "a=b, c = d ,e=", "disk=nvme,cpu=16+"
    plan_object, defaults = {
        "defaults": (plan(), {"labels": labels, "nodeSelector": selector}),
        "spec": (plan(spec={"convertorLabels": labels, "convertorNodeSelector": selector}), {}),
        "annotation": (plan(labels=labels, node_selector=selector), {}),
    }[source]

    assert settings(plan_object, defaults=defaults) == Settings(
        labels={"a": "b", "c": "d", "e": ""},
        node_selector={"disk": "nvme"},
        node_requirements=[{"key": "cpu", "operator": "Gt", "values": ["15"]}],
    )


def test_node_selectors_merge_key_by_key_and_the_most_specific_source_wins() -> None:
    assert settings(
        plan(
            spec={"convertorNodeSelector": {"cpu": "4", "memory": "128Gi"}},
            node_selector="memory=64Gi+,zone=east",
        ),
        defaults={"nodeSelector": {"cpu": "16+", "zone": "2+", "gpus": "2+"}},
    ) == Settings(
        node_selector={"cpu": "4", "zone": "east"},
        node_requirements=[
            {"key": "gpus", "operator": "Gt", "values": ["1"]},
            {"key": "memory", "operator": "AtLeast", "values": ["64Gi"]},
        ],
    )


def test_tolerations_of_a_taint_key_are_those_of_the_most_specific_source() -> None:
    everything = {"operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 60}

    assert settings(
        plan(tolerations="gpu=b:NoSchedule,gpu:NoExecute"),
        defaults={"tolerations": ["gpu=a", "spot:NoSchedule,spot:NoSchedule", everything]},
    ) == Settings(
        tolerations=[
            {"key": "spot", "operator": "Exists", "effect": "NoSchedule"},
            everything,
            {"key": "gpu", "operator": "Equal", "value": "b", "effect": "NoSchedule"},
            {"key": "gpu", "operator": "Exists", "effect": "NoExecute"},
        ]
    )


NEAR_CEPH = "REQUIRE pods(app=ceph-osd) on node"
APART = "REPEL pods(app=virt-v2v) on zone"
ON_SSD = "REQUIRE nodes(disk=ssd)"
ON_BIG = "REQUIRE nodes(cpu>=16)"


@pytest.mark.parametrize(
    ("spec", "annotation", "expected"),
    [
        pytest.param(None, None, ON_SSD, id="the default, for a plan without affinity"),
        pytest.param(None, NEAR_CEPH, NEAR_CEPH, id="the rules of the plan override the default"),
        pytest.param(
            karl.compile(NEAR_CEPH),
            None,
            NEAR_CEPH,
            id="the object of the plan overrides the default",
        ),
        pytest.param(NEAR_CEPH, None, NEAR_CEPH, id="text in the spec is rules"),
        pytest.param(
            karl.compile(NEAR_CEPH), APART, f"{NEAR_CEPH};{APART}", id="object and rules are merged"
        ),
        pytest.param(
            karl.compile(NEAR_CEPH), NEAR_CEPH, NEAR_CEPH, id="a term of both is added once"
        ),
        pytest.param(karl.compile(ON_SSD), ON_BIG, f"{ON_SSD};{ON_BIG}", id="node terms are ANDed"),
    ],
)
def test_the_affinity_of_a_plan_is_that_of_its_object_and_its_rules(
    spec: Any, annotation: str | None, expected: str
) -> None:
    annotations = {} if annotation is None else {"affinity": annotation}

    assert settings(
        plan(spec={"convertorAffinity": spec}, annotations=annotations),
        defaults={"affinity": ON_SSD},
    ) == Settings(affinity=karl.compile(expected))


@pytest.mark.parametrize(
    "plan_object",
    [
        pytest.param(plan(affinity=""), id="no rules"),
        pytest.param(plan(affinity=" \n"), id="blank rules"),
        pytest.param(plan(spec={"convertorAffinity": {}}), id="an empty object"),
    ],
)
def test_an_empty_affinity_of_a_plan_overrides_the_default(plan_object: Json) -> None:
    assert settings(plan_object, defaults={"affinity": ON_SSD}) == Settings()


def test_invalid_rules_of_a_plan_override_the_default() -> None:
    found = settings(plan(affinity="REQUIRE"), defaults={"affinity": ON_SSD})

    assert found.affinity == {}
    assert len(found.problems) == 1


def narrow(app: str) -> Json:
    selector = {"matchLabels": {"app": app}}
    return {"labelSelector": selector, "topologyKey": "kubernetes.io/hostname"}


@pytest.mark.parametrize(
    ("own", "installed", "wide"),
    [
        (None, Scope.ALL, True),
        (None, Scope.OWN, False),
        ("own", Scope.ALL, False),
        ("all", Scope.OWN, True),
    ],
)
def test_the_scope_of_the_plan_or_else_of_the_installation_applies_to_object_and_rules(
    own: str | None, installed: Scope, *, wide: bool
) -> None:
    annotations = {"affinity": "AVOID pods(app=web) on node"} | ({"scope": own} if own else {})
    chosen = {**narrow("db"), "namespaces": ["db"]}
    written = {"podAffinity": {REQUIRED: [narrow("ceph-osd"), chosen]}}
    scope: Json = {"namespaceSelector": {}} if wide else {}

    assert settings(
        plan(spec={"convertorAffinity": written}, annotations=annotations), scope=installed
    ) == Settings(
        affinity={
            "podAffinity": {REQUIRED: [narrow("ceph-osd") | scope, chosen]},
            "podAntiAffinity": {REQUIRED: [narrow("web") | scope]},
        },
        copied=written if wide else {},
    )


def test_an_object_that_the_scope_does_not_change_is_stored_once() -> None:
    written = karl.compile(f"{NEAR_CEPH};{ON_SSD}", scope="all")

    assert settings(plan(spec={"convertorAffinity": written})) == Settings(affinity=written)


@pytest.mark.parametrize(
    ("default", "annotation", "expected"),
    [
        (None, None, AffinityPolicy.MERGE),
        ("replace", None, AffinityPolicy.REPLACE),
        ("replace", "merge", AffinityPolicy.MERGE),
        (None, " replace\n", AffinityPolicy.REPLACE),
    ],
)
def test_the_affinity_policy_of_the_plan_overrides_the_default(
    default: str | None, annotation: str | None, expected: AffinityPolicy
) -> None:
    annotations = {"affinity-policy": annotation} if annotation else {}
    defaults = {"affinityPolicy": default} if default else {}

    assert settings(plan(annotations=annotations), defaults=defaults) == Settings(
        affinity_policy=expected
    )


def test_the_mode_is_that_of_the_plan_or_none() -> None:
    assert settings(plan(mode="audit")).mode is Mode.AUDIT
    assert settings(plan()).mode is None


def test_other_annotations_and_the_placement_annotation_are_ignored() -> None:
    annotations = {
        "kubectl.kubernetes.io/last-applied-configuration": "{}",
        f"{PREFIX}.example.com/labels": "a=b",
        "labels": "a=b",
        f"{PREFIX}/placement": "{}",
    }

    assert settings({"metadata": {"annotations": annotations}}) == Settings()


def test_the_prefix_of_the_annotations_is_configurable() -> None:
    annotations = {"example.com/labels": "a=b", f"{PREFIX}/labels": "c=d"}

    assert settings({"metadata": {"annotations": annotations}}, prefix="example.com") == Settings(
        labels={"a": "b"}
    )


def test_plans_without_settings_share_one_object() -> None:
    empty = plan(spec={"convertorLabels": None, "targetNamespace": "vms"}, labels="")

    assert settings(plan()) is settings(empty) is settings({})


VALID_LABELS = st.dictionaries(st.sampled_from("abcd"), st.sampled_from(["1", "2", ""]))


@given(VALID_LABELS, VALID_LABELS, VALID_LABELS)
def test_labels_merge_and_an_annotation_never_overrides_the_field(
    defaults: Json, spec: Json, annotation: Json
) -> None:
    text = ",".join(f"{key}={value}" for key, value in annotation.items())
    plan_object = plan(spec={"convertorLabels": spec}, labels=text)
    found = settings(plan_object, defaults={"labels": defaults})

    contradictions = {
        key for key in annotation if annotation[key] != spec.get(key, annotation[key])
    }
    assert found.labels == {**defaults, **annotation, **spec}
    assert len(found.problems) == len(contradictions)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda children: (
        st.lists(children, max_size=3)
        | st.dictionaries(
            st.sampled_from(["key", "operator", "a", "podAffinity", "nodeAffinity", REQUIRED]),
            children,
            max_size=3,
        )
    ),
    max_leaves=6,
)
settings_values = json_values | st.sampled_from(
    ["a=b,c", "cpu=16+", NEAR_CEPH, "REQUIRE pods(", "gpu:NoSchedule", "audit", "own"]
)
any_plans = json_values | st.fixed_dictionaries(
    {
        "metadata": json_values
        | st.fixed_dictionaries(
            {
                "annotations": st.dictionaries(
                    st.sampled_from([*ANNOTATIONS, "x"]).map(lambda name: f"{PREFIX}/{name}"),
                    settings_values,
                )
            },
            optional={"name": json_values, "generation": json_values},
        ),
        "spec": json_values
        | st.dictionaries(
            st.sampled_from(["convertorLabels", "convertorNodeSelector", "convertorAffinity"]),
            settings_values,
        ),
    }
)


any_role_settings = st.dictionaries(st.sampled_from([*DEFAULTS, "x"]), settings_values, max_size=3)
any_defaults = settings_values | st.dictionaries(
    st.sampled_from([*DEFAULTS, "roles"]),
    settings_values | st.dictionaries(st.sampled_from(Role), settings_values | any_role_settings),
    max_size=3,
)


@given(any_plans, any_defaults, st.sets(st.sampled_from(Role)))
def test_any_plan_is_read_and_the_result_can_be_packed(
    plan_object: Any, defaults: Any, roles: set[Role]
) -> None:
    plan = read(plan_object, Installation(defaults=defaults, limits=Limits(roles=tuple(roles))))

    assert msgspec.msgpack.decode(msgspec.msgpack.encode(plan), type=Plan) == plan
    assert all(problem.where and problem.message for problem in plan.settings.problems)


@given(any_defaults)
def test_a_plan_without_settings_has_the_problems_of_the_defaults_only(defaults: Any) -> None:
    problems = settings(plan(), defaults=defaults).problems

    assert problems == check_defaults(defaults, "defaults", Installation())
    assert all(isinstance(problem, Problem) for problem in problems)


def test_a_toleration_that_is_listed_twice_is_applied_once() -> None:
    toleration = {"key": "a", "operator": "Exists"}
    defaults = {"tolerations": [toleration, dict(toleration)]}

    assert settings(plan(), defaults=defaults).tolerations == [toleration]
