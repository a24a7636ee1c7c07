"""Certificates as text for people. Nothing here looks at a clock or a cluster."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from certs.bundle.publisher import bundles
from certs.ca import pki
from certs.ca.certificate import Certificate, parse_blocks, parse_pem_as_go
from certs.ca.secret import State
from webhook.kube.objects import Json


def of_file(content: bytes, now: datetime) -> Iterator[str]:
    """Describe the certificates of a PEM file."""
    blocks = parse_blocks(content)
    if not blocks:
        yield "no certificate"
    for certificate in blocks:
        if isinstance(certificate, str):
            yield certificate
            continue
        try:
            about = pki.describe(certificate)
        except pki.PkiError as error:
            yield f"{error}"
            continue
        yield f"{about.subject}"
        if about.issuer != about.subject:
            yield f"  signed by  {about.issuer}"
        if about.names:
            yield f"  names      {', '.join(about.names)}"
        yield f"  valid      {_span(certificate, now)}"
        yield f"  SHA-256    {certificate.fingerprint}"


def of_secret(state: State | None, now: datetime) -> Iterator[str]:
    """Describe the CAs that a Secret holds."""
    if state is None:
        yield "empty: the first replica makes the CA"
        return
    yield _line("active", state.active.certificate, now)
    if state.next is not None:
        why = "forced; " if state.forced else ""
        yield _line("next", state.next.certificate, now) + f"; {why}published, not yet used"
    for ca in state.old:
        yield _line("old", ca.certificate, now) + f"; trusted until {_time(ca.retire_at)}"


def of_configuration(configuration: Json, state: State | None) -> Iterator[str]:
    """Say for each webhook which of the CAs its bundle holds."""
    webhooks = configuration.get("webhooks") or ()
    for webhook, pem in zip(webhooks, bundles(configuration), strict=True):
        held = parse_pem_as_go(pem)
        yield f"{webhook['name']}: {', '.join(_roles(held, state)) or 'empty'}"


def _roles(held: Iterable[Certificate], state: State | None) -> Iterator[str]:
    roles: dict[str, str] = {}
    if state is not None:
        roles = {ca.certificate.fingerprint: "old" for ca in state.old}
        roles |= dict.fromkeys(state.retired, "retired")
        roles[state.active.certificate.fingerprint] = "active"
        if state.next is not None:
            roles[state.next.certificate.fingerprint] = "next"
    for certificate in held:
        yield f"{roles.get(certificate.fingerprint, 'other')} {certificate.fingerprint[:12]}"


def _line(role: str, certificate: Certificate, now: datetime) -> str:
    return f"{role:<8}{certificate.fingerprint[:12]}  {_span(certificate, now)}"


def _span(certificate: Certificate, now: datetime) -> str:
    span = f"{_time(certificate.not_before)} to {_time(certificate.not_after)}"
    if now >= certificate.not_after:
        return f"{span}, expired"
    if now < certificate.not_before:
        return f"{span}, not yet valid"
    return f"{span}, {_left(certificate.not_after - now)} left"


def _left(left: timedelta) -> str:
    for unit, length in (("days", timedelta(days=1)), ("hours", timedelta(hours=1))):
        if left >= 2 * length:
            return f"{left // length} {unit}"
    return f"{left // timedelta(minutes=1)} minutes"


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
