"""`kubectl convertor` finds the settings of a release in the rendered objects."""

from pathlib import Path

import pytest

from tests.support.fake_api import FakeApi
from tests.system.chart import rendering
from webhook.cli.release.find import Release, find_releases
from webhook.kube.api.client import Client
from webhook.kube.objects import Json
from webhook.kube.webhook_selectors import NAME_LABEL, WebhookSelectors
from webhook.model import Installation, Mode, OnError, Scope

pytestmark = pytest.mark.chart

MERGE: Json = {"affinityPolicy": "merge", "disks": "any"}
SYSTEM_NAMESPACES = ["kube-system", "kube-public", "kube-node-lease", "migration"]
EXCLUDED: Json = {"key": NAME_LABEL, "operator": "NotIn"}
FORKLIFT_PODS: Json = {
    "matchExpressions": [
        {
            "key": "forklift.app",
            "operator": "In",
            "values": ["virt-v2v", "virt-v2v-inspection", "deep-inspection", "consumer"],
        }
    ]
}
IMPORTERS: Json = {"matchLabels": {"cdi.kubevirt.io": "importer"}}
POPULATORS: Json = {"matchExpressions": [{"key": "pvcName", "operator": "Exists"}]}
SINCE = "2026-08-01T08:00:00Z"


@pytest.mark.parametrize(
    ("values", "installation"),
    [
        ({}, Installation(defaults=MERGE)),
        (
            {
                "mode": "audit",
                "namespaceModes": {"production": False},
                "planModes": False,
                "scope": "own",
                "onError": "deny",
                "identityLabels": False,
                "annotationPrefix": "convertor.example.com",
                "defaults": {"labels": {"team": "migration"}},
                "extraArgs": ["--log-level=debug"],
            },
            Installation(
                Mode.AUDIT,
                {"production": Mode.OFF},
                plan_modes=False,
                scope=Scope.OWN,
                on_error=OnError.DENY,
                identity_labels=False,
                prefix="convertor.example.com",
                defaults=MERGE | {"labels": {"team": "migration"}},
            ),
        ),
    ],
)
def test_the_settings_of_a_release_are_found(
    api: FakeApi, client: Client, values: Json, installation: Installation
) -> None:
    for rendered in rendering.objects(values, release="mtv", namespace="migration"):
        rendered["metadata"]["creationTimestamp"] = SINCE
        api.add(rendered)
    unread: list[str] = []
    assert find_releases(client, unread) == [
        Release(
            configuration="mtv-convertor-webhook-migration",
            failure_policy="Ignore",
            since=SINCE,
            deployment="migration/mtv-convertor-webhook",
            config_map="migration/mtv-convertor-webhook-config",
            mode=installation.mode.value,
            installation=installation,
            selectors=[
                WebhookSelectors(
                    "mtv-convertor-webhook-migration",
                    {"matchExpressions": [EXCLUDED | {"values": SYSTEM_NAMESPACES}]},
                    selector,
                    ["not-a-mirror-pod", *condition],
                    "migration",
                )
                for selector, condition in (
                    (FORKLIFT_PODS, []),
                    (IMPORTERS, ["importer-of-a-pvc"]),
                    (POPULATORS, ["populator-by-name"]),
                )
            ],
        )
    ]
    assert unread == []


def test_the_settings_of_a_dependency_with_an_alias_are_found(
    api: FakeApi, client: Client, tmp_path: Path
) -> None:
    for rendered in rendering.as_dependency("Place_VMs", tmp_path, {}, release="r" * 53):
        api.add(rendered)
    unread: list[str] = []
    found = find_releases(client, unread)
    assert found is not None
    (release,) = found
    assert (release.installation, unread) == (Installation(defaults=MERGE), [])
    assert release.deployment == f"migration/{'r' * 53}-place-vms"
