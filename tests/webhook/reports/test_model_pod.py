"""Model pods have the fields that kube-scheduler uses, as the builders of Forklift and CDI do."""

import json

import pytest

from tests.support import builders
from tests.support.paths import DATA
from webhook.kube.objects import Json, labels_of, spec_of
from webhook.model import Installation, Role
from webhook.reports.model_pod import build_model_pod
from webhook.settings import read

WARM, COLD = {"targetNamespace": "target", "warm": True}, {"targetNamespace": "target"}
PRINTED = {
    "convertor": (Role.CONVERTOR, COLD, "forklift-2.12-virt-v2v-cold-remote-no-settings"),
    "inspection": (Role.INSPECTION, COLD, "forklift-2.12-deep-inspection-no-settings"),
    "consumer": (Role.FIRST_CONSUMER, COLD, "forklift-2.12-pvcinit-vsphere-no-settings"),
    "first importer": (Role.FIRST_CONSUMER, WARM, "cdi-1.66-importer-vddk-warm-forklift-2.12"),
    "importer": (Role.IMPORTER, COLD, "cdi-1.66-importer-vddk-warm-forklift-2.12"),
    "populator": (Role.POPULATOR, COLD, "forklift-2.12-populator-ovirt-immediate"),
}
SELECTED_BY = ("forklift.app", "app", "cdi.kubevirt.io")
"""The labels by which pods are recognized and selected."""


def model(role: Role, spec: Json) -> Json:
    plan_object = builders.plan("high-io-migration", spec=spec)
    return build_model_pod(read(plan_object, Installation()), plan_object["spec"], role)


def requests_of(pod: Json) -> list[tuple[str, str, Json]]:
    return [
        (kind, container["name"], container["resources"]["requests"])
        for kind in ("initContainers", "containers")
        for container in spec_of(pod).get(kind) or ()
    ]


@pytest.mark.parametrize(("role", "spec", "file"), PRINTED.values(), ids=PRINTED)
def test_a_model_pod_has_what_the_scheduler_reads_of_a_printed_pod(
    role: Role, spec: Json, file: str
) -> None:
    printed = json.loads((DATA / "migration-pods" / f"{file}.json").read_bytes())
    found = model(role, spec)

    assert requests_of(found) == requests_of(printed)
    for field in ("nodeSelector", "affinity", "tolerations", "restartPolicy", "nodeName"):
        assert spec_of(found).get(field) == spec_of(printed).get(field), field
    assert found["metadata"]["namespace"] == printed["metadata"]["namespace"]
    for label in SELECTED_BY:
        assert labels_of(found).get(label) == labels_of(printed).get(label), label
    assert ("pvcName" in labels_of(found)) == ("pvcName" in labels_of(printed))


@pytest.mark.parametrize(
    ("spec", "app"),
    [
        ({"type": "warm"}, "containerized-data-importer"),
        ({"warm": True, "type": ""}, "containerized-data-importer"),
        ({"type": "cold", "warm": True}, None),
        ({"warm": False}, None),
    ],
    ids=["type", "boolean", "type overrides the boolean", "cold"],
)
def test_the_first_consumer_of_a_warm_plan_is_an_importer(spec: Json, app: str | None) -> None:
    assert labels_of(model(Role.FIRST_CONSUMER, spec)).get("app") == app


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.CONVERTOR])
def test_the_convertor_fields_of_a_plan_reach_convertor_pods_only(role: Role) -> None:
    fields = {"convertorLabels": {"team": "a"}, "convertorNodeSelector": {"disk": "nvme"}}
    assert model(role, fields) == model(role, {})
    assert labels_of(model(Role.CONVERTOR, fields))["team"] == "a"
