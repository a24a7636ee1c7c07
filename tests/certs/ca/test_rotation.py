import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from certs.ca import pki, rotation, verification
from certs.ca.certificate import Certificate
from certs.ca.durations import Durations
from certs.ca.secret import OldCA, State

NOW = datetime(2030, 1, 1, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
DURATIONS = Durations()
FRESH = rotation.initialize(NOW, DURATIONS)
DUE = NOW + DURATIONS.ca * 2 / 3


def everywhere(_certificate: Certificate) -> bool:
    return True


def nowhere(_certificate: Certificate) -> bool:
    return False


def advance(
    state: State, now: datetime, is_published: Callable[[Certificate], bool] = everywhere
) -> State:
    return rotation.advance(state, now, is_published, DURATIONS)


STAGED = advance(FRESH, DUE)
assert STAGED.next is not None
PROMOTED = advance(STAGED, DUE + DAY)


def test_a_ca_is_kept_for_two_thirds_of_its_lifetime() -> None:
    assert advance(FRESH, DUE - DAY) is FRESH


def test_after_two_thirds_a_next_ca_is_staged_but_not_used() -> None:
    assert STAGED.active == FRESH.active
    assert STAGED.next is not None
    assert STAGED.trust == (FRESH.active.certificate, STAGED.next.certificate)
    assert STAGED.next.certificate.not_after == DUE + DURATIONS.ca


def test_a_staged_ca_waits_until_it_is_published_everywhere() -> None:
    assert advance(STAGED, DUE + 99 * DAY, nowhere) is STAGED


def test_a_published_ca_becomes_active_cross_signed_by_the_old_one() -> None:
    assert STAGED.next is not None
    assert PROMOTED.active == STAGED.next
    assert PROMOTED.next is None
    assert PROMOTED.cross is not None
    old = FRESH.active.certificate
    assert verification.is_cross_signed(PROMOTED.cross, PROMOTED.active.certificate, old)
    assert PROMOTED.old == (OldCA(old, DUE + DAY + DURATIONS.leaf + DURATIONS.grace),)


def test_the_old_ca_is_trusted_until_its_last_leaf_has_expired_and_then_retired() -> None:
    last = DUE + DAY + DURATIONS.leaf + DURATIONS.grace
    assert advance(PROMOTED, last - DAY) is PROMOTED
    after = advance(PROMOTED, last)
    assert after.trust == (PROMOTED.active.certificate,)
    assert after.cross is None
    assert after.retired == (FRESH.active.certificate.fingerprint,)


def test_no_ca_is_retired_while_the_active_one_is_missing_somewhere() -> None:
    assert advance(PROMOTED, DUE + 99 * DAY, nowhere) is PROMOTED


@pytest.mark.parametrize("state", [FRESH, STAGED, PROMOTED], ids=["fresh", "staged", "promoted"])
def test_a_clock_that_runs_behind_changes_nothing(state: State) -> None:
    """By that clock no certificate is valid yet; it would replace them forever."""
    long_ago = NOW - 400 * DAY
    assert advance(state, long_ago, nowhere) is state


def test_a_staged_ca_is_not_used_before_its_creation_time() -> None:
    """It was made while the clock ran three hours ahead, and is published everywhere."""
    early = rotation.force(FRESH, NOW + 3 * HOUR, DURATIONS)
    assert advance(early, NOW + 3 * HOUR - MINUTE) is early
    assert advance(early, NOW + 3 * HOUR).active == early.next


@pytest.mark.parametrize("forced", [False, True])
def test_old_cas_are_kept_while_the_active_one_is_not_yet_valid(*, forced: bool) -> None:
    early = rotation.initialize(NOW + 400 * DAY, DURATIONS).active
    old = OldCA(FRESH.active.certificate, NOW)
    staged = rotation.initialize(NOW + 400 * DAY, DURATIONS).active if forced else None
    state = State(active=early, old=(old,), next=staged, forced=forced)
    assert advance(state, NOW + DAY) is state
    assert old not in advance(state, NOW + 400 * DAY).old


def test_a_staged_ca_with_a_creation_time_after_the_active_ones_expiry_is_replaced() -> None:
    late = rotation.force(FRESH, NOW + 500 * DAY, DURATIONS)
    assert advance(late, DUE - DAY) is late
    after = advance(late, DUE)
    assert after.active == FRESH.active
    assert after.next is not None
    assert after.next.certificate.not_before < DUE
    assert after.forced


def test_a_staged_ca_that_is_not_yet_valid_does_not_replace_an_expired_one() -> None:
    end = FRESH.active.certificate.not_after
    early = rotation.force(FRESH, end + 3 * HOUR, DURATIONS)
    after = advance(early, end)
    assert after.active not in {FRESH.active, early.next}
    assert after.active.certificate.not_before < end


def test_an_expired_ca_is_replaced_immediately() -> None:
    end = FRESH.active.certificate.not_after
    replaced = advance(FRESH, end, nowhere)
    assert replaced.active != FRESH.active
    assert replaced.active.certificate.not_after == end + DURATIONS.ca


def test_a_staged_ca_replaces_an_expired_one() -> None:
    state = advance(STAGED, FRESH.active.certificate.not_after, nowhere)
    assert state.active == STAGED.next


def test_a_staged_ca_that_expires_before_it_is_published_is_dropped() -> None:
    assert STAGED.next is not None
    active = pki.make_ca(NOW, 999 * DAY, backdate=DAY)
    stuck = dataclasses.replace(STAGED, active=active, forced=True)
    after = advance(stuck, STAGED.next.certificate.not_after, nowhere)
    assert after == State(active=active)


def test_a_forced_rotation_replaces_every_key_in_the_secret() -> None:
    assert STAGED.next is not None
    forced = rotation.force(STAGED, NOW, DURATIONS)
    assert forced.next not in {None, STAGED.next}
    assert forced.retired == (STAGED.next.certificate.fingerprint,)

    promoted = advance(forced, NOW)
    assert promoted.old == (OldCA(FRESH.active.certificate, NOW + DURATIONS.publish_wait),)
    assert not promoted.forced


def test_a_forced_rotation_retires_older_cas_early_too() -> None:
    forced = rotation.force(PROMOTED, DUE + 2 * DAY, DURATIONS)
    after = advance(forced, DUE + 2 * DAY)
    soon = DUE + 2 * DAY + DURATIONS.publish_wait
    assert [ca.retire_at for ca in after.old] == [soon, soon]
