"""What of a cluster is asked for here, and how it says no."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, Protocol

from webhook.kube.api.errors import ApiError
from webhook.kube.objects import Json

__all__ = ["CONFLICT", "NOT_FOUND", "ApiError", "Cluster", "Target", "targets"]

NOT_FOUND = 404
CONFLICT = 409
"""The `status` of an ApiError that says: somebody else wrote first, read again."""


@dataclass(frozen=True, slots=True)
class Target:
    """A webhook configuration whose `caBundle`s are ours."""

    kind: Literal["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"]
    name: str

    def __str__(self) -> str:
        return f"{self.kind} '{self.name}'"


def targets(name: str) -> tuple[Target, ...]:
    """Return the configurations of a release: the chart gives all of them the same name."""
    return (
        Target("MutatingWebhookConfiguration", name),
        Target("ValidatingWebhookConfiguration", name),
    )


class Cluster(Protocol):
    """One Secret and some webhook configurations; objects are dicts as the API has them.

    Every method but `watch` and `clock_offset` raises ApiError.
    """

    @property
    def targets(self) -> Sequence[Target]: ...

    def read_secret(self) -> Json: ...

    def update_secret(self, secret: Json) -> None:
        """Write it back; a conflict where it is not the one that was read."""

    def read_configuration(self, target: Target) -> Json: ...

    def patch_configuration(self, target: Target, operations: list[Json]) -> None:
        """Apply an RFC 6902 patch; a conflict where it names another resourceVersion."""

    def watch(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Call `wake` from any thread when an object changes; return what ends that."""

    def clock_offset(self) -> timedelta:
        """How far the API server's clock is ahead of ours; zero where nothing is known."""
