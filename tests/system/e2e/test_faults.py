"""The API server away, its past forgotten, rights withdrawn: reviews go on, then catch up."""

import time
from collections.abc import Iterator

import httpx
import pytest

from tests.system.controlplane.api import Api, Json
from tests.system.controlplane.cluster import ControlPlane
from tests.system.controlplane.process import until
from tests.system.controlplane.proxy import Wire
from tests.system.controlplane.release import NAMESPACE, OPT_IN, Release
from tests.system.e2e.arrival import created
from tests.system.e2e.setting import PLACED, add_namespace, await_placing, use_plans_of
from tests.system.guide.forklift import Generation, convertor_pod
from tests.system.guide.rows import PLAN_NAMESPACE, PREFIX, ROWS, Form

OUTAGE = 60
"""Seconds."""

WIRED = "wired"
PLANS = "plans.forklift.konveyor.io"


@pytest.fixture(scope="module")
def wire(plane: ControlPlane) -> Iterator[Wire]:
    wire = Wire(plane.port)
    yield wire
    wire.close()


@pytest.fixture(scope="module")
def wired(plane: ControlPlane, wire: Wire) -> Iterator[Release]:
    """Install the chart once more; its server reaches the API server over the wire."""
    release = Release(plane, WIRED, api_port=wire.port)
    add_namespace(plane.admin, WIRED, {OPT_IN: WIRED})
    try:
        release.install()
        release.start()
        await_placing(release, WIRED)
        yield release
    finally:
        release.uninstall()


@pytest.fixture
def plan(api: Api) -> Iterator[Json]:
    with created(api, ROWS["cost-optimized"].plan(Form.ANNOTATIONS, WIRED)) as plan:
        yield plan


def say(api: Api, plan: Json, value: str) -> None:
    """Have the plan ask for the label `said`."""
    name, namespace = plan["metadata"]["name"], plan["metadata"]["namespace"]
    body = {"metadata": {"annotations": {f"{PREFIX}/labels": f"said={value}"}}}
    api.patch("Plan", name, body, namespace)


def said(release: Release, plan: Json) -> str:
    """Return the label `said` of a pod of the plan, as the server itself answers a review."""
    pod = release.reviewed(convertor_pod(Generation.V2_9, plan))
    return str(pod["metadata"]["labels"].get("said", ""))


def await_said(release: Release, plan: Json, value: str) -> None:
    release.wait(
        f"the plan to say {value}",
        lambda: said(release, plan) == value,
    )


def await_answer(release: Release, status: int) -> None:
    """Wait until the API server goes by what it was told; it takes a token for 10 s unread."""
    release.wait(
        f"a list of Plans to be answered {status}", lambda: release.answered("Plan") == status
    )


def test_reviews_go_on_for_a_minute_without_an_api_server(
    plane: ControlPlane, api: Api, wired: Release, plan: Json
) -> None:
    say(api, plan, "before")
    await_said(wired, plan, "before")
    with plane.outage():
        end = time.monotonic() + OUTAGE
        while time.monotonic() < end:
            assert said(wired, plan) == "before"
            time.sleep(0.5)
        assert wired.ready()
        assert wired.status()["plans"]["age_seconds"] > OUTAGE / 2
    say(api, plan, "after")
    await_said(wired, plan, "after")


def test_a_watch_that_has_expired_is_begun_anew(
    plane: ControlPlane, api: Api, wire: Wire, wired: Release, plan: Json
) -> None:
    say(api, plan, "before")
    with created(api, ROWS["labels"].plan(Form.ANNOTATIONS, WIRED)) as gone:
        await_said(wired, plan, "before")
        with wire.cut():
            api.delete("Plan", gone["metadata"]["name"], PLAN_NAMESPACE)
            say(api, plan, "after")
            plane.compact()
            with plane.outage():  # a new API server has no more of the past than etcd
                assert said(wired, plan) == "before"
    await_said(wired, plan, "after")
    errors = [line["error"] for line in wired.log_lines() if "error" in line]
    assert any("too old resource version" in error for error in errors), errors
    response = wired.review(convertor_pod(Generation.V2_12, gone))
    assert response["auditAnnotations"]["reason"] == "PlanNotFound"


def test_reviews_go_on_while_the_webhook_has_no_rights(
    api: Api, wire: Wire, wired: Release, plan: Json
) -> None:
    binding = wired.one("ClusterRoleBinding")
    say(api, plan, "before")
    await_said(wired, plan, "before")
    api.delete("ClusterRoleBinding", binding["metadata"]["name"])
    await_answer(wired, httpx.codes.FORBIDDEN)
    wire.interrupt()
    wired.wait(
        "it to miss its rights", lambda: "may not watch" in wired.status()["plans"]["message"]
    )
    say(api, plan, "after")
    assert said(wired, plan) == "before"
    assert wired.ready()
    api.create(binding)
    await_said(wired, plan, "after")
    assert wired.status()["plans"]["message"] == ""


def test_a_token_that_has_become_invalid_is_read_again(
    api: Api, wire: Wire, wired: Release, plan: Json
) -> None:
    say(api, plan, "before")
    await_said(wired, plan, "before")
    # Another account of the same name: the tokens of the old one are good no more.
    api.delete("ServiceAccount", wired.account, NAMESPACE)
    api.create(wired.one("ServiceAccount"))
    await_answer(wired, httpx.codes.UNAUTHORIZED)
    wire.interrupt()
    wired.wait(
        "it to be a stranger", lambda: "does not accept" in wired.status()["plans"]["message"]
    )
    assert said(wired, plan) == "before"
    wired.renew_token()
    say(api, plan, "after")
    await_said(wired, plan, "after")


def test_a_server_that_is_there_before_forklift_gets_to_know_its_plans(
    api: Api, release: Release, wired: Release
) -> None:
    api.delete("CustomResourceDefinition", PLANS)
    until("the API server to forget the Plans", lambda: PLANS not in _names(api))
    wired.process.kill()
    wired.start()  # ready, for there is nothing to wait for
    use_plans_of(api, Generation.V2_12)
    with created(api, ROWS["cost-optimized"].plan(Form.ANNOTATIONS, WIRED)) as plan:
        say(api, plan, "at-last")
        await_said(wired, plan, "at-last")
    await_placing(release, PLACED)  # which had to go through the same


def _names(api: Api) -> set[str]:
    return {each["metadata"]["name"] for each in api.list("CustomResourceDefinition")}
