"""Rotations of the CA while pods are created."""

import base64
import subprocess
import sys
from collections.abc import Iterator

import pytest

from certs.ca import verification
from certs.ca.certificate import parse_pem
from tests.system.controlplane.api import Api, Json
from tests.system.controlplane.cluster import ControlPlane
from tests.system.controlplane.process import until
from tests.system.controlplane.replica import PROGRAM
from tests.system.controlplane.replicas import Replicas
from tests.system.e2e.reliability.creators import Creators
from tests.system.e2e.reliability.numbers import Row
from tests.system.e2e.reliability.running import running
from webhook.kube.messages import format_count

SHORT_LIVED = (sys.executable, "-m", "tests.system.e2e.reliability.short_lived_certs")
ROTATIONS = 10


class Seen:
    """The CAs in use so far: in the Secret, and of each replica's serving certificate."""

    def __init__(self, api: Api, replicas: Replicas) -> None:
        self._api, self._replicas = api, replicas
        self.active: list[str] = []
        self.served: list[list[str]] = [[] for _ in replicas.running]
        self.update()

    @property
    def rotations(self) -> int:
        """The number of CAs that every replica has changed to."""
        return min(map(len, self.served)) - 1

    def update(self) -> None:
        _note(self.active, self._signing())
        for replica, served in zip(self._replicas.running, self.served, strict=True):
            (certificate,) = parse_pem(replica.serving_certificate().encode())
            _note(served, verification.describe(certificate).issuer)

    def trusted(self) -> list[str]:
        """Return the CAs that API servers trust; each patch is for all webhooks."""
        name = self._replicas.release.configuration
        webhooks = self._api.get("MutatingWebhookConfiguration", name)["webhooks"]
        (bundle,) = {webhook["clientConfig"]["caBundle"] for webhook in webhooks}
        return [verification.describe(ca).subject for ca in parse_pem(base64.b64decode(bundle))]

    def _signing(self) -> str:
        secret = self._api.get("Secret", *ca_secret(self._replicas))
        (ca,) = parse_pem(base64.b64decode(secret["data"]["ca.crt"]))
        return verification.describe(ca).subject


def ca_secret(replicas: Replicas) -> tuple[str, str]:
    """Return the name and namespace of the Secret with the CA."""
    metadata = replicas.release.one("Secret")["metadata"]
    return metadata["name"], metadata["namespace"]


def _note(seen: list[str], name: str) -> None:
    if name not in seen:
        seen.append(name)


@pytest.fixture(scope="module")
def replicas(plane: ControlPlane, pods: list[Json]) -> Iterator[Replicas]:
    with running(plane, pods[0], "rotated", SHORT_LIVED) as replicas:
        yield replicas


def test_rotations_of_the_ca_reject_no_pod(
    replicas: Replicas, creators: Creators, api: Api, numbers: list[Row]
) -> None:
    seen = Seen(api, replicas)

    def rotated() -> bool:
        seen.update()
        return seen.rotations >= ROTATIONS

    with creators:
        until(f"{ROTATIONS} rotations", rotated, seconds=300)
        trusted = seen.trusted()

    tally = creators.tally
    numbers.append(Row("CA renewed", tally, format_count(seen.rotations, "rotation")))
    assert (tally.lost, tally.unplaced, tally.rejected) == (0, 0, 0), str(tally)
    assert seen.served == [seen.active] * 2
    assert not set(trusted) & set(seen.active[:-2])


def test_a_manual_rotation_with_the_rights_of_a_pod_rejects_no_pod(
    replicas: Replicas, creators: Creators, api: Api, numbers: list[Row]
) -> None:
    name, namespace = ca_secret(replicas)
    pod = replicas.running[0]
    secret = ("--secret", f"{namespace}/{name}", "--kubeconfig", pod.kubeconfig)
    seen = Seen(api, replicas)
    with creators:
        creators.more(100)
        subprocess.run([*PROGRAM, "certs", "rotate", *secret], check=True)

        def replaced() -> bool:
            seen.update()
            return seen.rotations >= 1 and seen.trusted() == seen.active[-1:]

        until("the new CA to be the only one", replaced, seconds=60)
        creators.more(100)

    tally = creators.tally
    numbers.append(Row("CA replaced by hand", tally, format_count(seen.rotations, "rotation")))
    assert (tally.lost, tally.unplaced, tally.rejected) == (0, 0, 0), str(tally)
