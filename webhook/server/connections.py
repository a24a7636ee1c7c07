"""Limits on open connections, in all and for each client, and which connection is closed at them.

A client is an address: the nodes of a cluster often share an IPv6 network, so a /64 would make the
API servers and all others one client. Clients behind one address, such as API servers behind
konnectivity or a load balancer, share the limit of one.

At a limit, a new connection takes the place of one of the client that has most of these:

* Connections that never carried a request: unfinished handshakes, half requests, and idle ones. An
  API server often opens one more than it needs and uses it a minute later, so a client with few of
  them is not the first to lose one.
* Idle connections beyond the number that API servers keep. So a client does not occupy all
  connections by sending a review on each.

Others are never closed for a new one: the API server does not repeat a review that it sends while
its connection is being closed. If no connection can be closed, the new one is refused.

A client does not replace its own connections within their first second. In that time an API server
completes the handshake and sends its review, and it limits the handshakes that a client can cause.
"""

from collections.abc import Callable
from ipaddress import IPv6Address

MAX_IDLE_OF_API_SERVERS = 150
"""Of one client. An API server keeps at most 25 connections that it does not use; this is for six
of them behind one address."""

MAX_CLIENTS_AT_LIMIT = 3
"""The clients that can reach their own limit at the same time. With the default of 100 concurrent
reviews the limits are 250 and 750 connections. A TLS connection takes 50 KB, and up to 400 KB after
a large review: 300 MB of the chart's memory limit of 512 Mi."""

SETTLING_SECONDS = 1.0


class Connection:
    """An open connection. It is closed by `abort`, which reports `close` in the end."""

    __slots__ = ("_client", "_connections", "abort", "opened")

    def __init__(self, connections: "Connections", client: "_Client", now: float) -> None:
        self._connections = connections
        self._client = client
        self.opened = now
        self.abort: Callable[[], None] = _do_nothing

    def begin_response(self) -> None:
        """Record that a request has been received, so that the connection is not closed."""
        self._client.unused.pop(self, None)
        self._client.idle.pop(self, None)

    def end_response(self) -> None:
        """Record that no request is left to respond to."""
        if self in self._client.open:
            self._client.unused.pop(self, None)  # the response may precede the end of the request
            self._client.idle[self] = None

    def close(self) -> None:
        """Record that the connection has been closed; once or again."""
        self._connections.remove(self, self._client)
        self.abort = _do_nothing  # it refers to the connection


class _Client:
    """The connections from one address."""

    __slots__ = ("address", "idle", "open", "unused")

    def __init__(self, address: str) -> None:
        self.address = address
        self.open: set[Connection] = set()
        self.unused: dict[Connection, None] = {}
        """Those that never carried a request, oldest first."""
        self.idle: dict[Connection, None] = {}
        """Those between two requests, the least recently used first."""

    def count_closable(self) -> int:
        """Return the number of connections that can be closed for a new one."""
        return len(self.unused) + max(0, len(self.idle) - MAX_IDLE_OF_API_SERVERS)

    def next_to_close(self) -> Connection:
        """Return the oldest or least recently used of them."""
        return next(iter(self.unused or self.idle))


class Connections:
    """The open connections of a listener."""

    def __init__(self, max_concurrent: int) -> None:
        """Set the limits for a number of concurrent reviews, each on a connection of its own."""
        self.max_of_client = MAX_IDLE_OF_API_SERVERS + max_concurrent
        self.max_open = MAX_CLIENTS_AT_LIMIT * self.max_of_client
        self.closed = 0
        """Connections closed for another one."""
        self.refused = 0
        """New connections refused."""
        self._clients: dict[str, _Client] = {}
        self._open = 0

    def __len__(self) -> int:
        return self._open

    def open(self, address: str, now: float) -> Connection | None:
        """Return a new connection from this address, or None if it must be refused.

        Another one may be aborted for it. `now` is in seconds, on any clock.
        """
        client = self._clients.get(address) or _Client(address)
        if len(client.open) >= self.max_of_client or self._open >= self.max_open:
            victim = self._find_victim(client, now)
            if victim is None:
                self.refused += 1
                return None
            self.closed += 1
            abort = victim.abort
            victim.close()
            abort()
        self._clients[address] = client
        connection = Connection(self, client, now)
        client.open.add(connection)
        client.unused[connection] = None
        self._open += 1
        return connection

    def remove(self, connection: Connection, client: _Client) -> None:
        if connection not in client.open:
            return
        client.open.remove(connection)
        client.unused.pop(connection, None)
        client.idle.pop(connection, None)
        self._open -= 1
        if not client.open:
            del self._clients[client.address]

    def _find_victim(self, client: _Client, now: float) -> Connection | None:
        """Return the connection to close for a new one of a client, if there is one."""
        loser = client
        if len(client.open) < self.max_of_client:
            most = max(self._clients.values(), key=_Client.count_closable)
            if most.count_closable() > client.count_closable():
                loser = most
        if not loser.count_closable():
            return None
        victim = loser.next_to_close()
        if loser is client and now - victim.opened < SETTLING_SECONDS:
            return None
        return victim


def normalize(host: str) -> str:
    """Return the address of a client: IPv4 for one that is mapped into IPv6, without a zone."""
    if ":" not in host:
        return host
    address = host.partition("%")[0]
    mapped = IPv6Address(address).ipv4_mapped
    return str(mapped) if mapped else address


def _do_nothing() -> None:
    pass
