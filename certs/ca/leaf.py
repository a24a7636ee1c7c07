"""What a replica serves: a leaf of the active CA, made and kept in memory."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from certs.ca import pki
from certs.ca.certificate import Certificate, KeyPair, TrustBundle, encode_pem
from certs.ca.durations import Durations
from certs.ca.secret import State


@dataclass(frozen=True, slots=True)
class Leaf:
    """A serving certificate and those that link it to what API servers trust."""

    pair: KeyPair
    chain: tuple[Certificate, ...]
    """The leaf, then its CA as signed by the one before."""
    ca: Certificate


def sign(state: State, names: Sequence[str], now: datetime, durations: Durations) -> Leaf:
    """Make a leaf of the active CA that clients of the CA before accept as well."""
    leaf, key = pki.sign_leaf(state.active, names, now, durations.leaf, backdate=durations.backdate)
    chain = (leaf, *_cross(state, now))
    return Leaf(KeyPair(encode_pem(chain), key, leaf), chain, state.active.certificate)


def is_due(leaf: Leaf, state: State, now: datetime, durations: Durations) -> bool:
    """Whether another leaf should be served: another CA, another link, or two thirds over.

    Or it was made while the clock ran ahead: unlike a CA's, its replacement is written nowhere.
    """
    if leaf.ca != state.active.certificate or leaf.chain[1:] != _cross(state, now):
        return True
    if now < leaf.chain[0].not_before:
        return True
    # Near the CA's own end a new leaf would end no later.
    gains = leaf.pair.not_after < leaf.ca.not_after
    return gains and now >= leaf.pair.not_after - durations.leaf / 3


def is_accepted(leaf: Leaf, view: TrustBundle, name: str, now: datetime) -> bool:
    """Whether an API server that trusts this view of the bundle takes the leaf."""
    return pki.verify(leaf.chain, view, name, now) is None


def _cross(state: State, now: datetime) -> tuple[Certificate, ...]:
    if state.cross is None or now >= state.cross.not_after:
        return ()
    return (state.cross,)
