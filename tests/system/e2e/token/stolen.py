"""A release, and a client with the token of its ServiceAccount."""

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from tests.system.controlplane.api import Api, Json
from tests.system.controlplane.installed import Installed
from tests.system.controlplane.process import until
from tests.system.e2e.token.patches import json_patch

KINDS = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")
POLICY = ("ValidatingAdmissionPolicyBinding", "ValidatingAdmissionPolicy")
REFUSED = "ServiceAccount convertor-webhook may "
"""The beginning of the policy's messages."""


class Stolen(NamedTuple):
    """The token of a release's ServiceAccount, as an attacker uses it."""

    release: Installed
    api: Api

    @property
    def admin(self) -> Api:
        """The administrator's client."""
        return self.release.plane.admin

    def read(self, kind: str, name: str = "") -> Json:
        """Return an object of the release as the administrator reads it."""
        body = self.release.one(kind, name)
        metadata = body["metadata"]
        found = self.admin.get(kind, metadata["name"], metadata.get("namespace", ""))
        return {"apiVersion": body["apiVersion"], "kind": kind} | found

    def await_policy(self) -> None:
        """Return when the policy is effective, or no longer if it has been deleted."""
        name = self.release.one(POLICY[0])["metadata"]["name"]
        exists = name in [body["metadata"]["name"] for body in self.admin.list(POLICY[0])]
        until("the policy", lambda: self._is_limited() is exists)

    @contextmanager
    def without_policy(self) -> Iterator[None]:
        """Delete the policy for a while, as on Kubernetes before 1.30."""
        policy = [self.release.one(kind) for kind in POLICY]
        for body in policy:
            self.admin.delete(body["kind"], body["metadata"]["name"])
        try:
            self.await_policy()
            yield
        finally:
            for body in policy:
                self.admin.ensure(body)
            self.await_policy()

    def _is_limited(self) -> bool:
        before = self.read(KINDS[0])
        after = changed(before, lambda body: body["webhooks"][0].update(timeoutSeconds=9))
        return json_patch(self.api, before, after, dryRun="All").is_error


def changed(before: Json, change: Callable[[Json], object]) -> Json:
    """Return a copy of an object with a change."""
    after = copy.deepcopy(before)
    change(after)
    assert after != before
    return after
