"""A release whose token is stolen."""

import copy
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.system.controlplane.api import Api, at, unwrap
from tests.system.controlplane.cluster import ControlPlane
from tests.system.controlplane.installed import Installed
from tests.system.e2e.preparation import add_namespace
from tests.system.e2e.token.changes import make_bundle
from tests.system.e2e.token.stolen import KINDS, Stolen

NAME = "token"


@pytest.fixture(scope="package")
def limited(plane: ControlPlane) -> Iterator[Stolen]:
    """Install a release, with one more webhook in each configuration and a caBundle in all.

    No replica runs.
    """
    add_namespace(plane.admin, NAME)
    values = {
        "commonAnnotations": {"example.com/note": "of the administrator"},
        "webhook": {"namespaceSelector": {"matchLabels": {"never": "so"}}},
        "convertor": {"runtimeClass": "kata"},
    }
    release = Installed(plane, "convertor-webhook", NAME, values)
    release.install()
    token = plane.admin.token(release.account, NAME)
    try:
        with closing(Api(plane.url, plane.ca, token)) as api:
            stolen = Stolen(release, api)
            for kind in KINDS:
                body = stolen.read(kind)
                for webhook in body["webhooks"]:
                    webhook["clientConfig"]["caBundle"] = make_bundle(1)
                first = body["webhooks"][0]
                body["webhooks"].append(copy.deepcopy(first) | {"name": "second.example.com"})
                unwrap(plane.admin.send("PUT", at(body), body))
            stolen.await_policy()
            yield stolen
    finally:
        release.uninstall()
