"""VMs with several convertor pods at the same time, which write to the same disks.

Forklift creates another pod for a VM if it does not find the one that it has created: it looks for
it by labels, from 2.12 on by all that it has set. So a label that another client has replaced or
removed leads to one more pod at every reconcile.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator

import msgspec

from webhook.forklift.labels import SYSTEM_LABELS
from webhook.kube.messages import format_count, quote
from webhook.kube.objects import (
    Json,
    has_ended,
    labels_of,
    metadata_of,
    name_of,
    namespace_of,
    nested_map,
    spec_of,
)

REMEDY = "cancel the VM's migration, and find the client that changes the labels of its pods"
_IDENTITY = ("plan", "migration", "vmID")
"""The labels of a VM's pod that every release of Forklift sets."""
_MAX_NAMES = 5


class DuplicatePods(msgspec.Struct, frozen=True, rename="camel"):
    """The convertor pods of a VM in one migration, of which there should be one."""

    vm: str
    """Its ID in the source provider."""
    migration: str
    """The UID of the Migration."""
    pods: list[str]
    """Namespace and name of each, in the order of their creation."""
    labels: list[str]
    """The labels that differ from those of the plan, or between the pods."""

    def __str__(self) -> str:
        more = ", …" if len(self.pods) > _MAX_NAMES else ""
        names = ", ".join(self.pods[:_MAX_NAMES])
        labels = "".join(f"; {each}" for each in self.labels)
        count = format_count(len(self.pods), "convertor pod")
        return f"VM '{self.vm}' has {count} on the same disks: {names}{more}{labels}"


def find_duplicates(pods: Iterable[Json], plan_object: Json) -> list[DuplicatePods]:
    """Return the VMs of which several of these convertor pods of a plan have not ended.

    They are sorted by Migration. Pods that are being deleted do not count.
    """
    by_vm: dict[tuple[str, ...], list[Json]] = defaultdict(list)
    for pod in pods:
        labels = labels_of(pod)
        identity = tuple(labels.get(key, "") for key in _IDENTITY)
        if all(identity) and _is_active(pod):
            by_vm[identity].append(pod)
    return [_describe(found, plan_object) for _, found in sorted(by_vm.items()) if len(found) > 1]


def _is_active(pod: Json) -> bool:
    return not has_ended(pod) and not metadata_of(pod).get("deletionTimestamp")


def _describe(pods: list[Json], plan_object: Json) -> DuplicatePods:
    pods = sorted(
        pods, key=lambda pod: (metadata_of(pod).get("creationTimestamp") or "", name_of(pod))
    )
    labels = labels_of(pods[0])
    return DuplicatePods(
        vm=labels["vmID"],
        migration=labels["migration"],
        pods=[f"{namespace_of(pod)}/{name_of(pod)}" for pod in pods],
        labels=[*_changed_labels(pods, plan_object), *_different_labels(pods)],
    )


def _changed_labels(pods: list[Json], plan_object: Json) -> Iterator[str]:
    """Yield the labels of `spec.convertorLabels` that pods do not have with their value.

    Forklift creates the pods with these labels. The plan may have been changed since.
    """
    for key, expected in nested_map(spec_of(plan_object), "convertorLabels").items():
        if key in SYSTEM_LABELS or not isinstance(expected, str):
            continue
        if found := {labels_of(pod).get(key) for pod in pods} - {expected}:
            yield (
                f"label {key}: expected {quote(expected)} as in spec.convertorLabels, "
                f"found {_format_values(found)}"
            )


def _different_labels(pods: list[Json]) -> Iterator[str]:
    """Yield Forklift's labels with several values: its pods of a VM have the same."""
    for key in sorted(SYSTEM_LABELS):
        values = {labels_of(pod).get(key) for pod in pods}
        if len(values) > 1:
            yield f"label {key}: expected one value, found {_format_values(values)}"


def _format_values(values: Collection[str | None]) -> str:
    """Return `'a', 'b' and no such label`, at most _MAX_NAMES of them."""
    texts = sorted(quote(value) for value in values if value is not None)[:_MAX_NAMES]
    absent = ["no such label"] if None in values else []
    return " and ".join([*texts, *absent])
