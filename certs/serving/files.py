"""Certificates in files that others renew: cert-manager, OpenShift, whoever made them.

The contents are compared every ten seconds: dates, links and notifications of mounted files
each lie on one file system or another. Kubernetes replaces a mounted Secret by turning the
link `..data` to a new directory, so files of one directory are read through the link as it
stands once: otherwise a certificate and its key could be of different age.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import structlog

from certs.ca.certificate import KeyPair
from certs.serving.clock import SYSTEM, Clock
from certs.serving.handshake import KeyPairError, parse_key_pair
from certs.serving.loop import Loop, forgiving
from certs.serving.provided_ca import Provided
from certs.serving.source import WAITING, Status
from webhook.kube.messages import describe_os_error

log = structlog.get_logger()

_EVERY = 10.0
"""Seconds between two looks."""


class FileError(Exception):
    """A file that cannot be read; the text names it."""


class FileSource:
    """A `Source` (`certs.serving.source`) of PEM files: a certificate and its key.

    With a `name` only certificates that are valid for it are served. With `provided` the CA
    beside them is published, and a certificate served when API servers know its CA.
    """

    def __init__(
        self,
        cert: Path,
        key: Path,
        *,
        name: str = "",
        provided: Provided | None = None,
        clock: Clock = SYSTEM,
    ) -> None:
        self._cert, self._key = cert, key
        self._name = name
        self._provided = provided
        self._clock = clock
        self._loop = Loop(self.step, "certificates")
        self._on_change: Callable[[KeyPair], None] = lambda _pair: None
        self._unwatch: Callable[[], None] = lambda: None
        self._pair: KeyPair | None = None
        self._changes = 0
        self._problems: tuple[str, ...] = ()

    def start(self, on_change: Callable[[KeyPair], None]) -> None:
        """Look once before returning, so that a pair that is there is served from the start."""
        self._on_change = on_change
        if self._provided is not None:
            self._unwatch = self._provided.watch(self._loop.wake)
        self.step()
        self._loop.start()

    def stop(self) -> None:
        self._unwatch()
        self._loop.stop()

    def current(self) -> KeyPair | None:
        return self._pair

    def status(self) -> Status:
        pair, provided = self._pair, self._provided
        valid = pair is not None and self._clock.wall() < pair.not_after
        ready = valid and (provided is None or provided.settled)
        return Status(
            not_after=pair.not_after if pair else None,
            ca_not_after=provided.not_after if provided else None,
            ready=ready,
            published=provided is None or provided.published,
            changes=self._changes,
            repairs=provided.repairs if provided else 0,
            message="; ".join(self._problems) or ("" if ready else WAITING),
        )

    def step(self) -> float:
        """Look at the files; return the seconds until the next look."""
        problems: list[str] = []
        paths = [self._cert, self._key]
        if self._provided is not None:
            paths.append(self._provided.ca)
        try:
            cert, key, *ca = read(paths)
        except FileError as error:
            problems.append(str(error))
        else:
            if self._provided is not None:
                with forgiving(problems, self._problems):
                    problems += self._provided.publish(ca[0])
            with forgiving(problems, self._problems):
                self._offer(cert, key, problems)
        if self._provided is not None and self._pair is not None:
            with forgiving(problems, self._problems):
                problems += self._provided.judge(self._pair)
        if problems and tuple(problems) != self._problems:
            log.warning("certificate files need attention", problems=problems)
        self._problems = tuple(problems)
        return _EVERY if self.status().ready else 1.0

    def _offer(self, cert: bytes, key: bytes, problems: list[str]) -> None:
        """Serve this pair unless what is served now is better."""
        if self._pair and (self._pair.chain, self._pair.key) == (cert, key):
            self._judge_dates(self._pair, problems)
            return
        try:
            pair = parse_key_pair(cert, key, self._name)
        except KeyPairError as error:
            problems.append(f"'{self._cert}', '{self._key}': {error}")
            return
        usable = self._judge_dates(pair, problems)
        if self._pair and self._clock.wall() < self._pair.not_after:
            if not usable:
                return
            if self._provided and not self._provided.may_replace(self._pair, pair):
                problems.append("a new CA is not known to every API server yet")
                return
        self._on_change(pair)
        self._pair = pair
        self._changes += 1
        log.info("certificate read", path=str(self._cert), until=pair.not_after.isoformat())

    def _judge_dates(self, pair: KeyPair, problems: list[str]) -> bool:
        leaf, now = pair.leaf, self._clock.wall()
        if now < leaf.not_before:
            problems.append(f"'{self._cert}': not valid before {leaf.not_before.isoformat()}")
        elif now >= leaf.not_after:
            problems.append(f"'{self._cert}': expired at {leaf.not_after.isoformat()}")
        else:
            return True
        return False


def read(paths: Sequence[Path]) -> tuple[bytes, ...]:
    """Return the contents of these files, those of one directory from one version of it.

    Raises FileError.
    """
    try:
        return _read(paths)
    except FileError:
        # The version may have been replaced and removed in between.
        return _read(paths)


def _read(paths: Sequence[Path]) -> tuple[bytes, ...]:
    versions = {path.parent: _version(path.parent) for path in paths}
    found = []
    for path in paths:
        try:
            found.append((versions[path.parent] / path.name).read_bytes())
        except OSError as error:
            raise FileError(f"'{path}': {describe_os_error(error)}") from None
    return tuple(found)


def _version(directory: Path) -> Path:
    data = directory / "..data"
    return data.resolve() if data.exists() else directory
