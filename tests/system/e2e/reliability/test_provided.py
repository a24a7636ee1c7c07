"""A CA in the chart's values that is replaced while pods are created."""

import base64
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import pytest

from certs.ca import pki
from tests.system.controlplane.api import Api, Json, at
from tests.system.controlplane.cluster import ControlPlane
from tests.system.controlplane.installed import Installed
from tests.system.controlplane.process import until
from tests.system.controlplane.replicas import Replicas
from tests.system.e2e.preparation import add_namespace
from tests.system.e2e.reliability.creators import Creators
from tests.system.e2e.reliability.numbers import Row
from tests.system.e2e.reliability.running import opted_in, values

NAME = "provided"
SECRET = "server-tls"
DAY = timedelta(days=1)


class Issued(NamedTuple):
    """A CA, and a certificate of it for the webhook; all PEM."""

    ca: str
    cert: str
    key: str

    def secret(self) -> Json:
        """Return the Secret with the certificate, without the CA."""
        files = {"tls.crt": self.cert, "tls.key": self.key}
        data = {name: base64.b64encode(text.encode()).decode() for name, text in files.items()}
        metadata = {"name": SECRET, "namespace": NAME}
        return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}


def issue() -> Issued:
    now = datetime.now(UTC)
    ca = pki.make_ca(now, DAY, backdate=DAY)
    leaf, key = pki.sign_leaf(ca, [f"convertor-webhook.{NAME}.svc"], now, DAY, backdate=DAY)
    return Issued(ca.certificate.pem.decode(), leaf.pem.decode(), key.decode())


def trusting(*issued: Issued) -> Json:
    """Return the chart's values that trust these CAs."""
    bundle = "".join(each.ca for each in issued)
    provided = {"secretName": SECRET, "caBundle": bundle}
    return values(NAME) | {"certificates": {"mode": "provided", "provided": provided}}


@pytest.fixture(scope="module")
def old() -> Issued:
    return issue()


@pytest.fixture(scope="module")
def release(plane: ControlPlane, old: Issued) -> Iterator[Installed]:
    add_namespace(plane.admin, NAME)
    plane.admin.create(old.secret())
    release = Installed(plane, "convertor-webhook", NAME, trusting(old))
    release.install()
    try:
        yield release
    finally:
        release.uninstall()


def test_another_ca_in_the_values_rejects_no_pod(  # noqa: PLR0917 - fixtures
    release: Installed,
    old: Issued,
    pods: list[Json],
    api: Api,
    creators: Creators,
    numbers: list[Row],
) -> None:
    new, replicas = issue(), Replicas(release)
    try:
        replicas.start()
        with opted_in(api, pods[0], NAME), creators:
            creators.more(100)
            upgrade(release, trusting(old, new))
            creators.more(100)
            api.ensure(new.secret())
            for replica in replicas.running:
                replica.mount()
            until(
                "the replicas to serve the new certificate",
                lambda: {each.serving_certificate() for each in replicas.running} == {new.cert},
            )
            creators.more(100)
            upgrade(release, trusting(new))
            creators.more(100)
    finally:
        replicas.stop()

    tally = creators.tally
    numbers.append(Row("another CA in the values", tally, "A, then A and B, then B"))
    assert (tally.lost, tally.unplaced, tally.rejected) == (0, 0, 0), str(tally)
    for kind in ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"):
        for webhook in api.get(kind, release.configuration)["webhooks"]:
            assert base64.b64decode(webhook["clientConfig"]["caBundle"]).decode() == new.ca


def upgrade(release: Installed, changed: Json) -> None:
    """Change the values; the pods stay as they are."""
    pod = release.pod
    release.values = changed
    release.upgrade()
    assert release.pod == pod


def test_the_token_may_only_read_the_configuration_of_the_release(
    release: Installed, plane: ControlPlane
) -> None:
    token = plane.admin.token(release.account, NAME)
    with closing(Api(plane.url, plane.ca, token)) as api:
        for kind in ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"):
            body = release.one(kind)
            is_read = kind == "MutatingWebhookConfiguration"
            assert api.send("GET", at(body)).is_success is is_read
            for method in ("PATCH", "PUT", "DELETE"):
                assert api.send(method, at(body), body).status_code == 403
        assert api.send("GET", at(release_secret())).status_code == 403


def release_secret() -> Json:
    return {"kind": "Secret", "metadata": {"name": SECRET, "namespace": NAME}}
