from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certs.bundle.contents import build_bundle
from certs.ca import pki
from certs.ca.certificate import Certificate, encode_pem, parse_pem, parse_pem_as_go
from certs.ca.durations import MAX_BUNDLE_CERTIFICATES

NOW = datetime(2030, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)

# Oldest first.
VALID = [pki.make_ca(NOW - n * DAY, 99 * DAY, backdate=DAY).certificate for n in range(14, 0, -1)]
EXPIRED = [pki.make_ca(NOW - 9 * DAY, n * DAY, backdate=DAY).certificate for n in (3, 4, 9)]

subsets = st.lists(st.sampled_from([*VALID, *EXPIRED]), unique=True)
trusts = st.lists(st.sampled_from(VALID), min_size=1, max_size=4, unique=True)
invalid_blocks = st.sampled_from(
    [b"", b"-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n"]
)


def fingerprints(certificates: Iterable[Certificate]) -> set[str]:
    return {certificate.fingerprint for certificate in certificates}


@given(trusts, subsets, st.lists(st.sampled_from(VALID)), invalid_blocks)
def test_a_bundle_has_all_trusted_cas_and_loses_only_expired_and_retired_ones(
    trust: list[Certificate], current: list[Certificate], retired: list[Certificate], invalid: bytes
) -> None:
    gone = fingerprints(retired)
    bundle = build_bundle(trust, encode_pem(current) + invalid, retired=gone, now=NOW)
    found = parse_pem(bundle)

    assert fingerprints(trust) <= fingerprints(found)
    assert len(found) == len(fingerprints(found)) <= MAX_BUNDLE_CERTIFICATES
    assert fingerprints(found) <= fingerprints(trust) | fingerprints(current)
    unwanted = fingerprints(EXPIRED) | gone
    if len(found) < MAX_BUNDLE_CERTIFICATES:
        assert fingerprints(current) - fingerprints(found) <= unwanted
    assert not (unwanted - fingerprints(trust)) & fingerprints(found)
    assert invalid not in bundle or not invalid
    assert build_bundle(trust, bundle, retired=gone, now=NOW) is bundle


@given(st.permutations(VALID[:4]))
def test_a_bundle_in_another_order_is_unchanged(order: list[Certificate]) -> None:
    """Otherwise two replicas would rewrite each other's."""
    current = b"# a comment\n" + encode_pem(order)
    assert build_bundle(VALID[:4], current, now=NOW) is current


def test_of_too_many_foreign_certificates_the_newest_are_kept() -> None:
    trust = [VALID[0], VALID[1]]
    found = parse_pem(build_bundle(trust, encode_pem(VALID), now=NOW))
    newest = VALID[-(MAX_BUNDLE_CERTIFICATES - 2) :]
    assert fingerprints(found) == fingerprints(trust) | fingerprints(newest)


def test_a_duplicate_is_written_once() -> None:
    current = encode_pem(VALID[:1] * 2)
    assert parse_pem(build_bundle(VALID[:1], current, now=NOW)) == (VALID[0],)


FOREIGN, TRUSTED = VALID[:2]


@pytest.mark.parametrize(
    "current",
    [
        FOREIGN.pem.rstrip(b"\n") + TRUSTED.pem,
        FOREIGN.pem + b"".join(b"  " + line for line in TRUSTED.pem.splitlines(keepends=True)),
        TRUSTED.pem.rstrip(b"\n") + b" # trusted\n" + FOREIGN.pem,
    ],
    ids=["on the line of another END", "indented", "text after END"],
)
def test_a_block_that_go_skips_is_written_so_that_go_reads_it(current: bytes) -> None:
    bundle = build_bundle([TRUSTED], current, now=NOW)
    assert parse_pem_as_go(current) in {(), (FOREIGN,)}
    assert parse_pem_as_go(bundle) == (TRUSTED, FOREIGN)
    assert build_bundle([TRUSTED], bundle, now=NOW) is bundle
