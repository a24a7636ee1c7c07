"""The policy on Plans of the chart's `limitsPolicy`: with a real API server, without a replica."""

import json
from collections.abc import Iterator
from typing import NamedTuple

import pytest
import yaml

from tests.support.paths import DATA
from tests.system.chart import rendering
from tests.system.controlplane.api import Api, Json, at, of
from tests.system.controlplane.process import until
from tests.system.e2e.settings.conftest import OTHER_PLANS
from tests.system.e2e.settings.limits_cases import (
    ANNOTATIONS,
    FIELDS,
    INSTALLATIONS,
    Case,
    Content,
)
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
    found = {
        name: api.create(plan(f"old-{number}", case.before, case.namespace))
        for number, (name, case) in enumerate(CASES.items())
        if case.before is not None
    }
    yield found
    for body in found.values():
        api.delete("Plan", body["metadata"]["name"], body["metadata"]["namespace"])


@pytest.fixture(scope="module", params=INSTALLATIONS)
def policy(
    request: pytest.FixtureRequest, api: Api, old_plans: dict[str, Json]
) -> Iterator[Policy]:
    """Install the policy of one installation."""
    values = INSTALLATIONS[request.param] | {"limitsPolicy": {"enabled": True}}
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
    """Checked in one test for each installation, because a policy takes a second to be effective."""
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
        if by_webhook is not (bool(case.denied) or case.webhook_only):
            wrong.append(f"{name}: the webhook {'denies' if by_webhook else 'admits'} it")
    assert not wrong, "\n".join(wrong)
