import base64
import re
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from certs.ca import pki, rotation, secret
from certs.ca.durations import Durations
from certs.ca.secret import State
from certs.cli.commands import certs
from tests.support.certs.der import encode_der, encode_pem_block, flip_bit
from tests.support.certs.installation import SECRET, chart_objects
from tests.support.fake_api import FakeApi

NAME = "convertor-webhook.migration.svc"
NOW = datetime.now(UTC) - timedelta(minutes=1)
DATES = r"\d{4}-\d\d-\d\d \d\d:\d\d UTC to \d{4}-\d\d-\d\d \d\d:\d\d UTC"


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(certs, [str(argument) for argument in arguments], prog_name="certs")


def error(*arguments: str | Path, exit_code: int = 2) -> str:
    result = run(*arguments)
    assert result.exit_code == exit_code
    return result.output.splitlines()[-1].removeprefix("Error: ")


def test_the_help_lists_every_command() -> None:
    assert re.findall(r"^  (\w+)  ", run("--help").output, re.MULTILINE) == [
        "rotate",
        "show",
    ]


def test_show_describes_files(tmp_path: Path) -> None:
    ca = pki.make_ca(NOW, timedelta(days=60), backdate=timedelta())
    leaf, key = pki.sign_leaf(ca, [NAME], NOW, timedelta(days=30), backdate=timedelta())
    (tmp_path / "tls.crt").write_bytes(leaf.pem)
    (tmp_path / "tls.key").write_bytes(key)
    output = run("show", tmp_path / "tls.crt", tmp_path / "tls.key").output
    assert re.fullmatch(
        rf"{tmp_path}/tls\.crt\n"
        r"  CN=convertor-webhook\n"
        r"    signed by  CN=convertor-webhook CA [0-9a-f]{8}\n"
        rf"    names      {NAME}\n"
        rf"    valid      {DATES}, 29 days left\n"
        rf"    SHA-256    {leaf.fingerprint}\n"
        rf"{tmp_path}/tls\.key\n"
        r"  no certificate\n",
        output,
    ), output


@pytest.mark.parametrize(
    ("damaged", "error"),
    [(b"\x02\x01\x02", "a certificate cannot"), (b"\x55\x1d\x0e", "its certificate cannot")],
    ids=["version", "extension"],
)
def test_a_certificate_that_cannot_be_parsed_is_shown_with_the_error(
    tmp_path: Path, damaged: bytes, error: str
) -> None:
    """The last byte of `damaged` changes: the version, or the extension's OID, used twice then."""
    ca = pki.make_ca(NOW, timedelta(days=8), backdate=timedelta()).certificate
    der = flip_bit(ca, encode_der(ca).index(damaged) + 2)
    (tmp_path / "ca.crt").write_bytes(encode_pem_block(der))
    lines = run("show", tmp_path / "ca.crt").output.splitlines()
    assert lines[1].startswith(f"  {error} be read: ")


def test_show_needs_an_argument() -> None:
    assert error("show") == "nothing to show: expected FILES, --secret or --webhook-config"
    assert error("show", "/nowhere") == "'/nowhere': no such file or directory"


def write_state(api: FakeApi, state: State) -> None:
    api.add(chart_objects()[0] | {"data": secret.encode(state)})


def read_state(api: FakeApi) -> State:
    state = secret.decode(api.get(*SECRET)["data"])
    assert state is not None
    return state


@pytest.fixture
def cluster(api: FakeApi, tmp_path: Path) -> tuple[str, ...]:
    api.add(*chart_objects())
    return ("--kubeconfig", str(api.write_kubeconfig(tmp_path)), "--secret", "migration/ca")


def test_show_describes_the_secret_and_the_bundles(api: FakeApi, cluster: tuple[str, ...]) -> None:
    state = rotation.force(rotation.initialize(NOW, Durations()), NOW, Durations())
    assert state.next is not None
    other = pki.make_ca(NOW, timedelta(days=1), backdate=timedelta()).certificate
    write_state(api, state)
    _, mutating, _ = chart_objects()
    for webhook, pem in zip(
        mutating["webhooks"],
        (state.active.certificate.pem + other.pem, state.next.certificate.pem),
        strict=True,
    ):
        webhook["clientConfig"]["caBundle"] = base64.b64encode(pem).decode()
    api.add(mutating)
    active, staged, foreign = (
        certificate.fingerprint[:12]
        for certificate in (state.active.certificate, state.next.certificate, other)
    )
    output = run("show", *cluster, "--webhook-config", "hook").output
    assert re.fullmatch(
        r"Secret 'migration/ca'\n"
        rf"  active  {active}  {DATES}, 364 days left\n"
        rf"  next    {staged}  {DATES}, 364 days left; forced; published, not yet used\n"
        r"MutatingWebhookConfiguration 'hook'\n"
        rf"  0\.hook: active {active}, other {foreign}\n"
        rf"  1\.hook: next {staged}\n"
        r"ValidatingWebhookConfiguration 'hook'\n"
        r"  0\.hook: empty\n",
        output,
    ), output


def test_rotate_stages_a_new_ca_beside_the_active_one(
    api: FakeApi, cluster: tuple[str, ...]
) -> None:
    before = rotation.initialize(NOW, Durations())
    write_state(api, before)
    assert run("rotate", *cluster).exit_code == 0
    after = read_state(api)
    assert after.active == before.active
    assert after.forced


@pytest.mark.parametrize("hours", [-5, 5])
def test_rotate_uses_the_clock_of_the_api_server(
    api: FakeApi, cluster: tuple[str, ...], hours: int
) -> None:
    now = datetime.now(UTC) + timedelta(hours=hours)
    api.date = format_datetime(now, usegmt=True)
    write_state(api, rotation.initialize(now, Durations()))
    assert run("rotate", *cluster).exit_code == 0
    after = read_state(api)
    assert after.next is not None
    created = after.next.certificate.not_before + Durations().backdate
    assert abs(created - now) < timedelta(minutes=1)
    assert "not yet valid" not in run("show", *cluster).output


def test_rotate_refuses_an_empty_secret(cluster: tuple[str, ...]) -> None:
    assert error("rotate", *cluster) == (
        "Secret 'migration/ca' is empty: the first replica makes the CA"
    )


def test_a_conflict_is_reported_with_a_hint(api: FakeApi, cluster: tuple[str, ...]) -> None:
    write_state(api, rotation.initialize(NOW, Durations()))
    api.fail("update", 409)
    message = error("rotate", *cluster, exit_code=3)
    assert message.endswith(": another client changed it, try again")


def test_the_secret_option_needs_a_namespace() -> None:
    assert error("rotate", "--secret", "ca") == (
        "Invalid value for '--secret': expected NAMESPACE/NAME, found 'ca'"
    )


def test_an_error_of_the_cluster_is_reported(api: FakeApi, cluster: tuple[str, ...]) -> None:
    api.forbid("get", user="sa")
    message = error("show", *cluster, exit_code=3)
    assert message.startswith("'sa' may not get secrets in namespace 'migration'")


def test_show_reports_that_both_configurations_are_missing(cluster: tuple[str, ...]) -> None:
    kubeconfig = cluster[:2]
    message = error("show", *kubeconfig, "--webhook-config", "theirs", exit_code=3)
    assert '"theirs" not found' in message
