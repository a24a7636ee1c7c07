from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certs.bundle.contents import wanted
from certs.ca import pki
from certs.ca.certificate import Certificate, encode_pem, parse_pem, parse_pem_as_go
from certs.ca.durations import MAX_BUNDLE_CERTIFICATES

NOW = datetime(2030, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)

# Of ever later birth; the last three are over.
ALIVE = [pki.make_ca(NOW - n * DAY, 99 * DAY, backdate=DAY).certificate for n in range(14, 0, -1)]
EXPIRED = [pki.make_ca(NOW - 9 * DAY, n * DAY, backdate=DAY).certificate for n in (3, 4, 9)]

some = st.lists(st.sampled_from([*ALIVE, *EXPIRED]), unique=True)
trusts = st.lists(st.sampled_from(ALIVE), min_size=1, max_size=4, unique=True)
noise = st.sampled_from([b"", b"-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n"])


def ids(certificates: list[Certificate] | tuple[Certificate, ...]) -> set[str]:
    return {certificate.fingerprint for certificate in certificates}


@given(trusts, some, st.lists(st.sampled_from(ALIVE)), noise)
def test_a_bundle_has_all_that_is_trusted_and_loses_only_what_is_over_or_retired(
    trust: list[Certificate], present: list[Certificate], retired: list[Certificate], dirt: bytes
) -> None:
    bundle = wanted(trust, encode_pem(present) + dirt, retired=ids(retired), now=NOW)
    found = parse_pem(bundle)

    assert ids(trust) <= ids(found)
    assert len(found) == len(ids(found)) <= MAX_BUNDLE_CERTIFICATES
    assert ids(found) <= ids(trust) | ids(present)
    gone = ids(present) - ids(found)
    if len(found) < MAX_BUNDLE_CERTIFICATES:
        assert gone <= ids(EXPIRED) | ids(retired)
    assert not (ids(EXPIRED) | ids(retired)) - ids(trust) & ids(found)
    assert dirt not in bundle or not dirt
    assert wanted(trust, bundle, retired=ids(retired), now=NOW) is bundle


@given(st.permutations(ALIVE[:4]))
def test_a_bundle_in_another_order_is_left_as_it_is(order: list[Certificate]) -> None:
    """Two replicas would else rewrite each other's."""
    present = b"# a comment\n" + encode_pem(order)
    assert wanted(ALIVE[:4], present, now=NOW) is present


def test_of_too_many_unknown_certificates_the_newest_stay() -> None:
    trust = [ALIVE[0], ALIVE[1]]
    found = parse_pem(wanted(trust, encode_pem(ALIVE), now=NOW))
    assert ids(found) == ids(trust) | ids(ALIVE[-(MAX_BUNDLE_CERTIFICATES - 2) :])


def test_a_certificate_that_is_there_twice_is_written_once() -> None:
    assert parse_pem(wanted(ALIVE[:1], encode_pem(ALIVE[:1] * 2), now=NOW)) == (ALIVE[0],)


FOREIGN, OURS = ALIVE[:2]


@pytest.mark.parametrize(
    "present",
    [
        FOREIGN.pem.rstrip(b"\n") + OURS.pem,
        FOREIGN.pem + b"".join(b"  " + line for line in OURS.pem.splitlines(keepends=True)),
        OURS.pem.rstrip(b"\n") + b" # ours\n" + FOREIGN.pem,
    ],
    ids=["behind an unfinished line", "indented", "with something behind it"],
)
def test_what_an_api_server_passes_over_is_written_so_that_it_reads_it(present: bytes) -> None:
    right = wanted([OURS], present, now=NOW)
    assert parse_pem_as_go(present) in {(), (FOREIGN,)}
    assert parse_pem_as_go(right) == (OURS, FOREIGN)
    assert wanted([OURS], right, now=NOW) is right
