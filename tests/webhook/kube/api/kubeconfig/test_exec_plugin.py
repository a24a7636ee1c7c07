"""Exec plugins: their output, their messages, their terminal, and how long credentials last."""

import base64
import datetime as dt
import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.certificates import create_certificate
from tests.support.fake_api import FakeApi
from webhook.kube.api.client import connect
from webhook.kube.api.errors import ApiError, KubeconfigError

PLANS = "/apis/forklift.konveyor.io/v1beta1/plans"
V1 = "client.authentication.k8s.io/v1"
CA = create_certificate().ca
KUBECTL_CONVERTOR = Path(sys.executable).with_name("kubectl-convertor")


def write_config(api: FakeApi, folder: Path, script: str, **exec_fields: Any) -> Path:
    """Write a plugin, and a kubeconfig that uses it."""
    program = folder / "plugin"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    path = api.write_kubeconfig(folder)
    whole = json.loads(path.read_text())
    fields = {"apiVersion": V1, "command": str(program), "interactiveMode": "IfAvailable"}
    whole["users"] = [{"name": "fake", "user": {"exec": fields | exec_fields}}]
    path.write_text(json.dumps(whole))
    return path


def printed(token: str, seconds: float | None = None) -> str:
    """Return a line of a shell script that prints a token which expires after that time."""
    status = {"token": token}
    if seconds is not None:
        expires_at = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=seconds)
        status["expirationTimestamp"] = expires_at.isoformat()
    credential = {"apiVersion": V1, "kind": "ExecCredential", "status": status}
    return f"echo '{json.dumps(credential)}'"


def test_a_plugin_is_run_once_until_its_token_expires(api: FakeApi, tmp_path: Path) -> None:
    path = write_config(api, tmp_path, f"echo run >> {tmp_path}/runs; {printed('a', 600)}")
    client = connect(path)
    for _ in range(3):
        client.get(PLANS)
    assert (tmp_path / "runs").read_text().split() == ["run"]


def test_an_expired_token_is_renewed_before_the_next_request(api: FakeApi, tmp_path: Path) -> None:
    client = connect(write_config(api, tmp_path, printed("a", -1)))
    write_config(api, tmp_path, printed("b", 600))
    client.get(PLANS)
    client.get(PLANS)
    assert [each.headers["authorization"] for each in api.requests] == ["Bearer b"] * 2


def test_a_refused_token_is_renewed(api: FakeApi, tmp_path: Path) -> None:
    client = connect(write_config(api, tmp_path, printed("a")))
    api.token = "b"
    write_config(api, tmp_path, printed("b"))
    client.get(PLANS)


def test_a_plugin_that_fails_later_is_an_error_without_a_request(
    api: FakeApi, tmp_path: Path
) -> None:
    client = connect(write_config(api, tmp_path, printed("a", -1)))
    write_config(api, tmp_path, "exit 1")
    with pytest.raises(ApiError) as caught:
        client.get(PLANS)
    assert f"user 'fake': exec plugin '{tmp_path}/plugin' failed with exit code 1" in str(
        caught.value
    )
    assert api.requests == []


def test_a_plugin_that_a_signal_ends_is_an_error(api: FakeApi, tmp_path: Path) -> None:
    with pytest.raises(KubeconfigError, match="was ended by signal 15"):
        connect(write_config(api, tmp_path, "kill $$"))


def test_the_cluster_is_described_to_the_plugin(api: FakeApi, tmp_path: Path) -> None:
    script = f'echo "$KUBERNETES_EXEC_INFO" > {tmp_path}/info; {printed("a")}'
    path = write_config(api, tmp_path, script, provideClusterInfo=True)
    whole = json.loads(path.read_text())
    whole["clusters"][0]["cluster"] |= {
        "tls-server-name": "api",
        "certificate-authority": "ca.crt",
        "extensions": [
            {"name": "other", "extension": 1},
            {"name": "client.authentication.k8s.io/exec", "extension": {"audience": "x"}},
        ],
    }
    path.write_text(json.dumps(whole))
    (tmp_path / "ca.crt").write_bytes(CA)
    connect(path)
    assert json.loads((tmp_path / "info").read_text()) == {
        "apiVersion": V1,
        "kind": "ExecCredential",
        "spec": {
            "cluster": {
                "server": api.url,
                "tls-server-name": "api",
                "certificate-authority-data": base64.b64encode(CA).decode(),
                "config": {"audience": "x"},
            },
            "interactive": False,
        },
    }


def test_the_message_of_a_plugin_is_shown_and_nothing_is_requested(
    api: FakeApi, tmp_path: Path
) -> None:
    path = write_config(api, tmp_path, "echo 'log in first: plugin login' >&2; exit 1")
    done = run(path, stdin=subprocess.DEVNULL)
    assert done.returncode == 3
    assert done.stderr.splitlines() == [
        "log in first: plugin login",
        (
            f"Error: kubeconfig '{path}': user 'fake': exec plugin '{tmp_path}/plugin' failed with "
            "exit code 1"
        ),
    ]
    assert api.requests == []


def test_a_plugin_can_ask_on_the_terminal_while_the_output_is_piped(
    api: FakeApi, tmp_path: Path
) -> None:
    script = f"echo 'Code:' >&2; read code; [ \"$code\" = 42 ] || exit 1; {printed('a')}"
    path = write_config(api, tmp_path, script)
    leader, terminal = pty.openpty()
    os.write(leader, b"42\n")
    done = run(path, stdin=terminal)
    os.close(leader)
    os.close(terminal)
    assert (done.returncode, done.stderr.splitlines()[0]) == (0, "Code:")
    assert api.requests[-1].headers["authorization"] == "Bearer a"


def run(kubeconfig: Path, stdin: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [KUBECTL_CONVERTOR, "show", "-o", "json", "--kubeconfig", kubeconfig],
        stdin=stdin,
        capture_output=True,
        text=True,
        check=False,
    )
