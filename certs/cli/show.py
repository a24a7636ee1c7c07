"""Descriptions of certificates, for `certs show`; pure, lines of text."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from certs.bundle.publisher import decode_bundles
from certs.ca import verification
from certs.ca.certificate import Certificate, parse_blocks, parse_pem_as_go
from certs.ca.secret import State
from webhook.kube.objects import Json


def describe_file(content: bytes, now: datetime) -> Iterator[str]:
    """Describe the certificates in a PEM file."""
    blocks = parse_blocks(content)
    if not blocks:
        yield "no certificate"
    for certificate in blocks:
        if isinstance(certificate, str):
            yield certificate
            continue
        try:
            description = verification.describe(certificate)
        except verification.PkiError as error:
            yield f"{error}"
            continue
        yield f"{description.subject}"
        if description.issuer != description.subject:
            yield f"  signed by  {description.issuer}"
        if description.names:
            yield f"  names      {', '.join(description.names)}"
        yield f"  valid      {_describe_validity(certificate, now)}"
        yield f"  SHA-256    {certificate.fingerprint}"


def describe_secret(state: State | None, now: datetime) -> Iterator[str]:
    """Describe the CAs in the Secret."""
    if state is None:
        yield "empty: the first replica makes the CA"
        return
    yield _describe_ca("active", state.active.certificate, now)
    if state.next is not None:
        forced = "forced; " if state.forced else ""
        line = _describe_ca("next", state.next.certificate, now)
        yield f"{line}; {forced}published, not yet used"
    for ca in state.old:
        line = _describe_ca("old", ca.certificate, now)
        yield f"{line}; trusted until {_format_time(ca.retire_at)}"


def describe_configuration(configuration: Json, state: State | None) -> Iterator[str]:
    """Describe which of the CAs the caBundle of each webhook holds."""
    webhooks = configuration.get("webhooks") or ()
    for webhook, pem in zip(webhooks, decode_bundles(configuration), strict=True):
        cas = _describe_roles(parse_pem_as_go(pem), state)
        yield f"{webhook['name']}: {', '.join(cas) or 'empty'}"


def _describe_roles(certificates: Iterable[Certificate], state: State | None) -> Iterator[str]:
    roles: dict[str, str] = {}
    if state is not None:
        roles = {ca.certificate.fingerprint: "old" for ca in state.old}
        roles |= dict.fromkeys(state.retired, "retired")
        roles[state.active.certificate.fingerprint] = "active"
        if state.next is not None:
            roles[state.next.certificate.fingerprint] = "next"
    for certificate in certificates:
        yield f"{roles.get(certificate.fingerprint, 'other')} {certificate.fingerprint[:12]}"


def _describe_ca(role: str, certificate: Certificate, now: datetime) -> str:
    return f"{role:<8}{certificate.fingerprint[:12]}  {_describe_validity(certificate, now)}"


def _describe_validity(certificate: Certificate, now: datetime) -> str:
    span = f"{_format_time(certificate.not_before)} to {_format_time(certificate.not_after)}"
    if now >= certificate.not_after:
        return f"{span}, expired"
    if now < certificate.not_before:
        return f"{span}, not yet valid"
    return f"{span}, {_format_duration(certificate.not_after - now)} left"


def _format_duration(duration: timedelta) -> str:
    for unit, length in (("days", timedelta(days=1)), ("hours", timedelta(hours=1))):
        if duration >= 2 * length:
            return f"{duration // length} {unit}"
    return f"{duration // timedelta(minutes=1)} minutes"


def _format_time(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M} UTC"
