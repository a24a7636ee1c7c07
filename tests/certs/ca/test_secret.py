import base64
import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from certs.ca import pki, rotation, secret
from certs.ca.certificate import parse_der
from certs.ca.durations import Durations
from certs.ca.secret import OldCA, SecretError, State
from tests.support.certs.der import flip_bit

NOW = datetime(2030, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
DURATIONS = Durations()

ACTIVE, NEXT, OLDER = (rotation.fresh(NOW, DURATIONS).active for _ in range(3))
LEAF, _ = pki.sign_leaf(ACTIVE, ["a.svc"], NOW, timedelta(days=7), backdate=timedelta())
FULL = State(
    active=ACTIVE,
    next=NEXT,
    forced=True,
    cross=pki.cross_sign(ACTIVE.certificate, OLDER),
    old=(OldCA(OLDER.certificate, NOW + timedelta(days=8)),),
    retired=("ab" * 32,),
)


def base64_of(content: bytes) -> str:
    return base64.b64encode(content).decode()


@pytest.mark.parametrize("state", [FULL, State(active=ACTIVE)], ids=["full", "fresh"])
def test_what_is_encoded_is_decoded(state: State) -> None:
    assert secret.decode(secret.encode(state)) == state


def test_kubectl_finds_the_ca_under_its_usual_key() -> None:
    assert base64.b64decode(secret.encode(FULL)["ca.crt"]) == ACTIVE.certificate.pem


@pytest.mark.parametrize("data", [None, {}, {"ca.crt": ""}, {"others": "eA=="}])
def test_a_secret_without_anything_of_ours_is_empty(data: dict[str, str] | None) -> None:
    assert secret.decode(data) is None


@pytest.mark.parametrize(
    ("damage", "fault"),
    [
        ({"ca.crt": "?"}, "ca.crt: expected base64"),
        ({"ca.crt": base64_of(b"x")}, "ca.crt: expected one certificate in PEM, found 0"),
        ({"state.json": base64_of(b"{")}, "state.json: Input data was truncated"),
        (
            {"ca.key": base64_of(NEXT.key)},
            "ca.crt, ca.key: its key does not belong to its certificate",
        ),
    ],
)
def test_a_damaged_secret_is_said_to_be_so(damage: dict[str, str], fault: str) -> None:
    with pytest.raises(SecretError) as caught:
        secret.decode({**secret.encode(FULL), **damage})
    assert str(caught.value) == fault


def test_what_can_be_made_again_is_passed_over_when_damaged() -> None:
    other = pki.cross_sign(NEXT.certificate, OLDER)
    damaged = secret.encode(dataclasses.replace(FULL, cross=other))
    del damaged["next.key"]
    decoded = secret.decode(damaged)
    assert decoded == dataclasses.replace(FULL, next=None, forced=False, cross=None)


def test_an_old_ca_that_is_damaged_is_passed_over_and_its_word_too() -> None:
    damaged = parse_der(flip_bit(OLDER.certificate, -1))
    for certificate in (damaged, LEAF):
        old = dataclasses.replace(FULL.old[0], certificate=certificate)
        decoded = secret.decode(secret.encode(dataclasses.replace(FULL, old=(old,))))
        assert decoded == dataclasses.replace(FULL, old=(), cross=None)


@pytest.mark.filterwarnings("ignore:Parsed a serial number")
@given(st.sampled_from(secret.KEYS), st.floats(0, 1, exclude_max=True), st.integers(0, 7))
def test_a_flipped_bit_never_gives_a_ca_that_signs_in_vain(
    key: str, where: float, bit: int
) -> None:
    data = secret.encode(FULL)
    content = bytearray(base64.b64decode(data[key]))
    content[int(where * len(content))] ^= 1 << bit
    try:
        decoded = secret.decode({**data, key: base64_of(bytes(content))})
    except SecretError:
        return
    assert decoded is not None
    leaf, _ = pki.sign_leaf(decoded.active, ["a.svc"], NOW, HOUR, backdate=HOUR)
    assert pki.verify([leaf], [decoded.active.certificate], "a.svc", NOW) is None
    for ca in decoded.trust:
        assert pki.check_ca(ca) is None


def test_a_key_without_a_value_is_as_good_as_none() -> None:
    """The API shows an empty value as null where it was written so."""
    data: dict[str, Any] = {**secret.encode(State(active=ACTIVE)), "next.crt": None}
    assert secret.decode(data) == State(active=ACTIVE)


def test_fields_of_a_later_version_are_passed_over() -> None:
    data = secret.encode(FULL)
    rest = msgspec.json.decode(base64.b64decode(data["state.json"]))
    data["state.json"] = base64_of(msgspec.json.encode({**rest, "later": 1}))
    assert secret.decode(data) == FULL


def test_a_state_is_put_into_a_secret_beside_what_others_keep_there() -> None:
    found = {
        "metadata": {"name": "ca", "resourceVersion": "7", "labels": {"a": "b"}},
        "type": "Opaque",
        "data": {"theirs": "eA==", "next.crt": "b2xk"},
    }
    put = secret.put(State(active=ACTIVE), found)
    assert put == {
        **found,
        "data": {"theirs": "eA==", **secret.encode(State(active=ACTIVE))},
    }
    assert found["data"] == {"theirs": "eA==", "next.crt": "b2xk"}
