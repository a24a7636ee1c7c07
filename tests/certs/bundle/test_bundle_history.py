from datetime import UTC, datetime, timedelta

from certs.bundle.bundle_history import BundleHistory
from certs.ca import pki
from certs.ca.certificate import TrustBundle

NOW = datetime(2030, 1, 1, tzinfo=UTC)
A, B = (pki.make_ca(NOW, timedelta(days=1), backdate=timedelta(hours=1)) for _ in range(2))
BOTH: TrustBundle = (A.certificate, B.certificate)
ONLY_A: TrustBundle = (A.certificate,)


def test_before_the_first_read_the_history_is_empty() -> None:
    history = BundleHistory(60)
    assert history.is_empty
    assert history.latest() == ()
    assert history.within(0, at=0) is None


def test_a_certificate_was_always_held_after_a_window_in_which_every_bundle_held_it() -> None:
    history = BundleHistory(60)
    history.record([BOTH, BOTH], at=0)
    history.record([BOTH, BOTH], at=59)
    assert not history.always_held(A.certificate, at=59)
    history.record([BOTH, BOTH], at=60)
    assert history.always_held(A.certificate, at=60)


def test_one_bundle_without_it_restarts_the_window() -> None:
    history = BundleHistory(60)
    history.record([BOTH, BOTH], at=0)
    history.record([BOTH, ONLY_A], at=30)
    history.record([BOTH, BOTH], at=40)
    assert history.always_held(A.certificate, at=60)
    assert not history.always_held(B.certificate, at=100)
    history.record([BOTH, BOTH], at=101)
    assert history.always_held(B.certificate, at=101)


def test_a_content_may_have_been_there_until_the_next_read() -> None:
    history = BundleHistory(60)
    history.record([ONLY_A], at=0)
    history.record([BOTH], at=1000)
    assert history.within(10, at=1005) == (ONLY_A, BOTH)
    assert history.within(10, at=1011) == (BOTH,)


def test_a_chain_replaces_another_unless_a_bundle_accepts_only_that_one() -> None:
    def accepts(chain: str, bundle: TrustBundle) -> bool:
        return {"a": A, "b": B}[chain].certificate in bundle

    history = BundleHistory(60)
    history.record([(), BOTH], at=0)
    assert history.allows_replacement("a", "b", accepts)
    history.record([ONLY_A, BOTH], at=1)
    assert not history.allows_replacement("a", "b", accepts)
    assert history.allows_replacement("b", "a", accepts)
