"""An upgrade that adds webhooks for more roles, while replicas serve the others."""

from typing import Any

import pytest

from tests.system.controlplane.api import Api, Json
from tests.system.controlplane.cluster import ControlPlane
from tests.system.controlplane.process import until
from tests.system.e2e.reliability.creators import Creators
from tests.system.e2e.reliability.running import running
from webhook.model import WEBHOOK_NAMES

REPAIRS = "convertor_webhook_ca_repairs_total"
CONVERTORS: Any = {"limits": {"roles": ["convertor"]}}
"""The values of a release for convertor pods only, which has one webhook."""


@pytest.mark.parametrize("major", [3, 4])
def test_webhooks_that_an_upgrade_adds_get_the_ca_and_no_pod_is_lost(
    major: int, plane: ControlPlane, pods: list[Json], creators: Creators
) -> None:
    name = f"roles-{major}"
    with running(plane, pods[0], name, **CONVERTORS) as replicas:
        release, api = replicas.release, plane.admin
        (bundle,) = list_bundles(api, release.configuration).values()
        with creators:
            creators.more(50)
            release.values = release.values | {"limits": {"roles": ["convertor", "populator"]}}
            release.upgrade(major=major)
            assert list_bundles(api, release.configuration)[WEBHOOK_NAMES[0]] == bundle
            release.values = {
                key: release.values[key] for key in release.values.keys() - {"limits"}
            }
            release.upgrade(major=major)

            def is_published() -> bool:
                found = list_bundles(api, release.configuration)
                return found == dict.fromkeys(WEBHOOK_NAMES, bundle)

            until("the CA to be in every webhook", is_published, seconds=10)
            creators.more(100)
            release.rollback(major=major)
            removed = {WEBHOOK_NAMES[0]: bundle, WEBHOOK_NAMES[2]: bundle}
            assert list_bundles(api, release.configuration) == removed
            creators.more(100)
        repairs = [replica.metric(REPAIRS) for replica in replicas.running]
        log = [line for replica in replicas.running for line in replica.log()]
    tally = creators.tally
    assert tally.is_smooth, str(tally)
    assert repairs == [0, 0]
    assert not [line for line in log if "another client" in line.get("message", "")]


def list_bundles(api: Api, configuration: str) -> dict[str, str]:
    """Return the caBundle of each webhook by its name, empty if it has none."""
    found = api.get("MutatingWebhookConfiguration", configuration)
    return {each["name"]: each["clientConfig"].get("caBundle", "") for each in found["webhooks"]}
