"""The whole server on the example plans, called as an API server calls it."""

import asyncio
import base64
import contextlib
import json
import os
import signal
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import uvloop
from structlog.testing import capture_logs

from certs.serving.local_ca import LOCAL_NAMES
from tests.support.paths import ROOT
from webhook.server.config import Address, Certificates, Config, ConfigError
from webhook.server.drain import DrainTimes
from webhook.server.run import serve

EXAMPLES = ROOT / "examples"
FREE = Address("127.0.0.1", 0)
REVIEW = (EXAMPLES / "review.json").read_bytes()


class Served(NamedTuple):
    reviews: int
    status: int
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
        answer = await reader.read()
        writer.close()
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            await writer.wait_closed()
        first, _, rest = answer.partition(b"\r\n\r\n")
        return int(first.split()[1]), json.loads(rest)


@contextlib.asynccontextmanager
async def serving(tmp_path: Path, plans: Path = EXAMPLES / "plans") -> AsyncIterator[Served]:
    config = Config(
        listen=FREE,
        status_listen=FREE,
        plans=plans,
        certificates=Certificates(names=LOCAL_NAMES, state_dir=tmp_path),
        drain=DrainTimes(at_least=0.1, quiet=0.05, at_most=5),
    )
    with capture_logs() as log:
        task = asyncio.create_task(serve(config))
        said: Any = {}
        while not (said and "the plans have been read" in {line["event"] for line in log}):
            await asyncio.sleep(0.01)
            assert not task.done(), task.exception()
            said = next((line for line in log if line["event"] == "serving"), {})
        ports = [int(said[name].rpartition(":")[2]) for name in ("reviews", "status")]
        tls = ssl.create_default_context(cafile=tmp_path / "ca.crt")
        try:
            yield Served(ports[0], ports[1], tls, log)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)
            await task


Scene = Callable[[Served], Any]


def play(tmp_path: Path, scene: Scene) -> None:
    async def whole() -> None:
        async with serving(tmp_path) as served:
            await scene(served)

    uvloop.run(whole())


def test_an_example_is_placed_told_counted_and_the_server_drains(tmp_path: Path) -> None:
    async def scene(served: Served) -> None:
        status, answer = await served.post(REVIEW)
        assert status == 200
        patch = json.loads(base64.b64decode(answer["response"]["patch"]))
        widened = "/spec/affinity/podAffinity/requiredDuringSchedulingIgnoredDuringExecution/0"
        assert {"op": "add", "path": f"{widened}/namespaceSelector", "value": {}} in patch
        status, ready = await served.get("/readyz")
        assert (status, ready["ready"], ready["plans"]["count"]) == (200, True, 24)
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.sleep(0.05)
        status, ready = await served.get("/readyz")
        assert (status, ready["checks"]["draining"]) == (503, "the server is shutting down")
        assert (await served.post(REVIEW))[0] == 200
        await asyncio.sleep(0.1)
        (told, again) = (line for line in served.log if line.get("reason") == "Placed")
        assert told["plan"] == again["plan"] == "konveyor-forklift/high-io-migration"

    play(tmp_path, scene)


def test_whoever_starts_it_is_told_how_to_try_it_and_what_is_in_the_way(tmp_path: Path) -> None:
    async def scene(served: Served) -> None:
        (line,) = (line for line in served.log if "try_it" in line)
        assert line["ca"] == f"{tmp_path}/ca.crt"
        assert line["try_it"] == (
            f"curl --cacert {tmp_path}/ca.crt --data-binary @review.json "
            f"https://localhost:{served.reviews}/mutate"
        )
        address = Address("127.0.0.1", served.reviews)
        config = Config(listen=address, status_listen=FREE, plans=tmp_path)
        with pytest.raises(ConfigError) as error:
            await serve(config)
        assert str(error.value) == f"--listen {address}: address already in use"

    play(tmp_path, scene)


def test_a_body_that_is_too_large_is_refused_in_words_that_arrive(tmp_path: Path) -> None:
    body = b" " * (9 * 2**20)
    chunked = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)

    async def scene(served: Served) -> None:
        for sent, head in ((body, ""), (chunked, "Transfer-Encoding: chunked\r\n")):
            status, answer = await served.post(sent, head)
            assert (status, answer["reason"]) == (413, "ReviewTooLarge")

    play(tmp_path, scene)


def test_without_a_cluster_there_has_to_be_a_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigError, match=r"--kubeconfig FILE; --plans DIR needs no cl"):
        asyncio.run(serve(Config(listen=FREE, status_listen=FREE)))
