"""Plans and Nodes in YAML and JSON files, and errors with their place in the file."""

import difflib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from webhook.forklift.plan import API_VERSION, GROUP, KIND, NAME_PATTERN, PlanObject
from webhook.kube import manifests
from webhook.kube.messages import (
    describe_os_error,
    describe_validation_error,
    describe_value,
    truncate,
)
from webhook.kube.objects import Json
from webhook.settings import unknown_fields
from webhook.settings.unknown_fields import UNKNOWN_FIELDS

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


class _NodeMetadata(msgspec.Struct):
    labels: dict[str, str] | None = None


class _Node(msgspec.Struct):
    metadata: _NodeMetadata


def read_file(path: Path) -> Contents:
    """Read a YAML or JSON file; the items of lists count as objects of the file.

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
    contents = Contents()
    for first_line, document in documents:
        for line, found in _objects(document, first_line):
            if _is_plan(found):
                contents.plans.append(_convert_plan(found, line))
            elif _is_node(found):
                contents.nodes.append(_read_labels(found, line))
            else:
                contents.others.append(found["kind"])
    return contents


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
    return found["kind"] == KIND and found.get("apiVersion") == API_VERSION


def _is_node(found: Json) -> bool:
    return found["kind"] == "Node" and found.get("apiVersion") == "v1"


def _convert_plan(found: Json, line: int) -> Json:
    """Return a Plan without its VMs and its status, which can be megabytes."""
    try:
        plan = msgspec.convert(found, PlanObject)
        plan.metadata.namespace = plan.metadata.namespace or "default"
        _check_names(plan, line)
        kept = plan.to_json()
        if paths := unknown_fields.find(found):
            kept[UNKNOWN_FIELDS] = paths  # `settings.read` reports them as problems
        msgspec.msgpack.encode(kept)
    except msgspec.ValidationError as error:
        raise FileError(f"line {line}: {_describe_mismatch(error, KIND)}") from None
    except (OverflowError, UnicodeEncodeError) as error:  # 10**30, or half a surrogate pair
        raise FileError(f"line {line}: Plan: unsupported value: {error}") from None
    except RecursionError:
        raise FileError(f"line {line}: Plan: it is nested too deeply") from None
    return kept


def _check_names(plan: PlanObject, line: int) -> None:
    for field in ("namespace", "name"):
        name = getattr(plan.metadata, field)
        if not NAME_PATTERN.fullmatch(name):
            raise FileError(
                f"line {line}: Plan: metadata.{field} '{name}' must consist of lower case letters, "
                "digits, '-' and '.', and begin and end with a letter or a digit"
            )


def _read_labels(found: Json, line: int) -> dict[str, str]:
    try:
        return msgspec.convert(found, _Node).metadata.labels or {}
    except msgspec.ValidationError as error:
        raise FileError(f"line {line}: {_describe_mismatch(error, 'Node')}") from None


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
