"""The policy on Plans of the chart's `limitsPolicy`: with a real API server, without a replica."""

import json
import re
from collections.abc import Iterator
from typing import NamedTuple

import pytest
import yaml

from tests.support.paths import DATA
from tests.system.chart import rendering
from tests.system.controlplane.api import Api, Json, at, of, path
from tests.system.controlplane.process import until
from tests.system.e2e.preparation import use_plans_of
from tests.system.e2e.settings.conftest import OTHER_PLANS
from tests.system.e2e.settings.limits_cases import (
    ANNOTATIONS,
    FIELDS,
    INSTALLATIONS,
    REQUIRED,
    ZONE,
    Case,
    Content,
    nodes,
    rule,
)
from tests.system.guide.forklift import Generation
from tests.system.guide.rows import PLAN_NAMESPACE, PREFIX
from webhook.admission.review import PLAN
from webhook.admission.validate import validate
from webhook.model import Installation, Outcome, Request
from webhook.settings.installation import read_installation

NAME = "convertor-webhook-migration-limits"
POLICY = ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")
CASES = {
    **{f"{name} (field)": case for name, case in FIELDS.items()},
    **{f"{name} (annotation)": case for name, case in ANNOTATIONS.items()},
}
LIMITED: Json = {"limitsPolicy": {"enabled": True}}
(_TERM,) = rule("podAffinity", namespaces=["payments"])["podAffinity"][REQUIRED]
TOO_LARGE = {
    "long annotations": (
        Content({"affinity": "x" * 200_000, "labels": "a=b," * 10_000}),
        "labels: expected at most 256 entries, found 10001",
    ),
    "many annotations": (Content({f"x-{number}": "y" for number in range(5_000)}), ""),
    "many labels": (
        Content(labels={f"a{number}": "b" for number in range(50_000)}),
        "spec.convertorLabels: expected at most 256 entries, found 50000",
    ),
    "many terms": (Content(affinity={"podAffinity": {REQUIRED: [_TERM] * 5_000}}), "cost limit"),
}


class Policy(NamedTuple):
    """The policy of an installation, which is effective."""

    name: str
    api: Api
    installation: Installation
    old: dict[str, Json]
    """Plans that were created before, by the name of the case."""


def plan(name: str, content: Content, namespace: str = PLAN_NAMESPACE) -> Json:
    """Return a Plan."""
    body: Json = json.loads((DATA / "plan-v2.12.json").read_text(encoding="utf-8"))
    fields = {key: body["spec"][key] for key in ("map", "provider", "vms")}
    return {
        "apiVersion": body["apiVersion"],
        "kind": "Plan",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "annotations": {f"{PREFIX}/{key}": text for key, text in content.annotations.items()},
        },
        "spec": fields | content.spec(),
    }


def rejection(api: Api, body: Json, old: Json | None = None) -> str:
    """Return why the policy denies a Plan, as a dry run; empty if the API server admits it."""
    if old:
        body = body | {"metadata": old["metadata"] | body["metadata"]}
    method, where = ("PUT", at(body)) if old else ("POST", of(body))
    response = api.send(method, where, body, dryRun="All")
    if response.is_success:
        return ""
    message = str(response.json()["message"])
    assert NAME in message, message
    return message


def _await(api: Api, *, denied: bool) -> None:
    probe = plan("probe", Content(labels={"k8s-app": "a"}))
    until("the policy", lambda: bool(rejection(api, probe)) is denied)


@pytest.fixture(scope="module")
def old_plans(api: Api) -> Iterator[dict[str, Json]]:
    """Create the Plans that are older than every policy."""
    for name in (OTHER_PLANS, PLAN_NAMESPACE):
        api.ensure({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    contents = {
        **{name: (case.before, case.namespace) for name, case in CASES.items() if case.before},
        **{name: (content, PLAN_NAMESPACE) for name, (content, _) in TOO_LARGE.items()},
    }
    found = {
        name: api.create(plan(f"old-{number}", *each))
        for number, (name, each) in enumerate(contents.items())
    }
    yield found
    for body in found.values():
        api.delete("Plan", body["metadata"]["name"], body["metadata"]["namespace"])


@pytest.fixture(scope="module", params=INSTALLATIONS)
def policy(
    request: pytest.FixtureRequest, api: Api, old_plans: dict[str, Json]
) -> Iterator[Policy]:
    """Install the policy of one installation."""
    values = INSTALLATIONS[request.param] | LIMITED
    config = yaml.safe_load(rendering.one("ConfigMap", values)["data"]["config.yaml"])
    installation, problems = read_installation(config, "config.yaml")
    assert not problems
    for kind in POLICY:
        api.ensure(rendering.one(kind, values, name=NAME))
    _await(api, denied=True)
    yield Policy(request.param, api, installation, old_plans)
    for kind in reversed(POLICY):
        api.delete(kind, NAME)
    _await(api, denied=False)


def is_denied_by_the_webhook(case: Case, name: str, installation: Installation) -> bool:
    """Return whether `/validate` denies the same change."""
    before = plan(name, case.before, case.namespace) if case.before is not None else {}
    review = Request(
        uid="1",
        operation="UPDATE" if before else "CREATE",
        kind=PLAN,
        namespace=case.namespace,
        name=name,
        object=plan(name, case.after, case.namespace),
        old_object=before,
    )
    return validate(review, installation).outcome is Outcome.DENIED


def test_the_policy_denies_what_is_beyond_the_limits_as_the_webhook_does(policy: Policy) -> None:
    """One test for each installation, because a policy takes a second to be effective."""
    wrong: list[str] = []
    for name, case in CASES.items():
        if case.installation != policy.name:
            continue
        old = policy.old.get(name)
        body = plan(old["metadata"]["name"] if old else "new", case.after, case.namespace)
        message = rejection(policy.api, body, old)
        if (case.denied not in message) or bool(case.denied) is not bool(message):
            wrong.append(f"{name}: expected {case.denied!r}, found {message!r}")
        by_webhook = is_denied_by_the_webhook(case, body["metadata"]["name"], policy.installation)
        expected = case.webhook_only or (bool(case.denied) and not case.policy_only)
        if by_webhook is not expected:
            wrong.append(f"{name}: the webhook {'denies' if by_webhook else 'admits'} it")
    assert not wrong, "\n".join(wrong)


def only(name: str) -> pytest.MarkDecorator:
    """Run a test with the policy of one installation."""
    return pytest.mark.parametrize("policy", [name], indirect=True)


@only("bounds")
def test_a_plan_that_is_being_deleted_can_be_changed(policy: Policy) -> None:
    api = policy.api
    body = plan("deleted", Content())
    body["metadata"]["finalizers"] = ["example.com/forklift"]
    api.create(body)
    api.delete("Plan", "deleted", PLAN_NAMESPACE)
    beyond: Json = {"spec": {"convertorLabels": {"k8s-app": "a"}}}

    assert api.patch("Plan", "deleted", beyond, PLAN_NAMESPACE)["spec"]["convertorLabels"]
    api.patch("Plan", "deleted", {"metadata": {"finalizers": None}}, PLAN_NAMESPACE)
    assert "deleted" not in {each["metadata"]["name"] for each in api.list("Plan", PLAN_NAMESPACE)}


@only("bounds")
def test_forklift_can_write_a_plan_that_is_beyond_the_limits(policy: Policy) -> None:
    old = policy.old["unchanged (field)"]["metadata"]
    for body in (
        {"metadata": {"finalizers": ["example.com/forklift"]}},
        {"metadata": {"annotations": {"example.com/note": "x"}, "labels": {"a": "b"}}},
        {"spec": {"archived": True, "warm": True}},
    ):
        policy.api.patch("Plan", old["name"], body, old["namespace"], dryRun="All")
    status = f"{path('Plan', old['namespace'], old['name'])}/status"
    response = policy.api.send("PATCH", status, {"status": {"observedGeneration": 1}}, dryRun="All")
    assert response.is_success, response.text


def large(prefix: str = "z", terms: int = 100) -> Json:
    """Return a Plan with as many settings as are applied, and thousands of VMs."""
    keys = [f"{prefix}{number}" for number in range(256)]
    term = rule(namespaces=[f"z{number}" for number in range(10)], key="z")
    (one,) = term["podAntiAffinity"][REQUIRED]
    content = Content(
        {
            f"{setting}{role}": ",".join(f"{key}{value}" for key in keys)
            for setting, value in (
                *(("labels", "=a"), ("node-selector", "=16+")),
                *(("tolerations", "=a:NoSchedule"), ("pod-annotations", "=a")),
            )
            for role in ("", ".convertor", ".importer")
        },
        labels=dict.fromkeys(keys, "a"),
        node_selector=dict.fromkeys(keys, "a"),
        affinity=nodes(*keys[:terms]) | {"podAntiAffinity": {REQUIRED: [one] * terms}},
    )
    body = plan("large", content)
    body["spec"]["vms"] = [{"id": f"vm-{number}", "name": "x" * 60} for number in range(5000)]
    return body


@only("large")
def test_a_large_plan_is_within_the_budget_of_the_policy(policy: Policy) -> None:
    assert not rejection(policy.api, large())
    message = rejection(policy.api, large("y"))
    assert re.search(r"spec\.convertorLabels: 'y\d+' is not applied: limits\.labels", message)


@only("large")
@pytest.mark.parametrize("name", TOO_LARGE)
def test_settings_that_are_too_large_are_denied_unless_they_are_old(
    policy: Policy, name: str
) -> None:
    api, (content, denied), old = policy.api, TOO_LARGE[name], policy.old[name]["metadata"]

    message = rejection(api, plan("new", content))
    assert (denied in message, bool(denied)) == (True, bool(message))
    changes: list[Json] = [
        {"spec": {"archived": True}},
        {"metadata": {"annotations": {"example.com/note": "x", f"{PREFIX}/labels": "z=1"}}},
    ]
    for change in changes:
        api.patch("Plan", old["name"], change, PLAN_NAMESPACE, dryRun="All")


@only("built-in")
@pytest.mark.parametrize("generation", [Generation.V2_9, Generation.V2_10])
def test_plans_of_older_releases_of_forklift_are_checked(
    policy: Policy, generation: Generation
) -> None:
    api, fields = policy.api, Content(labels={"k8s-app": "a"}, affinity=rule(key=ZONE))
    use_plans_of(api, generation)
    try:
        assert bool(rejection(api, plan("new", fields))) is (generation is Generation.V2_10)
        assert not rejection(api, plan("new", Content({"labels": "team=a"})))
        assert "'k8s-app'" in rejection(api, plan("new", Content({"labels": "k8s-app=a"})))
    finally:
        use_plans_of(api, Generation.V2_12)
