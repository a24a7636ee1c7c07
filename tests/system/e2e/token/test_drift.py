"""The API server adds no field to the rendered policies and webhooks that Argo CD would compare."""

from typing import Any

import pytest

from tests.system.chart import cases, rendering
from tests.system.controlplane.api import Api, Json, of, unwrap
from tests.system.controlplane.release import KUBERNETES

POLICIES = ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")
WEBHOOKS = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")


def rendered(case: str, kinds: tuple[str, ...]) -> list[Json]:
    enabled = {name: {"enabled": True} for name in ("admissionPolicy", "limitsPolicy")}
    values = rendering.merge(cases.ALL[case], enabled)
    found = rendering.objects(values, kubernetes=KUBERNETES, release="drift", namespace="drift")
    return [each for each in found if each["kind"] in kinds]


def stored(api: Api, body: Json) -> Json:
    """Return an object as the API server would store it."""
    return unwrap(api.send("POST", of(body), body, dryRun="All"))


@pytest.mark.parametrize("case", cases.ALL)
def test_policies_are_stored_as_rendered(case: str, api: Api) -> None:
    found = rendered(case, POLICIES)
    assert len(found) == 6
    for body in found:
        assert stored(api, body)["spec"] == body["spec"]


@pytest.mark.parametrize("case", cases.ALL)
def test_lists_in_webhooks_are_stored_as_rendered(case: str, api: Api) -> None:
    """Argo CD ignores fields that only the live object has, but not in the items of a list."""
    for body in rendered(case, WEBHOOKS):
        for before, after in zip(body["webhooks"], stored(api, body)["webhooks"], strict=True):
            assert_lists_equal(before, after)


def assert_lists_equal(before: Any, after: Any) -> None:
    if isinstance(before, dict):
        for key, value in before.items():
            assert_lists_equal(value, after[key])
    else:
        assert after == before
