"""What a `caBundle` should hold, from what is trusted and what is there already.

Replicas write it without a leader and not all of them know the newest CA at once, so none of
them takes away what it does not know: an unknown certificate may be the CA of tomorrow. What
goes is what is expired, and what is named as retired.
"""

from collections.abc import Collection, Iterable
from datetime import datetime

from certs.ca.certificate import Certificate, encode_pem, parse_pem, parse_pem_as_go
from certs.ca.durations import MAX_BUNDLE_CERTIFICATES


def wanted(
    trust: Iterable[Certificate],
    present: bytes,
    *,
    retired: Collection[str] = (),
    now: datetime,
) -> bytes:
    """Return the PEM bundle that should be there: `present` itself when nothing is amiss.

    `trust` is always in it, whatever `present` looks like; `retired` holds fingerprints.
    The order of a bundle means nothing, so two writers who agree on the certificates do not
    rewrite each other's order.
    """
    ours = {certificate.fingerprint: certificate for certificate in trust}
    there = parse_pem_as_go(present)
    foreign = {
        certificate.fingerprint: certificate
        for certificate in parse_pem(present)
        if certificate.fingerprint not in ours
        and certificate.fingerprint not in retired
        and now < certificate.not_after
    }
    newest = sorted(foreign.values(), key=lambda certificate: certificate.not_before)
    kept = newest[::-1][: max(MAX_BUNDLE_CERTIFICATES - len(ours), 0)]
    right = [*ours.values(), *kept]
    same = sorted(c.fingerprint for c in right) == sorted(c.fingerprint for c in there)
    # A block that is no certificate, or not at the beginning of a line, is none of these.
    clean = present.count(b"-----BEGIN") == len(there)
    return present if same and clean else encode_pem(right)
