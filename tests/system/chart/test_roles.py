"""The webhooks and rights for the roles in `limits.roles`, and nothing for the others."""

import itertools
import json
from typing import Any

import pytest
import yaml

from tests.support.paths import DATA
from tests.system.chart import rendering
from tests.system.chart.rendering import Json, mutating, objects, one
from webhook.kube.manifests import parse_document
from webhook.kube.webhook_selectors import is_any_called, read_selectors
from webhook.model import DEFAULT_ROLES, WEBHOOK_NAMES, Installation, Role
from webhook.settings.installation import read_installation

pytestmark = pytest.mark.chart

APPS = {
    Role.CONVERTOR: ["virt-v2v"],
    Role.INSPECTION: ["virt-v2v-inspection", "deep-inspection"],
    Role.FIRST_CONSUMER: ["consumer"],
}
"""The values of `forklift.app`."""
ENTRIES = {
    Role.CONVERTOR: {"pods"},
    Role.INSPECTION: {"pods"},
    Role.FIRST_CONSUMER: {"pods", "importers"},
    Role.IMPORTER: {"importers"},
    Role.POPULATOR: {"populators"},
}
SUBSETS = [
    subset for size in range(1, len(Role) + 1) for subset in itertools.combinations(Role, size)
]
DISK_RIGHTS = {
    ("persistentvolumeclaims", "list"),
    ("persistentvolumeclaims", "watch"),
    ("persistentvolumes", "get"),
    ("storageclasses", "list"),
    ("storageclasses", "watch"),
}


PRINTED: dict[str, dict[str, str]] = {
    path.stem: json.loads(path.read_bytes())["metadata"].get("labels") or {}
    for path in (DATA / "migration-pods").glob("*.json")
}
"""The labels of all pods of a migration, by the names of their files."""


def limited(roles: tuple[Role, ...]) -> Json:
    return {"limits": {"roles": [role.value for role in roles]}}


def entries(values: Json) -> dict[str, Json]:
    """Return the webhooks by the first word of their names."""
    webhooks = one("MutatingWebhookConfiguration", values)["webhooks"]
    return {webhook["name"].partition(".")[0]: webhook for webhook in webhooks}


def rights_on_disks(values: Json) -> set[tuple[str, str]]:
    return {
        (resource, verb)
        for each in objects(values)
        for rule in each.get("rules", [])
        for resource in rule["resources"]
        for verb in rule["verbs"]
    } & (DISK_RIGHTS | {(resource, "create") for resource, _ in DISK_RIGHTS})


@pytest.mark.parametrize("roles", SUBSETS, ids="+".join)
def test_there_is_a_webhook_for_each_kind_of_pod_of_the_roles(roles: tuple[Role, ...]) -> None:
    found = entries(limited(roles))

    assert [webhook["name"] for webhook in found.values()] == [
        name
        for name in WEBHOOK_NAMES
        if any(name.partition(".")[0] in ENTRIES[role] for role in roles)
    ]
    if "pods" in found:
        (expression,) = found["pods"]["objectSelector"]["matchExpressions"]
        apps = [app for role, values in APPS.items() if role in roles for app in values]
        assert expression == {"key": "forklift.app", "operator": "In", "values": apps}


@pytest.mark.parametrize("roles", SUBSETS, ids="+".join)
def test_disks_are_read_only_for_roles_that_need_them(roles: tuple[Role, ...]) -> None:
    needs_disks = not {*roles} <= {Role.CONVERTOR, Role.INSPECTION}

    assert rights_on_disks(limited(roles)) == (DISK_RIGHTS if needs_disks else set())


@pytest.mark.parametrize("roles", SUBSETS, ids="+".join)
def test_the_webhooks_select_exactly_the_pods_of_the_roles(roles: tuple[Role, ...]) -> None:
    """By labels, for all printed pods; a first consumer may be an importer."""
    selectors = [read_selectors("c", webhook) for webhook in entries(limited(roles)).values()]
    selected = {
        name
        for name, labels in PRINTED.items()
        if is_any_called(selectors, "target", {}, labels) is True
    }

    assert selected == {name for name in PRINTED if could_have_a_role(name, roles)}
    assert selected


def could_have_a_role(name: str, roles: tuple[Role, ...]) -> bool:
    """Return whether the file of a pod is named after one of the roles."""
    words = {
        Role.CONVERTOR: "virt-v2v-",
        Role.INSPECTION: "inspection-",
        Role.FIRST_CONSUMER: "pvcinit-",
        Role.IMPORTER: "importer-",
        Role.POPULATOR: "-populator-",
    }
    if "-importer-" in name:
        return bool({Role.IMPORTER, Role.FIRST_CONSUMER} & {*roles})
    return any(words[role] in name for role in roles)


def test_all_webhooks_are_alike_but_for_selectors_and_failures() -> None:
    values = {
        "webhook": {"namespaceSelector": {"matchLabels": {"convertor": "on"}}, "timeoutSeconds": 1}
    }
    pods, *others = entries(values).values()
    own = ("name", "objectSelector", "matchConditions")

    assert len(others) == 2
    for each in others:
        assert {key: each[key] for key in each if key not in own} == {
            key: pods[key] for key in pods if key not in own
        }


@pytest.mark.parametrize("pods", ["importers", "populators"])
def test_webhooks_for_pods_of_other_controllers_always_fail_open(pods: str) -> None:
    values: Json = {"webhook": {"failurePolicy": "Fail"}}

    assert mutating(values)["failurePolicy"] == "Fail"
    assert mutating(values, pods)["failurePolicy"] == "Ignore"


@pytest.mark.parametrize(("seconds", "others"), [(1, 1), (2, 2), (3, 2), (30, 2)])
def test_other_imports_are_delayed_by_two_seconds_at_most(seconds: int, others: int) -> None:
    values = {"webhook": {"timeoutSeconds": seconds}}
    found = [mutating(values, pods)["timeoutSeconds"] for pods in entries(values)]

    assert found == [seconds, others, others]


def test_conditions_of_the_user_are_for_pods_of_forklift_only() -> None:
    own = {"name": "from-forklift", "expression": "request.userInfo.username != ''"}
    values = {"webhook": {"matchConditions": [own]}}
    names = {
        pods: [condition["name"] for condition in webhook["matchConditions"]]
        for pods, webhook in entries(values).items()
    }

    assert names == {
        "pods": ["not-a-mirror-pod", "from-forklift"],
        "importers": ["not-a-mirror-pod", "importer-of-a-pvc"],
        "populators": ["not-a-mirror-pod", "populator-by-name"],
    }


@pytest.mark.parametrize("pods", ["pods", "importers", "populators"])
@pytest.mark.parametrize(("kubernetes", "has"), [("1.27", False), ("1.28", True)])
def test_before_kubernetes_1_28_no_webhook_has_conditions(
    pods: str, kubernetes: str, *, has: bool
) -> None:
    assert ("matchConditions" in mutating(pods=pods, kubernetes=kubernetes)) is has


def test_the_policy_is_for_convertor_pods_whatever_the_roles() -> None:
    for roles in ((Role.CONVERTOR,), (Role.POPULATOR,), tuple(Role)):
        values = limited(roles) | {"admissionPolicy": {"enabled": True}}
        policy = one("ValidatingAdmissionPolicy", values, name="convertor-webhook-migration")
        (expression,) = policy["spec"]["matchConstraints"]["objectSelector"]["matchExpressions"]
        assert expression["values"] == ["virt-v2v"]


@pytest.mark.parametrize("roles", [[], ["importers"], ["importer", "importer"], None])
def test_roles_that_do_not_exist_are_rejected(roles: list[str] | None) -> None:
    with pytest.raises(rendering.ChartError, match="roles"):
        rendering.text({"limits": {"roles": roles}})


@pytest.mark.parametrize(
    "defaults",
    [
        {"pods": "importers"},
        {"pods": "convertor;importer"},
        {"pods": ["all"]},
        {"disks": "apart"},
        {"roles": {"importers": {}}},
        {"roles": {"importer": {"affinityPolicy": "merge"}}},
        {"roles": {"importer": {"labels": {"team": 1}}}},
    ],
)
def test_invalid_settings_of_roles_are_rejected(defaults: Json) -> None:
    with pytest.raises(rendering.ChartError, match="defaults"):
        rendering.text({"defaults": defaults})


def test_the_roles_of_the_chart_are_those_of_the_server() -> None:
    values = yaml.safe_load((rendering.CHART / "values.yaml").read_text(encoding="utf-8"))
    text = (rendering.CHART / "values.yaml").read_text(encoding="utf-8")

    assert tuple(values["limits"]["roles"]) == Installation().roles == tuple(Role)
    assert f"If empty: {' and '.join(DEFAULT_ROLES)}." in text


NOTES_DEFAULT = "The settings of a plan apply to its pods of the roles convertor, first-consumer."


@pytest.mark.parametrize(
    ("values", "applied", "explained"),
    [
        ({}, NOTES_DEFAULT, True),
        ({"defaults": {"pods": "convertor , first-consumer"}}, NOTES_DEFAULT, True),
        (
            {"defaults": {"pods": "all"}},
            "of the roles convertor, inspection, first-consumer, importer, populator.",
            True,
        ),
        ({"defaults": {"pods": ["importer"]}}, "of the role importer.", False),
        (
            {"defaults": {"pods": "all"}, "limits": {"roles": ["importer", "convertor"]}},
            "of the roles importer, convertor.",
            False,
        ),
        ({"limits": {"roles": ["convertor"]}}, "of the role convertor.", False),
        ({"limits": {"roles": ["populator"]}}, "of the roles that its annotation selects.", False),
    ],
)
def test_the_notes_have_the_roles_that_are_placed(
    values: Json, applied: str, *, explained: bool
) -> None:
    notes = rendering.text(values, notes=True).partition("NOTES:")[2]
    roles = values.get("limits", {}).get("roles", [*Role])

    assert applied in notes
    assert ("A first-consumer is the pod whose node decides" in notes) is explained
    selects = f"`all` selects all of\n{', '.join(roles)}."
    assert (selects in notes) is (len(roles) > 1)


@pytest.mark.parametrize(
    ("policy", "text"),
    [
        ("Ignore", 'fail_open_count{name=~"(pods|importers|populators).convertor.forklift'),
        ("Fail", "fail. Importers and populators are admitted without their placement."),
    ],
)
def test_the_notes_have_the_effect_of_a_failure(policy: str, text: str) -> None:
    assert text in rendering.text({"webhook": {"failurePolicy": policy}}, notes=True)


def test_roles_of_a_namespace_have_their_webhooks_and_rights_too() -> None:
    values = {
        "limits": {"roles": ["convertor"], "namespaces": {"mtv": {"roles": ["populator"]}}},
    }
    configuration = rendering.one("MutatingWebhookConfiguration", values)
    assert [each["name"].partition(".")[0] for each in configuration["webhooks"]] == [
        "pods",
        "populators",
    ]
    assert "persistentvolumeclaims" in str(rendering.one("ClusterRole", values)["rules"])


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, False),
        ({"limits": {"priorityClasses": ["migration"]}}, True),
        ({"limits": {"namespaces": {"mtv": {"priorityClasses": ["migration"]}}}}, True),
        ({"defaults": {"priorityClass": "migration"}}, True),
        ({"defaults": {"roles": {"importer": {"priorityClass": "migration"}}}}, True),
    ],
)
def test_priority_classes_are_read_only_if_pods_may_have_one(
    values: dict[str, Any], *, expected: bool
) -> None:
    rules = rendering.one("ClusterRole", values)["rules"]
    read = [each for each in rules if each["resources"] == ["priorityclasses"]]
    assert [each["verbs"] for each in read] == ([["list", "watch"]] if expected else [])
    document = parse_document(
        rendering.one("ConfigMap", values, name="convertor-webhook-config")["data"]["config.yaml"]
    )
    installation, problems = read_installation(document, "")
    assert (installation.has_priority_classes, problems) == (expected, [])
