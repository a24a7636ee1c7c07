"""What the CA's Secret holds, and its two forms: values here, `data` in the Secret.

    ca.crt, ca.key       the CA that signs
    next.crt, next.key   the one after it, published and not yet used
    state.json           the ones before it, who vouches for the active one, what is retired

The chart ships the Secret without `data`, so that nothing that deploys it has anything to
restore or to compare.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from certs.ca import pki
from certs.ca.certificate import Authority, Certificate, parse_pem
from webhook.kube.objects import Json

CA, NEXT, STATE = "ca", "next", "state.json"
KEYS = (f"{CA}.crt", f"{CA}.key", f"{NEXT}.crt", f"{NEXT}.key", STATE)
"""All keys that are ours; others in the Secret are left alone."""


class SecretError(ValueError):
    """A Secret whose content cannot be used; the text says which key and why."""


@dataclass(frozen=True, slots=True)
class OldCA:
    """A CA that signs no more and is trusted until every leaf of it is gone."""

    certificate: Certificate
    retire_at: datetime


@dataclass(frozen=True, slots=True)
class State:
    """The CAs of an installation."""

    active: Authority
    next: Authority | None = None
    forced: bool = False
    """Whether `next` is there because the active key can no longer be trusted."""
    cross: Certificate | None = None
    """The active CA, signed by the newest of `old`."""
    old: tuple[OldCA, ...] = ()
    """Newest first."""
    retired: tuple[str, ...] = ()
    """Fingerprints that leave every bundle, newest first."""

    @property
    def trust(self) -> tuple[Certificate, ...]:
        """Every certificate that a bundle must hold."""
        coming = () if self.next is None else (self.next.certificate,)
        return (self.active.certificate, *coming, *(ca.certificate for ca in self.old))


class _Old(msgspec.Struct, rename="camel"):
    certificate: str
    retire_at: datetime


class _Rest(msgspec.Struct, rename="camel"):
    """`state.json`; fields that a later version adds are passed over."""

    old: list[_Old] = []
    cross: str = ""
    retired: list[str] = []
    forced: bool = False


def encode(state: State) -> dict[str, str]:
    """Return the Secret's `data`: base64 values under the keys of `KEYS`."""
    rest = _Rest(
        old=[_Old(_text(ca.certificate), ca.retire_at) for ca in state.old],
        cross=_text(state.cross) if state.cross else "",
        retired=list(state.retired),
        forced=state.forced,
    )
    plain = {**_plain(CA, state.active), STATE: msgspec.json.encode(rest)}
    if state.next is not None:
        plain |= _plain(NEXT, state.next)
    return {key: base64.b64encode(value).decode("ascii") for key, value in plain.items()}


def put(state: State, found: Json) -> Json:
    """Return the Secret `found` with this state in it; all that is not ours stays as it is."""
    data = found.get("data") or {}
    others = {key: value for key, value in data.items() if key not in KEYS}
    return {**found, "data": {**others, **encode(state)}}


def decode(data: Mapping[str, str] | None) -> State | None:
    """Read a Secret's `data`; None where it holds nothing of ours.

    SecretError where the active CA or the state cannot be used. A damaged `next` or cross
    certificate is passed over, for both are made again when they are needed; a damaged old CA
    too, because to publish it would have the API server refuse the whole bundle.
    """
    given = {key: value for key, value in (data or {}).items() if key in KEYS and value}
    plain = {key: _bytes(key, value) for key, value in given.items()}
    if not plain:
        return None
    try:
        rest = msgspec.json.decode(plain.get(STATE) or b"{}", type=_Rest)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise SecretError(f"{STATE}: {error}") from None
    active = _authority(CA, plain)
    old = tuple(found for ca in rest.old if (found := _old(ca)) is not None)
    try:
        coming = _authority(NEXT, plain)
    except SecretError:
        coming = None
    return State(
        active=active,
        next=coming,
        forced=rest.forced and coming is not None,
        cross=_cross(rest.cross, active.certificate, old),
        old=old,
        retired=tuple(rest.retired),
    )


def _plain(name: str, ca: Authority) -> dict[str, bytes]:
    return {f"{name}.crt": ca.certificate.pem, f"{name}.key": ca.key}


def _text(certificate: Certificate) -> str:
    return certificate.pem.decode("ascii")


def _bytes(key: str, value: str) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise SecretError(f"{key}: expected base64") from None


def _authority(name: str, plain: Mapping[str, bytes]) -> Authority:
    found = parse_pem(plain.get(f"{name}.crt", b""))
    if len(found) != 1:
        raise SecretError(f"{name}.crt: expected one certificate in PEM, found {len(found)}")
    authority = Authority(found[0], plain.get(f"{name}.key", b""))
    fault = pki.check_authority(authority)
    if fault:
        raise SecretError(f"{name}.crt, {name}.key: {fault}")
    return authority


def _old(ca: _Old) -> OldCA | None:
    found = parse_pem(ca.certificate.encode())
    if len(found) != 1 or pki.check_ca(found[0]):
        return None
    at = ca.retire_at if ca.retire_at.tzinfo else ca.retire_at.replace(tzinfo=UTC)
    return OldCA(found[0], at)


def _cross(pem: str, active: Certificate, old: tuple[OldCA, ...]) -> Certificate | None:
    found = parse_pem(pem.encode())
    if len(found) == 1 and old and pki.is_cross_signed(found[0], active, old[0].certificate):
        return found[0]
    return None
