"""The API server calls the chart's webhooks for pods of migrations and importers, and no others.

A server of the test takes the place of the release's, and records which webhook was called. Here
all webhooks fail closed, so that a condition that cannot be evaluated is a rejection.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.paths import DATA
from tests.system.chart import rendering
from tests.system.controlplane.api import Api, Json, of
from tests.system.controlplane.process import until
from tests.system.controlplane.release import KUBERNETES
from tests.system.e2e.preparation import add_namespace
from tests.system.e2e.row_cluster import pod
from tests.system.e2e.webhook_stub import Stub, serving

NAMESPACE = "entries"
PRINTED = {path.stem: path for path in (DATA / "migration-pods").glob("*.json")}
WORDS = {
    "-importer-": ["importers"],
    "-populator-": ["populators"],
    "-virt-v2v-": ["pods"],
    "-deep-inspection-": ["pods"],
    "-pvcinit-": ["pods"],
}
"""Words in the names of the files, the first that is there counts, and the webhooks called."""
IMPORTER = {"cdi.kubevirt.io": "importer"}
POPULATOR = {"pvcName": "disk-0"}
PVC = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "name": "disk-0",
    "uid": "4e0b3a0e-0f4b-4f0e-9d6b-0b2f3c9b7a10",
}

Calls = Callable[[Json], list[str]]
"""Sends a pod, and returns the first words of the names of the webhooks that were called."""


def importer(name: str = "importer-disk-0", *owners: Json, **metadata: object) -> Json:
    return named(name, IMPORTER, ownerReferences=list(owners), **metadata)


def named(name: str, labels: dict[str, str], **metadata: object) -> Json:
    body = pod(NAMESPACE, labels)
    body["metadata"].pop("generateName")
    body["metadata"] |= {"name": name} | metadata
    return body


def generated(prefix: str, labels: dict[str, str], **metadata: object) -> Json:
    body = pod(NAMESPACE, labels)
    body["metadata"] |= {"generateName": prefix} | metadata
    return body


def mirror(body: Json) -> Json:
    body["metadata"]["annotations"] = {"kubernetes.io/config.mirror": "hash"}
    body["spec"]["nodeName"] = "node"
    return body


CONTROLLER = PVC | {"controller": True}
OTHERS: dict[str, tuple[Json, list[str]]] = {
    "an importer of a PVC": (importer("importer-disk-0", CONTROLLER), ["importers"]),
    "an importer with another owner first": (
        importer("importer-disk-0", PVC | {"kind": "ConfigMap"}, CONTROLLER),
        ["importers"],
    ),
    "an importer without an owner": (importer(), []),
    "an importer whose PVC does not control it": (importer("importer-disk-0", PVC), []),
    "an importer that its PVC does not control": (
        importer("importer-disk-0", PVC | {"controller": False}),
        [],
    ),
    "an importer of a Job": (importer("importer-disk-0", CONTROLLER | {"kind": "Job"}), []),
    "an importer by another name": (importer("disk-0-importer-x", CONTROLLER), []),
    "an importer whose name is generated": (
        generated("importer-", IMPORTER, ownerReferences=[CONTROLLER]),
        [],
    ),
    "a mirror pod of an importer": (mirror(importer("importer-disk-0", CONTROLLER)), []),
    "a mirror pod of a populator": (mirror(named("populate-4e0b3a0e", POPULATOR)), []),
    "a mirror pod of a convertor": (mirror(named("db", {"forklift.app": "virt-v2v"})), []),
    "an uploader": (
        named("importer-disk-0", {"cdi.kubevirt.io": "cdi-upload-server"}),
        [],
    ),
    "a populator": (named("populate-4e0b3a0e", POPULATOR), ["populators"]),
    "a populator with annotations": (
        named("populate-4e0b3a0e", POPULATOR, annotations={"a": "b"}),
        ["populators"],
    ),
    "a pod of another controller with a PVC": (named("backup-4e0b3a0e", POPULATOR), []),
    "a pod named like a populator": (named("populate-4e0b3a0e", {"pvc": "disk-0"}), []),
    "a populator whose name is generated": (generated("populate-", POPULATOR), []),
    "a convertor whose name is generated": (
        generated("db-", {"forklift.app": "virt-v2v"}),
        ["pods"],
    ),
    "another app of Forklift": (named("reboot", {"forklift.app": "forklift-reboot"}), []),
    "a pod with a label of each kind": (
        named("importer-0", IMPORTER | POPULATOR | {"forklift.app": "consumer"}),
        ["pods"],
    ),
}
"""Pods that were not printed, and the webhooks called for them."""


@pytest.fixture(scope="module")
def calls(api: Api, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Calls]:
    """Install the configuration of the chart for a namespace."""
    called: list[str] = []

    def record(path: str, _request: Json) -> list[Json]:
        called.append(path)
        return []

    def send(body: Json) -> list[str]:
        called.clear()
        response = api.send("POST", of(body), body, dryRun="All")
        assert response.is_success, response.text
        return sorted(called)

    add_namespace(api, NAMESPACE)
    with serving(tmp_path_factory.mktemp("entries"), record) as stub:
        configuration = api.create(_configuration(stub))
        try:
            probes = [
                named("probe", {"forklift.app": "virt-v2v"}),
                importer("importer-probe", CONTROLLER),
                named("populate-probe", POPULATOR),
            ]
            until("the API server to call each webhook", lambda: all(map(send, probes)))
            yield send
        finally:
            api.delete("MutatingWebhookConfiguration", configuration["metadata"]["name"])


def _configuration(stub: Stub) -> Json:
    values = {"webhook": {"namespaceSelector": {"matchLabels": {NAME_LABEL: NAMESPACE}}}}
    body = rendering.one(
        "MutatingWebhookConfiguration", values, kubernetes=KUBERNETES, release="entries"
    )
    for webhook in body["webhooks"]:
        webhook["clientConfig"] = stub.client_config(webhook["name"].partition(".")[0])
        webhook["failurePolicy"] = "Fail"
    return body


NAME_LABEL = "kubernetes.io/metadata.name"


@pytest.mark.parametrize("name", sorted(PRINTED))
def test_the_webhooks_are_called_for_printed_pods_of_their_roles(name: str, calls: Calls) -> None:
    expected = next((found for word, found in WORDS.items() if word in name), [])
    body = printed(PRINTED[name])

    assert calls(body) == expected


def printed(path: Path) -> Json:
    """Return a pod in the namespace of this test, without objects that do not exist there."""
    body: Json = json.loads(path.read_bytes())
    body["metadata"]["namespace"] = NAMESPACE
    body["spec"].pop("serviceAccountName", None)
    return body


@pytest.mark.parametrize("what", OTHERS)
def test_other_pods_with_such_labels_are_not_sent(what: str, calls: Calls) -> None:
    body, expected = OTHERS[what]

    assert calls(body) == expected
