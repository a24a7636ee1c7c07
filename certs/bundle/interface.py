"""The cluster operations that certificate management needs, and their errors."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, Protocol

from webhook.kube.objects import Json


@dataclass(frozen=True, slots=True)
class Target:
    """A webhook configuration to publish CAs in."""

    kind: Literal["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"]
    name: str

    def __str__(self) -> str:
        return f"{self.kind} '{self.name}'"


def targets_of(name: str) -> tuple[Target, ...]:
    """Return the configurations of a release; the chart gives both the same name."""
    return (
        Target("MutatingWebhookConfiguration", name),
        Target("ValidatingWebhookConfiguration", name),
    )


class Cluster(Protocol):
    """The CA's Secret and the webhook configurations, as JSON objects.

    All methods but `watch` and `clock_offset` raise `webhook.kube.api.errors.ApiError`; its
    status is 409 (Conflict) if the object is not the version that was read.
    """

    @property
    def targets(self) -> Sequence[Target]: ...

    def read_secret(self) -> Json: ...

    def update_secret(self, secret: Json) -> None: ...

    def read_configuration(self, target: Target) -> Json: ...

    def patch_configuration(self, target: Target, operations: list[Json]) -> None:
        """Apply a JSON patch (RFC 6902)."""

    def watch(self, on_change: Callable[[], None]) -> Callable[[], None]:
        """Call `on_change`, from any thread, when an object changes; return how to stop that."""

    def clock_offset(self) -> timedelta:
        """Return how far the API server's clock is ahead of this one; zero if unknown."""
