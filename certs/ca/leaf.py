"""The serving certificate of a replica: signed by the active CA, kept in memory."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from certs.ca import pki, verification
from certs.ca.certificate import Certificate, KeyPair, TrustBundle, encode_pem
from certs.ca.durations import Durations
from certs.ca.secret import State


@dataclass(frozen=True, slots=True)
class ServingCertificate:
    """A key pair to serve, and the certificates that API servers verify it by."""

    pair: KeyPair
    intermediates: tuple[Certificate, ...]
    """The CA as the one before it has cross-signed it, while that is valid."""
    ca: Certificate


def sign(
    state: State, names: Sequence[str], now: datetime, durations: Durations
) -> ServingCertificate:
    """Sign a leaf of the active CA that clients which trust only the previous CA accept too."""
    leaf, key = pki.sign_leaf(state.active, names, now, durations.leaf, backdate=durations.backdate)
    intermediates = _intermediates(state, now)
    pair = KeyPair(encode_pem((leaf, *intermediates)), key, leaf)
    return ServingCertificate(pair, intermediates, state.active.certificate)


def needs_renewal(
    serving: ServingCertificate, state: State, now: datetime, durations: Durations
) -> bool:
    """Return whether to sign another leaf: the CA has changed, or two thirds of its life are over.

    A leaf that is not valid yet, because the clock ran ahead, is replaced too. That cannot go on
    forever as with a CA: a leaf is not written anywhere.
    """
    if serving.ca != state.active.certificate or serving.intermediates != _intermediates(
        state, now
    ):
        return True
    leaf = serving.pair.leaf
    if now < leaf.not_before:
        return True
    # Close to the end of its CA, a new leaf would not be valid for longer.
    return leaf.not_after < serving.ca.not_after and now >= leaf.not_after - durations.leaf / 3


def is_accepted(serving: ServingCertificate, bundle: TrustBundle, name: str, now: datetime) -> bool:
    """Return whether an API server that trusts this caBundle accepts the certificate."""
    chain = (serving.pair.leaf, *serving.intermediates)
    return verification.verify(chain, bundle, name, now) is None


def _intermediates(state: State, now: datetime) -> tuple[Certificate, ...]:
    if state.cross is None or now >= state.cross.not_after:
        return ()
    return (state.cross,)
