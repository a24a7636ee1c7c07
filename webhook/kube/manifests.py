"""Parsing of YAML and JSON manifests as Kubernetes does: JSON values only, no duplicate keys."""

import json
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any, NoReturn

import yaml

from webhook.kube.messages import truncate

try:
    from yaml import CSafeLoader as _SafeLoader
except ImportError:  # PyYAML without libyaml: ten times slower
    from yaml import SafeLoader as _SafeLoader  # type: ignore[assignment]


MAX_ALIAS_CHARACTERS = 1_000_000
"""Maximum number of characters that the aliases of a document add to it. Nested aliases, `&b [*a,
*a]` after `&a […]`, double the size of the document with each line once it is copied."""
_MAX_NUMBER_CHARACTERS = 21


class DocumentError(ValueError):
    """A text that is not a manifest; the message begins with the position, if it is known."""


def parse_documents(text: str, *, is_json: bool) -> list[tuple[int, Any]]:
    """Return the documents of a text, each with the number of its first line.

    Raises:
        DocumentError: the text is not JSON or YAML that Kubernetes accepts.

    """
    try:
        return [(1, _parse_json(text))] if is_json else list(_parse_yaml(text))
    except RecursionError:
        raise DocumentError("it is nested too deeply") from None


def parse_document(text: str) -> Any:
    """Return the only document of a YAML text; None if the text is empty.

    Raises:
        DocumentError: it is not YAML as Kubernetes reads it, or has several documents.

    """
    documents = parse_documents(text, is_json=False)
    first, *others = [each for each in documents if each[1] is not None] or [(1, None)]
    if others:
        raise DocumentError(f"line {others[0][0]}: expected one document, found another")
    return first[1]


def _parse_yaml(text: str) -> Iterator[tuple[int, Any]]:
    try:
        loader = _Loader(text)
        while loader.check_node() and (node := loader.get_node()):
            if "&" in text:
                _check_aliases(node, len(text))
            yield node.start_mark.line + 1, loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        where = _format_position(error.problem_mark) if error.problem_mark else ""
        context = f" {error.context}" if error.context else ""
        raise DocumentError(f"{where}expected YAML: {error.problem}{context}") from None
    except yaml.YAMLError as error:
        raise DocumentError(f"expected YAML: {str(error).splitlines()[0]}") from None


def _check_aliases(root: yaml.Node, text_length: int) -> None:
    """Reject values that contain themselves, and documents that aliases make too large."""
    sizes: dict[yaml.Node, int] = {}

    def size(node: yaml.Node) -> int:
        if node not in sizes:
            sizes[node] = 0
            sizes[node] = 1 + sum(map(size, _children_of(node)), start=_count_characters(node))
        elif not sizes[node]:
            _reject(node, "the value contains itself through an alias")
        return sizes[node]

    # without aliases a document has at most twice as many characters and nodes as its text
    if size(root) > 2 * text_length + MAX_ALIAS_CHARACTERS:
        _reject(root, f"aliases add more than {MAX_ALIAS_CHARACTERS} characters to the document")


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
    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Merge the maps that `<<` refers to; the map's own keys win, and must be unique."""
        seen = set()
        for key, _ in node.value:
            if key.tag == _MERGE:
                continue
            if key.tag != _TEXT:
                found = key.value if isinstance(key, yaml.ScalarNode) else "…"
                _reject(key, f"expected a text as key, found '{found}'; quote it")
            if key.value in seen:
                _reject(key, f"duplicate key '{key.value}'")
            seen.add(key.value)
        super().flatten_mapping(node)
        node.value = list({key.value: (key, value) for key, value in node.value}.values())


def _with_number_check(construct: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Reject numbers of YAML that Python cannot parse: `0x_`, and 5000 digits."""

    def checked(loader: _Loader, node: yaml.ScalarNode) -> Any:
        try:
            return construct(loader, node)
        except ValueError:
            found = truncate(node.value, _MAX_NUMBER_CHARACTERS)
            _reject(node, f"expected a number, found '{found}'")

    return checked


_TAG = "tag:yaml.org,2002:"
_TEXT, _MERGE, _TIMESTAMP = f"{_TAG}str", f"{_TAG}merge", f"{_TAG}timestamp"

_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != _TIMESTAMP]
    for first, resolvers in _SafeLoader.yaml_implicit_resolvers.items()
}
_constructors = _SafeLoader.yaml_constructors
_Loader.yaml_constructors = {
    None: _constructors[None],  # rejects all other tags
    **{_TAG + kind: _constructors[_TAG + kind] for kind in ("null", "bool", "str", "seq", "map")},
    **{_TAG + kind: _with_number_check(_constructors[_TAG + kind]) for kind in ("int", "float")},
}


def _format_position(mark: Any) -> str:
    return f"line {mark.line + 1} column {mark.column + 1}: "


def _reject(node: yaml.Node, message: str) -> NoReturn:
    raise DocumentError(f"{_format_position(node.start_mark)}{message}")
