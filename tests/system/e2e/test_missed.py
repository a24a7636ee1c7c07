"""The release and the report find pods that were missed, or changed since.

In a module of its own: the report has no missed pods while a release in another mode is installed.
"""

import json
import time
from typing import Any

from click.testing import CliRunner

from tests.system.controlplane.api import Json
from tests.system.controlplane.cluster import ControlPlane
from tests.system.controlplane.release import OPT_IN, Release
from tests.system.e2e.pod_results import PodResult, created, send
from tests.system.e2e.preparation import UNTOUCHED, add_namespace, events, use_plans_of
from tests.system.guide.forklift import Generation, convertor_pod
from tests.system.guide.rows import PLAN_NAMESPACE, ROWS, Form
from webhook.cli.kubectl import group

UNWATCHED = "unwatched"
"""The release, and its namespace."""

LIMITED = "limited"
"""A release that watches only the pods of its first namespace."""
WATCHED, NOT_WATCHED = "limited-watched", "limited-not-watched"
"""Its namespaces."""


def report(plane: ControlPlane) -> Any:
    """Return the report of `kubectl convertor audit` in mode enforce."""
    kubeconfig = plane.kubeconfig("reader", plane.admin_token)
    words = ["audit", "-o", "json", "--mode", "enforce", "--kubeconfig", str(kubeconfig)]
    result = CliRunner().invoke(group, [*words, "-n", PLAN_NAMESPACE])
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def a_second_later() -> None:
    """Wait for the next second: the API server's times have whole seconds."""
    time.sleep(1.1)


def test_pods_that_are_missed_or_changed_back_are_found(plane: ControlPlane) -> None:
    api = plane.admin
    use_plans_of(api, Generation.V2_12)
    release = Release(plane, UNWATCHED)
    add_namespace(api, UNWATCHED, {OPT_IN: UNWATCHED})
    try:
        release.install()
        release.start()
        excluded = ROWS["labels"].plan(Form.ANNOTATIONS, UNTOUCHED)
        excluded["metadata"]["name"] = "excluded"
        with (
            created(api, ROWS["labels"].plan(Form.ANNOTATIONS, UNWATCHED)) as plan,
            created(api, excluded) as excluded,
        ):
            a_second_later()
            _missed_and_changed_back(plane, release, plan, excluded)
    finally:
        api.delete_all("Pod", UNWATCHED)
        api.delete_all("Pod", UNTOUCHED)
        release.uninstall()


def test_with_limited_namespaces_only_their_pods_can_be_read_and_are_found(
    plane: ControlPlane,
) -> None:
    api, row = plane.admin, ROWS["labels"]
    use_plans_of(api, Generation.V2_12)
    for namespace in (WATCHED, NOT_WATCHED):
        add_namespace(api, namespace, {OPT_IN: LIMITED})
    release = Release(plane, LIMITED, {"watchPodsNamespaces": [WATCHED]})
    other_plan = row.plan(Form.ANNOTATIONS, NOT_WATCHED)
    other_plan["metadata"]["name"] = "other"
    try:
        release.install()
        release.start()
        with (
            created(api, row.plan(Form.ANNOTATIONS, WATCHED)) as plan,
            created(api, other_plan) as other,
        ):
            a_second_later()

            def placed() -> bool:
                results = [send(api, convertor_pod(Generation.V2_12, each)) for each in plans]
                return all(row.labels.items() <= each.labels.items() for each in results)

            plans = (plan, other)
            release.wait("pods to be placed in both namespaces", placed)
            release.process.kill()
            name, unknown = (
                send(api, convertor_pod(Generation.V2_12, each, "vm-2")).pod["metadata"]["name"]
                for each in plans
            )
            release.start()
            release.wait(
                "the missed pod",
                lambda: release.metric("convertor_webhook_missed_pods", reason="Missed") == 1,
            )

            (event,) = (each for each in events(release, plan, 1) if "related" in each)
            assert (event["related"]["name"], event["reason"]) == (name, "Missed")
            assert release.metric("convertor_webhook_pods") == len(api.list("Pod", WATCHED))
            reported = {
                pod["name"]: pod.get("missed")
                for each in report(plane)["plans"]
                for pod in each["pods"]
            }
            assert reported[f"{WATCHED}/{name}"] == "Missed"
            assert reported[f"{NOT_WATCHED}/{unknown}"] == "Missed"
            assert [release.list_status("Pod", each) for each in ("", WATCHED, NOT_WATCHED)] == [
                403,
                200,
                403,
            ]
    finally:
        api.delete_all("Pod", WATCHED)
        api.delete_all("Pod", NOT_WATCHED)
        release.uninstall()


def _missed_and_changed_back(
    plane: ControlPlane, release: Release, plan: Json, excluded: Json
) -> None:
    api, row = plane.admin, ROWS["labels"]

    def arrive(vm: str) -> PodResult:
        return send(api, convertor_pod(Generation.V2_12, plan, vm))

    def found() -> dict[str, str]:
        """Return the reasons in the Events, by the names of the pods."""
        return {
            each["related"]["name"]: each["reason"]
            for each in events(release, plan, 1)
            if "related" in each
        }

    def count(reason: str, number: int) -> None:
        """Wait until this release counts the pods: the Event may be from another one."""
        release.wait(
            f"{number} pods to be {reason}",
            lambda: release.metric("convertor_webhook_missed_pods", reason=reason) == number,
        )

    def placed() -> PodResult | None:
        result = arrive("vm-1")
        return result if row.labels.items() <= result.labels.items() else None

    release.wait("a pod to be placed", placed)
    api.delete_all("Pod", UNWATCHED)
    first = arrive("vm-1")
    release.process.kill()
    missed = arrive("vm-2")
    assert not row.labels.items() <= missed.labels.items()
    name = missed.pod["metadata"]["name"]
    send(api, convertor_pod(Generation.V2_12, excluded, "vm-2"))

    reports = {each["targetNamespace"]: each for each in report(plane)["plans"]}
    assert reports[UNTOUCHED]["excluded"].startswith(f"namespace '{UNTOUCHED}' is excluded from ")
    assert [each.get("missed") for each in reports[UNTOUCHED]["pods"]] == [None]
    reported = reports[UNWATCHED]
    assert reported["excluded"] == ""
    assert {each["name"]: each.get("missed") for each in reported["pods"]} == {
        f"{UNWATCHED}/{first.pod['metadata']['name']}": None,
        f"{UNWATCHED}/{name}": "Missed",
    }

    release.start()
    release.wait("the missed pod", lambda: found() == {name: "Missed"})
    count("Missed", 1)

    a_second_later()
    other, changed = (arrive(vm).pod["metadata"]["name"] for vm in ("vm-3", "vm-4"))
    # A label with another value is not reported: Forklift may have created the pod with it.
    api.patch("Pod", other, {"metadata": {"labels": {"batch": "9"}}}, UNWATCHED)
    api.patch("Pod", changed, {"metadata": {"labels": {"batch": None}}}, UNWATCHED)
    release.wait("the changed pod", lambda: found() == {name: "Missed", changed: "ChangedBack"})
    count("ChangedBack", 1)
    api.delete("Pod", changed, UNWATCHED)
    count("ChangedBack", 0)
    assert release.metric("convertor_webhook_missed_pods_seen_total") == 2
