"""Reviews continue during outages, expired watches and missing rights, and catch up later."""

import time
from collections.abc import Iterator

import httpx
import pytest

from tests.system.controlplane.api import Api, Json
from tests.system.controlplane.cluster import ControlPlane
from tests.system.controlplane.process import until
from tests.system.controlplane.proxy import TcpProxy
from tests.system.controlplane.release import NAMESPACE, OPT_IN, Release
from tests.system.e2e.pod_results import created
from tests.system.e2e.preparation import PLACED, add_namespace, await_placing, use_plans_of
from tests.system.guide.forklift import Generation, convertor_pod
from tests.system.guide.rows import PLAN_NAMESPACE, PREFIX, ROWS, Form

OUTAGE_SECONDS = 60

PROXIED = "proxied"
PLANS = "plans.forklift.konveyor.io"


@pytest.fixture(scope="module")
def proxy(plane: ControlPlane) -> Iterator[TcpProxy]:
    proxy = TcpProxy(plane.port)
    yield proxy
    proxy.close()


@pytest.fixture(scope="module")
def proxied(plane: ControlPlane, proxy: TcpProxy) -> Iterator[Release]:
    """Install another release whose server connects to the API server through the proxy."""
    release = Release(plane, PROXIED, api_port=proxy.port)
    add_namespace(plane.admin, PROXIED, {OPT_IN: PROXIED})
    try:
        release.install()
        release.start()
        await_placing(release, PROXIED)
        yield release
    finally:
        release.uninstall()


@pytest.fixture
def plan(api: Api) -> Iterator[Json]:
    with created(api, ROWS["cost-optimized"].plan(Form.ANNOTATIONS, PROXIED)) as plan:
        yield plan


def set_label(api: Api, plan: Json, value: str) -> None:
    """Set the label `version` in the plan's settings."""
    name, namespace = plan["metadata"]["name"], plan["metadata"]["namespace"]
    body = {"metadata": {"annotations": {f"{PREFIX}/labels": f"version={value}"}}}
    api.patch("Plan", name, body, namespace)


def placed_label(release: Release, plan: Json) -> str:
    """Return the label `version` that the server gives a pod of the plan."""
    pod = release.reviewed(convertor_pod(Generation.V2_9, plan))
    return str(pod["metadata"]["labels"].get("version", ""))


def await_label(release: Release, plan: Json, value: str) -> None:
    release.wait(
        f"pods to get the label version={value}",
        lambda: placed_label(release, plan) == value,
    )


def await_list_status(release: Release, status: int) -> None:
    """Wait until a list of Plans has this HTTP status; the API server caches tokens for 10 s."""
    release.wait(
        f"status {status} of a list of Plans", lambda: release.list_status("Plan") == status
    )


def test_reviews_continue_for_a_minute_without_an_api_server(
    plane: ControlPlane, api: Api, proxied: Release, plan: Json
) -> None:
    set_label(api, plan, "before")
    await_label(proxied, plan, "before")
    with plane.outage():
        end = time.monotonic() + OUTAGE_SECONDS
        while time.monotonic() < end:
            assert placed_label(proxied, plan) == "before"
            time.sleep(0.5)
        assert proxied.ready()
        assert proxied.status()["plans"]["age_seconds"] > OUTAGE_SECONDS / 2
    set_label(api, plan, "after")
    await_label(proxied, plan, "after")


def test_a_watch_that_has_expired_is_restarted(
    plane: ControlPlane, api: Api, proxy: TcpProxy, proxied: Release, plan: Json
) -> None:
    set_label(api, plan, "before")
    with created(api, ROWS["labels"].plan(Form.ANNOTATIONS, PROXIED)) as gone:
        await_label(proxied, plan, "before")
        with proxy.disconnected():
            api.delete("Plan", gone["metadata"]["name"], PLAN_NAMESPACE)
            set_label(api, plan, "after")
            plane.compact()
            with plane.outage():  # a new API server has no older versions in its watch cache
                assert placed_label(proxied, plan) == "before"
    await_label(proxied, plan, "after")
    errors = [line["error"] for line in proxied.log_lines() if "error" in line]
    assert any("too old resource version" in error for error in errors), errors
    response = proxied.review(convertor_pod(Generation.V2_12, gone))
    assert response["auditAnnotations"]["reason"] == "PlanNotFound"


def test_reviews_continue_while_the_webhook_has_no_rights(
    api: Api, proxy: TcpProxy, proxied: Release, plan: Json
) -> None:
    binding = proxied.one("ClusterRoleBinding")
    set_label(api, plan, "before")
    await_label(proxied, plan, "before")
    api.delete("ClusterRoleBinding", binding["metadata"]["name"])
    await_list_status(proxied, httpx.codes.FORBIDDEN)
    proxy.interrupt()
    proxied.wait(
        "a message on missing rights",
        lambda: "may not watch" in proxied.status()["plans"]["message"],
    )
    set_label(api, plan, "after")
    assert placed_label(proxied, plan) == "before"
    assert proxied.ready()
    api.create(binding)
    await_label(proxied, plan, "after")
    assert proxied.status()["plans"]["message"] == ""


def test_a_token_that_has_become_invalid_is_read_again(
    api: Api, proxy: TcpProxy, proxied: Release, plan: Json
) -> None:
    set_label(api, plan, "before")
    await_label(proxied, plan, "before")
    # A new account of the same name: the tokens of the old one are no longer valid.
    api.delete("ServiceAccount", proxied.account, NAMESPACE)
    api.create(proxied.one("ServiceAccount"))
    await_list_status(proxied, httpx.codes.UNAUTHORIZED)
    proxy.interrupt()
    proxied.wait(
        "a message on the invalid token",
        lambda: "does not accept" in proxied.status()["plans"]["message"],
    )
    assert placed_label(proxied, plan) == "before"
    proxied.renew_token()
    set_label(api, plan, "after")
    await_label(proxied, plan, "after")


def test_a_server_that_starts_before_the_crd_exists_reads_plans_later(
    api: Api, release: Release, proxied: Release
) -> None:
    api.delete("CustomResourceDefinition", PLANS)
    until("the CRD of Plans to be deleted", lambda: PLANS not in _crd_names(api))
    proxied.process.kill()
    proxied.start()  # it is ready without the CRD
    use_plans_of(api, Generation.V2_12)
    with created(api, ROWS["cost-optimized"].plan(Form.ANNOTATIONS, PROXIED)) as plan:
        set_label(api, plan, "at-last")
        await_label(proxied, plan, "at-last")
    await_placing(release, PLACED)  # its watch was interrupted as well


def _crd_names(api: Api) -> set[str]:
    return {each["metadata"]["name"] for each in api.list("CustomResourceDefinition")}
