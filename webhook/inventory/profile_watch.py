"""Dry runs of the convertor profile in the namespaces that plans migrate into."""

import threading
from collections.abc import Callable, Iterable
from typing import NamedTuple

import msgspec
import structlog

from webhook.forklift.plan import NAME_PATTERN
from webhook.inventory.profile_check import ProfileCheck, check_profile
from webhook.kube.api.client import Client
from webhook.kube.api.errors import ApiError
from webhook.model import ConvertorProfile, Installation

log = structlog.get_logger()

_NO_PROFILE = ConvertorProfile()
_MAX_NAMED = 5
"""Namespaces that a log line names."""


class ProfileTiming(NamedTuple):
    """The intervals of the checks."""

    first_seconds: float = 1.0
    """Between two attempts to begin, until the plans have been read."""
    interval_seconds: float = 300.0
    """Between two checks: plans, quotas and policies change."""


class ProfilesStatus(msgspec.Struct, frozen=True):
    """The state of the checks."""

    refused: int
    """The number of namespaces that refuse convertor pods with the profile."""
    unchecked: int
    """The number of those without a result."""


class ProfileWatch:
    """Checks the profile at the start and from then on, in a thread of its own."""

    def __init__(
        self,
        cluster: Client,
        installation: Installation,
        target_namespaces: Callable[[], Iterable[str] | None],
        timing: ProfileTiming | None = None,
    ) -> None:
        """Check nothing yet; `target_namespaces` returns None until the plans have been read."""
        self._cluster = cluster
        self._installation = installation
        self._target_namespaces = target_namespaces
        self._timing = timing or ProfileTiming()
        self._checks: dict[str, ProfileCheck] = {}
        self._message = ""
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="convertor profile", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()

    def status(self) -> ProfilesStatus:
        """Return the current state."""
        checks = [*self._checks.values()]
        return ProfilesStatus(
            sum(bool(each.refusal) for each in checks),
            sum(bool(each.unchecked) for each in checks),
        )

    def check(self) -> bool:
        """Check the profile in all namespaces; return whether their names are known.

        Raises:
            ApiError: the API server did not answer, or failed; the previous results are kept.

        """
        targets = self._target_namespaces()
        if targets is None:
            return False
        names = sorted({*targets, *self._installation.namespace_convertors})
        checks = {
            name: check_profile(self._cluster, name, self._installation)
            for name in names
            if NAME_PATTERN.fullmatch(name) and self._has_profile(name)
        }
        before, self._checks = self._checks, checks
        _log_refusals(before, checks)
        _log_unchecked(before, checks)
        return True

    def _has_profile(self, namespace: str) -> bool:
        return self._installation.profile_for(namespace) != _NO_PROFILE

    def _run(self) -> None:
        seconds = self._timing.first_seconds
        while not self._stopped.wait(seconds):
            try:
                if self.check():
                    seconds = self._timing.interval_seconds
            except ApiError as error:
                self._set_message(str(error))
            except Exception:  # an internal error; the next check may succeed
                seconds = self._timing.interval_seconds
                log.exception("the convertor profile is not checked")
            else:
                self._set_message("")

    def _set_message(self, error: str) -> None:
        """Log an error once, until there is another one."""
        if error and error != self._message:
            log.warning("the convertor profile is not checked", reason=error)
        self._message = error


def _log_refusals(before: dict[str, ProfileCheck], checks: dict[str, ProfileCheck]) -> None:
    for name, found in checks.items():
        known = before.get(name, ProfileCheck())
        if found.refusal and found.refusal != known.refusal:
            log.error(
                "the namespace refuses convertor pods with the convertor profile",
                namespace=name,
                reason=found.refusal,
            )
        elif known.refusal and found == ProfileCheck():
            log.info("the namespace accepts the convertor profile", namespace=name)


def _log_unchecked(before: dict[str, ProfileCheck], checks: dict[str, ProfileCheck]) -> None:
    """Log the namespaces without a result, in one line: a missing right is the same in all."""
    new = {
        name: found.unchecked
        for name, found in checks.items()
        if found.unchecked and not before.get(name, ProfileCheck()).unchecked
    }
    if new:
        named = [*new][:_MAX_NAMED]
        others = len(new) - len(named)
        log.warning(
            "the convertor profile is not checked in some namespaces",
            namespaces=", ".join([*named, *([f"{others} more"] if others else [])]),
            reason=next(iter(new.values())),
        )
