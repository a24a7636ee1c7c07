"""Behaviour of a real API server towards a webhook that a fake would not have."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from tests.system.controlplane.api import Api, Json
from tests.system.controlplane.cluster import ControlPlane
from tests.system.controlplane.process import until
from tests.system.controlplane.release import OPT_IN, Release
from tests.system.e2e.pod_results import created, send
from tests.system.e2e.preparation import MAIN, PLACED, add_namespace, use_generation
from tests.system.e2e.second_webhook import second_webhook
from tests.system.guide.forklift import Generation, convertor_pod
from tests.system.guide.rows import PLAN_NAMESPACE, PREFIX, ROWS, Form

AUDIT = "mutation.webhook.admission.k8s.io"
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


@pytest.fixture(scope="module", autouse=True)
def _plans(release: Release) -> None:
    """Install the Plan CRD of 2.12, and wait until the webhook watches Plans again.

    An API server ends all watches when a CRD changes, and responds with 429 for about a second.
    """
    use_generation(release, Generation.V2_12)


@pytest.fixture
def plan(api: Api) -> Iterator[Json]:
    """Create a Plan with labels, node selector and affinity, in annotations."""
    with created(api, ROWS["cost-optimized"].plan(Form.ANNOTATIONS, PLACED)) as plan:
        yield plan
    api.delete_all("Pod", PLACED)


def labelled(text: str) -> Json:
    """Return a merge patch that sets the labels of a Plan's settings."""
    return {"metadata": {"annotations": {f"{PREFIX}/labels": text}}}


def test_a_dry_run_returns_the_placed_pod_and_creates_none(api: Api, plan: Json) -> None:
    result = send(api, convertor_pod(Generation.V2_12, plan), dryRun="All")
    assert result.pod["spec"]["nodeSelector"]["node-lifecycle"] == "spot"
    assert api.list("Pod", PLACED) == []


def test_a_pod_that_another_webhook_changes_is_reviewed_again_and_not_changed(
    plane: ControlPlane, plan: Json, tmp_path: Path
) -> None:
    pod = convertor_pod(Generation.V2_12, plan)
    alone = send(plane.admin, pod, dryRun="All").pod
    patch = [{"op": "add", "path": "/spec/nodeSelector/second", "value": "was-here"}]
    with second_webhook(plane.admin, tmp_path, PLACED, patch):
        both = send(plane.admin, pod)
    assert both.pod["spec"]["nodeSelector"] == alone["spec"]["nodeSelector"] | {
        "second": "was-here"
    }
    assert both.pod["spec"]["affinity"] == alone["spec"]["affinity"]
    assert both.labels == alone["metadata"]["labels"]
    called = {
        key: json.loads(value)
        for key, value in plane.audited(both.audit_id)["annotations"].items()
        if key.startswith(f"{AUDIT}/round_1")
    }
    assert [each["mutated"] for each in called.values()] == [False]


def test_settings_that_another_webhook_removes_are_added_again(
    plane: ControlPlane, plan: Json, tmp_path: Path
) -> None:
    pod = convertor_pod(Generation.V2_12, plan)
    alone = send(plane.admin, pod, dryRun="All").pod
    patch = [
        {"op": "remove", "path": "/spec/nodeSelector/node-lifecycle"},
        {"op": "remove", "path": f"/spec/affinity/podAntiAffinity/{REQUIRED}"},
        {"op": "remove", "path": "/metadata/labels/cost-optimization"},
    ]
    with second_webhook(plane.admin, tmp_path, PLACED, patch):
        both = send(plane.admin, pod)
    assert both.pod["spec"]["nodeSelector"] == alone["spec"]["nodeSelector"]
    assert both.pod["spec"]["affinity"] == alone["spec"]["affinity"]
    assert both.labels == alone["metadata"]["labels"]


@contextmanager
def without_server(plane: ControlPlane, policy: str) -> Iterator[Json]:
    """Install the chart without a server; yield a convertor pod for which it is called."""
    name = f"no-server-{policy.lower()}"  # before MAIN in the order of the calls
    release = Release(plane, name, {"webhook": {"failurePolicy": policy}})
    add_namespace(plane.admin, name, {OPT_IN: name})
    try:
        release.install()
        with created(plane.admin, ROWS["cost-optimized"].plan(Form.ANNOTATIONS, name)) as plan:
            yield convertor_pod(Generation.V2_12, plan)
    finally:
        release.uninstall()
        plane.admin.delete_all("Pod", name)


def test_without_a_server_the_pod_is_admitted_and_the_audit_log_has_it(
    plane: ControlPlane,
) -> None:
    with without_server(plane, "Ignore") as pod:

        def failed_open() -> list[str]:
            sent = send(plane.admin, pod)
            assert sent.pod["spec"]["nodeSelector"] == pod["spec"]["nodeSelector"]
            return [key for key in plane.audited(sent.audit_id)["annotations"] if "open" in key]

        assert until("the API server to fail open", failed_open) == [
            f"failed-open.{AUDIT}/round_0_index_0"
        ]


def test_without_a_server_and_with_the_policy_fail_the_pod_is_rejected(
    plane: ControlPlane,
) -> None:
    with without_server(plane, "Fail") as pod:
        rejection = until(
            "the API server to reject", lambda: send(plane.admin, pod, dryRun="All").rejection
        )
        assert 'failed calling webhook "pods.convertor.forklift.konveyor.io"' in rejection


def test_a_pod_whose_node_selector_conflicts_with_its_namespace_is_rejected_with_a_warning(
    api: Api,
) -> None:
    add_namespace(
        api,
        "confined",
        {OPT_IN: MAIN},
        **{"scheduler.alpha.kubernetes.io/node-selector": "node-lifecycle=on-demand"},
    )
    with created(api, ROWS["cost-optimized"].plan(Form.ANNOTATIONS, "confined")) as plan:
        sent = send(api, convertor_pod(Generation.V2_9, plan))
    assert "pod node label selector conflicts with its namespace node label selector" in (
        sent.rejection
    )
    assert "node-lifecycle" in " ".join(sent.warnings)


def test_pods_created_a_moment_after_a_patch_of_their_plan_get_the_new_settings(
    api: Api, plan: Json
) -> None:
    # The webhook gets a change when Forklift does, and a review does no request. Of pods that were
    # created at once, one in a hundred was some 10 ms too early.
    pod = convertor_pod(Generation.V2_9, plan)
    name, namespace = plan["metadata"]["name"], plan["metadata"]["namespace"]

    def applied(value: str) -> bool:
        return send(api, pod, dryRun="All").labels.get("patched") == value

    for number in map(str, range(20)):
        api.patch("Plan", name, labelled(f"patched={number}"), namespace)
        until(f"a pod with the label patched={number}", partial(applied, number), seconds=5)


@pytest.mark.parametrize("generation", Generation)
def test_pods_created_right_after_their_plan_are_placed(
    api: Api, plan: Json, generation: Generation
) -> None:
    for number in range(10):
        annotations = labelled(f"number={number}")["metadata"]["annotations"]
        metadata = {"name": f"new-{number}", "namespace": PLAN_NAMESPACE}
        body = {**plan, "metadata": metadata | {"annotations": annotations}}
        with created(api, body) as new:
            sent = send(api, convertor_pod(generation, new), dryRun="All")
        assert sent.labels["number"] == str(number), sent.warnings


def test_a_pod_outside_the_target_namespace_of_its_plan_is_admitted_unchanged(
    api: Api, plan: Json
) -> None:
    add_namespace(api, "elsewhere-vms", {OPT_IN: MAIN})
    pod = convertor_pod(Generation.V2_12, plan)
    pod["metadata"]["namespace"] = "elsewhere-vms"
    sent = send(api, pod, dryRun="All")
    assert sent.labels == pod["metadata"]["labels"]
    assert sent.pod["spec"]["affinity"] == pod["spec"]["affinity"]
    assert " ".join(sent.warnings) == (
        "plan 'konveyor-forklift/cost-optimized' was not found, or it does not migrate into the "
        "pod's namespace 'elsewhere-vms', so the pod is not placed: the webhook's log has the "
        "reason"
    )


def test_fifty_pods_at_once_are_all_placed(api: Api, plan: Json) -> None:
    pods = [convertor_pod(Generation.V2_12, plan, f"vm-{number}") for number in range(50)]
    with ThreadPoolExecutor(len(pods)) as threads:
        results = list(threads.map(lambda pod: send(api, pod), pods))
    assert all(result.labels["cost-optimization"] == "true" for result in results)
    assert len(api.list("Pod", PLACED)) == len(pods)
