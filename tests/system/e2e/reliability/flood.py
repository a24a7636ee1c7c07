"""A client that opens many connections, in a process of its own, and keeps them open.

`python flood.py HOST:PORT ADDRESS NUMBER` connects NUMBER times from ADDRESS: of ten connections
eight remain without a handshake, one without a request, and one with half a request. Then it prints
the number of connections that were accepted, and waits until stdin is closed.
"""

import resource
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from os import fstat
from tempfile import TemporaryFile

_HALF_A_REQUEST = b"POST /mutate HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{"


@contextmanager
def flooded(port: int, address: str, number: int) -> Iterator[Callable[[], bool]]:
    """Start the client, and close its connections at the end of the block.

    Yields a function that returns whether it has tried all connections.
    """
    command = [sys.executable, __file__, f"127.0.0.1:{port}", address, str(number)]
    with (
        TemporaryFile() as output,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=output) as process,
    ):

        def is_complete() -> bool:
            assert process.poll() is None, f"the client ended with exit code {process.returncode}"
            return bool(fstat(output.fileno()).st_size)

        yield is_complete
        process.communicate()


def main(server: str, address: str, number: str) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    host, _, port = server.rpartition(":")
    tls = ssl.create_default_context()
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    opened = []
    for kind in range(int(number)):
        with suppress(OSError):
            one = socket.create_connection(
                (host, int(port)), timeout=10, source_address=(address, 0)
            )
            opened.append(one)
            if kind % 10 >= 8:
                one = opened[-1] = tls.wrap_socket(one)
            if kind % 10 == 9:
                one.sendall(_HALF_A_REQUEST)
    sys.stdout.write(f"{len(opened)}\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
