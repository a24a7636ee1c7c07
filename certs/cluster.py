"""What of a cluster is asked for here, and how it says no."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal, Protocol

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Target:
    """A webhook configuration whose `caBundle`s are ours."""

    kind: Literal["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"]
    name: str

    def __str__(self) -> str:
        return f"{self.kind} '{self.name}'"


class ApiError(Exception):
    """The API did not do as asked; the text names the object and says what to do."""


class ConflictError(ApiError):
    """Somebody else wrote first: read again."""


class Cluster(Protocol):
    """One Secret and some webhook configurations; objects are dicts as the API has them.

    Every method but `watch` and `clock_offset` raises ApiError.
    """

    @property
    def targets(self) -> Sequence[Target]: ...

    def read_secret(self) -> Json: ...

    def update_secret(self, secret: Json) -> None:
        """Write it back; ConflictError where it is not the one that was read."""

    def read_configuration(self, target: Target) -> Json: ...

    def patch_configuration(self, target: Target, operations: list[Json]) -> None:
        """Apply an RFC 6902 patch; ConflictError where it names another resourceVersion."""

    def watch(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Call `wake` from any thread when an object changes; return what ends that."""

    def clock_offset(self) -> timedelta:
        """How far the API server's clock is ahead of ours; zero where nothing is known."""
