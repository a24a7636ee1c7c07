"""Programs with unusable standard streams, in other locales, interrupted; as real processes."""

import json
import os
import pty
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from tests.support import builders
from tests.support.certificates import write_certificate
from tests.support.fake_api import FakeApi
from tests.support.paths import ROOT
from webhook import program
from webhook.cli.errors import UserError

BIN = Path(sys.executable).parent
INVALID = ["kubectl-convertor", "karl", "é漢"]
"""A command that writes characters to standard error that are not in every encoding."""
FULL = "Error: cannot write standard output: no space left on device\n"


def start(*words: str, **options: Any) -> subprocess.Popen[bytes]:
    name, *rest = words
    return subprocess.Popen([BIN / name, *rest], cwd=ROOT, **options)


def run(*words: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    with start(*words, **streams) as process:
        out, err = process.communicate(timeout=30)
    return subprocess.CompletedProcess(words, process.returncode, out, err)


@pytest.mark.parametrize(
    "words",
    [
        ["kubectl-convertor", "completion", "bash"],
        ["kubectl-convertor", "show", "--help"],
        ["kubectl-convertor", "review", "-f", "examples/review.json", "--plan", "examples/plans"],
        ["kubectl_complete-convertor", "ka"],
        ["convertor-webhook", "--version"],
        ["python", "-m", "certs", "--help"],
    ],
    ids=" ".join,
)
def test_a_full_disk_behind_standard_output_is_an_error_of_the_environment(
    words: list[str],
) -> None:
    with Path("/dev/full").open("w") as full:
        done = run(*words, stdout=full)
    assert (done.returncode, done.stderr.decode()) == (2, FULL)


def test_an_error_that_cannot_be_written_leaves_the_exit_code() -> None:
    with Path("/dev/full").open("w") as full:
        assert run(*INVALID, stdout=full, stderr=full).returncode == 2


@pytest.mark.parametrize(("words", "code"), [(["completion", "bash"], 0), (["karl", "x"], 2)])
def test_closed_standard_streams_leave_the_exit_code(words: list[str], code: int) -> None:
    done = run("kubectl-convertor", *words, preexec_fn=lambda: os.closerange(0, 3))
    assert done.returncode == code


def test_closed_standard_input_is_empty() -> None:
    done = run("kubectl-convertor", "karl", "-f", "-", preexec_fn=lambda: os.close(0))
    assert done.returncode == 2
    assert done.stderr.startswith(b"Error: karl: 1:1: no rule found\n")


def test_a_command_whose_reader_has_ended_ends_silently() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = run("kubectl-convertor", "completion", "bash", stdout=writer)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_output_to_a_pipe_is_utf_8(encoding: str) -> None:
    done = run(*INVALID, env=os.environ | {"PYTHONIOENCODING": encoding})
    assert done.returncode == 2
    assert done.stderr.decode().startswith("Error: karl: 1:1: unknown rule 'é漢'\n")


def test_a_terminal_gets_escapes_for_characters_that_it_does_not_have() -> None:
    ours, theirs = pty.openpty()
    done = run(*INVALID, stderr=theirs, env=os.environ | {"PYTHONIOENCODING": "latin-1"})
    os.close(theirs)
    printed = os.read(ours, 100).decode("latin-1")
    os.close(ours)
    assert done.returncode == 2
    assert printed.startswith(r"Error: karl: 1:1: unknown rule 'é\u6f22'")


def test_arguments_and_file_names_need_not_be_utf_8(tmp_path: Path) -> None:
    directory = tmp_path / os.fsdecode(b"\xff")
    done = run("kubectl-convertor", "show", "--plans", os.fspath(directory))
    assert done.returncode == 2
    assert done.stderr.decode().endswith(rf"'{tmp_path}/\udcff': no such file or directory" + "\n")


def test_a_current_directory_that_was_deleted_is_empty(tmp_path: Path) -> None:
    script = 'mkdir gone && cd gone && rmdir ../gone && exec "$0" show --plans .'
    command = ["bash", "-c", script, str(BIN / "kubectl-convertor")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "No plans found\n")


def test_output_does_not_depend_on_the_width_of_the_terminal() -> None:
    words = ("kubectl-convertor", "review", "-f", "examples/review.json", "--plan", "examples")
    narrow, none = (run(*words, env=os.environ | {"COLUMNS": width}) for width in ("1", "0"))
    assert narrow.stdout == none.stdout != b""
    assert narrow.stderr == none.stderr != b""


@pytest.fixture
def interrupts() -> Iterator[None]:
    """Let the programs of a test be interrupted, also if the tests run in the background.

    A shell ignores interrupts for commands that it starts there, and so do their children.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interrupts")
def test_an_interrupt_ends_a_command_without_a_stack_trace(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        kubeconfig = tmp_path / "kubeconfig"
        kubeconfig.write_text(json.dumps(builders.kubeconfig(url)), encoding="utf-8")
        words = ("kubectl-convertor", "show", "--kubeconfig", str(kubeconfig))
        with start(*words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            connection, _ = silent.accept()
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=30)
        connection.close()
    assert (process.returncode, out, err.strip()) == (130, b"", b"")


@pytest.mark.parametrize(("wanted", "printed"), [("", 0), ("default", 1)])
def test_warnings_of_libraries_are_printed_only_if_the_user_wants_them(
    wanted: str, printed: int
) -> None:
    code = (
        "import warnings; from webhook import program; "
        "program.run(lambda: warnings.warn('old'), print)"
    )
    done = run("python", "-c", code, env=os.environ | {"PYTHONWARNINGS": wanted})
    assert done.returncode == 0
    assert done.stderr.count(b"UserWarning: old") == printed


def test_a_connection_without_verification_prints_no_warning(api: FakeApi, tmp_path: Path) -> None:
    files = write_certificate(tmp_path)
    pem = tmp_path / "both.pem"
    pem.write_bytes(files.key.read_bytes() + files.cert.read_bytes())
    api.use_tls(pem)
    config = builders.kubeconfig(api.url, token="t")
    config["clusters"][0]["cluster"]["insecure-skip-tls-verify"] = True
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(json.dumps(config), encoding="utf-8")
    done = run("kubectl-convertor", "show", "-A", "--kubeconfig", str(kubeconfig))
    assert (done.returncode, done.stderr) == (0, b"No plans found\n")


def test_the_server_serves_without_its_log(tmp_path: Path) -> None:
    addresses = ("--listen", "127.0.0.1:0", "--status-listen", "127.0.0.1:0")
    flags = ("--plans", str(ROOT / "examples" / "plans"), "--state-dir", str(tmp_path), *addresses)
    with start("convertor-webhook", "serve", *flags, stderr=subprocess.PIPE) as server:
        assert server.stderr is not None
        line = next(json.loads(line) for line in server.stderr if b'"serving"' in line)
        server.stderr.close()
        context = ssl.create_default_context(cafile=str(tmp_path / "ca.crt"))
        review = (ROOT / "examples" / "review.json").read_bytes()
        host = line["reviews"].replace("127.0.0.1", "localhost")
        for _ in range(3):
            with urllib.request.urlopen(f"{host}/mutate", review, context=context) as response:
                assert json.load(response)["response"]["patch"]
            time.sleep(0.05)  # log lines are written after 10 ms
        assert server.poll() is None
        server.kill()


def end_of(call: Callable[[], object]) -> int | str | None:
    """Return the exit code of a command."""
    with pytest.raises(SystemExit) as ended:
        program.run(call, lambda _: None)
    return ended.value.code


def test_an_error_of_the_operating_system_names_the_file(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert end_of(lambda: Path("/nonexistent/file").read_text()) == 2
    assert capsys.readouterr().err == "Error: '/nonexistent/file': no such file or directory\n"


@pytest.mark.parametrize("kind", [click.ClickException, UserError, click.UsageError])
def test_an_error_of_a_command_is_escaped_in_its_lines(
    kind: type[click.ClickException], capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise kind("pod '\x1b[2J\u202e'\nnext")

    assert end_of(fail) == kind.exit_code
    assert capsys.readouterr().err == "Error: pod '\\u001b[2J\\u202e'\nnext\n"


def test_a_directory_for_temporary_files_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise FileNotFoundError(2, "No usable temporary directory found in ['/tmp']")

    assert end_of(fail) == 2
    assert capsys.readouterr().err == "Error: no usable temporary directory found in ['/tmp']\n"


def test_another_program_has_made_standard_output_non_blocking() -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    code = (
        "import click, functools; from webhook import program; "
        "program.run(lambda: click.echo('x' * 200_000), print)"
    )
    with start("python", "-c", code, stdout=writer) as process:
        os.close(writer)
        with os.fdopen(reader, "rb") as pipe:
            assert len(pipe.read()) == 200_001
    assert process.returncode == 0
