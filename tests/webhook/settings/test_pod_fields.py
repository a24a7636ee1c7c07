"""Resources, priority class and annotations for pods, as they are read and merged."""

from typing import Any

import pytest

from tests.support.builders import plan
from webhook import settings
from webhook.kube.objects import Json
from webhook.kube.sizes import MAX_POD_ANNOTATION_CHARACTERS
from webhook.model import Installation, Limits, Role, Settings

PREFIX = "convertor.forklift.konveyor.io"
LIMITS = Limits(priority_classes=("*",), pod_annotations=("*",))
NAMES = (
    "requests.cpu, requests.memory, requests.ephemeral-storage, limits.cpu, limits.memory or "
    "limits.ephemeral-storage"
)


def read(annotations: Json | None = None, defaults: Json | None = None) -> Settings:
    installation = Installation(limits=LIMITS, defaults=defaults or {})
    return settings.read(plan("db", "mtv", annotations=annotations), installation).settings


def messages(found: Settings) -> list[str]:
    return [str(each).removeprefix(f"Plan mtv/db annotation {PREFIX}/") for each in found.problems]


@pytest.mark.parametrize(
    "value",
    [
        "requests.cpu=2,limits.memory=12Gi",
        {"requests.cpu": "2", "limits.memory": "12Gi"},
        {"requests": {"cpu": 2}, "limits": {"memory": "12Gi"}},
        {"requests": {"cpu": 2.0}, "limits": {"memory": "12Gi", "cpu": None}},
        {"requests.cpu": 2, "limits": {"memory": "12Gi"}, "requests": None},
    ],
)
def test_resources_have_a_form_of_text_and_those_of_a_container(value: Any) -> None:
    found = read(defaults={"resources": value})
    assert found.resources == {"requests.cpu": "2", "limits.memory": "12Gi"}
    assert found.problems == []


@pytest.mark.parametrize(
    ("text", "expected", "message"),
    [
        ("cpu=2", {}, f"expected {NAMES}, found 'cpu'; did you mean 'requests.cpu'?"),
        ("requests.mem=2", {}, f"expected {NAMES}, found 'requests.mem'; did you mean 'requests.m"),
        ("requests.gpu=1", {}, f"expected {NAMES}, found 'requests.gpu'"),
        ("limits.memory=12gb", {}, "limits.memory '12gb' must be a quantity such as 16, 500m, 64G"),
        ("limits.cpu=0", {}, "limits.cpu '0' must be more than 0"),
        ("limits.cpu=-1", {}, "limits.cpu '-1' must be more than 0"),
        ("limits.cpu", {}, "expected key=value, found 'limits.cpu'"),
    ],
)
def test_an_invalid_entry_is_reported_and_the_others_are_applied(
    text: str, expected: Json, message: str
) -> None:
    found = read({"resources": f"requests.memory=4Gi,{text}"})
    assert found.resources == {"requests.memory": "4Gi"} | expected
    (problem,) = messages(found)
    assert problem.startswith(f"resources entry 2: {message}")


def test_a_request_above_the_limit_beside_it_invalidates_the_setting() -> None:
    found = read({"resources": "requests.memory=12Gi,limits.memory=8Gi,limits.cpu=4"})
    assert found.resources == {}
    assert messages(found) == [
        (
            "resources: expected requests.memory of at most limits.memory, found 12Gi and 8Gi: "
            "nothing of it is applied, because the API server would reject the pods"
        )
    ]


@pytest.mark.parametrize(
    ("default", "own", "expected"),
    [
        ("requests.cpu=1", "limits.cpu=4", {"requests.cpu": "1", "limits.cpu": "4"}),
        ("limits.memory=8Gi", "requests.memory=12Gi", {"memory": "12Gi"}),
        ("requests.memory=12Gi", "limits.memory=8Gi", {"memory": "8Gi"}),
        ("requests.memory=8192Mi", "limits.memory=8Gi", None),
    ],
)
def test_the_most_specific_quantity_wins_and_a_request_is_never_above_its_limit(
    default: str, own: str, expected: Json | None
) -> None:
    found = read({"resources": own}, {"resources": default}).resources
    if expected is None:
        assert found == {"requests.memory": "8192Mi", "limits.memory": "8Gi"}
    elif "memory" in expected:
        amount = expected["memory"]
        assert found == {"requests.memory": amount, "limits.memory": amount}
    else:
        assert found == expected


@pytest.mark.parametrize(
    ("value", "expected", "message"),
    [
        ("migration", "migration", None),
        (" migration ", "migration", None),
        ("", "", None),
        (
            "Migration",
            "default",
            "expected the name of a PriorityClass, found 'Migration': it must",
        ),
        ("a,b", "default", "expected the name of a PriorityClass, found 'a,b': it must consist of"),
        ("“migration”", "default", "; did you mean 'migration'?"),
    ],
)
def test_the_priority_class_is_the_most_specific_valid_name(
    value: str, expected: str, message: str | None
) -> None:
    found = read({"priority-class": value}, {"priorityClass": "default"})
    assert found.priority_class == expected
    assert [str(message) in each for each in messages(found)] == ([True] if message else [])


def test_a_priority_class_of_the_defaults_is_text() -> None:
    found = read(defaults={"priorityClass": 5})
    assert found.priority_class == ""
    assert messages(found) == ["defaults priorityClass: expected text, found 5: put it in quotes"]


@pytest.mark.parametrize(
    ("key", "message"),
    [
        (f"{PREFIX}/placement", "has the prefix of the webhook's own annotations"),
        ("kubernetes.io/config.mirror", "marks a mirror pod, which the API server would reject"),
        ("a b", "key 'a b' must consist of alphanumeric characters"),
    ],
)
def test_annotations_that_would_harm_are_a_problem(key: str, message: str) -> None:
    found = read({"pod-annotations": f"a=b,{key}=c"})
    assert found.pod_annotations == {"a": "b"}
    (problem,) = messages(found)
    assert message in problem


def test_annotations_are_limited_in_size() -> None:
    found = read({"pod-annotations": f"a={'x' * MAX_POD_ANNOTATION_CHARACTERS}"})
    assert found.pod_annotations == {}
    assert "expected at most 16384 characters in all annotations, found 16385" in messages(found)[0]


def test_annotations_merge_by_key() -> None:
    found = read({"pod-annotations": "a=own"}, {"podAnnotations": {"a": "default", "b": "c"}})
    assert found.pod_annotations == {"a": "own", "b": "c"}


def test_a_role_has_its_own_settings_in_place_of_the_general_ones() -> None:
    found = read(
        {
            "resources.first-consumer": "requests.cpu=2",
            "priority-class.importer": "low",
            "pod-annotations.populator": "a=b",
        },
        {"roles": {"importer": {"podAnnotations": {"c": "d"}}}},
    )
    assert found.problems == []
    assert found.roles[Role.FIRST_CONSUMER].resources == {"requests.cpu": "2"}
    assert found.roles[Role.IMPORTER].priority_class == "low"
    assert found.roles[Role.IMPORTER].pod_annotations == {"c": "d"}
    assert found.roles[Role.POPULATOR].pod_annotations == {"a": "b"}
    assert found.roles[Role.POPULATOR].resources is None


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "resources.importer",
            (
                "resources has no effect on importer pods, expected resources.convertor or "
                "resources.first-consumer: remove it"
            ),
        ),
        (
            "priority-class.inspection",
            (
                "priority-class has no effect on inspection pods, expected "
                "priority-class.convertor, priority-class.importer or "
                "priority-class.populator: remove it"
            ),
        ),
    ],
)
def test_a_setting_without_effect_on_a_role_is_a_problem(name: str, message: str) -> None:
    found = read({name: "x"})
    assert found.roles == {}
    assert messages(found) == [f"{name}: {message}"]


@pytest.mark.parametrize("name", ["seccomp-profile", "env", "runtime-class", "scratch-volume"])
def test_privileges_are_settings_of_the_installation_only(name: str) -> None:
    (message,) = messages(read({name: "x"}))
    assert message.startswith(f"{name}: the setting is a privilege, which no plan can set: remove")


@pytest.mark.parametrize(("kubernetes", "applied"), [(25, False), (26, True), (None, True)])
def test_a_hard_spread_needs_a_cluster_that_skips_cordoned_nodes(
    kubernetes: int | None, *, applied: bool
) -> None:
    rules = "SPREAD pods(a=b) on node hard; SPREAD pods(a=b) on zone"
    installation = Installation(kubernetes=kubernetes)
    found = settings.read(plan("db", "mtv", annotations={"affinity": rules}), installation).settings

    assert [each["topologyKey"] for each in found.spread] == [
        *(["kubernetes.io/hostname"] if applied else []),
        "topology.kubernetes.io/zone",
    ]
    assert messages(found) == (
        []
        if applied
        else [
            (
                "affinity line 1 column 1: a hard SPREAD is not applied on Kubernetes 1.25, which "
                "counts cordoned nodes: one of them would keep all later pods pending; remove hard"
            )
        ]
    )


def test_spread_constraints_of_field_and_annotation_are_applied_together() -> None:
    soft, hard = "SPREAD pods(a=b) on node", "SPREAD pods(a=b) on node hard"
    found = settings.read(
        plan(
            "db",
            annotations={"affinity": f"{hard}; {soft} skew=2"},
            spec={"convertorAffinity": soft},
        ),
        Installation(defaults={"affinity": "SPREAD pods(a=b) on rack"}),
    ).settings

    assert [(each["whenUnsatisfiable"], each["maxSkew"]) for each in found.spread] == [
        ("ScheduleAnyway", 2),
        ("DoNotSchedule", 1),
    ]
    own = read({"affinity.inspection": hard}, {"affinity": soft})
    assert [each["maxSkew"] for each in own.roles[Role.INSPECTION].spread or ()] == [1]
    assert [each["whenUnsatisfiable"] for each in own.spread] == ["ScheduleAnyway"]
