"""Generator of the chart's values.schema.json and README tables from values.yaml.

`pytest tests/system/chart --update-golden` writes both. In values.yaml the comment above a key is
its description, a line `@schema` in it adds keywords of JSON Schema in YAML's flow style, and a
comment `## Heading` begins a section of the README.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

HEADING, KEYWORDS = "## ", "# @schema "
TYPES = {
    bool: "boolean",
    int: "integer",
    str: "string",
    list: "array",
    dict: "object",
    type(None): "null",
}
ALWAYS_ALLOWED: dict[str, Any] = {
    "global": {
        "description": "Global values of Helm, for a chart that depends on this one.",
        "type": "object",
    },
    "enabled": {
        "description": "For the condition of a chart that depends on this one; not used here.",
        "type": "boolean",
    },
}
_OBJECT_NAME = "[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
_LABEL_VALUE = "[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_KEY = f"^({_OBJECT_NAME}/)?{_LABEL_VALUE}$"


_ROLE = "convertor|inspection|first-consumer|importer|populator"


def _map(value: dict[str, Any]) -> dict[str, Any]:
    # Not `propertyNames`, for which Helm 4 reports another place.
    return {"type": "object", "patternProperties": {_KEY: value}, "additionalProperties": False}


_NAMES = {"$ref": "#/definitions/names"}
_QUANTITY = {"$ref": "#/definitions/quantity"}
_PROFILE = {"$ref": "#/definitions/securityProfile"}


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "properties": properties}


DEFINITIONS: dict[str, Any] = {
    "objectName": {"type": "string", "pattern": f"^({_OBJECT_NAME})?$", "maxLength": 253},
    "labels": _map({"type": "string", "pattern": f"^({_LABEL_VALUE})?$"}),
    "annotations": _map({"type": "string"}),
    "role": {"enum": _ROLE.split("|")},
    "roles": {
        "type": ["string", "array"],
        "pattern": f"^\\s*(all|({_ROLE})(\\s*,\\s*({_ROLE}))*)?\\s*$",
        "items": {"$ref": "#/definitions/role"},
    },
    "roleSettings": {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "labels": {"$ref": "#/definitions/labels"},
            "nodeSelector": {"type": "object", "additionalProperties": {"type": "string"}},
            "affinity": {"type": ["string", "object", "null"]},
            "tolerations": {"type": ["array", "string"], "items": {"type": ["string", "object"]}},
            "resources": {"type": ["object", "string"]},
            "priorityClass": {"$ref": "#/definitions/objectName"},
            "podAnnotations": {"$ref": "#/definitions/annotations"},
        },
    },
    "names": {"type": ["array", "null"], "items": {"type": "string"}},
    "quantity": {"type": ["string", "number"]},
    "limits": _object(
        {
            "roles": {"type": "array", "items": {"$ref": "#/definitions/role"}},
            "resources": _object(dict.fromkeys(("cpu", "memory", "ephemeral-storage"), _QUANTITY)),
            **dict.fromkeys(
                (
                    *("settings", "labels", "nodeLabels", "tolerations", "ruleNamespaces"),
                    *("targetNamespaces", "avoidTopologies", "priorityClasses", "podAnnotations"),
                ),
                _NAMES,
            ),
        }
    ),
    "securityProfile": _object(
        {
            "type": {"enum": ["RuntimeDefault", "Localhost", "Unconfined"]},
            "localhostProfile": {"type": "string"},
        }
    ),
    "convertor": _object(
        {
            "seccompProfile": _PROFILE,
            "appArmorProfile": _PROFILE,
            "env": {"type": "object", "additionalProperties": {"type": "string"}},
            "runtimeClass": {"$ref": "#/definitions/objectName"},
            "scratchVolume": _object(
                {"size": _QUANTITY, "storageClass": {"$ref": "#/definitions/objectName"}}
            ),
            "openShift": {"type": "boolean"},
        }
    ),
}
"""The schemas of several values: `$ref: '#/definitions/labels'`."""


@dataclass(frozen=True)
class Value:
    """A key of values.yaml, with its comment."""

    path: tuple[str, ...]
    default: Any
    description: str
    keywords: dict[str, Any]
    section: str

    @property
    def is_group(self) -> bool:
        """True for a closed map, whose keys are values themselves."""
        return isinstance(self.default, dict) and bool(self.default) and not self.keywords

    @property
    def may_be_left_empty(self) -> bool:
        """True if `key:` without a value is valid, as an empty map, list or text.

        Helm then removes the key, together with its default.
        """
        if self.is_group or "minItems" in self.keywords:
            return False
        return isinstance(self.default, dict | list) or self.default in ("", None)


def leaves(text: str) -> list[Value]:
    """Return the values that are not groups, in the order of the file."""
    return [value for value in values(text) if not value.is_group]


def schema(text: str) -> str:
    """Return values.schema.json: closed, with all types, in draft 7, which Helm 3 and 4 support.

    Values that must not be empty are required: they are missing only if the user has emptied them.
    """
    root: dict[str, Any] = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "definitions": DEFINITIONS,
        **_closed(),
    }
    root["properties"] |= ALWAYS_ALLOWED
    for value in values(text):
        parent = root
        for key in value.path[:-1]:
            parent = parent["properties"][key]
        parent["properties"][value.path[-1]] = _property(value)
        if not value.may_be_left_empty:
            parent.setdefault("required", []).append(value.path[-1])
    return json.dumps(root, indent=2, ensure_ascii=False) + "\n"


def readme(text: str, present: str) -> str:
    """Return the README with its tables generated again; the text before them is kept."""
    lines = [present.partition("## Values")[0] + "## Values"]
    section = ""
    for value in values(text):
        if value.is_group and not value.description:
            continue
        if value.section != section:
            section = value.section
            lines += ["", f"### {section}", "", "| value | default | |", "| --- | --- | --- |"]
        default = "" if value.is_group else f"`{json.dumps(value.default, ensure_ascii=False)}`"
        description = value.description.replace("|", "\\|")
        lines.append(f"| `{'.'.join(value.path)}` | {default} | {description} |")
    return "\n".join(lines) + "\n"


def _closed() -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "properties": {}}


def _property(value: Value) -> dict[str, Any]:
    described = {"description": value.description} if value.description else {}
    if value.is_group:
        return described | _closed()
    has_type = value.keywords.keys() & {"enum", "$ref"}
    kind = {} if has_type else {"type": TYPES[type(value.default)]}
    return described | kind | value.keywords | {"default": value.default}


def values(text: str) -> Iterator[Value]:
    """Yield all values, including groups, in the order of the file."""
    lines = text.splitlines()
    section = ""

    def walk(node: yaml.MappingNode, above: tuple[str, ...]) -> Iterator[Value]:
        nonlocal section
        for key, content in node.value:
            section, description, keywords = _comment(lines, key.start_mark.line, section)
            # The node of the comment, because the default must be the one that is described.
            default = yaml.safe_load(yaml.serialize(content))
            value = Value((*above, key.value), default, description, keywords, section)
            yield value
            if value.is_group:
                yield from walk(content, value.path)

    root = yaml.compose(text)
    assert isinstance(root, yaml.MappingNode)
    yield from walk(root, ())


def _comment(lines: list[str], end: int, section: str) -> tuple[str, str, dict[str, Any]]:
    """Return the heading, the description and the keywords in the comments above a line."""
    words: list[str] = []
    keywords: dict[str, Any] = {}
    number = end - 1
    while number >= 0 and lines[number].lstrip().startswith("# "):
        line = lines[number].strip()
        if line.startswith(KEYWORDS):
            keywords = yaml.safe_load("{" + line.removeprefix(KEYWORDS) + "}") | keywords
        else:
            words.insert(0, line.removeprefix("# "))
        number -= 1
    while number >= 0 and not lines[number].strip():
        number -= 1
    if number >= 0 and lines[number].startswith(HEADING):
        section = lines[number].removeprefix(HEADING)
    return section, " ".join(words), keywords
