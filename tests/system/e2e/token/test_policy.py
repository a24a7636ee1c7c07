"""The token of the ServiceAccount changes `caBundle` of its own webhooks, and nothing else.

Every change is attempted in every way to write an object. Without the policy the same changes
succeed, so that the refusals are the policy's.
"""

import copy
from collections.abc import Iterator
from contextlib import closing
from typing import NamedTuple

import pytest

from tests.system.controlplane.api import Api, Json, at, of, unwrap
from tests.system.controlplane.cluster import ControlPlane
from tests.system.controlplane.installed import Installed
from tests.system.controlplane.process import until
from tests.system.e2e.preparation import add_namespace
from tests.system.e2e.token import changes
from tests.system.e2e.token.changes import Change
from tests.system.e2e.token.patches import (
    PATCHES,
    WRITES,
    effect_of,
    json_patch,
    put,
    without_records,
)

NAME = "token"
KINDS = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")
POLICY = ("ValidatingAdmissionPolicyBinding", "ValidatingAdmissionPolicy")
REFUSED = "ServiceAccount convertor-webhook may "
NOTE = {"example.com/note": "of the administrator"}

CASES = [
    *((kind, what) for kind in KINDS for what in changes.METADATA | changes.WEBHOOKS),
    *(("MutatingWebhookConfiguration", what) for what in changes.MUTATING),
]
every_case = pytest.mark.parametrize(("kind", "what"), CASES)


class Stolen(NamedTuple):
    """A release, and a client with the token of its ServiceAccount."""

    release: Installed
    api: Api

    def read(self, kind: str, name: str = "") -> Json:
        """Return an object as the administrator reads it."""
        body = self.release.one(kind, name)
        metadata = body["metadata"]
        found = self.release.plane.admin.get(kind, metadata["name"], metadata.get("namespace", ""))
        return {"apiVersion": body["apiVersion"], "kind": kind} | found


@pytest.fixture(scope="module")
def stolen(plane: ControlPlane) -> Iterator[Stolen]:
    """Install a release, with a second webhook in each configuration and a caBundle in both."""
    add_namespace(plane.admin, NAME)
    values = {
        "commonAnnotations": NOTE,
        "webhook": {"namespaceSelector": {"matchLabels": {"never": "so"}}},
    }
    release = Installed(plane, "convertor-webhook", NAME, values)
    release.install()
    token = plane.admin.token(release.account, NAME)
    try:
        with closing(Api(plane.url, plane.ca, token)) as api:
            stolen = Stolen(release, api)
            for kind in KINDS:
                body = stolen.read(kind)
                first = body["webhooks"][0]
                first["clientConfig"]["caBundle"] = changes.make_bundle(1)
                body["webhooks"].append(copy.deepcopy(first) | {"name": "second.example.com"})
                unwrap(plane.admin.send("PUT", at(body), body))
            yield stolen
    finally:
        release.uninstall()


@pytest.fixture(scope="module")
def limited(stolen: Stolen) -> Stolen:
    """Return the token when the policy is effective."""
    until("the policy to be effective", lambda: _refuses_rules(stolen))
    return stolen


def change_of(what: str) -> Change:
    known = changes.METADATA | changes.WEBHOOKS | changes.MUTATING | changes.BUNDLES
    return known[what]


def changed(before: Json, change: Change) -> Json:
    after = copy.deepcopy(before)
    change(after)
    assert after != before
    return after


def _refuses_rules(stolen: Stolen) -> bool:
    before = stolen.read(KINDS[0])
    after = changed(before, changes.WEBHOOKS["rules for every object"])
    return json_patch(stolen.api, before, after, dryRun="All").is_error


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
    admin = limited.release.plane.admin
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


def test_without_the_policy_every_patch_makes_every_change(limited: Stolen) -> None:
    """Dry runs, because one of the changes is to call the webhook for every object."""
    admin = limited.release.plane.admin
    policy = [limited.release.one(kind) for kind in POLICY]
    for body in policy:
        admin.delete(body["kind"], body["metadata"]["name"])
    try:
        until("the policy to be gone", lambda: not _refuses_rules(limited))
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
    finally:
        for body in policy:
            admin.ensure(body)
        until("the policy to be effective", lambda: _refuses_rules(limited))
