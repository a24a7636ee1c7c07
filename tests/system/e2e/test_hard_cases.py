"""What a real API server does with a webhook that no fake would think of."""

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
from tests.system.e2e.arrival import created, send
from tests.system.e2e.second_webhook import second_webhook
from tests.system.e2e.setting import MAIN, PLACED, add_namespace, use_generation
from tests.system.guide.forklift import Generation, convertor_pod
from tests.system.guide.rows import PLAN_NAMESPACE, PREFIX, ROWS, Form

AUDIT = "mutation.webhook.admission.k8s.io"
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


@pytest.fixture(scope="module", autouse=True)
def _plans(release: Release) -> None:
    """Have the Plan CRD of 2.12, and a webhook that watches it again after the last change of it.

    An API server that gets another CRD ends all watches, and answers 429 for about a second.
    """
    use_generation(release, Generation.V2_12)


@pytest.fixture
def plan(api: Api) -> Iterator[Json]:
    """Have a Plan with labels, node selector and affinity, in annotations."""
    with created(api, ROWS["cost-optimized"].plan(Form.ANNOTATIONS, PLACED)) as plan:
        yield plan
    api.delete_all("Pod", PLACED)


def labelled(text: str) -> Json:
    """Return a merge patch that has a Plan ask for labels."""
    return {"metadata": {"annotations": {f"{PREFIX}/labels": text}}}


def test_a_dry_run_shows_the_placed_pod_and_keeps_none(api: Api, plan: Json) -> None:
    arrival = send(api, convertor_pod(Generation.V2_12, plan), dryRun="All")
    assert arrival.pod["spec"]["nodeSelector"]["node-lifecycle"] == "spot"
    assert api.list("Pod", PLACED) == []


def test_a_pod_that_another_webhook_changes_is_looked_at_again_and_left_alone(
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


def test_what_another_webhook_takes_away_is_put_back(
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
def nobody_there(plane: ControlPlane, policy: str) -> Iterator[Json]:
    """Install the chart without a server; yield a convertor pod that it is asked about."""
    name = f"nobody-{policy.lower()}"
    release = Release(plane, name, {"webhook": {"failurePolicy": policy}})
    add_namespace(plane.admin, name, {OPT_IN: name})
    try:
        release.install()
        with created(plane.admin, ROWS["cost-optimized"].plan(Form.ANNOTATIONS, name)) as plan:
            yield convertor_pod(Generation.V2_12, plan)
    finally:
        release.uninstall()
        plane.admin.delete_all("Pod", name)


def test_when_nobody_answers_the_pod_goes_through_and_the_audit_log_says_so(
    plane: ControlPlane,
) -> None:
    with nobody_there(plane, "Ignore") as pod:

        def failed_open() -> list[str]:
            sent = send(plane.admin, pod)
            assert sent.pod["spec"]["nodeSelector"] == pod["spec"]["nodeSelector"]
            return [key for key in plane.audited(sent.audit_id)["annotations"] if "open" in key]

        assert until("the API server to fail open", failed_open) == [
            f"failed-open.{AUDIT}/round_0_index_0"
        ]


def test_when_nobody_answers_and_the_policy_is_fail_the_pod_is_refused(
    plane: ControlPlane,
) -> None:
    with nobody_there(plane, "Fail") as pod:
        refusal = until(
            "the API server to refuse", lambda: send(plane.admin, pod, dryRun="All").refusal
        )
        assert 'failed calling webhook "pods.convertor.forklift.konveyor.io"' in refusal


def test_a_node_selector_that_the_namespace_forbids_is_refused_and_the_user_is_told_why(
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
        sent.refusal
    )
    assert "node-lifecycle" in " ".join(sent.told)


def test_pods_made_a_moment_after_a_plan_was_patched_are_placed_as_it_says_now(
    api: Api, plan: Json
) -> None:
    # The webhook hears of a change when Forklift does, and a review asks nobody. Of pods made
    # with no moment between, one in a hundred came some 10 ms too soon.
    pod = convertor_pod(Generation.V2_9, plan)
    name, namespace = plan["metadata"]["name"], plan["metadata"]["namespace"]

    def heard(value: str) -> bool:
        return send(api, pod, dryRun="All").labels.get("patched") == value

    for number in map(str, range(20)):
        api.patch("Plan", name, labelled(f"patched={number}"), namespace)
        until(f"a pod with the label patched={number}", partial(heard, number), seconds=5)


@pytest.mark.parametrize("generation", Generation)
def test_pods_made_right_after_their_plan_are_placed(
    api: Api, plan: Json, generation: Generation
) -> None:
    for number in range(10):
        annotations = labelled(f"number={number}")["metadata"]["annotations"]
        metadata = {"name": f"new-{number}", "namespace": PLAN_NAMESPACE}
        body = {**plan, "metadata": metadata | {"annotations": annotations}}
        with created(api, body) as new:
            sent = send(api, convertor_pod(generation, new), dryRun="All")
        assert sent.labels["number"] == str(number), sent.told


def test_a_pod_that_claims_a_plan_of_another_namespace_goes_through_as_it_came(
    api: Api, plan: Json
) -> None:
    add_namespace(api, "elsewhere-vms", {OPT_IN: MAIN})
    pod = convertor_pod(Generation.V2_12, plan)
    pod["metadata"]["namespace"] = "elsewhere-vms"
    sent = send(api, pod, dryRun="All")
    assert sent.labels == pod["metadata"]["labels"]
    assert sent.pod["spec"]["affinity"] == pod["spec"]["affinity"]
    assert " ".join(sent.told) == (
        "plan 'konveyor-forklift/cost-optimized' migrates into namespace 'vms', so this pod in "
        "'elsewhere-vms' is none of its pods and is not placed"
    )


def test_fifty_pods_at_once_are_all_placed(api: Api, plan: Json) -> None:
    pods = [convertor_pod(Generation.V2_12, plan, f"vm-{number}") for number in range(50)]
    with ThreadPoolExecutor(len(pods)) as threads:
        arrivals = list(threads.map(lambda pod: send(api, pod), pods))
    assert all(arrival.labels["cost-optimization"] == "true" for arrival in arrivals)
    assert len(api.list("Pod", PLACED)) == len(pods)
