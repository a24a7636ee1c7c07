import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from certs.__main__ import certs
from certs.bundle.interface import targets
from certs.ca import pki, rotation, secret
from certs.ca.certificate import from_der, parse
from certs.ca.durations import Durations
from certs.serving.handshake import to_pair, verify
from tests.certs.http_api import HttpApi, running

NAME = "convertor-webhook.migration.svc"
NOW = datetime.now(UTC)
DATES = r"\d{4}-\d\d-\d\d \d\d:\d\d UTC to \d{4}-\d\d-\d\d \d\d:\d\d UTC"


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(certs, [str(argument) for argument in arguments], prog_name="certs")


def error(*arguments: str | Path) -> str:
    result = run(*arguments)
    assert result.exit_code == 2
    return result.output.splitlines()[-1].removeprefix("Error: ")


def test_help_names_every_command() -> None:
    assert re.findall(r"^  (\w+)  ", run("--help").output, re.MULTILINE) == [
        "issue",
        "rotate",
        "show",
    ]


def test_a_certificate_is_issued_that_its_ca_vouches_for(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    assert run("issue", folder, NAME, "127.0.0.1", "--days", "30").exit_code == 0
    pair = to_pair((folder / "tls.crt").read_bytes(), (folder / "tls.key").read_bytes())
    ca = (folder / "ca.crt").read_bytes()
    assert verify(pair, ca, NAME) is None
    assert verify(pair, ca, "127.0.0.1") is None
    modes = {path.name: path.stat().st_mode & 0o077 for path in folder.iterdir()}
    assert (modes["tls.key"], modes["ca.key"]) == (0, 0)
    assert set(modes) == {"ca.crt", "ca.key", "tls.crt", "tls.key"}


def test_the_ca_that_is_there_signs_the_next_one(tmp_path: Path) -> None:
    run("issue", tmp_path, NAME)
    ca, first = (tmp_path / "ca.crt").read_bytes(), (tmp_path / "tls.crt").read_bytes()
    assert error("issue", tmp_path, NAME) == f"'{tmp_path}/tls.crt' is there already; try --force"
    assert run("issue", tmp_path, NAME, "--force").exit_code == 0
    assert (tmp_path / "ca.crt").read_bytes() == ca
    assert (tmp_path / "tls.crt").read_bytes() != first


def test_a_ca_that_cannot_sign_is_said_to_be_so(tmp_path: Path) -> None:
    cert, key = tmp_path / "ca.crt", tmp_path / "ca.key"
    old = pki.make_ca(NOW - timedelta(days=9), timedelta(days=8), backdate=timedelta())
    cert.write_bytes(old.certificate.pem)
    assert error("issue", tmp_path, NAME) == f"'{key}': no such file or directory"
    key.write_bytes(pki.make_ca(NOW, timedelta(days=8), backdate=timedelta()).key)
    assert error("issue", tmp_path, NAME) == (
        f"'{cert}', '{key}': its key does not belong to its certificate"
    )
    key.write_bytes(old.key)
    ended = old.certificate.not_after.isoformat()
    assert error("issue", tmp_path, NAME) == f"'{cert}': expired at {ended}; move it away"
    cert.write_bytes(b"")
    assert error("issue", tmp_path, NAME) == (
        f"'{cert}': no certificate, expected '-----BEGIN CERTIFICATE-----'"
    )


def test_a_name_that_is_none_is_refused(tmp_path: Path) -> None:
    assert error("issue", tmp_path, "no name") == (
        "expected a DNS name or an IP address, found 'no name'"
    )


def test_files_are_shown(tmp_path: Path) -> None:
    run("issue", tmp_path, NAME, "--days", "30")
    output = run("show", tmp_path / "tls.crt", tmp_path / "tls.key").output
    fingerprint = parse((tmp_path / "tls.crt").read_bytes())[0].fingerprint
    assert re.fullmatch(
        rf"{tmp_path}/tls\.crt\n"
        r"  CN=convertor-webhook\n"
        r"    signed by  CN=convertor-webhook CA [0-9a-f]{8}\n"
        rf"    names      {NAME}\n"
        rf"    valid      {DATES}, 29 days left\n"
        rf"    SHA-256    {fingerprint}\n"
        rf"{tmp_path}/tls\.key\n"
        r"  no certificate\n",
        output,
    ), output


def test_a_certificate_that_cannot_be_read_is_said_to_be_so(tmp_path: Path) -> None:
    der = bytearray(pki.make_ca(NOW, timedelta(days=8), backdate=timedelta()).certificate.der)
    der[12] ^= 1
    (tmp_path / "ca.crt").write_bytes(from_der(bytes(der)).pem)
    lines = run("show", tmp_path / "ca.crt").output.splitlines()
    assert lines[1].startswith("  its certificate cannot be read: ")


def test_what_to_show_has_to_be_said() -> None:
    assert error("show") == "nothing to show: expected FILES, --secret or --webhook-config"
    assert error("show", "/nowhere") == "'/nowhere': no such file or directory"


@pytest.fixture
def http() -> Iterator[HttpApi]:
    with running() as http:
        yield http


@pytest.fixture
def cluster(http: HttpApi, tmp_path: Path) -> tuple[str, ...]:
    return ("--kubeconfig", str(http.kubeconfig(tmp_path)), "--secret", "migration/ca")


def test_the_secret_and_the_bundles_are_shown(http: HttpApi, cluster: tuple[str, ...]) -> None:
    state = rotation.force(rotation.fresh(NOW, Durations()), NOW, Durations())
    assert state.next is not None
    other = pki.make_ca(NOW, timedelta(days=1), backdate=timedelta()).certificate
    http.stored.put_secret(secret.encode(state))
    mutating, _ = targets("ours")
    http.stored.damage(mutating, 0, state.active.certificate.pem + other.pem)
    http.stored.damage(mutating, 1, state.next.certificate.pem)
    active, coming, foreign = (
        certificate.fingerprint[:12]
        for certificate in (state.active.certificate, state.next.certificate, other)
    )
    output = run("show", *cluster, "--webhook-config", "ours").output
    assert re.fullmatch(
        r"Secret 'migration/ca'\n"
        rf"  active  {active}  {DATES}, 364 days left\n"
        rf"  next    {coming}  {DATES}, 364 days left; forced; published, not yet used\n"
        r"MutatingWebhookConfiguration 'ours'\n"
        rf"  0\.ours: active {active}, other {foreign}\n"
        rf"  1\.ours: next {coming}\n"
        r"ValidatingWebhookConfiguration 'ours'\n"
        r"  0\.ours: empty\n",
        output,
    ), output


def test_a_rotation_stages_a_new_ca_beside_the_old_one(
    http: HttpApi, cluster: tuple[str, ...]
) -> None:
    before = rotation.fresh(NOW, Durations())
    http.stored.put_secret(secret.encode(before))
    assert run("rotate", *cluster).exit_code == 0
    assert http.stored.secret is not None
    after = secret.decode(http.stored.secret["data"])
    assert after is not None
    assert after.active == before.active
    assert after.forced


@pytest.mark.parametrize("hours", [-5, 5])
def test_a_rotation_goes_by_the_clock_of_the_api_server(
    http: HttpApi, cluster: tuple[str, ...], hours: int
) -> None:
    there = datetime.now(UTC) + timedelta(hours=hours)
    http.date = format_datetime(there, usegmt=True)
    http.stored.put_secret(secret.encode(rotation.fresh(there, Durations())))
    assert run("rotate", *cluster).exit_code == 0
    assert http.stored.secret is not None
    after = secret.decode(http.stored.secret["data"])
    assert after is not None
    assert after.next is not None
    made = after.next.certificate.not_before + Durations().backdate
    assert abs(made - there) < timedelta(minutes=1)
    assert "not yet valid" not in run("show", *cluster).output


def test_an_empty_secret_needs_no_rotation(cluster: tuple[str, ...]) -> None:
    assert error("rotate", *cluster) == (
        "Secret 'migration/ca' is empty: the first replica makes the CA"
    )


def test_a_secret_is_named_with_its_namespace() -> None:
    assert error("rotate", "--secret", "ca") == (
        "Invalid value for '--secret': expected NAMESPACE/NAME, found 'ca'"
    )


def test_a_cluster_that_refuses_is_quoted(http: HttpApi, cluster: tuple[str, ...]) -> None:
    http.forbidden = "GET"
    assert error("show", *cluster).startswith("'sa' may not get secrets in namespace 'migration'")


def test_configurations_that_are_nowhere_are_an_error(cluster: tuple[str, ...]) -> None:
    kubeconfig = cluster[:2]
    assert '"theirs" not found' in error("show", *kubeconfig, "--webhook-config", "theirs")
