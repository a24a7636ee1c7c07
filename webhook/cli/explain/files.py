"""The plan and the cluster of `explain --plans`, from files."""

from pathlib import Path

import msgspec

from webhook.cli.errors import UserError
from webhook.cli.explain.objects import NamespaceObject, NodeObject, PodObject, as_json
from webhook.cli.files.plans import index_disks, read_contents
from webhook.inventory import VmDisk, plan_files
from webhook.inventory.directory_plans import find_files
from webhook.inventory.plan_files import FileError
from webhook.kube.affinity_validation import validate_affinity
from webhook.kube.messages import describe_validation_error, did_you_mean
from webhook.kube.objects import Json, name_of, namespace_of, nested_string, spec_of, status_of
from webhook.kube.scheduler.resources import parse_resource_list, requested
from webhook.reports.explain import ClusterObjects

_KINDS = {"Node": NodeObject, "Pod": PodObject, "Namespace": NamespaceObject}


def read_files(path: Path, namespace: str, name: str) -> tuple[Json, ClusterObjects]:
    """Return a plan, and the nodes, pods, namespaces and disks in the same files.

    Raises:
        UserError: there is no such plan, or more than one; a file is invalid.

    """
    contents = read_contents(path)
    plan = _select(contents.plans, path, namespace, name)
    found: dict[str, list[Json]] = {kind: [] for kind in _KINDS}
    for each in sorted(find_files(path)) if path.is_dir() else [path]:
        try:
            _add_objects(each, found)
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


def _add_objects(path: Path, found: dict[str, list[Json]]) -> None:
    for line, each in plan_files.list_objects(path):
        kind = _KINDS.get(each["kind"])
        if kind is not None and each.get("apiVersion") == "v1":
            try:
                converted = as_json(msgspec.convert(each, kind))
                _check(converted)
            except msgspec.ValidationError as error:
                message = describe_validation_error(error, each["kind"])
                raise FileError(f"line {line}: {each['kind']}: {message}") from None
            except ValueError as error:
                raise FileError(f"line {line}: {each['kind']}: {error}") from None
            found[each["kind"]].append(converted)


def _check(found: Json) -> None:
    """Raise ValueError if a node or pod has an affinity or amounts that no API server accepts."""
    try:
        parse_resource_list(status_of(found).get("allocatable"))
        requested(found)
    except ValueError as error:
        raise ValueError(f"an amount of its resources {error}") from None
    if (affinity := spec_of(found).get("affinity")) and (errors := validate_affinity(affinity)):
        raise ValueError(f"'spec.affinity{errors[0].path}': {errors[0].message}")


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
