"""Bringing `caBundle` to what it should be, on every webhook of the configurations named.

A JSON patch touches that one field. It carries the `resourceVersion` that was read, so that
two writers cannot undo each other, and a field manager of its own, so that Helm's and Argo
CD's server-side apply see a field that is not theirs.
"""

import base64
import binascii
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

import structlog

from certs.bundle import contents
from certs.bundle.bundle_history import Views
from certs.bundle.interface import (
    CONFLICT,
    NOT_FOUND,
    ApiError,
    Cluster,
    Target,
)
from certs.ca.certificate import Certificate, TrustBundle, parse_pem_as_go
from webhook.kube.objects import Json

log = structlog.get_logger()


class Publisher:
    """Keeps the bundles, and the views of them that its owner decides by."""

    def __init__(self, cluster: Cluster, views: Views) -> None:
        self.views = views
        self.published = False
        """Whether every bundle accepted what is served, at the last `judge`."""
        self.settled = False
        """Whether they did so for a while, once. What is cut from a bundle later is put back,
        and all replicas unready at once would help nobody."""
        self.repairs = 0
        """How often certificates had to be put back that somebody else had taken away."""
        self.problems: list[str] = []
        """Of the last `publish`."""
        self._cluster = cluster
        self._found: dict[Target, frozenset[str]] = {}

    def publish(
        self,
        trust: Sequence[Certificate],
        *,
        retired: Collection[str] = (),
        now: datetime,
        at: float,
    ) -> bool:
        """Look at every bundle, write where one is not right, say whether any was written.

        What is written shows in `views` only when it has been read back. `now` is the wall
        clock for dates, `at` the monotonic one for the views.
        """
        with self._looking():
            return self._publish(trust, retired, now, at)

    def judge(self, accepts: Callable[[TrustBundle], bool], *, settle: float, at: float) -> None:
        """Find out whether what is served is `published` and, for `settle` seconds, `settled`."""
        with self._looking():
            self.published = self.views.known and all(map(accepts, self.views.latest()))
            if not self.settled:
                of_late = self.views.within(settle, at)
                self.settled = of_late is not None and all(map(accepts, of_late))

    @contextmanager
    def _looking(self) -> Iterator[None]:
        """Know nothing of the bundles after a look that failed in a way that nobody foresaw."""
        try:
            yield
        except Exception:
            self.published = False
            raise

    def _publish(
        self, trust: Sequence[Certificate], retired: Collection[str], now: datetime, at: float
    ) -> bool:
        self.problems = []
        seen: list[TrustBundle] = []
        wrote = False
        configurations = self._read()
        complete = not self.problems
        for target, configuration in configurations.items():
            present = bundles(configuration)
            seen += [parse_pem_as_go(pem) for pem in present]
            self._count(target, trust, present)
            right = [contents.wanted(trust, pem, retired=retired, now=now) for pem in present]
            wrote |= self._write(target, configuration, present, right)
        if complete:
            self.views.record(seen, at)
        return wrote

    def _read(self) -> dict[Target, Json]:
        """Return the configurations that are there.

        One of several may be missing: the chart installs those that its values ask for.
        """
        found: dict[Target, Json] = {}
        missing: list[str] = []
        for target in self._cluster.targets:
            try:
                found[target] = self._cluster.read_configuration(target)
            except ApiError as error:
                where = missing if error.status == NOT_FOUND else self.problems
                where.append(str(error))
        if not found:
            self.problems += missing
        return found

    def _write(
        self, target: Target, configuration: Json, present: list[bytes], right: list[bytes]
    ) -> bool:
        """Whether reading again is worth while: it was written, by us or by another."""
        operations = [
            {
                "op": "add",
                "path": f"/webhooks/{index}/clientConfig/caBundle",
                "value": base64.b64encode(pem).decode("ascii"),
            }
            for index, pem in enumerate(right)
            if pem != present[index]
        ]
        if not operations:
            return False
        version = configuration["metadata"]["resourceVersion"]
        lock = {"op": "replace", "path": "/metadata/resourceVersion", "value": version}
        try:
            self._cluster.patch_configuration(target, [lock, *operations])
        except ApiError as error:
            if error.status == CONFLICT:
                return True
            self.problems.append(str(error))
            return False
        log.info("caBundle published", configuration=str(target), webhooks=len(operations))
        return True

    def _count(self, target: Target, trust: Sequence[Certificate], present: list[bytes]) -> None:
        each = [frozenset(found.fingerprint for found in parse_pem_as_go(pem)) for pem in present]
        held = frozenset.intersection(*each) if each else frozenset()
        lost = self._found.get(target, frozenset()) - held
        if lost & {certificate.fingerprint for certificate in trust}:
            self.repairs += 1
            log.warning("caBundle was overwritten and is repaired", configuration=str(target))
        self._found[target] = held


def bundles(configuration: Json) -> list[bytes]:
    """Return the `caBundle` of every webhook as PEM; empty where it is absent or no base64."""
    found = []
    for webhook in configuration.get("webhooks") or ():
        encoded = (webhook.get("clientConfig") or {}).get("caBundle") or ""
        try:
            found.append(base64.b64decode(encoded, validate=True))
        except (binascii.Error, ValueError):
            found.append(b"")
    return found
