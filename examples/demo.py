"""Demo of the webhook: real convertor pods of Forklift before and after, without a cluster.

Starts `convertor-webhook serve` with the plans in this folder and its own certificate, sends it the
reviews that an API server would send for the pods in this folder, over verified TLS, and prints the
pods with the patches applied.
"""

import argparse
import base64
import http.client
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import indent
from typing import Any
from urllib.request import urlopen

import jsonpatch
import yaml
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from webhook.cli.review.diff import coloured_diff

HERE = Path(__file__).parent
START_SECONDS = 30
STORIES = {
    "v2.12-vsphere-invalid-node-selector.json": (
        "Forklift 2.12 copied '16+' into the node selector, so the API server would reject the "
        "pod. It becomes node affinity; two of the nodes' memory labels are large enough."
    ),
    "v2.9-vsphere-cold.json": (
        "Forklift 2.9 has no fields for these settings. The plan has them in annotations, which "
        "every release keeps."
    ),
    "v2.12-vsphere-with-settings.json": (
        "Forklift 2.12 copied the plan's affinity, which matches Ceph in the pod's own namespace "
        "only, so the pod would stay Pending. The term is corrected in place."
    ),
    "v2.10-vsphere-with-settings.json": ("Forklift 2.10 identifies the plan by its UID only."),
}
STORIES_IN_PICTURE = 2
"""The first stories; their picture fits on a page."""


def main() -> int:
    """Run the demo; return 1 if a pod was not placed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--svg", type=Path, help="also write the output as a picture")
    picture = parser.parse_args().svg
    console = Console(record=bool(picture), width=100 if picture else None, highlight=False)
    plans = {plan["metadata"]["uid"]: plan for plan in _plans()}
    with tempfile.TemporaryDirectory() as state, _server(Path(state)) as (port, ca):
        tls = ssl.create_default_context(cafile=ca)
        console.print("convertor-webhook serves examples/plans over TLS, without a cluster\n")
        stories = list(STORIES)[:STORIES_IN_PICTURE] if picture else STORIES
        placed = [_show(console, name, plans, port, tls) for name in stories]
    console.print(
        f"{sum(placed)} of {len(placed)} pods placed as their plans specify.", style="bold"
    )
    if picture:
        drawn = console.export_svg(title="make demo")
        picture.write_text(re.sub(r" *@font-face \{.*?\}\s*", "", drawn, flags=re.DOTALL))
    return 0 if all(placed) else 1


def _plans() -> Iterator[dict[str, Any]]:
    for path in sorted((HERE / "plans").glob("*.yaml")):
        yield from (each for each in yaml.safe_load_all(path.read_text()) if each["kind"] == "Plan")


@contextmanager
def _server(state: Path) -> Iterator[tuple[int, Path]]:
    """Run the server on free ports of the loopback; yield its port and its CA."""
    port, status = _free_port(), _free_port()
    command = [
        str(Path(sys.executable).with_name("convertor-webhook")),
        "serve",
        f"--plans={HERE / 'plans'}",
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
            yield port, state / "ca.crt"
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


def _show(
    console: Console, name: str, plans: dict[str, Any], port: int, tls: ssl.SSLContext
) -> bool:
    """Review a pod and print it; return True if it was placed."""
    pod = json.loads((HERE / "pods" / name).read_text())
    plan = plans[pod["metadata"]["labels"]["plan"]]
    response = _review(pod, port, tls)
    patch = json.loads(base64.b64decode(response.get("patch", "")) or b"[]")
    after = jsonpatch.apply_patch(pod, patch)
    console.rule(f"[bold]{name.removesuffix('.json')}[/], plan {plan['metadata']['name']}")
    console.print(Text(STORIES[name]), "\n")
    console.print("Settings of the plan:", style="bold")
    console.print(Padding(Text(_settings(plan), "yellow"), (0, 2)))
    console.print("The pod as Forklift sends it (-) and as it is created (+):", style="bold")
    console.print(Padding(coloured_diff(pod, after), (0, 2)))
    return bool(response["allowed"] and patch)


def _settings(plan: dict[str, Any]) -> str:
    """Return the settings as written in the plan."""
    annotations = plan["metadata"].get("annotations") or {}
    rules = [f"{key}:\n{indent(value.strip(), '  ')}" for key, value in annotations.items()]
    fields = {key: value for key, value in plan["spec"].items() if key.startswith("convertor")}
    return "\n".join([*rules, yaml.safe_dump(fields).strip() if fields else ""]).strip()


def _review(pod: dict[str, Any], port: int, tls: ssl.SSLContext) -> dict[str, Any]:
    """Send the example review with this pod, as an API server does; return the response."""
    review = json.loads((HERE / "review.json").read_text())
    review["request"]["object"] = pod
    connection = http.client.HTTPSConnection("127.0.0.1", port, context=tls, timeout=10)
    body = json.dumps(review)
    connection.request("POST", "/mutate?timeout=3s", body, {"Content-Type": "application/json"})
    response: dict[str, Any] = json.loads(connection.getresponse().read())["response"]
    connection.close()
    return response


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())
