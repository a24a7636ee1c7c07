"""Limits on open connections: which one is closed or refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.server.connections import (
    MAX_IDLE_OF_API_SERVERS,
    SETTLING_SECONDS,
    Connection,
    Connections,
    normalize,
)

API_SERVER, OTHER = "10.0.0.1", "10.0.0.2"
CONCURRENT = 10
OF_CLIENT = MAX_IDLE_OF_API_SERVERS + CONCURRENT


class Listener:
    """Connections, and the order in which they are closed for others."""

    def __init__(self) -> None:
        self.connections = Connections(CONCURRENT)
        self.closed: list[Connection] = []
        self.now = 0.0

    def connect(self, address: str, seconds: float = 0.0) -> Connection | None:
        """Open a connection some time after the last one."""
        self.now += seconds
        connection = self.connections.open(address, self.now)
        if connection:
            connection.abort = lambda: self.closed.append(connection)
        return connection

    def must_connect(self, address: str, seconds: float = 0.0) -> Connection:
        connection = self.connect(address, seconds)
        assert connection is not None
        return connection

    def use(self, address: str) -> Connection:
        connection = self.must_connect(address)
        connection.begin_response()
        connection.end_response()
        return connection

    def fill(self, but: int = 0) -> None:
        """Open connections of other clients, each at its limit, until only some are possible."""
        other = 0
        while len(self.connections) < self.connections.max_open - but:
            self.must_connect(f"10.0.1.{other // OF_CLIENT}")
            other += 1
        self.now += SETTLING_SECONDS


def test_the_limits_follow_from_the_number_of_concurrent_reviews() -> None:
    connections = Connections(max_concurrent=100)
    assert (connections.max_of_client, connections.max_open) == (250, 750)


def test_below_the_limits_every_connection_stays_open() -> None:
    listener = Listener()
    opened = [listener.must_connect(API_SERVER) for _ in range(OF_CLIENT)]
    assert (len(listener.connections), listener.closed) == (OF_CLIENT, [])
    for connection in opened * 2:
        connection.close()
    assert len(listener.connections) == 0


def test_a_client_at_its_limit_loses_its_own_oldest_unused_connection() -> None:
    listener = Listener()
    theirs = listener.must_connect(API_SERVER)
    used, first, second, *_ = [listener.use(OTHER)] + [
        listener.must_connect(OTHER) for _ in range(OF_CLIENT - 1)
    ]
    assert listener.connect(OTHER, SETTLING_SECONDS)
    assert listener.connect(OTHER)
    assert listener.closed == [first, second]
    assert len(listener.connections) == OF_CLIENT + 1
    assert not {used, theirs} & set(listener.closed)


def test_a_client_does_not_replace_its_connections_within_their_first_second() -> None:
    listener = Listener()
    for _ in range(OF_CLIENT):
        listener.must_connect(OTHER)
    assert listener.connect(OTHER, SETTLING_SECONDS - 0.01) is None
    assert (listener.closed, listener.connections.refused) == ([], 1)
    assert listener.connect(OTHER, 0.01)
    assert (len(listener.closed), listener.connections.closed) == (1, 1)


def test_at_the_limit_in_all_the_client_with_most_unused_connections_loses_one_at_once() -> None:
    listener = Listener()
    spare = listener.must_connect(API_SERVER)
    listener.fill()
    listener.must_connect(OTHER)
    listener.must_connect(API_SERVER)
    assert len(listener.closed) == 2
    assert spare not in listener.closed
    assert len(listener.connections) == listener.connections.max_open


def test_the_heaviest_client_at_the_limit_in_all_loses_its_own_connection() -> None:
    listener = Listener()
    listener.must_connect(API_SERVER)
    listener.fill(but=OF_CLIENT - 1)
    opened = [listener.must_connect(OTHER) for _ in range(OF_CLIENT - 1)]
    for _ in range(3):  # the others now have fewer
        listener.must_connect(API_SERVER)
    assert listener.connect(OTHER) is None
    assert listener.connect(OTHER, SETTLING_SECONDS)
    assert listener.closed[-1] is opened[0]


def test_a_connection_with_a_request_that_is_being_responded_to_is_never_closed() -> None:
    listener = Listener()
    for _ in range(OF_CLIENT):
        listener.must_connect(OTHER).begin_response()
    assert listener.connect(OTHER, SETTLING_SECONDS) is None
    assert listener.closed == []


def test_as_many_idle_connections_as_api_servers_keep_are_never_closed() -> None:
    listener = Listener()
    for _ in range(MAX_IDLE_OF_API_SERVERS):
        listener.use(API_SERVER)
    busy = [listener.must_connect(API_SERVER) for _ in range(CONCURRENT)]
    for connection in busy:
        connection.begin_response()
    assert listener.connect(API_SERVER, SETTLING_SECONDS) is None
    assert listener.closed == []


def test_of_more_idle_connections_the_least_recently_used_is_closed() -> None:
    listener = Listener()
    first, second, *_ = [listener.use(OTHER) for _ in range(OF_CLIENT)]
    first.begin_response()
    first.end_response()
    assert listener.connect(OTHER, SETTLING_SECONDS)
    assert listener.closed == [second]


def test_clients_with_a_review_on_each_connection_do_not_lock_others_out() -> None:
    listener = Listener()
    spare = listener.must_connect(API_SERVER)
    for number in range(listener.connections.max_open - 1):
        listener.use(f"10.0.1.{number // OF_CLIENT}")
    kept = [listener.must_connect(API_SERVER) for _ in range(5)]
    assert len(listener.closed) == 5
    assert not {spare, *kept} & set(listener.closed)


def test_a_closed_connection_is_not_counted_after_a_late_response() -> None:
    listener = Listener()
    connection = listener.must_connect(OTHER)
    connection.begin_response()
    connection.close()
    connection.abort()
    assert listener.closed == []
    connection.end_response()
    assert len(listener.connections) == 0
    assert listener.use(OTHER) is not connection
    assert len(listener.connections) == 1


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["open", "begin", "end", "close"]),
        st.integers(0, 5),
        st.integers(0, 20),
        st.sampled_from([0.0, 0.5, 2.0]),
    ),
    max_size=300,
)


@given(STEPS)
def test_no_history_exceeds_a_limit_or_closes_a_connection_in_use(
    steps: list[tuple[str, int, int, float]],
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("webhook.server.connections.MAX_IDLE_OF_API_SERVERS", 2)
        listener = Listener()
        opened: list[Connection] = []
        responding: set[Connection] = set()
        for what, client, number, seconds in steps:
            listener.now += seconds
            if what == "open":
                closed = len(listener.closed)
                if connection := listener.connect(f"10.0.0.{client}"):
                    opened.append(connection)
                assert len(listener.closed) - closed <= 1
                assert not responding & set(listener.closed)
            elif opened:
                connection = opened[number % len(opened)]
                if what == "begin":
                    connection.begin_response()
                    responding |= {connection} - set(listener.closed)
                elif what == "end" and connection in responding:
                    connection.end_response()
                    responding.discard(connection)
                elif what == "close":
                    connection.close()
                    responding.discard(connection)
            assert 0 <= len(listener.connections) <= listener.connections.max_open


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("fd00::1", "fd00::1"),
        ("fe80::1%eth0", "fe80::1"),
    ],
)
def test_an_ipv4_client_is_the_same_on_an_ipv6_socket(host: str, address: str) -> None:
    assert normalize(host) == address
