"""TCP proxy on the loopback interface whose connections a test can close."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

BYTES = 65536


class TcpProxy:
    """Forwards TCP connections to `port`, unless it is disconnected."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._connected = True
        self._ends: set[socket.socket] = set()
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Close all connections and stop listening."""
        self._disconnect()
        self._listener.close()

    @contextmanager
    def disconnected(self) -> Iterator[None]:
        """Close every connection and accept no new one, for a while."""
        self._disconnect()
        try:
            yield
        finally:
            self._connected = True

    def interrupt(self) -> None:
        """Close every connection, once."""
        with self.disconnected():
            pass

    def _disconnect(self) -> None:
        with self._lock:
            self._connected = False
            for end in self._ends:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                near, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        with near, contextlib.suppress(OSError):
            if not self._connected:
                return
            with socket.create_connection(("127.0.0.1", self._to)) as far:
                with self._lock:
                    self._ends |= {near, far}
                back = threading.Thread(target=_pump, args=(far, near), daemon=True)
                back.start()
                _pump(near, far)
                back.join()
                with self._lock:
                    self._ends -= {near, far}


def _pump(source: socket.socket, sink: socket.socket) -> None:
    """Forward bytes until one side is closed, then close the other."""
    with contextlib.suppress(OSError):
        while data := source.recv(BYTES):
            sink.sendall(data)
    for end in (source, sink):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
