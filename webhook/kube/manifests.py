"""Parsing of YAML and JSON manifests as Kubernetes does: JSON values only, no duplicate keys."""

import codecs
import json
import re
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any, ClassVar, NoReturn

import yaml

from webhook.kube.messages import truncate
from webhook.kube.sizes import MAX_CONFIG_CHARACTERS

try:
    from yaml import CBaseLoader as _TextLoader
    from yaml import CSafeLoader as _SafeLoader
except ImportError:  # PyYAML without libyaml: ten times slower
    from yaml import BaseLoader as _TextLoader  # type: ignore[assignment]
    from yaml import SafeLoader as _SafeLoader  # type: ignore[assignment]


MAX_ALIAS_CHARACTERS = 1_000_000
"""Maximum number of characters that the aliases of a text add to its documents.

Nested aliases, `&b [*a, *a]` after `&a […]`, double the size of a document with each line once it
is copied.
"""
_MAX_NUMBER_CHARACTERS = 21
MAX_ERROR_CHARACTERS = 1000
"""Of the error in a file. Keys, tags and names that it quotes may have megabytes."""


class DocumentError(ValueError):
    """A text that is not a manifest; the message begins with the position, if it is known.

    `without_contents` is the message for a text with secrets: it quotes nothing of the text.
    """

    def __init__(self, message: str, without_contents: str = "") -> None:
        message = truncate(message, MAX_ERROR_CHARACTERS)
        super().__init__(message)
        self.without_contents = without_contents or message


def decode(data: bytes) -> str:
    """Return the text of a file: UTF-8, or UTF-16 with a byte order mark, as Windows writes it.

    Raises:
        DocumentError: it is neither.

    """
    is_utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    name = "UTF-16" if is_utf16 else "UTF-8"
    try:
        return data.decode("utf-16" if is_utf16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise DocumentError(f"byte {error.start} is not {name}") from None


def parse_documents(text: str, *, is_json: bool) -> list[tuple[int, Any]]:
    """Return the documents of a text, each with the number of its first line.

    Raises:
        DocumentError: the text is not JSON or YAML that Kubernetes accepts.

    """
    try:
        return [(1, _parse_json(text))] if is_json else list(_parse_yaml(text, _Loader))
    except RecursionError:
        raise DocumentError("it is nested too deeply") from None


def parse_document(text: str) -> Any:
    """Return the only document of a YAML text; None if the text is empty.

    Raises:
        DocumentError: it is not YAML as Kubernetes reads it, has several documents, or more than
            MAX_CONFIG_CHARACTERS.

    """
    if len(text) > MAX_CONFIG_CHARACTERS:
        raise DocumentError(
            f"expected at most {MAX_CONFIG_CHARACTERS} characters, found {len(text)}"
        )
    documents = parse_documents(text, is_json=False)
    first, *others = [each for each in documents if each[1] is not None] or [(1, None)]
    if others:
        raise DocumentError(f"line {others[0][0]}: expected one document, found another")
    return first[1]


def parse_first_document(text: str) -> Any:
    """Return the first document of a YAML text as kubectl reads its own configuration.

    Of equal keys the last one is used, and what follows the document is ignored. None if the text
    is empty.

    Raises:
        DocumentError: it is not YAML.
        RecursionError: it is nested too deeply.

    """
    return next(_parse_yaml(text, _LastKeyLoader), (1, None))[1]


def parse_as_text(text: str) -> Any:
    """Return the only document of a JSON or YAML text, with all scalars as they are written.

    Raises:
        DocumentError: it is neither, or has several documents.

    """
    try:
        loader = _TextLoader(text)
        node = loader.get_single_node()
        if node is not None and "&" in text:
            _check_aliases(node, _max_characters(text))
        return None if node is None else loader.construct_document(node)
    except (yaml.YAMLError, RecursionError) as error:
        raise DocumentError(f"expected YAML: {error}") from None


def _parse_yaml(text: str, loader_type: "type[_Loader]") -> Iterator[tuple[int, Any]]:
    try:
        loader = loader_type(text)
        has_aliases = "&" in text
        left = _max_characters(text)
        while loader.check_node() and (node := loader.get_node()):
            if has_aliases:
                left -= _check_aliases(node, left)
            yield node.start_mark.line + 1, loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        where = _format_position(error.problem_mark) if error.problem_mark else ""
        context = f" {error.context}" if error.context else ""
        message = f"{where}expected YAML: {error.problem}{context}"
        is_syntax = isinstance(error, (yaml.scanner.ScannerError, yaml.parser.ParserError))
        raise DocumentError(message, "" if is_syntax else f"{where}expected YAML") from None
    except yaml.YAMLError as error:
        message = f"expected YAML: {str(error).splitlines()[0]}"
        raise DocumentError(message, "expected YAML") from None


def _max_characters(text: str) -> int:
    """Return the maximum number of characters and nodes of all documents of a text."""
    # without aliases they have at most twice as many as the text
    return 2 * len(text) + MAX_ALIAS_CHARACTERS


def _check_aliases(root: yaml.Node, most: int) -> int:
    """Return the number of characters and nodes of a document, with those that aliases add.

    Values that contain themselves, and documents with more than `most`, are rejected.
    """
    sizes: dict[yaml.Node, int] = {}

    def size(node: yaml.Node) -> int:
        if node not in sizes:
            sizes[node] = 0
            sizes[node] = 1 + sum(map(size, _children_of(node)), start=_count_characters(node))
        elif not sizes[node]:
            _reject(node, "the value contains itself through an alias")
        return sizes[node]

    if size(root) > most:
        _reject(root, f"aliases add more than {MAX_ALIAS_CHARACTERS} characters to the document")
    return sizes[root]


def _children_of(node: yaml.Node) -> Iterable[yaml.Node]:
    match node:
        case yaml.MappingNode():
            return chain.from_iterable(node.value)
        case yaml.SequenceNode():
            return node.value  # type: ignore[no-any-return]
    return ()


def _count_characters(node: yaml.Node) -> int:
    return len(node.value) if isinstance(node, yaml.ScalarNode) else 0


def _parse_json(text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_build_object)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno} column {error.colno}"
        message = f"{place}: expected JSON: {error.msg[0].lower()}{error.msg[1:]}"
        raise DocumentError(message) from None
    except DocumentError:
        raise
    except ValueError:  # Python parses integers of up to 4300 digits
        raise DocumentError("expected JSON: a number has too many digits") from None


def _build_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise DocumentError(f"duplicate key '{key}' in an object")
        found[key] = value
    return found


class _Loader(_SafeLoader):
    unique_keys = True
    bool_values: ClassVar = _SafeLoader.bool_values | {"y": True, "n": False}

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Merge the maps that `<<` refers to; the map's own keys win, and must be unique."""
        seen = set()
        for key, _ in node.value:
            if key.tag == _MERGE:
                continue
            if key.tag != _TEXT:
                found = key.value if isinstance(key, yaml.ScalarNode) else "…"
                _reject(key, f"expected a text as key, found '{found}'; quote it")
            if key.value in seen and self.unique_keys:
                _reject(key, f"duplicate key '{key.value}'")
            seen.add(key.value)
        super().flatten_mapping(node)
        node.value = list({key.value: (key, value) for key, value in node.value}.values())


class _LastKeyLoader(_Loader):
    unique_keys = False


def _with_number_check(construct: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Reject numbers of YAML that Python cannot parse or print: `0x_`, and 5000 digits."""

    def checked(loader: _Loader, node: yaml.ScalarNode) -> Any:
        try:
            value = construct(loader, node)
            str(value)
        except ValueError:
            found = truncate(node.value, _MAX_NUMBER_CHARACTERS)
            _reject(node, f"expected a number, found '{found}'")
        return value

    return checked


_TAG = "tag:yaml.org,2002:"
_TEXT, _MERGE = f"{_TAG}str", f"{_TAG}merge"

# go.yaml.in/yaml/v2, with which Kubernetes reads YAML 1.1, also has `y`, `n`, `1e3` and `0o17`, but
# not numbers in base 60, such as `12:30`, dates, and the value `=`.
_SCALARS = {
    "bool": (
        "yYnNtTfFoO",
        r"y|Y|yes|Yes|YES|n|N|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF",
    ),
    "int": ("-+0123456789", r"[-+]?(?:0b[01_]+|0o[0-7_]+|0x[0-9a-fA-F_]+|0[0-7_]*|[1-9][0-9_]*)"),
    "float": (
        "-+.0123456789",
        (
            r"[-+]?(?:\.[0-9]+|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9]+)?"
            r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
        ),
    ),
}
_REPLACED = {f"{_TAG}timestamp", f"{_TAG}value", *(_TAG + kind for kind in _SCALARS)}

_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in _REPLACED]
    for first, resolvers in _SafeLoader.yaml_implicit_resolvers.items()
}
for _kind, (_first, _pattern) in _SCALARS.items():
    _Loader.add_implicit_resolver(_TAG + _kind, re.compile(f"(?:{_pattern})$"), list(_first))
_constructors = _SafeLoader.yaml_constructors
_Loader.yaml_constructors = {
    None: _constructors[None],  # rejects all other tags
    **{_TAG + kind: _constructors[_TAG + kind] for kind in ("null", "bool", "str", "seq", "map")},
    **{_TAG + kind: _with_number_check(_constructors[_TAG + kind]) for kind in ("int", "float")},
}


def _format_position(mark: Any) -> str:
    return f"line {mark.line + 1} column {mark.column + 1}: "


def _reject(node: yaml.Node, message: str) -> NoReturn:
    where = _format_position(node.start_mark)
    raise DocumentError(f"{where}{message}", f"{where}expected YAML with JSON values")
