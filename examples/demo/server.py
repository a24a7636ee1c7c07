"""The server of the demo, and the reviews that an API server would send it."""

import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.request import urlopen

HERE = Path(__file__).parents[1]
START_SECONDS = 30


class Server(NamedTuple):
    port: int
    tls: ssl.SSLContext

    def review(self, pod: dict[str, Any]) -> dict[str, Any]:
        """Send the example review with this pod; return the response."""
        review = json.loads((HERE / "review.json").read_text())
        request = review["request"]
        request["object"] = pod
        request["name"] = pod["metadata"].get("name", "")
        connection = http.client.HTTPSConnection(
            "127.0.0.1", self.port, context=self.tls, timeout=10
        )
        body = json.dumps(review)
        headers = {"Content-Type": "application/json"}
        connection.request("POST", "/mutate?timeout=3s", body, headers)
        response: dict[str, Any] = json.loads(connection.getresponse().read())["response"]
        connection.close()
        return response


@contextmanager
def serve(plans: Path, state: Path) -> Iterator[Server]:
    """Run the server on free ports of the loopback, with a certificate of its own."""
    port, status = _free_port(), _free_port()
    command = [
        str(Path(sys.executable).with_name("convertor-webhook")),
        "serve",
        f"--plans={plans}",
        f"--state-dir={state}",
        f"--listen=127.0.0.1:{port}",
        f"--status-listen=127.0.0.1:{status}",
    ]
    with (state / "log").open("w") as log:
        # without variables of the environment that could change the result
        clean = {key: value for key, value in os.environ.items() if "CONVERTOR_" not in key}
        process = subprocess.Popen(command, stdout=log, stderr=log, env=clean)  # noqa: S603
        try:
            _await_ready(process, status, state / "log")
            yield Server(port, ssl.create_default_context(cafile=state / "ca.crt"))
        finally:
            process.send_signal(signal.SIGTERM)  # the first signal starts the drain, the second
            process.send_signal(signal.SIGINT)  # ends it; two of a kind may arrive as one
            process.wait(START_SECONDS)


def _await_ready(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < until:
        try:
            with urlopen(f"http://127.0.0.1:{port}/readyz", timeout=1):
                return
        except OSError:
            time.sleep(0.05)
    sys.exit(f"the server did not start; its log:\n{log.read_text()}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
