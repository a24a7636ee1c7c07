"""Publish CAs in the `caBundle` of every webhook of the webhook configurations.

A JSON patch changes that one field. It carries the `resourceVersion` that was read, so that no
writer undoes another's change, and its own field manager, so that Helm's and Argo CD's
server-side apply leave the field alone.
"""

import base64
import binascii
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from http import HTTPStatus

import structlog

from certs.bundle.bundle_history import BundleHistory
from certs.bundle.contents import build_bundle
from certs.bundle.interface import Cluster, Target
from certs.ca.certificate import Certificate, TrustBundle, parse_pem_as_go
from webhook.kube.api.errors import ApiError
from webhook.kube.objects import Json

log = structlog.get_logger()


class Publisher:
    """Publishes CAs, and records what the caBundles hold."""

    def __init__(self, cluster: Cluster, history: BundleHistory) -> None:
        self.history = history
        self.published = False
        """Every caBundle accepted the serving certificate at the last check."""
        self.settled = False
        """Every caBundle has accepted it for a while, once. A caBundle that another client changes
        later is repaired; replicas that all become unready would only make it worse."""
        self.repairs = 0
        """Changes by other clients that removed a trusted CA and were repaired."""
        self.problems: list[str] = []
        """The errors of the last `publish`."""
        self._cluster = cluster
        self._last_held: dict[Target, dict[str, frozenset[str]]] = {}
        """Fingerprints in the caBundle of each webhook, by its name."""

    def publish(
        self,
        trust: Sequence[Certificate],
        *,
        retired: Collection[str] = (),
        now: datetime,
        at: float,
    ) -> bool:
        """Read every caBundle and write those that differ; return whether any was written.

        What was written is in `history` only once it has been read back. `now` is the wall clock,
        for dates, `at` the monotonic clock, for the history.
        """
        with self._unpublish_on_error():
            return self._publish(trust, retired, now, at)

    def check(self, accepts: Callable[[TrustBundle], bool], *, settle: float, at: float) -> None:
        """Update `published`, and `settled` once the certificate was accepted for `settle` s."""
        with self._unpublish_on_error():
            self.published = not self.history.is_empty and all(map(accepts, self.history.latest()))
            if not self.settled:
                recent = self.history.within(settle, at)
                self.settled = recent is not None and all(map(accepts, recent))

    @contextmanager
    def _unpublish_on_error(self) -> Iterator[None]:
        """After an unexpected error the content of the caBundles is not known."""
        try:
            yield
        except Exception:
            self.published = False
            raise

    def _publish(
        self, trust: Sequence[Certificate], retired: Collection[str], now: datetime, at: float
    ) -> bool:
        self.problems = []
        held: list[TrustBundle] = []
        wrote = False
        configurations = self._read_configurations()
        complete = not self.problems
        for target, configuration in configurations.items():
            current = decode_bundles(configuration)
            bundles = [parse_pem_as_go(pem) for pem in current]
            held += bundles
            names = [webhook["name"] for webhook in configuration.get("webhooks") or ()]
            self._count_repair(target, trust, dict(zip(names, bundles, strict=True)))
            desired = [build_bundle(trust, pem, retired=retired, now=now) for pem in current]
            wrote |= self._write(target, configuration, current, desired)
        if complete:
            self.history.record(held, at)
        return wrote

    def _read_configurations(self) -> dict[Target, Json]:
        """Return the webhook configurations that exist; the chart may install one of them only."""
        found: dict[Target, Json] = {}
        missing: list[str] = []
        for target in self._cluster.targets:
            try:
                found[target] = self._cluster.read_configuration(target)
            except ApiError as error:
                errors = missing if error.status == HTTPStatus.NOT_FOUND else self.problems
                errors.append(str(error))
        if not found:
            self.problems += missing
        return found

    def _write(
        self, target: Target, configuration: Json, current: list[bytes], desired: list[bytes]
    ) -> bool:
        """Patch what differs; return whether to read again: it was written, here or elsewhere."""
        operations = [
            {
                "op": "add",
                "path": f"/webhooks/{index}/clientConfig/caBundle",
                "value": base64.b64encode(pem).decode("ascii"),
            }
            for index, pem in enumerate(desired)
            if pem != current[index]
        ]
        if not operations:
            return False
        version = configuration["metadata"]["resourceVersion"]
        lock = {"op": "replace", "path": "/metadata/resourceVersion", "value": version}
        try:
            self._cluster.patch_configuration(target, [lock, *operations])
        except ApiError as error:
            if error.status == HTTPStatus.CONFLICT:
                return True
            self.problems.append(str(error))
            return False
        log.info("caBundle published", configuration=str(target), webhooks=len(operations))
        return True

    def _count_repair(
        self, target: Target, trust: Sequence[Certificate], bundles: dict[str, TrustBundle]
    ) -> None:
        """Count a repair if a trusted CA has gone from a webhook since the last read.

        An upgrade of the chart may add webhooks, whose caBundle is still empty.
        """
        held = {
            name: frozenset(certificate.fingerprint for certificate in bundle)
            for name, bundle in bundles.items()
        }
        before = self._last_held.get(target, {})
        removed = [before[name] - held[name] for name in before.keys() & held.keys()]
        if frozenset().union(*removed) & {certificate.fingerprint for certificate in trust}:
            self.repairs += 1
            log.warning(
                "a CA was removed from the caBundle by another client, repairing it",
                configuration=str(target),
            )
        self._last_held[target] = held


def decode_bundles(configuration: Json) -> list[bytes]:
    """Return the `caBundle` of every webhook as PEM; empty if it is absent or not base64."""
    bundles = []
    for webhook in configuration.get("webhooks") or ():
        encoded = (webhook.get("clientConfig") or {}).get("caBundle") or ""
        try:
            bundles.append(base64.b64decode(encoded, validate=True))
        except (binascii.Error, ValueError):
            bundles.append(b"")
    return bundles
