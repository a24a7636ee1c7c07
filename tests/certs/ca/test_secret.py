import base64
import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from certs.ca import pki, rotation, secret, verification
from certs.ca.certificate import parse_der
from certs.ca.durations import Durations
from certs.ca.secret import OldCA, SecretError, State
from tests.support.certs.der import flip_bit

NOW = datetime(2030, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
DURATIONS = Durations()

ACTIVE, NEXT, OLDER = (rotation.initialize(NOW, DURATIONS).active for _ in range(3))
LEAF, _ = pki.sign_leaf(ACTIVE, ["a.svc"], NOW, timedelta(days=7), backdate=timedelta())
FULL = State(
    active=ACTIVE,
    next=NEXT,
    forced=True,
    cross=pki.cross_sign(ACTIVE.certificate, OLDER),
    old=(OldCA(OLDER.certificate, NOW + timedelta(days=8)),),
    retired=("ab" * 32,),
)


def encode_base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


@pytest.mark.parametrize("state", [FULL, State(active=ACTIVE)], ids=["full", "fresh"])
def test_a_state_is_decoded_as_it_was_encoded(state: State) -> None:
    assert secret.decode(secret.encode(state)) == state


def test_the_active_ca_is_under_the_usual_key() -> None:
    assert base64.b64decode(secret.encode(FULL)["ca.crt"]) == ACTIVE.certificate.pem


@pytest.mark.parametrize("data", [None, {}, {"ca.crt": ""}, {"others": "eA=="}])
def test_a_secret_without_our_keys_is_empty(data: dict[str, str] | None) -> None:
    assert secret.decode(data) is None


@pytest.mark.parametrize(
    ("damage", "error"),
    [
        ({"ca.crt": "?"}, "ca.crt: expected base64"),
        ({"ca.crt": encode_base64(b"x")}, "ca.crt: expected one certificate in PEM, found 0"),
        ({"state.json": encode_base64(b"{")}, "state.json: Input data was truncated"),
        (
            {"ca.key": encode_base64(NEXT.key)},
            "ca.crt, ca.key: its key does not belong to its certificate",
        ),
    ],
)
def test_a_damaged_secret_is_an_error(damage: dict[str, str], error: str) -> None:
    with pytest.raises(SecretError) as caught:
        secret.decode({**secret.encode(FULL), **damage})
    assert str(caught.value) == error


def test_a_damaged_next_ca_or_cross_certificate_is_ignored() -> None:
    other = pki.cross_sign(NEXT.certificate, OLDER)
    damaged = secret.encode(dataclasses.replace(FULL, cross=other))
    del damaged["next.key"]
    decoded = secret.decode(damaged)
    assert decoded == dataclasses.replace(FULL, next=None, forced=False, cross=None)


def test_a_damaged_old_ca_is_ignored_with_the_cross_certificate() -> None:
    damaged = parse_der(flip_bit(OLDER.certificate, -1))
    for certificate in (damaged, LEAF):
        old = dataclasses.replace(FULL.old[0], certificate=certificate)
        decoded = secret.decode(secret.encode(dataclasses.replace(FULL, old=(old,))))
        assert decoded == dataclasses.replace(FULL, old=(), cross=None)


@pytest.mark.filterwarnings("ignore:Parsed a serial number")
@given(st.sampled_from(secret.KEYS), st.floats(0, 1, exclude_max=True), st.integers(0, 7))
def test_with_a_flipped_bit_the_active_ca_signs_or_the_secret_is_an_error(
    key: str, where: float, bit: int
) -> None:
    data = secret.encode(FULL)
    content = bytearray(base64.b64decode(data[key]))
    content[int(where * len(content))] ^= 1 << bit
    try:
        decoded = secret.decode({**data, key: encode_base64(bytes(content))})
    except SecretError:
        return
    assert decoded is not None
    leaf, _ = pki.sign_leaf(decoded.active, ["a.svc"], NOW, HOUR, backdate=HOUR)
    assert verification.verify([leaf], [decoded.active.certificate], "a.svc", NOW) is None
    for ca in decoded.trust:
        assert verification.check_ca(ca) is None


def test_a_null_value_is_an_absent_key() -> None:
    """The API returns null for an empty value that was written as null."""
    data: dict[str, Any] = {**secret.encode(State(active=ACTIVE)), "next.crt": None}
    assert secret.decode(data) == State(active=ACTIVE)


def test_fields_of_a_later_version_are_ignored() -> None:
    data = secret.encode(FULL)
    state_json = msgspec.json.decode(base64.b64decode(data["state.json"]))
    data["state.json"] = encode_base64(msgspec.json.encode({**state_json, "later": 1}))
    assert secret.decode(data) == FULL


def test_keys_of_other_clients_are_kept() -> None:
    before = {
        "metadata": {"name": "ca", "resourceVersion": "7", "labels": {"a": "b"}},
        "type": "Opaque",
        "data": {"theirs": "eA==", "next.crt": "b2xk"},
    }
    assert secret.store(State(active=ACTIVE), before) == {
        **before,
        "data": {"theirs": "eA==", **secret.encode(State(active=ACTIVE))},
    }
    assert before["data"] == {"theirs": "eA==", "next.crt": "b2xk"}
