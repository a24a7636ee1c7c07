import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from certs.bundle.interface import targets
from certs.ca import pki, rotation, secret
from certs.ca.durations import Durations
from certs.cli.commands import certs
from tests.certs.http_api import HttpApi, running
from tests.support.certs.der import encode_der, encode_pem_block, flip_bit

NAME = "convertor-webhook.migration.svc"
NOW = datetime.now(UTC) - timedelta(minutes=1)
DATES = r"\d{4}-\d\d-\d\d \d\d:\d\d UTC to \d{4}-\d\d-\d\d \d\d:\d\d UTC"


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(certs, [str(argument) for argument in arguments], prog_name="certs")


def error(*arguments: str | Path) -> str:
    result = run(*arguments)
    assert result.exit_code == 2
    return result.output.splitlines()[-1].removeprefix("Error: ")


def test_help_names_every_command() -> None:
    assert re.findall(r"^  (\w+)  ", run("--help").output, re.MULTILINE) == [
        "rotate",
        "show",
    ]


def test_files_are_shown(tmp_path: Path) -> None:
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
    state = rotation.force(rotation.initialize(NOW, Durations()), NOW, Durations())
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
    before = rotation.initialize(NOW, Durations())
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
    http.stored.put_secret(secret.encode(rotation.initialize(there, Durations())))
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
