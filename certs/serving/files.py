"""A certificate in files that cert-manager, OpenShift or an administrator renews.

The files' contents are compared every ten seconds, because dates, links and notifications of
mounted files are unreliable on one file system or another. Kubernetes updates a mounted Secret by
switching the link `..data` to a new directory. Files of one directory are read through that link
as resolved once, so that certificate and key are of the same version.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import structlog

from certs.ca.certificate import KeyPair
from certs.serving.clock import SYSTEM_CLOCK, Clock
from certs.serving.handshake import KeyPairError, parse_key_pair
from certs.serving.loop import Loop, collect_errors
from certs.serving.provided_ca import ProvidedCA
from certs.serving.source import WAITING_MESSAGE, Status
from webhook.kube.messages import describe_os_error

log = structlog.get_logger()

_POLL_SECONDS = 10.0
_POLL_UNREADY_SECONDS = 1.0


class FileError(Exception):
    """A file that cannot be read; the text names it."""


class FileSource:
    """A `Source` (`certs.serving.source`) of a certificate and its key in PEM files.

    With a `name`, only certificates that are valid for it are served. With a `provided_ca`, the
    CA file beside them is published, and a certificate is served once API servers know its CA.
    """

    def __init__(
        self,
        cert: Path,
        key: Path,
        *,
        name: str = "",
        provided_ca: ProvidedCA | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._cert, self._key = cert, key
        self._name = name
        self._provided_ca = provided_ca
        self._clock = clock
        self._loop = Loop(self.step, "certificates")
        self._on_change: Callable[[KeyPair], None] = lambda _pair: None
        self._stop_watch: Callable[[], None] = lambda: None
        self._pair: KeyPair | None = None
        self._changes = 0
        self._problems: tuple[str, ...] = ()

    def start(self, on_change: Callable[[KeyPair], None]) -> None:
        """Read the files before returning, so that their key pair is served from the start."""
        self._on_change = on_change
        if self._provided_ca is not None:
            self._stop_watch = self._provided_ca.watch(self._loop.wake)
        self.step()
        self._loop.start()

    def stop(self) -> None:
        self._stop_watch()
        self._loop.stop()

    def current(self) -> KeyPair | None:
        return self._pair

    def status(self) -> Status:
        pair, ca = self._pair, self._provided_ca
        valid = pair is not None and self._clock.wall() < pair.not_after
        ready = valid and (ca is None or ca.settled)
        return Status(
            not_after=pair.not_after if pair else None,
            ca_not_after=ca.not_after if ca else None,
            ready=ready,
            published=ca is None or ca.published,
            changes=self._changes,
            repairs=ca.repairs if ca else 0,
            message="; ".join(self._problems) or ("" if ready else WAITING_MESSAGE),
        )

    def step(self) -> float:
        """Read the files, publish the CA and serve the key pair; return the seconds to wait."""
        problems: list[str] = []
        paths = [self._cert, self._key]
        if self._provided_ca is not None:
            paths.append(self._provided_ca.path)
        try:
            cert, key, *ca = read_files(paths)
        except FileError as error:
            problems.append(str(error))
        else:
            if self._provided_ca is not None:
                with collect_errors(problems, self._problems):
                    problems += self._provided_ca.publish(ca[0])
            with collect_errors(problems, self._problems):
                self._update(cert, key, problems)
        if self._provided_ca is not None and self._pair is not None:
            with collect_errors(problems, self._problems):
                problems += self._provided_ca.check(self._pair)
        if problems and tuple(problems) != self._problems:
            log.warning("certificate files have problems", problems=problems)
        self._problems = tuple(problems)
        return _POLL_SECONDS if self.status().ready else _POLL_UNREADY_SECONDS

    def _update(self, cert: bytes, key: bytes, problems: list[str]) -> None:
        """Serve the key pair of the files, unless the current one is better."""
        if self._pair and (self._pair.chain, self._pair.key) == (cert, key):
            self._check_dates(self._pair, problems)
            return
        try:
            pair = parse_key_pair(cert, key, self._name)
        except KeyPairError as error:
            problems.append(f"'{self._cert}', '{self._key}': {error}")
            return
        valid = self._check_dates(pair, problems)
        if self._pair and self._clock.wall() < self._pair.not_after:
            if not valid:
                return
            if self._provided_ca and not self._provided_ca.allows_replacement(self._pair, pair):
                problems.append("a new CA is not known to every API server yet")
                return
        self._on_change(pair)
        self._pair = pair
        self._changes += 1
        log.info(
            "serving certificate loaded", path=str(self._cert), until=pair.not_after.isoformat()
        )

    def _check_dates(self, pair: KeyPair, problems: list[str]) -> bool:
        leaf, now = pair.leaf, self._clock.wall()
        if now < leaf.not_before:
            problems.append(f"'{self._cert}': not valid before {leaf.not_before.isoformat()}")
        elif now >= leaf.not_after:
            problems.append(f"'{self._cert}': expired at {leaf.not_after.isoformat()}")
        else:
            return True
        return False


def read_files(paths: Sequence[Path]) -> tuple[bytes, ...]:
    """Return the contents of files; those in one directory are of the same version.

    Raises FileError.
    """
    try:
        return _read(paths)
    except FileError:
        # The version may have been replaced and deleted while it was read.
        return _read(paths)


def _read(paths: Sequence[Path]) -> tuple[bytes, ...]:
    versions = {path.parent: _resolve_version(path.parent) for path in paths}
    contents = []
    for path in paths:
        try:
            contents.append((versions[path.parent] / path.name).read_bytes())
        except OSError as error:
            raise FileError(f"'{path}': {describe_os_error(error)}") from None
    return tuple(contents)


def _resolve_version(directory: Path) -> Path:
    data = directory / "..data"
    return data.resolve() if data.exists() else directory
