"""The plan and the cluster of `explain --plans`, from files."""

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec

from webhook.cli.errors import UserError
from webhook.cli.explain.objects import NamespaceObject, NodeObject, PodObject, as_json
from webhook.cli.files.plans import index_disks, read_contents
from webhook.inventory import VmDisk, plan_files
from webhook.inventory.directory_plans import find_files
from webhook.inventory.plan_files import FileError
from webhook.kube.affinity_fields import FieldError
from webhook.kube.affinity_validation import validate_affinity, validate_selector, validate_spread
from webhook.kube.messages import describe_validation_error, did_you_mean
from webhook.kube.objects import Json, name_of, namespace_of, nested_string, spec_of, status_of
from webhook.kube.pod_selectors import API_VERSIONS, PodSelector, SelectingObject, read_pod_selector
from webhook.kube.scheduler.resources import parse_resource_list, requested
from webhook.reports.explain import ClusterObjects

T = TypeVar("T")

_KINDS: dict[str, type[NodeObject | PodObject | NamespaceObject]] = {
    "Node": NodeObject,
    "Pod": PodObject,
    "Namespace": NamespaceObject,
}


_RULES: dict[str, Callable[[object], list[FieldError]]] = {
    "affinity": validate_affinity,
    "topologySpreadConstraints": validate_spread,
}
"""Fields of a pod's spec, and what validates them."""


def read_files(path: Path, namespace: str, name: str) -> tuple[Json, ClusterObjects]:
    """Return a plan, and the objects of the cluster in the same files.

    Raises:
        UserError: there is no such plan, or more than one; a file is invalid.

    """
    contents = read_contents(path)
    plan = _select(contents.plans, path, namespace, name)
    found: dict[str, list[Json]] = {kind: [] for kind in _KINDS}
    selectors: dict[str, list[PodSelector]] = defaultdict(list)
    for each in sorted(find_files(path)) if path.is_dir() else [path]:
        try:
            _add_objects(each, found, selectors)
        except FileError as error:
            if not path.is_dir():  # else `read_contents` has reported it
                raise UserError(f"'{path}': {error}") from None
    unread = [] if found["Node"] else [f"'{path}' has no Node; nodes are not evaluated"]
    index = index_disks(contents)
    by_vm = {vm: index.list_disks(vm) for vm in sorted(index.list_vms())}
    classes = frozenset(contents.priority_classes) or None
    disks = {vm: each for vm, each in by_vm.items() if any(_is_of(plan, disk) for disk in each)}
    return plan, ClusterObjects(
        found["Node"],
        found["Pod"],
        found["Namespace"],
        unread,
        disks=disks,
        priority_classes=classes,
        pod_selectors=selectors[nested_string(plan, "spec", "targetNamespace")],
    )


def _select(plans: list[Json], path: Path, namespace: str, name: str) -> Json:
    named = [plan for plan in plans if namespace in ("", namespace_of(plan))]
    names = [name_of(plan) for plan in named]
    found = [plan for plan in named if name_of(plan) == name]
    if not found:
        where = f" in namespace '{namespace}'" if namespace else ""
        raise UserError(f"'{path}' has no plan '{name}'{where}{did_you_mean(name, names)}")
    if len(found) > 1:
        namespaces = " and ".join(sorted(map(namespace_of, found)))
        raise UserError(f"'{path}' has plan '{name}' in {namespaces}; try --namespace")
    return found[0]


def _add_objects(
    path: Path, found: dict[str, list[Json]], selectors: dict[str, list[PodSelector]]
) -> None:
    """Add the objects of a file, those that select pods by their namespaces."""
    for line, each in plan_files.list_objects(path):
        name, version = each["kind"], each.get("apiVersion")
        if version == "v1" and (kind := _KINDS.get(name)):
            converted = as_json(_convert(each, kind, line))
            try:
                _check(converted)
            except ValueError as error:
                raise FileError(f"line {line}: {name}: {error}") from None
            found[name].append(converted)
        elif version == API_VERSIONS.get(name, ""):
            found_selector = read_pod_selector(name, _convert(each, SelectingObject, line))
            if errors := validate_selector(found_selector.selector or {}):
                message = f"its selector{errors[0].path}: {errors[0].message}"
                raise FileError(f"line {line}: {name}: {message}")
            selectors[namespace_of(each)].append(found_selector)


def _convert(found: Json, kind: type[T], line: int) -> T:
    try:
        return msgspec.convert(found, kind)
    except msgspec.ValidationError as error:
        message = describe_validation_error(error, found["kind"])
        raise FileError(f"line {line}: {found['kind']}: {message}") from None


def _check(found: Json) -> None:
    """Raise ValueError if a node or pod has amounts or rules that no API server accepts."""
    try:
        parse_resource_list(status_of(found).get("allocatable"))
        requested(found)
    except ValueError as error:
        raise ValueError(f"an amount of its resources {error}") from None
    for field, validate in _RULES.items():
        if (rules := spec_of(found).get(field)) and (errors := validate(rules)):
            raise ValueError(f"'spec.{field}{errors[0].path}': {errors[0].message}")


def _is_of(plan: Json, disk: VmDisk) -> bool:
    ref = disk.pvc.ref
    uid = nested_string(plan, "metadata", "uid")
    if ref is None:
        return False
    if ref.uid and uid:
        return ref.uid == uid
    return (ref.namespace, ref.name) == (
        namespace_of(plan),
        nested_string(plan, "metadata", "name"),
    )
