"""haproxy as a replacement for a Service: it forwards TCP connections.

Like kube-proxy it does not try a second replica if the first one refuses a connection, and keeps
open connections when a replica is no longer ready.
"""

import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from tests.system.controlplane.api import Json
from tests.system.controlplane.process import Process
from tests.system.controlplane.programs import MissingProgram, program


class Endpoint(NamedTuple):
    """The ports of a present or future replica, on the loopback interface."""

    name: str
    port: int
    status_port: int


class Balancer:
    """Spreads the connections to `address` over those of `endpoints` that are ready."""

    def __init__(
        self, address: str, endpoints: Sequence[Endpoint], readiness: Json, folder: Path
    ) -> None:
        """Write the configuration; `start` starts it.

        Args:
            address: the address of the Service; its port is 443.
            endpoints: the endpoints of all replicas, present or future.
            readiness: the readinessProbe of the replicas' container.
            folder: the folder for its files.

        """
        self._address = address
        self._endpoints = endpoints
        self._readiness = readiness
        self._socket = folder / "haproxy.sock"
        config = folder / "haproxy.cfg"
        config.write_text(self._config(), encoding="utf-8")
        self.process = Process("haproxy", [program("haproxy"), "-db", "-f", config], folder)

    def start(self) -> None:
        """Start it, and return when every endpoint has been probed."""
        check_may_listen(self._address)
        self.process.start()
        self.process.wait_for("its checks", self.checked)

    def ready(self) -> set[str]:
        """Return the names of the endpoints that get new connections."""
        return {name for name, state in self._states().items() if state.startswith("UP")}

    def checked(self) -> bool:
        """Return True if every endpoint has been probed."""
        with suppress(OSError):  # haproxy has not created the socket yet
            return all(self._states().values())
        return False

    def _states(self) -> Mapping[str, str]:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(self._socket))
            connection.sendall(b"show stat\n")
            connection.shutdown(socket.SHUT_WR)
            text = connection.makefile().read()
        header, *lines = (line.split(",") for line in text.strip().splitlines())
        names = {endpoint.name for endpoint in self._endpoints}
        rows = (dict(zip(header, line, strict=True)) for line in lines)
        return {
            row["svname"]: "" if row["check_status"] in ("", "INI") else row["status"]
            for row in rows
            if row["svname"] in names
        }

    def _config(self) -> str:
        probe = self._readiness
        period, timeout = probe["periodSeconds"], probe["timeoutSeconds"]
        every = f"inter {period}s fall {probe['failureThreshold']} rise 1"
        return "\n".join(
            [
                "global",
                f"  stats socket {self._socket} mode 600",
                "  log stdout format raw local0",
                "defaults",
                "  mode tcp",
                "  log global",
                "  option tcplog",
                "  option dontlog-normal",  # log failures only
                "  retries 0",
                "  timeout connect 2s",
                "  timeout client 1h",
                "  timeout server 1h",
                f"  timeout check {timeout}s",
                "listen service",
                f"  bind {self._address}:443",
                f"  option httpchk GET {probe['httpGet']['path']}",
                *(
                    f"  server {name} 127.0.0.1:{port} check port {status_port} {every}"
                    for name, port, status_port in self._endpoints
                ),
                "",
            ]
        )


def check_may_listen(address: str) -> None:
    """Raise MissingProgram if this process cannot listen on the address of a Service."""
    try:
        socket.create_server((address, 443)).close()
    except PermissionError:
        raise MissingProgram(
            "only root may listen on port 443: to allow it for all users, run "
            "'sudo sysctl --write net.ipv4.ip_unprivileged_port_start=443'"
        ) from None
    except OSError as error:
        raise MissingProgram(
            f"cannot listen on {address}:443 ({(error.strerror or str(error)).lower()}): all of "
            "127.0.0.0/8 must be local addresses, as on Linux"
        ) from None
