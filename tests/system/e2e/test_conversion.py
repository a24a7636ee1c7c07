"""Forklift has one convertor pod for each VM, with any plan and after any change of it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tests.system.controlplane.api import Api, Json
from tests.system.controlplane.cluster import ControlPlane
from tests.system.controlplane.release import Release
from tests.system.e2e.conversion import ConversionController
from tests.system.e2e.pod_results import created, send
from tests.system.e2e.preparation import PLACED, UNTOUCHED, events, use_generation, use_plans_of
from tests.system.e2e.second_webhook import second_webhook
from tests.system.guide.forklift import Generation, convertor_pod
from tests.system.guide.rows import PLAN_NAMESPACE, PREFIX, ROWS, Form
from webhook.cli.kubectl import group

FIELD = {"convertorLabels": {"batch": "1", "team": "storage"}}
CONFLICT = (
    f"Plan {PLAN_NAMESPACE}/labels annotation {PREFIX}/labels entry 1: expected 'batch=1' as in "
    "spec.convertorLabels, by which Forklift finds its pods, found 'batch=2'"
)
TOLERATION = {
    "key": "dedicated",
    "operator": "Equal",
    "value": "migration",
    "effect": "NoSchedule",
}
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
WITH_FIELDS = [Generation.V2_10, Generation.V2_12]


@pytest.fixture(scope="module")
def generation(request: pytest.FixtureRequest, api: Api, release: Release) -> Iterator[Generation]:
    """Install the Plan CRD of a generation of Forklift."""
    generation: Generation = request.param
    use_generation(release, generation)
    yield generation
    use_plans_of(api, Generation.V2_12)


@pytest.fixture(autouse=True)
def _tidy(api: Api) -> Iterator[None]:
    yield
    for namespace in (PLACED, UNTOUCHED):
        api.delete_all("Pod", namespace)


def plan_with(spec: Json, namespace: str = PLACED, **annotations: str) -> Json:
    body = ROWS["labels"].plan(Form.ANNOTATIONS, namespace)
    metadata = {
        "name": "labels",
        "namespace": PLAN_NAMESPACE,
        "annotations": {f"{PREFIX}/{key}": text for key, text in annotations.items()},
    }
    return body | {"metadata": metadata, "spec": body["spec"] | spec}


def await_plan(release: Release, pod: Json) -> None:
    """Wait until the webhook knows the plan of a pod."""

    def known() -> bool:
        sent = send(release.plane.admin, pod, dryRun="All")
        return "forklift.app/plan" in sent.labels

    release.wait("the webhook to know the plan", known)


def find_duplicates(plane: ControlPlane) -> list[Any]:
    """Return the VMs with several pods that `explain` and `audit` report for the plan."""
    kubeconfig = plane.kubeconfig("reader", plane.admin_token)
    options = ["-n", PLAN_NAMESPACE, "-o", "json", "--kubeconfig", str(kubeconfig)]
    explained, audited = (
        json.loads(CliRunner().invoke(group, [*command, *options]).stdout)
        for command in (["explain", "plan", "labels"], ["audit"])
    )
    (plan,) = (each for each in audited["plans"] if each["plan"] == f"{PLAN_NAMESPACE}/labels")
    return [explained["duplicates"], plan["duplicates"]]


@pytest.mark.parametrize("generation", [Generation.V2_12], indirect=True)
@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ([], (1, "")),
        ([{"op": "add", "path": "/metadata/labels/added", "value": "1"}], (1, "")),
        (
            [{"op": "replace", "path": "/metadata/labels/batch", "value": "2"}],
            (4, "label batch: expected '1' as in spec.convertorLabels, found '2'"),
        ),
        (
            [{"op": "remove", "path": "/metadata/labels/team"}],
            (4, "label team: expected 'storage' as in spec.convertorLabels, found no such label"),
        ),
    ],
    ids=["unchanged", "label added", "value replaced", "label removed"],
)
def test_the_fake_controller_creates_the_pods_that_forklift_2_12_created(
    plane: ControlPlane,
    tmp_path: Path,
    generation: Generation,
    change: list[Any],
    expected: tuple[int, str],
) -> None:
    pods, label = expected
    # The numbers are those of Forklift's own EnsurePod, run three more times after each change.
    api = plane.admin
    controller = ConversionController(api, generation)
    with (
        created(api, plan_with(FIELD, UNTOUCHED)) as plan,
        second_webhook(api, tmp_path, UNTOUCHED, change),
    ):
        controller.convert(convertor_pod(generation, plan))
        controller.reconcile()
        assert len(api.list("Pod", UNTOUCHED)) == pods
        for each in find_duplicates(plane):
            assert [(len(found["pods"]), found["labels"]) for found in each] == (
                [(pods, [label])] if label else []
            )


@pytest.mark.parametrize("generation", WITH_FIELDS, indirect=True)
def test_with_a_contradicting_annotation_there_is_one_pod_with_every_other_setting(
    api: Api, release: Release, generation: Generation
) -> None:
    body = plan_with(
        FIELD,
        labels="batch=2,owner=me",
        tolerations="dedicated=migration:NoSchedule",
        affinity="PREFER nodes(disk=nvme)",
        **{"node-selector": "disk=nvme"},
    )
    controller = ConversionController(api, generation)
    with created(api, body) as plan:
        pod = convertor_pod(generation, plan)
        await_plan(release, pod)
        result = controller.convert(pod)
        assert controller.reconcile() == []
        (found,) = api.list("Pod", PLACED)
        (event,) = events(release, plan, 1)
    assert pod["metadata"]["labels"].items() <= found["metadata"]["labels"].items()
    assert found["metadata"]["labels"]["owner"] == "me"
    assert found["spec"]["nodeSelector"]["disk"] == "nvme"
    assert PREFERRED in found["spec"]["affinity"]["nodeAffinity"]
    assert TOLERATION in found["spec"]["tolerations"]
    assert CONFLICT in " ".join(result.warnings)
    assert (event["type"], event["reason"]) == ("Warning", "SettingsInvalid")
    assert CONFLICT in event["message"]


@pytest.mark.parametrize("generation", WITH_FIELDS, indirect=True)
def test_a_field_that_is_changed_during_the_migration_changes_no_pod_of_it(
    api: Api, release: Release, generation: Generation
) -> None:
    controller = ConversionController(api, generation)
    with created(api, plan_with(FIELD)) as plan:
        first, second = (convertor_pod(generation, plan, vm) for vm in ("vm-1630", "vm-1631"))
        await_plan(release, first)
        controller.convert(first)
        changed = {"spec": {"convertorLabels": {"batch": "2"}}}
        api.patch("Plan", "labels", changed, PLAN_NAMESPACE)

        def warned() -> bool:
            return "batch=2 of the plan" in " ".join(send(api, second, dryRun="All").warnings)

        release.wait("the webhook to apply the change", warned)
        result = controller.convert(second)
        assert controller.reconcile() == []
        pods = api.list("Pod", PLACED)
    assert [pod["metadata"]["labels"]["batch"] for pod in pods] == ["1", "1"]
    assert " ".join(result.warnings) == (
        "label batch=1 of the pod is kept, batch=2 of the plan is not applied: Forklift finds its "
        "pods by the labels that it created them with"
    )


@pytest.mark.parametrize("generation", Generation, indirect=True)
def test_an_annotation_that_is_changed_during_the_migration_adds_no_pod(
    api: Api, release: Release, generation: Generation
) -> None:
    controller = ConversionController(api, generation)
    with created(api, plan_with({}, labels="batch=1")) as plan:
        first, second = (convertor_pod(generation, plan, vm) for vm in ("vm-1630", "vm-1631"))
        await_plan(release, first)
        controller.convert(first)
        changed = {"metadata": {"annotations": {f"{PREFIX}/labels": "batch=2"}}}
        api.patch("Plan", "labels", changed, PLAN_NAMESPACE)

        def applied() -> bool:
            return send(api, second, dryRun="All").labels["batch"] == "2"

        release.wait("the webhook to apply the change", applied)
        controller.convert(second)
        assert controller.reconcile() == []
        pods = api.list("Pod", PLACED)
    assert sorted(pod["metadata"]["labels"]["batch"] for pod in pods) == ["1", "2"]
