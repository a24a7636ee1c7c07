"""The desired content of a `caBundle`, from the CAs to trust and its current content.

Replicas write it without a leader and may not all know the newest CA yet, so none removes a
certificate that it does not know, which may be the next CA. Only expired and retired ones go.
"""

from collections.abc import Collection, Iterable
from datetime import datetime

from certs.ca.certificate import Certificate, encode_pem, parse_pem, parse_pem_as_go
from certs.ca.durations import MAX_BUNDLE_CERTIFICATES


def build_bundle(
    trust: Iterable[Certificate],
    current: bytes,
    *,
    retired: Collection[str] = (),
    now: datetime,
) -> bytes:
    """Return the PEM that a caBundle should contain: `current` itself if nothing is to change.

    All of `trust` is in it; `retired` are fingerprints. The order of the certificates does not
    matter, so that two replicas do not rewrite each other's.
    """
    trusted = {certificate.fingerprint: certificate for certificate in trust}
    effective = parse_pem_as_go(current)
    foreign = {
        certificate.fingerprint: certificate
        for certificate in parse_pem(current)
        if certificate.fingerprint not in trusted
        and certificate.fingerprint not in retired
        and now < certificate.not_after
    }
    newest = sorted(foreign.values(), key=lambda certificate: certificate.not_before, reverse=True)
    desired = [*trusted.values(), *newest[: max(MAX_BUNDLE_CERTIFICATES - len(trusted), 0)]]
    is_same = sorted(c.fingerprint for c in desired) == sorted(c.fingerprint for c in effective)
    # Go skips a block that is not a certificate, or not at the start of a line.
    is_clean = current.count(b"-----BEGIN") == len(effective)
    return current if is_same and is_clean else encode_pem(desired)
