from datetime import UTC, datetime, timedelta

from certs.bundle.bundle_history import Views, may_replace
from certs.ca import pki
from certs.ca.certificate import TrustBundle

NOW = datetime(2030, 1, 1, tzinfo=UTC)
A, B = (pki.make_ca(NOW, timedelta(days=1), backdate=timedelta(hours=1)) for _ in range(2))
BOTH: TrustBundle = (A.certificate, B.certificate)
ONLY_A: TrustBundle = (A.certificate,)


def test_before_the_first_look_nothing_is_known() -> None:
    views = Views(60)
    assert not views.known
    assert views.latest() == ()
    assert views.within(0, at=0) is None


def test_a_certificate_has_been_held_when_all_looks_of_a_whole_window_found_it() -> None:
    views = Views(60)
    views.record([BOTH, BOTH], at=0)
    views.record([BOTH, BOTH], at=59)
    assert not views.have_held(A.certificate, at=59)
    views.record([BOTH, BOTH], at=60)
    assert views.have_held(A.certificate, at=60)


def test_one_bundle_without_it_starts_the_wait_again() -> None:
    views = Views(60)
    views.record([BOTH, BOTH], at=0)
    views.record([BOTH, ONLY_A], at=30)
    views.record([BOTH, BOTH], at=40)
    assert views.have_held(A.certificate, at=60)
    assert not views.have_held(B.certificate, at=100)
    views.record([BOTH, BOTH], at=101)
    assert views.have_held(B.certificate, at=101)


def test_what_was_there_at_the_last_look_may_have_been_there_until_this_one() -> None:
    views = Views(60)
    views.record([ONLY_A], at=0)
    views.record([BOTH], at=1000)
    assert set(views.all()) == {ONLY_A, BOTH}
    assert views.within(10, at=1005) == (ONLY_A, BOTH)
    assert views.within(10, at=1011) == (BOTH,)


def test_a_chain_may_follow_another_unless_a_view_takes_that_one_only() -> None:
    def accepts(chain: str, view: TrustBundle) -> bool:
        return {"a": A, "b": B}[chain].certificate in view

    views = Views(60)
    views.record([(), BOTH], at=0)
    assert may_replace("a", "b", views, accepts)
    views.record([ONLY_A, BOTH], at=1)
    assert not may_replace("a", "b", views, accepts)
    assert may_replace("b", "a", views, accepts)
