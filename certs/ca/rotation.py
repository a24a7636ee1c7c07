"""CA rotation: the state in the Secret and the time give the next state.

A new CA is staged and published. It becomes the active one when every caBundle has held it for
`publish_wait`, and the old one stays trusted until no leaf of it can be valid. Every replica
runs this on the state that it has just read and writes the result with the `resourceVersion`
that it read, so that of two replicas one gets a conflict and reads the other's result.

A certificate that is not valid yet is never a reason to replace it: a replica whose clock runs
behind would replace every certificate, forever. It is a reason to wait: a CA made while a clock
ran ahead is not used before its own time of creation.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from certs.ca import pki
from certs.ca.certificate import Authority, Certificate
from certs.ca.durations import Durations
from certs.ca.secret import OldCA, State

_MAX_RETIRED_FINGERPRINTS = 20
"""Retired CAs to remember: more than a caBundle can hold."""


def initialize(now: datetime, durations: Durations) -> State:
    """Return the state of a new installation, with a new CA."""
    return State(active=_make_ca(now, durations))


def force(state: State, now: datetime, durations: Durations) -> State:
    """Stage a new CA because the private keys in the Secret may be compromised.

    A CA that is staged already is replaced: its key was in the same Secret.
    """
    staged = replace(state, next=_make_ca(now, durations), forced=True)
    return staged if state.next is None else _retire(staged, [state.next.certificate])


def advance(
    state: State,
    now: datetime,
    is_published: Callable[[Certificate], bool],
    durations: Durations,
) -> State:
    """Return the next state, or `state` itself if no step is due.

    `is_published` returns whether every caBundle has held a certificate for `publish_wait`.
    """
    state = _drop_expired(state, now, is_published)
    state = _promote(state, now, is_published, durations)
    return _stage(state, now, durations)


def _drop_expired(
    state: State, now: datetime, is_published: Callable[[Certificate], bool]
) -> State:
    """Drop old CAs whose time is over, and a `next` that expired before it was used."""
    if state.next is not None and now >= state.next.certificate.not_after:
        state = replace(state, next=None, forced=False)
    active = state.active.certificate
    if not state.old or now < active.not_before or not is_published(active):
        return state
    expired = [ca for ca in state.old if now >= min(ca.retire_at, ca.certificate.not_after)]
    if not expired:
        return state
    kept = tuple(ca for ca in state.old if ca not in expired)
    # The newest old CA signed the cross certificate, which is useless without it.
    cross = None if state.old[0] in expired else state.cross
    return _retire(replace(state, old=kept, cross=cross), [ca.certificate for ca in expired])


def _promote(
    state: State,
    now: datetime,
    is_published: Callable[[Certificate], bool],
    durations: Durations,
) -> State:
    """Make `next` the active CA when it is published, or when the active one has expired."""
    new, active = state.next, state.active
    # Not as soon as it is valid: the clocks of API servers differ a little.
    if new is None or now < _creation_time(new, durations):
        return state
    if now >= active.certificate.not_after:
        return State(active=new, old=state.old, retired=state.retired)
    if not is_published(new.certificate):
        return state
    wait = durations.publish_wait if state.forced else durations.leaf + durations.grace
    old = (OldCA(active.certificate, now + wait), *state.old)
    if state.forced:
        old = tuple(replace(ca, retire_at=min(ca.retire_at, now + wait)) for ca in old)
    return State(
        active=new,
        cross=pki.cross_sign(new.certificate, active),
        old=old,
        retired=state.retired,
    )


def _stage(state: State, now: datetime, durations: Durations) -> State:
    """Make a `next` CA in the last third of the active one, and replace an expired active CA."""
    end = state.active.certificate.not_after
    if now >= end:
        return State(active=_make_ca(now, durations), old=state.old, retired=state.retired)
    # A `next` made while a clock ran far ahead could only be used after the active CA's end.
    in_time = state.next is not None and _creation_time(state.next, durations) < end
    if not in_time and now >= end - durations.ca / 3:
        return replace(state, next=_make_ca(now, durations))
    return state


def _retire(state: State, certificates: list[Certificate]) -> State:
    retired = (*(certificate.fingerprint for certificate in certificates), *state.retired)
    return replace(state, retired=retired[:_MAX_RETIRED_FINGERPRINTS])


def _creation_time(ca: Authority, durations: Durations) -> datetime:
    return ca.certificate.not_before + durations.backdate


def _make_ca(now: datetime, durations: Durations) -> Authority:
    return pki.make_ca(now, durations.ca, backdate=durations.backdate)
