"""The objects of YAML and JSON files that placement uses, and errors with their place in the file.

They are Plans, Nodes, PersistentVolumeClaims, PersistentVolumes, StorageClasses and
PriorityClasses.
"""

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from webhook.forklift.plan import API_VERSION, GROUP, KIND, NAME_PATTERN, PlanObject
from webhook.forklift.pvc import PvcObject
from webhook.kube import manifests
from webhook.kube.affinity import REQUIRED
from webhook.kube.affinity_validation import validate_affinity
from webhook.kube.messages import (
    describe_os_error,
    describe_validation_error,
    describe_value,
    truncate,
)
from webhook.kube.objects import Json
from webhook.kube.priority import PRIORITY_API_VERSION, PriorityClassObject
from webhook.kube.storage import (
    BINDING_MODES,
    STORAGE_API_VERSION,
    StorageClassObject,
    VolumeObject,
)
from webhook.model import Pvc
from webhook.settings import unknown_fields
from webhook.settings.unknown_fields import UNKNOWN_FIELDS

T = TypeVar("T")

SUFFIXES = (".yaml", ".yml", ".json")


class FileError(ValueError):
    """A file without valid Kubernetes objects; the message begins with the place in the file."""

    def __init__(self, message: str) -> None:
        super().__init__(truncate(message, manifests.MAX_ERROR_CHARACTERS))


class Contents(msgspec.Struct, frozen=True):
    """The objects of one or more files."""

    plans: list[Json] = []
    """Each has a name and a namespace: `default` if the file has none, as for `kubectl apply`."""
    nodes: list[dict[str, str]] = []
    """The labels of each Node."""
    others: list[str] = []
    """The kinds of all other objects."""
    pvcs: list[Pvc] = []
    """Each has a name, a namespace, and a UID: `NAMESPACE/NAME` if the file has none."""
    volumes: dict[str, list[Json]] = {}
    """The ORed node selector terms of each PersistentVolume, by its name."""
    storage_classes: dict[str, bool] = {}
    """StorageClasses, and if their volumes wait for their first consumer."""
    priority_classes: set[str] = set()
    """The names of the PriorityClasses."""

    def add(self, others: "Contents") -> None:
        """Add the objects of another file; its volumes and classes replace those of their names."""
        self.plans.extend(others.plans)
        self.nodes.extend(others.nodes)
        self.others.extend(others.others)
        self.pvcs.extend(others.pvcs)
        self.volumes.update(others.volumes)
        self.storage_classes.update(others.storage_classes)
        self.priority_classes.update(others.priority_classes)


class _NodeMetadata(msgspec.Struct):
    labels: dict[str, str] | None = None


class _Node(msgspec.Struct):
    metadata: _NodeMetadata


def read_file(path: Path) -> Contents:
    """Read a YAML or JSON file; the items of lists count as objects of the file.

    Raises:
        FileError: the file cannot be read, or an object in it is invalid.

    """
    return _read(list_objects(path))


def read_objects(documents: Iterable[tuple[int, Any]]) -> Contents:
    """Read the objects of documents, each with its first line.

    Raises:
        FileError: an object is invalid.

    """
    return _read(_list_objects(documents))


def _read(objects: Iterable[tuple[int, Json]]) -> Contents:
    contents = Contents()
    for line, found in objects:
        if _is_plan(found):
            contents.plans.append(_convert_plan(found, line))
        elif _is(found, "v1", "Node"):
            contents.nodes.append(_decode(found, line, _Node).metadata.labels or {})
        elif _is(found, "v1", "PersistentVolumeClaim"):
            contents.pvcs.append(_read_pvc(found, line))
        elif _is(found, "v1", "PersistentVolume"):
            volume = _decode(found, line, VolumeObject)
            _check_node_terms(volume.node_terms, line)
            contents.volumes[volume.metadata.name] = volume.node_terms
        elif _is(found, STORAGE_API_VERSION, "StorageClass"):
            storage_class = _read_storage_class(found, line)
            waits = storage_class.waits_for_first_consumer
            contents.storage_classes[storage_class.metadata.name] = waits
        elif _is(found, PRIORITY_API_VERSION, "PriorityClass"):
            priority_class = _decode(found, line, PriorityClassObject)
            contents.priority_classes.add(priority_class.metadata.name)
        else:
            contents.others.append(found["kind"])
    return contents


def list_objects(path: Path) -> Iterator[tuple[int, Json]]:
    """Yield the objects of a file with their lines; those of lists have the line of the list.

    Raises:
        FileError: the file cannot be read, or an object in it is invalid.

    """
    try:
        text = manifests.decode(path.read_bytes())
        documents = manifests.parse_documents(text, is_json=path.suffix == ".json")
    except OSError as error:
        raise FileError(f"cannot be read: {describe_os_error(error)}") from None
    except manifests.DocumentError as error:
        raise FileError(str(error)) from None
    yield from _list_objects(documents)


def _list_objects(documents: Iterable[tuple[int, Any]]) -> Iterator[tuple[int, Json]]:
    for first_line, document in documents:
        yield from _objects(document, first_line)


def _objects(document: Any, line: int) -> Iterator[tuple[int, Json]]:
    if document is None:
        return
    if not isinstance(document, dict):
        raise FileError(
            f"line {line}: expected a Kubernetes object, found {describe_value(document)}"
        )
    kind = document.get("kind")
    if not isinstance(kind, str):
        raise FileError(f"line {line}: expected a Kubernetes object, found one without a kind")
    if kind.endswith("List") and isinstance(document.get("items"), list):
        for item in document["items"]:
            yield from _objects(item, line)
    else:
        if not _is_plan(document):
            _check_kind(document, line)
        yield line, document


def _is_plan(found: Json) -> bool:
    return _is(found, API_VERSION, KIND)


def _is(found: Json, api_version: str, kind: str) -> bool:
    return bool(found["kind"] == kind and found.get("apiVersion") == api_version)


def _convert_plan(found: Json, line: int) -> Json:
    """Return a Plan without its VMs and its status, which can be megabytes."""
    with _locate_errors(line, KIND):
        plan = msgspec.convert(found, PlanObject)
        metadata = plan.metadata
        metadata.namespace = metadata.namespace or "default"
        _check_names(KIND, line, namespace=metadata.namespace, name=metadata.name)
        kept = plan.to_json()
        if paths := unknown_fields.find(found):
            kept[UNKNOWN_FIELDS] = paths  # `settings.read` reports them as problems
        msgspec.msgpack.encode(kept)
    return kept


def _read_pvc(found: Json, line: int) -> Pvc:
    pvc = _decode(found, line, PvcObject).to_pvc()
    namespace = pvc.namespace or "default"
    _check_names(found["kind"], line, namespace=namespace, name=pvc.name)
    return msgspec.structs.replace(
        pvc, namespace=namespace, uid=pvc.uid or f"{namespace}/{pvc.name}"
    )


def _read_storage_class(found: Json, line: int) -> StorageClassObject:
    storage_class = _decode(found, line, StorageClassObject)
    if storage_class.binding_mode not in (None, *BINDING_MODES):
        raise FileError(
            f"line {line}: StorageClass: 'volumeBindingMode': expected "
            f"{' or '.join(BINDING_MODES)}, found {describe_value(storage_class.binding_mode)}"
        )
    return storage_class


def _check_node_terms(terms: list[Json], line: int) -> None:
    selector = {"nodeSelectorTerms": terms}
    errors = validate_affinity({"nodeAffinity": {REQUIRED: selector}} if terms else {}, closed=True)
    for path, message in errors:
        place = path.replace(f".nodeAffinity.{REQUIRED}", "spec.nodeAffinity.required")
        raise FileError(f"line {line}: PersistentVolume: '{place}': {message}")


def _decode(found: Json, line: int, kind: type[T]) -> T:
    """Return an object with the fields of `kind`, which can be encoded."""
    with _locate_errors(line, found["kind"]):
        decoded = msgspec.convert(found, kind)
        msgspec.msgpack.encode(decoded)
    return decoded


@contextmanager
def _locate_errors(line: int, kind: str) -> Iterator[None]:
    """Raise FileError for a field of another type, or a value that no API server would accept."""
    try:
        yield
    except msgspec.ValidationError as error:
        raise FileError(f"line {line}: {_describe_mismatch(error, kind)}") from None
    except (OverflowError, UnicodeEncodeError) as error:  # 10**30, or half a surrogate pair
        raise FileError(f"line {line}: {kind}: unsupported value: {error}") from None
    except RecursionError:
        raise FileError(f"line {line}: {kind}: it is nested too deeply") from None


def _check_names(kind: str, line: int, **names: str) -> None:
    for field, name in names.items():
        if not NAME_PATTERN.fullmatch(name):
            raise FileError(
                f"line {line}: {kind}: metadata.{field} '{name}' must consist of lower case "
                "letters, digits, '-' and '.', and begin and end with a letter or a digit"
            )


def _check_kind(found: Json, line: int) -> None:
    """Raise FileError for a likely misspelling of a Plan's kind or apiVersion."""
    version, kind = found.get("apiVersion"), found["kind"]
    group = str(version).partition("/")[0]
    if kind == KIND and (version is None or difflib.get_close_matches(group, [GROUP], cutoff=0.8)):
        value = "nothing" if version is None else describe_value(version)
        raise FileError(
            f"line {line}: expected apiVersion '{API_VERSION}' of a Plan, found {value}"
        )
    if version == API_VERSION and difflib.get_close_matches(kind.lower(), ["plan"], cutoff=0.75):
        raise FileError(
            f"line {line}: '{API_VERSION}' has no kind '{kind}'; did you mean '{KIND}'?"
        )


def _describe_mismatch(error: msgspec.ValidationError, kind: str) -> str:
    mismatch = describe_validation_error(error, kind)
    return f"{kind}: {mismatch}{'; quote it' if 'expected text' in mismatch else ''}"
