"""The admission policy on Plans: rendered from the limits, with the server's names and defaults."""

import json
from typing import Any

import pytest

from tests.system.chart import cases, rendering
from tests.system.chart.rendering import Json, merge, objects, one
from webhook.kube.sizes import MAX_ENTRIES
from webhook.model import Limits, Role
from webhook.settings import limits
from webhook.settings.limit_lists import _KEYS
from webhook.settings.names import ANNOTATIONS, LISTS, ROLE_SETTINGS, SETTINGS, SPEC

pytestmark = pytest.mark.chart

NAME = "convertor-webhook-migration-limits"
ENABLED: Json = {"limitsPolicy": {"enabled": True}}


def policy(values: Json | None = None) -> Json:
    spec = one("ValidatingAdmissionPolicy", merge(values or {}, ENABLED), name=NAME)["spec"]
    assert isinstance(spec, dict)
    return spec


def variable(name: str, values: Json | None = None) -> str:
    """Return the expression of a variable."""
    (found,) = (each for each in policy(values)["variables"] if each["name"] == name)
    return str(found["expression"])


def condition(name: str, values: Json | None = None) -> str:
    """Return the expression of a match condition."""
    (found,) = (each for each in policy(values)["matchConditions"] if each["name"] == name)
    return str(found["expression"])


def as_json(found: object) -> str:
    """Return the literal of a list, as Helm writes it."""
    return json.dumps(found, separators=(",", ":"))


def test_the_policy_is_rendered_on_request() -> None:
    names = {each["metadata"]["name"] for each in objects()}
    assert NAME not in names
    for major in (3, 4):
        kinds = [each["kind"] for each in objects(ENABLED, major=major) if NAME in str(each)]
        assert kinds == ["ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"]


def test_the_policy_denies_plans_when_they_are_written() -> None:
    spec, binding = policy(), one("ValidatingAdmissionPolicyBinding", ENABLED, name=NAME)["spec"]

    assert binding == {"policyName": NAME, "validationActions": ["Deny"]}
    assert spec["failurePolicy"] == "Fail"
    (rule,) = spec["matchConstraints"]["resourceRules"]
    validating = one("ValidatingWebhookConfiguration")["webhooks"][0]["rules"]
    assert [rule] == validating
    assert "deletionTimestamp" in condition("not-being-deleted")
    for each in spec["validations"]:
        assert each["message"]
        assert each["messageExpression"]
        assert each["reason"] == "Forbidden"


def test_every_limit_is_in_the_policy() -> None:
    names = {each["name"] for each in policy()["variables"]}

    assert {*_KEYS} <= names
    for key in _KEYS:
        other: Any = {"cpu": 3} if key == "resources" else ["x"]
        other = ["convertor"] if key == "roles" else other
        expected = "cpu=3" if key == "resources" else other[0]
        for given in ({key: other}, {"namespaces": {"mtv": {key: other}}}):
            assert expected in variable(key, {"limits": given})
            assert policy({"limits": given}) != policy()


@pytest.mark.parametrize("key", [*_KEYS])
def test_a_limit_has_the_built_in_default_of_the_server(key: str) -> None:
    """`["*"]` allows everything; labels and tolerations have defaults that are no such list."""
    expected = getattr(Limits(), _KEYS[key].field)
    if key == "avoidTopologies":
        expected = limits.AVOID_TOPOLOGIES
    if key == "podAnnotations":
        expected = limits.POD_ANNOTATIONS
    if expected is None:
        expected = () if key in ("labels", "tolerations") else ("*",)

    assert variable(key) == as_json([*expected])
    if key != "roles":  # of which there must be one
        assert variable(key, {"limits": {key: None}}) == as_json([*expected])


def test_built_in_labels_and_taints_are_those_of_the_server() -> None:
    labels, taints = variable("labelsBeyond"), variable("tolerationsBeyond")
    exact = [taint for taint in limits.CONTROL_TAINTS if not taint.endswith("*")]
    prefixes = [taint[:-1] for taint in limits.CONTROL_TAINTS if taint.endswith("*")]

    assert set(limits.CONTROLLER_LABELS) == set(json.loads(literal(labels, "app")))
    assert as_json([*limits.LABEL_DOMAINS]) in labels
    assert as_json(exact) in taints
    assert as_json(prefixes) in taints


def literal(expression: str, first: str) -> str:
    """Return the list in an expression that begins with a text."""
    start = expression.index(f'["{first}"')
    return expression[start : expression.index("]", start) + 1]


@pytest.mark.parametrize("key", ["labels", "tolerations"])
def test_the_built_in_default_applies_where_there_is_no_list(key: str) -> None:
    has = f"has{key.capitalize()}"

    assert variable(has) == "request.namespace in []"
    assert variable(has, {"limits": {key: []}}) == "true"
    values = {"limits": {"namespaces": {"a": {key: []}, "b": {key: None}, "c": {}}}}
    assert variable(has, values) == 'request.namespace in ["a"]'


def test_names_of_settings_roles_and_fields_are_those_of_the_server() -> None:
    roles = as_json([*Role])
    for name in ("names", "hasSettings"):
        assert as_json([*SETTINGS]) in variable(name)
    assert roles in variable("names")
    assert roles in variable("rolesBeyond")
    assert json.loads(literal(variable("lists"), "labels")) == sorted(LISTS, key=list_order)
    assert f"<= {MAX_ENTRIES}" in variable("lists")
    for field, setting in SPEC.items():
        assert f'["{field}", "{setting}"]' in variable("changedFields")
    assert {name.partition(".")[0] for name in ANNOTATIONS} == {*SETTINGS}
    assert {*ROLE_SETTINGS} <= {*SETTINGS}


def list_order(name: str) -> int:
    return ["labels", "node-selector", "tolerations", "resources", "pod-annotations"].index(name)


def test_a_namespace_replaces_a_limit_key_by_key() -> None:
    values = {
        "limits": {
            "labels": ["team", "cost.example.com/*"],
            "nodeLabels": ["disk"],
            "resources": {"memory": "16Gi", "cpu": 8},
            "namespaces": {"mtv": {"labels": [], "resources": {"cpu": 0.5}}},
        }
    }

    assert variable("labels", values) == (
        '(request.namespace in {"mtv":""} ? {"mtv":""}[request.namespace] : '
        '"team, cost.example.com/*").split(", ").filter(p, p != "")'
    )
    assert variable("nodeLabels", values) == '["disk"]'
    assert '{"mtv":"cpu=0.5"}[request.namespace] : "cpu=8, memory=16Gi"' in variable(
        "resources", values
    )


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, "!(TARGET in [])"),
        ({"namespaceModes": {"a": "audit", "b": "enforce", "c": False}}, '!(TARGET in ["a","c"])'),
        ({"mode": "audit"}, "(TARGET in [])"),
        ({"mode": False, "namespaceModes": {"a": "enforce", "b": "off"}}, '(TARGET in ["a"])'),
    ],
)
def test_plans_are_denied_where_the_installation_enforces(values: Json, expected: str) -> None:
    target = 'object.?spec.?targetNamespace.orValue("")'

    assert condition("mode-enforce", values) == expected.replace("TARGET", target)


def test_the_prefix_of_the_annotations_is_that_of_the_installation() -> None:
    text = json.dumps(policy({"annotationPrefix": "placement.example.com"}))

    assert "placement.example.com/" in text
    assert "convertor.forklift.konveyor.io" not in text


def test_pod_terms_without_namespaces_have_the_scope_of_the_installation() -> None:
    assert '? s : "own")' in variable("allNamespaces", {"scope": "own"})
    assert '? s : "all")' in variable("old_allNamespaces")


@pytest.mark.parametrize("case", cases.ALL)
def test_the_policy_does_not_depend_on_other_values(case: str) -> None:
    names = {"limits", "mode", "namespaceModes", "scope", "annotationPrefix"}
    if not names & cases.ALL[case].keys():
        assert policy(cases.ALL[case]) == policy()


def test_names_cannot_end_a_text_of_an_expression() -> None:
    found = variable("labels", {"limits": {"labels": ['a"] + ["b', "c\\", "d\n"]}})

    assert json.loads(found) == ['a"] + ["b', "c\\", "d\n"]
    assert rendering.text(ENABLED) == rendering.text(ENABLED)
