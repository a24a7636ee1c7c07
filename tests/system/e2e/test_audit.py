"""Mode audit reports what mode enforce then does, in every place, and changes no pod."""

import json
from collections.abc import Iterator
from typing import Any

import jsonpatch
import pytest
from click.testing import CliRunner

from tests.system.controlplane.api import Api, Json
from tests.system.controlplane.cluster import ControlPlane
from tests.system.controlplane.release import OPT_IN, Release
from tests.system.e2e.pod_results import PodResult, created, send
from tests.system.e2e.preparation import UNTOUCHED, add_namespace, events, use_plans_of
from tests.system.guide.forklift import Generation, convertor_pod
from tests.system.guide.rows import PLAN_NAMESPACE, PREFIX, ROWS, Form, Row
from webhook.admission.patch_summary import summarize
from webhook.cli.kubectl import group

WEBHOOK = "pods.convertor.forklift.konveyor.io"
REVIEWS = "convertor_webhook_reviews_total"
AUDITED = "audited"
"""The release, and its namespace."""

CASES = [
    (row, generation, Form.ANNOTATIONS if generation is Generation.V2_9 else ROWS[row].forms[0])
    for row in ROWS
    for generation in Generation
]


@pytest.fixture(scope="module", autouse=True)
def _plans(api: Api) -> None:
    use_plans_of(api, Generation.V2_12)


@pytest.fixture(scope="module")
def audited(plane: ControlPlane) -> Iterator[Release]:
    """Install the chart in mode audit."""
    release = Release(plane, AUDITED, {"mode": "audit"})
    add_namespace(plane.admin, AUDITED, {OPT_IN: AUDITED})
    try:
        release.install()
        release.start()
        plan = ROWS["labels"].plan(Form.ANNOTATIONS, AUDITED)
        with created(plane.admin, plan) as plan:
            pod = convertor_pod(Generation.V2_9, plan)
            release.wait("a warning", lambda: send(plane.admin, pod, dryRun="All").warnings)
        yield release
    finally:
        release.uninstall()


@pytest.mark.parametrize(("name", "generation", "form"), CASES)
def test_audit_reports_what_enforce_then_does(
    plane: ControlPlane, audited: Release, name: str, generation: Generation, form: Form
) -> None:
    api, row = plane.admin, ROWS[name]
    with created(api, row.plan(form, AUDITED)) as plan:
        try:
            _report_and_enforce(plane, audited, row, plan, convertor_pod(generation, plan))
        finally:
            for namespace in (AUDITED, UNTOUCHED):
                api.delete_all("Pod", namespace)


def _report_and_enforce(
    plane: ControlPlane, audited: Release, row: Row, plan: Json, pod: Json
) -> None:
    api = plane.admin
    before = audited.metric(REVIEWS, outcome="would-patch", mode="audit")
    audited_pod = send(api, pod)
    audit = annotations(plane, audited_pod)
    would: list[Json] = json.loads(audit["patch"])

    # The pod is the same as without a webhook, also if it was rejected.
    apart = pod | {"metadata": pod["metadata"] | {"namespace": UNTOUCHED}}
    assert as_sent(audited_pod) == as_sent(send(api, apart))
    # The response and the audit log,
    warning = " ".join(audited_pod.warnings)
    assert f"nothing is changed: the pod would get {summarize(would)}" in warning
    whose = f"{PLAN_NAMESPACE}/{row.plan_name}"
    assert (audit["mode"], audit["outcome"], audit["plan"]) == ("audit", "would-patch", whose)
    # the metrics,
    audited.wait(
        "the review to be counted",
        lambda: audited.metric(REVIEWS, outcome="would-patch", mode="audit") == before + 1,
    )
    # the report,
    (reported,) = (each for each in report(plane)["plans"] if each["plan"] == whose)
    assert (reported["mode"], reported["modeFrom"]) == ("audit", "installation")
    if not audited_pod.rejection:
        assert [each["patch"] for each in reported["pods"]] == [would]
    # and the Event on the Plan report what would be done.
    (event,) = events(audited, plan, 1)
    assert event["reason"] == audit["reason"] in ("WouldPlace", "SettingsInvalid")
    assert event["message"].startswith("mode audit, nothing is changed: ")
    if event["reason"] == "WouldPlace":
        assert event["message"].endswith(f"'{whose}': {summarize(would)}")

    # Then the same is done.
    mode = {"metadata": {"annotations": {f"{PREFIX}/mode": "enforce"}}}
    api.patch("Plan", row.plan_name, mode, PLAN_NAMESPACE)
    audited.wait("the plan to be enforced", lambda: not is_audited(send(api, pod, dryRun="All")))
    done = send(api, pod)
    assert not done.rejection
    assert patch_of(plane, audited, done) == would
    if not audited_pod.rejection:
        assert as_sent(done) == normal(jsonpatch.apply_patch(audited_pod.pod, would))
    assert annotations(plane, done)["outcome"] == "patched"
    reasons = sorted(each["reason"] for each in events(audited, plan, 2))
    assert reasons in (["Placed", "WouldPlace"], ["SettingsInvalid", "SettingsInvalid"])


def annotations(plane: ControlPlane, result: PodResult) -> dict[str, str]:
    """Return the webhook's annotations in the API server's audit log."""
    found = plane.audited(result.audit_id)["annotations"]
    return {
        key.removeprefix(f"{WEBHOOK}/"): value
        for key, value in found.items()
        if key.startswith(f"{WEBHOOK}/")
    }


def patch_of(plane: ControlPlane, release: Release, result: PodResult) -> Any:
    """Return the patch of a release in the API server's audit log."""
    name = release.one("MutatingWebhookConfiguration")["metadata"]["name"]
    for key, value in plane.audited(result.audit_id)["annotations"].items():
        if key.startswith("patch.webhook.admission.k8s.io/round_0"):
            recorded = json.loads(value)
            if recorded["configuration"] == name:
                return recorded["patch"]
    return None


def as_sent(result: PodResult) -> str:
    """Return the JSON of a pod without its names, or the sorted reasons of its rejection.

    The API server validates a node selector in any order, so its reasons are in any order.
    """
    reasons = result.rejection.partition(" is invalid: ")[2].strip("[]")
    in_order = sorted(reason.removeprefix("spec.") for reason in reasons.split(", spec."))
    return "\n".join(in_order) or normal(result.pod)


def normal(pod: Json) -> str:
    ours = ("name", "namespace", "uid", "creationTimestamp", "resourceVersion", "managedFields")
    metadata = {key: value for key, value in pod["metadata"].items() if key not in ours}
    return json.dumps(pod | {"metadata": metadata}, sort_keys=True)


def is_audited(result: PodResult) -> bool:
    return "mode audit" in " ".join(result.warnings)


def report(plane: ControlPlane) -> Any:
    """Return the report of `kubectl convertor audit`."""
    kubeconfig = plane.kubeconfig("reader", plane.admin_token)
    words = ["audit", "-o", "json", "--mode", "audit", "--kubeconfig", str(kubeconfig)]
    result = CliRunner().invoke(group, [*words, "-n", PLAN_NAMESPACE])
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


@pytest.fixture
def plan(api: Api) -> Iterator[Json]:
    with created(api, ROWS["labels"].plan(Form.ANNOTATIONS, AUDITED)) as plan:
        yield plan
    api.delete_all("Pod", AUDITED)


def test_a_dry_run_leaves_no_event(api: Api, audited: Release, plan: Json) -> None:
    pod = convertor_pod(Generation.V2_12, plan)
    assert is_audited(send(api, pod, dryRun="All"))
    send(api, pod)

    (event,) = events(audited, plan, 1)  # of the second pod: Events are written in order
    assert (event["reason"], event["count"]) == ("WouldPlace", 1)


def test_many_pods_of_a_plan_are_one_event(api: Api, audited: Release, plan: Json) -> None:
    for number in range(20):
        send(api, convertor_pod(Generation.V2_12, plan, f"vm-{number}"))

    events(audited, plan, 1)
    assert len(events(audited, plan, 1)) == 1
    assert audited.metric("convertor_webhook_events_dropped_total") == 0
