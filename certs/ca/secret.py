"""The rotation state, and its encoding as the `data` of the CA's Secret.

    ca.crt, ca.key       the active CA, which signs
    next.crt, next.key   the next CA, published and not used yet
    state.json           the old CAs, the cross-signed active CA, fingerprints of retired CAs

The chart ships the Secret without `data`, so Helm and Argo CD have nothing to compare or restore.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from certs.ca import verification
from certs.ca.certificate import Authority, Certificate, TrustBundle, parse_pem
from webhook.kube.objects import Json

ACTIVE, NEXT, STATE_JSON = "ca", "next", "state.json"
KEYS = (f"{ACTIVE}.crt", f"{ACTIVE}.key", f"{NEXT}.crt", f"{NEXT}.key", STATE_JSON)
"""The keys of the Secret that are written; other keys are kept unchanged."""


class SecretError(ValueError):
    """A Secret whose content cannot be used; the text has the key and the reason."""


@dataclass(frozen=True, slots=True)
class OldCA:
    """A CA that no longer signs, and is trusted until its last leaf has expired."""

    certificate: Certificate
    retire_at: datetime


@dataclass(frozen=True, slots=True)
class State:
    """The CAs of an installation."""

    active: Authority
    next: Authority | None = None
    forced: bool = False
    """`next` replaces an active CA whose key may be compromised."""
    cross: Certificate | None = None
    """The active CA, cross-signed by the newest of `old`."""
    old: tuple[OldCA, ...] = ()
    """Newest first."""
    retired: tuple[str, ...] = ()
    """Fingerprints of CAs to remove from every caBundle, newest first."""

    @property
    def trust(self) -> TrustBundle:
        """The certificates that every caBundle must hold."""
        staged = () if self.next is None else (self.next.certificate,)
        return (self.active.certificate, *staged, *(ca.certificate for ca in self.old))


class _OldCAJson(msgspec.Struct, rename="camel"):
    certificate: str
    retire_at: datetime


class _StateJson(msgspec.Struct, rename="camel"):
    """The content of `state.json`; fields of later versions are ignored."""

    old: list[_OldCAJson] = []
    cross: str = ""
    retired: list[str] = []
    forced: bool = False


def encode(state: State) -> dict[str, str]:
    """Return the Secret's `data`: base64 values under `KEYS`."""
    state_json = _StateJson(
        old=[_OldCAJson(_encode(ca.certificate), ca.retire_at) for ca in state.old],
        cross=_encode(state.cross) if state.cross else "",
        retired=list(state.retired),
        forced=state.forced,
    )
    values = {
        **_encode_authority(ACTIVE, state.active),
        STATE_JSON: msgspec.json.encode(state_json),
    }
    if state.next is not None:
        values |= _encode_authority(NEXT, state.next)
    return {key: base64.b64encode(value).decode("ascii") for key, value in values.items()}


def store(state: State, secret: Json) -> Json:
    """Return the Secret with this state as its content; keys of other clients are kept."""
    data = secret.get("data") or {}
    kept = {key: value for key, value in data.items() if key not in KEYS}
    return {**secret, "data": {**kept, **encode(state)}}


def decode(data: Mapping[str, str] | None) -> State | None:
    """Read the state from a Secret's `data`; None if it has none of `KEYS`.

    Raises SecretError if the active CA or state.json cannot be used. A damaged `next` or cross
    certificate is ignored, because both are made again when needed. So is a damaged old CA,
    because the API server would refuse a caBundle that contains it.
    """
    encoded = {key: value for key, value in (data or {}).items() if key in KEYS and value}
    values = {key: _decode_base64(key, value) for key, value in encoded.items()}
    if not values:
        return None
    try:
        state_json = msgspec.json.decode(values.get(STATE_JSON) or b"{}", type=_StateJson)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise SecretError(f"{STATE_JSON}: {error}") from None
    active = _decode_authority(ACTIVE, values)
    old = tuple(ca for each in state_json.old if (ca := _decode_old_ca(each)) is not None)
    try:
        staged = _decode_authority(NEXT, values)
    except SecretError:
        staged = None
    return State(
        active=active,
        next=staged,
        forced=state_json.forced and staged is not None,
        cross=_decode_cross_certificate(state_json.cross, active.certificate, old),
        old=old,
        retired=tuple(state_json.retired),
    )


def _encode_authority(name: str, ca: Authority) -> dict[str, bytes]:
    return {f"{name}.crt": ca.certificate.pem, f"{name}.key": ca.key}


def _encode(certificate: Certificate) -> str:
    return certificate.pem.decode("ascii")


def _decode_base64(key: str, value: str) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise SecretError(f"{key}: expected base64") from None


def _decode_authority(name: str, values: Mapping[str, bytes]) -> Authority:
    found = parse_pem(values.get(f"{name}.crt", b""))
    if len(found) != 1:
        raise SecretError(f"{name}.crt: expected one certificate in PEM, found {len(found)}")
    authority = Authority(found[0], values.get(f"{name}.key", b""))
    error = verification.check_authority(authority)
    if error:
        raise SecretError(f"{name}.crt, {name}.key: {error}")
    return authority


def _decode_old_ca(ca: _OldCAJson) -> OldCA | None:
    found = parse_pem(ca.certificate.encode())
    if len(found) != 1 or verification.check_ca(found[0]):
        return None
    retire_at = ca.retire_at if ca.retire_at.tzinfo else ca.retire_at.replace(tzinfo=UTC)
    return OldCA(found[0], retire_at)


def _decode_cross_certificate(
    pem: str, active: Certificate, old: tuple[OldCA, ...]
) -> Certificate | None:
    found = parse_pem(pem.encode())
    if (
        len(found) == 1
        and old
        and verification.is_cross_signed(found[0], active, old[0].certificate)
    ):
        return found[0]
    return None
