"""The token of the ServiceAccount changes `caBundle` of its own webhooks, and nothing else.

Every change is attempted in every way to write an object. Without the policy the same changes
succeed, so that the refusals are the policy's.
"""

import pytest

from tests.system.controlplane.api import at, of
from tests.system.e2e.token import changes
from tests.system.e2e.token.changes import Change
from tests.system.e2e.token.patches import (
    PATCHES,
    WRITES,
    apply,
    apply_as_helm,
    effect_of,
    put,
    without_records,
)
from tests.system.e2e.token.stolen import KINDS, POLICY, REFUSED, Stolen, changed
from webhook.forklift.convertor_pod import build_convertor_pod

CASES = [
    *((kind, what) for kind in KINDS for what in changes.METADATA | changes.WEBHOOKS),
    *(("MutatingWebhookConfiguration", what) for what in changes.MUTATING),
]
every_case = pytest.mark.parametrize(("kind", "what"), CASES)


def change_of(what: str) -> Change:
    known = changes.METADATA | changes.WEBHOOKS | changes.MUTATING | changes.BUNDLES
    return known[what]


@every_case
def test_every_other_change_of_its_webhook_configurations_is_refused(
    kind: str, what: str, limited: Stolen
) -> None:
    before = limited.read(kind)
    after = changed(before, change_of(what))
    for write in WRITES:
        response = write(limited.api, before, after)
        assert effect_of(before, response) == set(), f"{write.__name__}: {response.text}"
        if write in PATCHES:
            assert response.status_code in (403, 422), response.text
            assert REFUSED in response.text or "is invalid" in response.text
    assert without_records(limited.read(kind)) == without_records(before)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("what", changes.BUNDLES)
def test_a_ca_bundle_of_its_webhook_configurations_can_be_changed_by_every_patch(
    kind: str, what: str, limited: Stolen
) -> None:
    for write in WRITES:
        before = limited.read(kind)
        after = changed(before, change_of(what))
        response = write(limited.api, before, after, dryRun="All")
        effect = set() if write is put else {"caBundle"}
        assert effect_of(before, response) == effect, f"{write.__name__}: {response.text}"


@pytest.mark.parametrize("what", changes.SECRET)
def test_every_change_of_its_secret_but_the_data_is_refused(what: str, limited: Stolen) -> None:
    before = limited.read("Secret")
    after = changed(before, changes.SECRET[what])
    response = put(limited.api, before, after)
    assert response.status_code == 403
    assert REFUSED in response.text
    for write in WRITES[:-1]:
        assert write(limited.api, before, after).status_code == 403
    assert limited.read("Secret") == before


def test_the_data_of_its_secret_can_be_changed(limited: Stolen) -> None:
    before = limited.read("Secret")
    after = before | {"data": {"ca.crt": "eA=="}}
    assert effect_of(before, put(limited.api, before, after, dryRun="All")) == {"data"}


@pytest.mark.parametrize("kind", KINDS)
def test_configurations_of_others_are_out_of_reach(kind: str, limited: Stolen) -> None:
    admin = limited.admin
    foreign = limited.read(kind)
    foreign["metadata"] = {"name": "of-another-client"}
    foreign["webhooks"] = foreign["webhooks"][:1]
    assert limited.api.send("POST", of(foreign), foreign).status_code == 403
    before = {"apiVersion": foreign["apiVersion"], "kind": kind} | admin.create(foreign)
    try:
        after = changed(before, changes.BUNDLES["another CA for one webhook"])
        for write in WRITES:
            assert write(limited.api, before, after).status_code == 403
        assert limited.api.send("DELETE", at(before)).status_code == 403
        assert limited.api.send("DELETE", of(before)).status_code == 403
        assert limited.api.send("GET", of(before)).status_code == 403
    finally:
        admin.delete(kind, "of-another-client")


@pytest.mark.parametrize("kind", [*KINDS, *POLICY, "Secret"])
def test_its_own_objects_cannot_be_deleted(kind: str, limited: Stolen) -> None:
    body = limited.read(kind)
    assert limited.api.send("DELETE", at(body)).status_code == 403
    assert limited.api.send("DELETE", of(body)).status_code == 403


@pytest.mark.parametrize("kind", POLICY)
def test_the_policy_itself_cannot_be_changed(kind: str, limited: Stolen) -> None:
    before = limited.read(kind)
    after = changed(before, changes.METADATA["add a label"])
    for write in WRITES:
        assert write(limited.api, before, after).status_code == 403
    assert limited.api.send("GET", at(before)).status_code == 403


@pytest.mark.parametrize("subresource", ["status", "scale", "token", "finalizers"])
def test_subresources_of_the_configurations_do_not_exist(subresource: str, limited: Stolen) -> None:
    body = limited.read(KINDS[0])
    for method in ("PATCH", "PUT"):
        response = limited.api.send(method, f"{at(body)}/{subresource}", body)
        assert response.status_code in (403, 404)


def test_pods_are_created_as_dry_runs_only(limited: Stolen) -> None:
    pod = build_convertor_pod("token", "stolen")
    pods = of({"kind": "Pod", **pod})
    response = limited.api.send("POST", pods, pod)
    assert response.status_code == 403
    assert f"{REFUSED}create pods as a dry run only" in response.json()["message"]
    assert limited.api.send("POST", pods, pod, dryRun="All").is_success
    with limited.without_policy():
        assert limited.api.send("POST", pods, pod).is_success
    assert limited.api.send("DELETE", at(pod)).status_code == 403
    limited.admin.delete("Pod", "stolen", "token")


def test_without_the_policy_every_patch_makes_every_change(limited: Stolen) -> None:
    """Dry runs, because one of the changes is to call the webhook for every object."""
    with limited.without_policy():
        for kind, what in CASES:
            before = limited.read(kind)
            after = changed(before, change_of(what))
            for write in PATCHES:
                response = write(limited.api, before, after, dryRun="All")
                effect = effect_of(before, response) - {"caBundle"}
                assert effect or what.endswith("a caBundle"), f"{write.__name__} {what}"
        before = limited.read("Secret")
        for what, change in changes.SECRET.items():
            after = changed(before, change)
            assert effect_of(before, put(limited.api, before, after, dryRun="All")), what


def test_a_false_owner_of_a_field_is_not_refused_and_can_be_overridden(limited: Stolen) -> None:
    """The limit of the policy that docs/security.md names."""
    before = limited.read(KINDS[0])
    assert apply(limited.api, before, before).is_success
    upgraded = changed(before, lambda body: body["webhooks"][0].update(timeoutSeconds=9))
    conflict = apply_as_helm(limited.admin, before, upgraded, dryRun="All", force="false")
    assert conflict.status_code == 409
    assert 'conflict with "attacker"' in conflict.json()["message"]
    overridden = apply_as_helm(limited.admin, before, upgraded, dryRun="All", force="true")
    assert effect_of(before, overridden) == {"webhooks"}
