import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from certs.ca import pki, rotation
from certs.ca.certificate import Certificate
from certs.ca.durations import Durations
from certs.ca.secret import OldCA, State

NOW = datetime(2030, 1, 1, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
DURATIONS = Durations()
FRESH = rotation.fresh(NOW, DURATIONS)
DUE = NOW + DURATIONS.ca * 2 / 3

Published = Callable[[Certificate], bool]


def everywhere(_certificate: Certificate) -> bool:
    return True


def nowhere(_certificate: Certificate) -> bool:
    return False


def advance(state: State, now: datetime, published: Published = everywhere) -> State:
    return rotation.advance(state, now, published, DURATIONS)


STAGED = advance(FRESH, DUE)
assert STAGED.next is not None
PROMOTED = advance(STAGED, DUE + DAY)


def test_a_ca_is_left_alone_for_two_thirds_of_its_life() -> None:
    assert advance(FRESH, DUE - DAY) is FRESH


def test_then_a_next_one_is_staged_and_not_yet_used() -> None:
    assert STAGED.active == FRESH.active
    assert STAGED.next is not None
    assert STAGED.trust == (FRESH.active.certificate, STAGED.next.certificate)
    assert STAGED.next.certificate.not_after == DUE + DURATIONS.ca


def test_a_next_one_waits_until_it_is_published_everywhere() -> None:
    assert advance(STAGED, DUE + 99 * DAY, nowhere) is STAGED


def test_published_it_becomes_the_active_one_with_the_word_of_the_old_one() -> None:
    assert STAGED.next is not None
    assert PROMOTED.active == STAGED.next
    assert PROMOTED.next is None
    assert PROMOTED.cross is not None
    old = FRESH.active.certificate
    assert pki.is_cross_signed(PROMOTED.cross, PROMOTED.active.certificate, old)
    assert PROMOTED.old == (OldCA(old, DUE + DAY + DURATIONS.leaf + DURATIONS.grace),)


def test_the_old_one_is_trusted_until_its_last_leaf_is_over_and_then_retired() -> None:
    last = DUE + DAY + DURATIONS.leaf + DURATIONS.grace
    assert advance(PROMOTED, last - DAY) is PROMOTED
    after = advance(PROMOTED, last)
    assert after.trust == (PROMOTED.active.certificate,)
    assert after.cross is None
    assert after.retired == (FRESH.active.certificate.fingerprint,)


def test_nothing_is_retired_while_the_new_one_is_missing_somewhere() -> None:
    assert advance(PROMOTED, DUE + 99 * DAY, nowhere) is PROMOTED


@pytest.mark.parametrize("state", [FRESH, STAGED, PROMOTED], ids=["fresh", "staged", "promoted"])
def test_a_clock_that_runs_behind_is_no_reason_to_do_anything(state: State) -> None:
    """Certificates are not yet valid for it; replacing them would never end."""
    long_ago = NOW - 400 * DAY
    assert advance(state, long_ago, nowhere) is state


def test_a_next_one_waits_for_the_day_on_which_it_was_made() -> None:
    """It was made by a clock that ran three hours ahead, and is published everywhere."""
    early = rotation.force(FRESH, NOW + 3 * HOUR, DURATIONS)
    assert advance(early, NOW + 3 * HOUR - MINUTE) is early
    assert advance(early, NOW + 3 * HOUR).active == early.next


@pytest.mark.parametrize("forced", [False, True])
def test_no_old_one_is_let_go_of_while_the_active_one_is_not_yet_valid(*, forced: bool) -> None:
    early = rotation.fresh(NOW + 400 * DAY, DURATIONS).active
    old = OldCA(FRESH.active.certificate, NOW)
    coming = rotation.fresh(NOW + 400 * DAY, DURATIONS).active if forced else None
    state = State(active=early, old=(old,), next=coming, forced=forced)
    assert advance(state, NOW + DAY) is state
    assert old not in advance(state, NOW + 400 * DAY).old


def test_a_next_one_that_would_come_too_late_is_staged_anew_when_one_is_due() -> None:
    late = rotation.force(FRESH, NOW + 500 * DAY, DURATIONS)
    assert advance(late, DUE - DAY) is late
    after = advance(late, DUE)
    assert after.active == FRESH.active
    assert after.next is not None
    assert after.next.certificate.not_before < DUE
    assert after.forced


def test_one_that_is_not_yet_valid_takes_the_place_of_none_that_has_ended() -> None:
    end = FRESH.active.certificate.not_after
    early = rotation.force(FRESH, end + 3 * HOUR, DURATIONS)
    after = advance(early, end)
    assert after.active not in {FRESH.active, early.next}
    assert after.active.certificate.not_before < end


def test_a_ca_that_has_ended_is_replaced_at_once() -> None:
    end = FRESH.active.certificate.not_after
    replaced = advance(FRESH, end, nowhere)
    assert replaced.active != FRESH.active
    assert replaced.active.certificate.not_after == end + DURATIONS.ca


def test_a_staged_one_takes_the_place_of_one_that_has_ended() -> None:
    state = advance(STAGED, FRESH.active.certificate.not_after, nowhere)
    assert state.active == STAGED.next


def test_a_staged_one_that_was_never_published_is_staged_anew_in_the_end() -> None:
    assert STAGED.next is not None
    living = pki.make_ca(NOW, 999 * DAY, backdate=DAY)
    stuck = dataclasses.replace(STAGED, active=living, forced=True)
    after = advance(stuck, STAGED.next.certificate.not_after, nowhere)
    assert after == State(active=living)


def test_a_forced_rotation_lets_go_of_all_keys_that_lay_in_the_secret() -> None:
    assert STAGED.next is not None
    forced = rotation.force(STAGED, NOW, DURATIONS)
    assert forced.next not in {None, STAGED.next}
    assert forced.retired == (STAGED.next.certificate.fingerprint,)

    promoted = advance(forced, NOW)
    assert promoted.old == (OldCA(FRESH.active.certificate, NOW + DURATIONS.publish_wait),)
    assert not promoted.forced


def test_a_forced_rotation_hurries_the_old_ones_as_well() -> None:
    forced = rotation.force(PROMOTED, DUE + 2 * DAY, DURATIONS)
    after = advance(forced, DUE + 2 * DAY)
    soon = DUE + 2 * DAY + DURATIONS.publish_wait
    assert [ca.retire_at for ca in after.old] == [soon, soon]
