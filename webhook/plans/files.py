"""Kubernetes objects in YAML and JSON files, and where a file that has none is wrong."""

import difflib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import msgspec
import yaml

try:
    from yaml import CSafeLoader as _SafeLoader
except ImportError:  # PyYAML was built without libyaml: the same, and ten times slower
    from yaml import SafeLoader as _SafeLoader  # type: ignore[assignment]

from webhook.model import Json
from webhook.plans.objects import API_VERSION, GROUP, KIND, NAME, PlanObject

SUFFIXES = (".yaml", ".yml", ".json")
_TIMESTAMP = "tag:yaml.org,2002:timestamp"


class FileError(ValueError):
    """A file that holds no Kubernetes objects; the message begins with the place in the file."""


class Contents(msgspec.Struct, frozen=True):
    """What of a file matters to the webhook."""

    plans: list[Json] = []
    """Each with a name and a namespace: `default` where it names none, as for `kubectl apply`."""
    nodes: list[dict[str, str]] = []
    """The labels of each Node."""
    others: list[str] = []
    """The kinds of all other objects."""


class _NodeMetadata(msgspec.Struct):
    labels: dict[str, str] | None = None


class _Node(msgspec.Struct):
    metadata: _NodeMetadata


class _Loader(_SafeLoader):
    """YAML as Kubernetes reads it: only what JSON has, and no key twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        self.flatten_mapping(node)
        found: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            key = self.construct_object(key_node, deep=deep)
            if not isinstance(key, str):
                shown = key_node.value if isinstance(key_node, yaml.ScalarNode) else "…"
                _refuse(key_node, f"expected a text as key, found '{shown}'; quote it")
            if key in found:
                _refuse(key_node, f"key '{key}' is there twice")
            found[key] = self.construct_object(value_node, deep=deep)
        return found


_TAGS = {
    f"tag:yaml.org,2002:{kind}" for kind in ("null", "bool", "int", "float", "str", "seq", "map")
}
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != _TIMESTAMP]
    for first, resolvers in _SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.yaml_constructors = {
    tag: constructor
    for tag, constructor in _SafeLoader.yaml_constructors.items()
    if tag in _TAGS or tag is None
}


def read(path: Path) -> Contents:
    """Return what of a YAML or JSON file matters; the items of its lists count one by one.

    Raises:
        FileError: the file cannot be read, or is not what it should be.

    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise FileError(f"cannot be read: {(error.strerror or str(error)).lower()}") from None
    except UnicodeDecodeError as error:
        raise FileError(f"byte {error.start} is not UTF-8") from None
    found = documents(text, is_json=path.suffix == ".json")
    objects = [each for line, document in found for each in _objects(document, line)]
    return Contents(
        plans=[_plan(found, line) for line, found in objects if _is_plan(found)],
        nodes=[_labels(found, line) for line, found in objects if _is_node(found)],
        others=[
            found["kind"] for _, found in objects if not _is_plan(found) and not _is_node(found)
        ],
    )


def documents(text: str, *, is_json: bool) -> list[tuple[int, Any]]:
    """Return the documents of a text, and the lines where they begin.

    Raises:
        FileError: it is not JSON or YAML as Kubernetes reads it.

    """
    try:
        return list(_json(text) if is_json else _yaml(text))
    except RecursionError:
        raise FileError("it is nested too deeply") from None


def _yaml(text: str) -> Iterator[tuple[int, Any]]:
    try:
        loader = _Loader(text)
        while loader.check_node() and (node := loader.get_node()):
            yield node.start_mark.line + 1, loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        where = _place(error.problem_mark) if error.problem_mark else ""
        context = f" {error.context}" if error.context else ""
        raise FileError(f"{where}expected YAML: {error.problem}{context}") from None
    except yaml.YAMLError as error:
        raise FileError(f"expected YAML: {str(error).splitlines()[0]}") from None


def _json(text: str) -> Iterator[tuple[int, Any]]:
    try:
        yield 1, json.loads(text)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno} column {error.colno}"
        raise FileError(f"{place}: expected JSON: {error.msg[0].lower()}{error.msg[1:]}") from None


def _objects(document: Any, line: int) -> Iterator[tuple[int, Json]]:
    if document is None:
        return
    if not isinstance(document, dict):
        raise FileError(f"line {line}: expected a Kubernetes object, found {_what(document)}")
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


def _plan(found: Json, line: int) -> Json:
    """Return a Plan without its VMs and its status, which can be megabytes."""
    try:
        plan = msgspec.convert(found, PlanObject)
    except msgspec.ValidationError as error:
        raise FileError(f"line {line}: Plan: {_readable(error)}") from None
    plan.metadata.namespace = plan.metadata.namespace or "default"
    for field in ("namespace", "name"):
        name = getattr(plan.metadata, field)
        if not NAME.fullmatch(name):
            raise FileError(
                f"line {line}: Plan: metadata.{field} '{name}' must consist of lower case letters, "
                "digits, '-' and '.', and begin and end with a letter or a digit"
            )
    found = plan.as_json()
    try:
        msgspec.msgpack.encode(found)
    except (OverflowError, UnicodeEncodeError) as error:  # 10**30, or half a surrogate pair
        raise FileError(f"line {line}: Plan: no value of Kubernetes: {error}") from None
    return found


def _labels(found: Json, line: int) -> dict[str, str]:
    try:
        return msgspec.convert(found, _Node).metadata.labels or {}
    except msgspec.ValidationError as error:
        raise FileError(f"line {line}: Node: {_readable(error)}") from None


def _check_kind(found: Json, line: int) -> None:
    """Raise FileError for what was surely meant to be a Plan; other kinds are nobody's fault."""
    version, kind = found.get("apiVersion"), found["kind"]
    group = str(version).partition("/")[0]
    if kind == KIND and (version is None or difflib.get_close_matches(group, [GROUP], cutoff=0.8)):
        raise FileError(
            f"line {line}: expected apiVersion '{API_VERSION}' of a Plan, found {_what(version)}"
        )
    if version == API_VERSION and kind.lower() in ("plan", "plans"):
        raise FileError(
            f"line {line}: '{API_VERSION}' has no kind '{kind}'; did you mean '{KIND}'?"
        )


def _what(value: Any) -> str:
    if value is None:
        return "nothing"
    return "a list" if isinstance(value, list) else f"'{value}'"


def _readable(error: msgspec.ValidationError) -> str:
    """Turn "Expected `str`, got `int` - at `$.metadata.uid`" into words of this project."""
    problem, _, place = str(error).partition(" - at ")
    problem = f"{problem[0].lower()}{problem[1:]}".replace("got", "found").replace("`", "'")
    place = place.strip("`").removeprefix("$.").replace("[...]", "")
    hint = "; quote it" if "expected 'str'" in problem else ""
    return f"{place}: {problem}{hint}" if place else problem


def _place(mark: Any) -> str:
    return f"line {mark.line + 1} column {mark.column + 1}: "


def _refuse(node: yaml.Node, message: str) -> NoReturn:
    raise FileError(f"{_place(node.start_mark)}{message}")
