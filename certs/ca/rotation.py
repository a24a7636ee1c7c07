"""When a CA follows another: the Secret's state and a time give the next state.

A new CA is staged and published; it is used when every bundle has been seen with it for
`publish_wait`; the old one then stays trusted until no leaf of it can be left. Every replica
runs this on what it has just read, and writes back with the `resourceVersion` it read, so
whoever comes second finds the work done.

Dates that lie ahead are no reason to do anything: a clock that runs behind sees certificates
that are not yet valid, and would replace them for ever. They are a reason to wait: a CA that
a clock made which ran ahead is good for nobody until its day has come.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from certs.ca import pki
from certs.ca.certificate import Authority, Certificate
from certs.ca.durations import Durations
from certs.ca.secret import OldCA, State

_REMEMBERED = 20
"""Fingerprints of retired CAs that are kept: more than a bundle can hold."""


def fresh(now: datetime, durations: Durations) -> State:
    """Make the state of an installation that has none."""
    return State(active=_make(now, durations))


def force(state: State, now: datetime, durations: Durations) -> State:
    """Stage a new CA because a key in the Secret may be known to others.

    A `next` that was staged lay beside that key, so it goes too.
    """
    staged = replace(state, next=_make(now, durations), forced=True)
    return staged if state.next is None else _retire(staged, [state.next.certificate])


def advance(
    state: State, now: datetime, published: Callable[[Certificate], bool], durations: Durations
) -> State:
    """Return the state that follows, or `state` itself where nothing is due.

    `published` says whether every bundle has held a certificate for `publish_wait`.
    """
    state = _drop(state, now, published)
    state = _promote(state, now, published, durations)
    return _stage(state, now, durations)


def _drop(state: State, now: datetime, published: Callable[[Certificate], bool]) -> State:
    """Let go of old CAs that are over, and of a `next` that was never used."""
    if state.next is not None and now >= state.next.certificate.not_after:
        state = replace(state, next=None, forced=False)
    active = state.active.certificate
    if not state.old or now < active.not_before or not published(active):
        return state
    over = [ca for ca in state.old if now >= min(ca.retire_at, ca.certificate.not_after)]
    if not over:
        return state
    kept = tuple(ca for ca in state.old if ca not in over)
    # The cross certificate is the newest old CA's word, and worth nothing without it.
    cross = None if state.old[0] in over else state.cross
    return _retire(replace(state, old=kept, cross=cross), [ca.certificate for ca in over])


def _promote(
    state: State, now: datetime, published: Callable[[Certificate], bool], durations: Durations
) -> State:
    """Let `next` sign. An active CA that has ended is worth waiting for no longer."""
    coming, active = state.next, state.active
    # Not when it is just valid: the clocks of API servers differ a little.
    if coming is None or now < _made(coming, durations):
        return state
    if now >= active.certificate.not_after:
        return State(active=coming, old=state.old, retired=state.retired)
    if not published(coming.certificate):
        return state
    wait = durations.publish_wait if state.forced else durations.leaf + durations.grace
    old = (OldCA(active.certificate, now + wait), *state.old)
    if state.forced:
        old = tuple(replace(ca, retire_at=min(ca.retire_at, now + wait)) for ca in old)
    return State(
        active=coming,
        cross=pki.cross_sign(coming.certificate, active),
        old=old,
        retired=state.retired,
    )


def _stage(state: State, now: datetime, durations: Durations) -> State:
    end = state.active.certificate.not_after
    if now >= end:
        return State(active=_make(now, durations), old=state.old, retired=state.retired)
    # One that a clock made which ran far ahead would come too late to follow.
    coming = state.next is not None and _made(state.next, durations) < end
    if not coming and now >= end - durations.ca / 3:
        return replace(state, next=_make(now, durations))
    return state


def _retire(state: State, certificates: list[Certificate]) -> State:
    named = (*(certificate.fingerprint for certificate in certificates), *state.retired)
    return replace(state, retired=named[:_REMEMBERED])


def _made(ca: Authority, durations: Durations) -> datetime:
    return ca.certificate.not_before + durations.backdate


def _make(now: datetime, durations: Durations) -> Authority:
    return pki.make_ca(now, durations.ca, backdate=durations.backdate)
