"""Certificates made by hand, into files."""

import os
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from certs.ca import pki
from certs.ca.certificate import Authority, Certificate, parse
from certs.ca.durations import Durations
from webhook.kube.messages import describe_os_error

_CA_LIFE = timedelta(days=3650)
"""Nobody renews a CA that is made by hand, but whoever made it can."""

_BACKDATE = Durations().backdate


class IssueError(Exception):
    """What is in the way of a new certificate; the text names the file."""


def issue(
    directory: Path, names: Sequence[str], now: datetime, life: timedelta, *, replace: bool
) -> Certificate:
    """Write tls.crt and tls.key, signed by the CA of ca.crt and ca.key, which is made if absent.

    Raises IssueError.
    """
    cert = directory / "tls.crt"
    if cert.exists() and not replace:
        raise IssueError(f"'{cert}' is there already; try --force")
    try:
        directory.mkdir(parents=True, exist_ok=True)
        ca = _authority(directory, now)
        leaf, key = pki.sign_leaf(ca, names, now, life, backdate=_BACKDATE)
        _write(directory / "tls.key", key)
        _write(cert, leaf.pem)
    except OSError as error:
        reason = describe_os_error(error)
        raise IssueError(f"'{error.filename}': {reason}") from None
    except ValueError as error:
        raise IssueError(str(error)) from None
    return leaf


def _authority(directory: Path, now: datetime) -> Authority:
    cert, key = directory / "ca.crt", directory / "ca.key"
    if not cert.exists():
        made = pki.make_ca(now, _CA_LIFE, backdate=_BACKDATE)
        _write(key, made.key)
        _write(cert, made.certificate.pem)
        return made
    found = parse(cert.read_bytes())
    if not found:
        raise IssueError(f"'{cert}': no certificate, expected '-----BEGIN CERTIFICATE-----'")
    authority = Authority(found[0], key.read_bytes())
    fault = pki.check_authority(authority)
    if fault:
        raise IssueError(f"'{cert}', '{key}': {fault}")
    if now >= found[0].not_after:
        raise IssueError(f"'{cert}': expired at {found[0].not_after.isoformat()}; move it away")
    return authority


def _write(path: Path, content: bytes) -> None:
    """Write whole or not at all, and what is a key for its owner only."""
    fresh = path.with_name(f".{path.name}.new")
    mode = 0o600 if path.suffix == ".key" else 0o644
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
    fresh.replace(path)
