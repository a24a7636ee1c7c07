"""The whole server with the example plans, over real sockets."""

import asyncio
import base64
import contextlib
import json
import os
import resource
import signal
import ssl
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import uvloop
from structlog.testing import capture_logs

from certs.serving.local_ca import LOCAL_NAMES
from tests.support import pvcs
from tests.support.builders import ZONE, convertor_pod, encode_review, node, plan, pod
from tests.support.fake_api import FakeApi
from tests.support.object_tracker import Selection
from tests.support.paths import ROOT
from tests.support.waiting import eventually
from webhook import karl
from webhook.admission.review import MAX_BODY_BYTES
from webhook.model import ConvertorProfile, Installation, Limits, Role, Settings
from webhook.server import listener
from webhook.server.config import Address, Certificates, Config, ConfigError
from webhook.server.drain import DrainTimes
from webhook.server.run import serve

AT_MOST_SECONDS = 1
EXAMPLES = ROOT / "examples"
FREE = Address("127.0.0.1", 0)
PVC_WATCHES = {"/api/v1/persistentvolumeclaims", "/apis/storage.k8s.io/v1/storageclasses"}
REVIEW = (EXAMPLES / "review.json").read_bytes()


class RunningServer(NamedTuple):
    reviews: int
    """The port."""
    status: int
    """The port."""
    tls: ssl.SSLContext
    log: list[Any]

    async def post(self, body: bytes, head: str = "") -> tuple[int, Any]:
        length = f"Content-Length: {len(body)}\r\n" if "chunked" not in head else ""
        return await self._call(
            self.reviews, f"POST /mutate?timeout=3s HTTP/1.1\r\n{head}{length}", body, self.tls
        )

    async def get(self, path: str) -> tuple[int, Any]:
        return await self._call(self.status, f"GET {path} HTTP/1.1\r\n", b"", None)

    @staticmethod
    async def _call(
        port: int, head: str, body: bytes, tls: ssl.SSLContext | None
    ) -> tuple[int, Any]:
        name = "localhost" if tls else None
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=tls, server_hostname=name
        )
        writer.write(f"{head}Host: x\r\nConnection: close\r\n\r\n".encode() + body)
        with contextlib.suppress(ConnectionError):
            await writer.drain()
        response = await reader.read()
        writer.close()
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            await writer.wait_closed()
        first, _, rest = response.partition(b"\r\n\r\n")
        return int(first.split()[1]), json.loads(rest)


@contextlib.asynccontextmanager
async def run_server(
    tmp_path: Path,
    kubeconfig: Path | None = None,
    until: str = "the plans have been read",
    **further: Any,
) -> AsyncIterator[RunningServer]:
    """Run a server with the plans of a cluster, or with the example plans.

    It has started when it logs `until`. `further` are other fields of its configuration.
    """
    config = Config(
        listen=FREE,
        status_listen=FREE,
        plans=None if kubeconfig else EXAMPLES / "plans",
        kubeconfig=kubeconfig,
        certificates=Certificates(names=LOCAL_NAMES, state_dir=tmp_path),
        drain=DrainTimes(at_least=0.1, quiet=0.05, at_most=AT_MOST_SECONDS),
        **further,
    )
    with capture_logs() as log:
        task = asyncio.create_task(serve(config))
        addresses: Any = {}
        while not (addresses and until in {line["event"] for line in log}):
            await asyncio.sleep(0.01)
            assert not task.done(), task.exception()
            addresses = next((line for line in log if line["event"] == "serving"), {})
        ports = [int(addresses[name].rpartition(":")[2]) for name in ("reviews", "status")]
        tls = ssl.create_default_context(cafile=tmp_path / "ca.crt")
        try:
            yield RunningServer(ports[0], ports[1], tls, log)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)
            await task


Check = Callable[[RunningServer], Any]


def run(
    tmp_path: Path,
    check: Check,
    kubeconfig: Path | None = None,
    until: str = "the plans have been read",
    **further: Any,
) -> None:
    async def run_and_check() -> None:
        async with run_server(tmp_path, kubeconfig, until, **further) as server:
            await check(server)

    uvloop.run(run_and_check())


def test_a_pod_is_placed_and_logged_until_the_server_has_drained(tmp_path: Path) -> None:
    async def check(server: RunningServer) -> None:
        status, review = await server.post(REVIEW)
        assert status == 200
        patch = json.loads(base64.b64decode(review["response"]["patch"]))
        widened = "/spec/affinity/podAffinity/requiredDuringSchedulingIgnoredDuringExecution/0"
        assert {"op": "add", "path": f"{widened}/namespaceSelector", "value": {}} in patch
        status, ready = await server.get("/readyz")
        assert (status, ready["ready"], ready["plans"]["count"]) == (200, True, 24)
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.sleep(0.05)
        status, ready = await server.get("/readyz")
        assert (status, ready["checks"]["draining"]) == (503, "the server is shutting down")
        assert (await server.post(REVIEW))[0] == 200
        await asyncio.sleep(0.1)
        (first, second) = (line for line in server.log if line.get("reason") == "Placed")
        assert first["plan"] == second["plan"] == "konveyor-forklift/high-io-migration"

    run(tmp_path, check)


def test_with_a_cluster_its_plans_are_read_and_events_are_written(
    tmp_path: Path, api: FakeApi
) -> None:
    api.add(plan(labels="team=a"))
    review = encode_review(convertor_pod(), namespace="vms")
    events = Selection("events")

    async def check(server: RunningServer) -> None:
        status, response = await server.post(review)
        assert (status, response["response"]["auditAnnotations"]["reason"]) == (200, "Placed")
        await asyncio.to_thread(eventually, lambda: api.select(events))

    run(tmp_path, check, api.write_kubeconfig(tmp_path))
    [event] = api.select(events)
    assert (event["reason"], event["involvedObject"]["name"]) == ("Placed", "db")
    assert {request.resource for request in api.requests} == {
        *("plans", "pods", "events"),
        *("persistentvolumeclaims", "storageclasses"),
    }


def test_the_convertor_profile_is_checked_in_the_target_namespaces_of_the_plans(
    tmp_path: Path, api: FakeApi
) -> None:
    api.add(plan(labels="team=a"))
    api.fail("create", 403, "pods", message="no")
    refused = "the namespace refuses convertor pods with the convertor profile"

    async def check(server: RunningServer) -> None:
        (line,) = (line for line in server.log if line["event"] == refused)
        assert (line["namespace"], line["log_level"]) == ("vms", "error")
        assert (await server.get("/readyz"))[0] == 200

    installation = Installation(convertor=ConvertorProfile(runtime_class="kata"))
    kubeconfig = api.write_kubeconfig(tmp_path)
    run(tmp_path, check, kubeconfig, until=refused, installation=installation)


def test_an_importer_is_placed_by_the_plan_of_its_pvc_without_a_request(
    tmp_path: Path, api: FakeApi
) -> None:
    disk = pvcs.pvc()
    api.add(plan(node_selector="disk=nvme"), disk)
    review = encode_review(pvcs.importer_pod(disk), namespace="vms")

    async def check(server: RunningServer) -> None:
        before = api.request_lines
        status, response = await server.post(review)
        assert (status, response["response"]["auditAnnotations"]["reason"]) == (200, "Placed")
        assert [line for line in api.request_lines if line not in before] == []
        ready = (await server.get("/readyz"))[1]
        assert (ready["checks"]["pvcs"], ready["pvcs"]["count"]) == ("ok", 1)

    run(tmp_path, check, api.write_kubeconfig(tmp_path), watch_pods=False)


@pytest.mark.parametrize(
    ("further", "reported"),
    [
        ({}, True),
        ({"watch_pods": False}, False),
        ({"watch_pods_namespaces": ("vms",)}, False),
    ],
)
def test_a_conflict_is_reported_on_the_plan_and_rules_on_pods_only_with_their_right(
    tmp_path: Path,
    api: FakeApi,
    further: dict[str, Any],
    *,
    reported: bool,
) -> None:
    api.add(
        plan(affinity="REQUIRE pods(app=ceph-osd) on node"),
        *(node(name, {ZONE: name}) for name in ("a", "b")),
        pod("rook-ceph/osd", "b", {"app": "ceph-osd"}),
        pvcs.volume("pv-0", pvcs.zone_terms("a")),
        pvcs.pvc(volume="pv-0"),
    )

    async def check(_server: RunningServer) -> None:
        def checked() -> bool:
            listed = {each.resource for each in api.filter_requests("list")}
            return "nodes" in listed and bool(api.select(events)) >= reported

        await asyncio.to_thread(eventually, checked)

    events = Selection("events", fields="reason=PlacementConflict")
    run(tmp_path, check, api.write_kubeconfig(tmp_path), **further)
    assert bool(api.select(events)) is reported
    requested = [each for each in api.filter_requests("list") if each.resource == "pods"]
    assert any("ceph-osd" in each.query.get("labelSelector", "") for each in requested) is reported


@pytest.mark.parametrize(
    ("roles", "watched"),
    [
        ((Role.CONVERTOR, Role.INSPECTION), False),
        ((Role.CONVERTOR, Role.FIRST_CONSUMER), True),
        ((Role.IMPORTER,), True),
        ((Role.POPULATOR,), True),
    ],
)
def test_pvcs_are_watched_only_for_roles_that_have_them(
    tmp_path: Path, api: FakeApi, roles: tuple[Role, ...], *, watched: bool
) -> None:
    async def check(server: RunningServer) -> None:
        assert (await server.get("/readyz"))[0] == 200

    installation = Installation(limits=Limits(roles=roles))
    run(tmp_path, check, api.write_kubeconfig(tmp_path), installation=installation)
    assert ("persistentvolumeclaims" in {each.resource for each in api.requests}) is watched


def test_a_server_is_not_ready_before_the_pvcs_have_been_read(tmp_path: Path, api: FakeApi) -> None:
    api.hang("list", "persistentvolumeclaims", times=2)

    async def check_before_and_after() -> None:
        async with run_server(tmp_path, api.write_kubeconfig(tmp_path), "serving") as server:

            def is_listed() -> bool:
                return len([each for each in api.requests if each.resource == "plans"]) == 2

            await asyncio.to_thread(eventually, is_listed)
            status, ready = await server.get("/readyz")
            assert (status, ready["checks"]["pvcs"]) == (503, "the PVCs have not been read yet")
            await asyncio.sleep(0.2)  # longer than between two looks at the plans
            assert "the plans have been read" not in {line["event"] for line in server.log}
            api.release()
            while (await server.get("/readyz"))[0] != 200:  # noqa: ASYNC110 - a request
                await asyncio.sleep(0.01)

    uvloop.run(check_before_and_after())


def test_without_the_right_to_read_pvcs_a_server_is_ready_and_admits_importers_unchanged(
    tmp_path: Path, api: FakeApi
) -> None:
    disk = pvcs.pvc()
    api.add(plan(node_selector="disk=nvme"), disk)
    api.forbid("list", "persistentvolumeclaims")
    importer = encode_review(pvcs.importer_pod(disk), namespace="vms")
    convertor = encode_review(convertor_pod(), namespace="vms")

    async def check(server: RunningServer) -> None:
        status, ready = await server.get("/readyz")
        assert (status, ready["pvcs"]["synced"]) == (200, False)
        assert "may not list persistentvolumeclaims" in ready["pvcs"]["message"]
        response = (await server.post(importer))[1]["response"]
        assert (response["allowed"], "patch" in response) == (True, False)
        response = (await server.post(convertor))[1]["response"]
        assert response["auditAnnotations"]["reason"] == "Placed"

    run(tmp_path, check, api.write_kubeconfig(tmp_path))


@pytest.mark.parametrize("minor", ["25", "26"])
def test_a_hard_spread_is_applied_where_the_version_of_the_cluster_permits_it(
    tmp_path: Path, api: FakeApi, minor: str
) -> None:
    rules = "SPREAD pods(app=virt-v2v) on node hard"
    compiled = karl.compile_all("SPREAD pods(app=virt-v2v) on zone hard")
    enforced = Settings(spread=compiled["topologySpreadConstraints"])
    api.server_version = {"major": "1", "minor": minor}
    api.add(plan(affinity=rules))
    review = encode_review(convertor_pod(), namespace="vms")

    async def check(server: RunningServer) -> None:
        response = (await server.post(review))[1]["response"]
        patch = base64.b64decode(response.get("patch", "")).decode()
        assert ("DoNotSchedule" in patch) is (minor == "26")
        warnings = " ".join(response.get("warnings", ()))
        for rule in ("affinity line 1 column 1", "'SPREAD pods(app=virt-v2v) on zone hard'"):
            assert (f"{rule}: a hard SPREAD is not applied" in warnings) is (minor == "25")

    installation = Installation(enforced=enforced)
    run(tmp_path, check, api.write_kubeconfig(tmp_path), installation=installation)


@pytest.mark.parametrize(
    ("further", "paths"),
    [
        ({}, {"/api/v1/pods"}),
        (
            {"watch_pods_namespaces": ("a", "b")},
            {"/api/v1/namespaces/a/pods", "/api/v1/namespaces/b/pods"},
        ),
        ({"watch_pods": False}, set()),
    ],
)
def test_the_watch_of_pods_is_limited_by_the_configuration(
    api: FakeApi, tmp_path: Path, further: dict[str, Any], paths: set[str]
) -> None:
    async def check(_server: RunningServer) -> None:
        watches = {"/apis/forklift.konveyor.io/v1beta1/plans", *PVC_WATCHES, *paths}

        def watched() -> bool:
            return {request.path for request in api.filter_requests("watch")} == watches

        await asyncio.to_thread(eventually, watched)

    run(tmp_path, check, api.write_kubeconfig(tmp_path), **further)


def test_a_command_to_try_the_server_is_logged_and_an_address_in_use_is_an_error(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "a folder"
    folder.mkdir()

    async def check(server: RunningServer) -> None:
        (line,) = (line for line in server.log if "try_it" in line)
        assert line["ca"] == f"{folder}/ca.crt"
        assert line["try_it"] == (
            f"curl --cacert '{folder}/ca.crt' --data-binary @review.json "
            f"https://localhost:{server.reviews}/mutate"
        )
        address = Address("127.0.0.1", server.reviews)
        config = Config(listen=address, status_listen=FREE, plans=tmp_path)
        with pytest.raises(ConfigError) as error:
            await serve(config)
        assert str(error.value) == f"--listen {address}: address already in use"

    run(folder, check)


def large_review() -> bytes:
    """Return a review of the maximum size, of a convertor pod with thousands of labels."""
    pod = convertor_pod()
    pod["metadata"]["labels"] |= {f"label-{n}": "x" * 63 for n in range(60_000)}
    return encode_review(pod)


def test_a_signal_ends_the_server_during_a_flood_of_large_reviews(tmp_path: Path) -> None:
    body = large_review()
    assert MAX_BODY_BYTES / 2 < len(body) < MAX_BODY_BYTES

    async def flood(server: RunningServer) -> None:
        while True:
            with contextlib.suppress(OSError, IndexError):  # refused, or closed without a response
                await server.post(body)

    async def check_while_flooded() -> None:
        async with run_server(tmp_path) as server:
            clients = [asyncio.create_task(flood(server)) for _ in range(8)]
            await asyncio.sleep(0.2)
            assert (await server.get("/readyz"))[0] == 200
            began = time.monotonic()
        assert time.monotonic() - began < AT_MOST_SECONDS + listener.SHUTDOWN_GRACE_SECONDS + 2
        for client in clients:
            client.cancel()
        await asyncio.wait(clients)

    uvloop.run(check_while_flooded())


def test_the_limit_on_open_files_is_raised_for_the_connections(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)

    async def check(server: RunningServer) -> None:
        assert (await server.get("/readyz"))[0] == 200
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (1800, hard)

    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, hard))
    try:
        run(tmp_path, check)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_client_receives_the_error_for_a_body_that_is_too_large(tmp_path: Path) -> None:
    body = b" " * (9 * 2**20)
    chunked = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)

    async def check(server: RunningServer) -> None:
        for sent, head in ((body, ""), (chunked, "Transfer-Encoding: chunked\r\n")):
            status, error = await server.post(sent, head)
            assert (status, error["reason"]) == (413, "ReviewTooLarge")

    run(tmp_path, check)


def test_without_a_cluster_and_a_directory_the_server_does_not_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigError, match=r"--kubeconfig FILE; --plans DIR needs no cl"):
        asyncio.run(serve(Config(listen=FREE, status_listen=FREE)))
