"""The chart's values.schema.json and the tables of its README, out of values.yaml.

`pytest tests/system/chart --update-golden` writes both. In values.yaml the comment right above a
key describes it, a line `@schema` in that comment adds keywords of JSON Schema in YAML's flow
style, and a comment `## Heading` begins a section of the README.
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
    "global": {"description": "Helm's own, where the chart is a dependency.", "type": "object"},
    "enabled": {
        "description": "For the condition of a chart that depends on this one; read by none here.",
        "type": "boolean",
    },
}


@dataclass(frozen=True)
class Value:
    """One key of values.yaml, with what its comment says."""

    path: tuple[str, ...]
    default: Any
    description: str
    keywords: dict[str, Any]
    section: str

    @property
    def is_group(self) -> bool:
        """Whether its keys are values of their own: a closed map."""
        return isinstance(self.default, dict) and bool(self.default) and not self.keywords

    @property
    def may_be_left_empty(self) -> bool:
        """Whether `key:` with nothing after it is a value: none of the map, the list, the text.

        To Helm the key is then not there at all, and its default neither.
        """
        if self.is_group or "minItems" in self.keywords:
            return False
        return isinstance(self.default, dict | list) or self.default in ("", None)


def leaves(text: str) -> list[Value]:
    """Return the values that can be set, in the order of the file."""
    return [value for value in values(text) if not value.is_group]


def schema(text: str) -> str:
    """Write values.schema.json: closed, with every type, draft 7 as Helm 3 and 4 read it.

    Whatever may not be left empty is required: it is there unless somebody has left it empty.
    """
    root: dict[str, Any] = {
        "$schema": "http://json-schema.org/draft-07/schema#",
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
    """Write the README again: what is before its tables stays, the tables are made."""
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
    kind = {} if "enum" in value.keywords else {"type": TYPES[type(value.default)]}
    return described | kind | value.keywords | {"default": value.default}


def values(text: str) -> Iterator[Value]:
    """Yield everything in values.yaml that has a name, groups too, in the order of the file."""
    lines = text.splitlines()
    section = ""

    def walk(node: yaml.MappingNode, above: tuple[str, ...]) -> Iterator[Value]:
        nonlocal section
        for key, content in node.value:
            section, description, keywords = _comment(lines, key.start_mark.line, section)
            # values.yaml is ours; the default comes from the node that the comment is at.
            default = yaml.safe_load(yaml.serialize(content))
            value = Value((*above, key.value), default, description, keywords, section)
            yield value
            if value.is_group:
                yield from walk(content, value.path)

    root = yaml.compose(text)
    assert isinstance(root, yaml.MappingNode)
    yield from walk(root, ())


def _comment(lines: list[str], end: int, section: str) -> tuple[str, str, dict[str, Any]]:
    """Read the comment block above a line, and the heading that may stand before it."""
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
