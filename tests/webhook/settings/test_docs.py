"""Every example of docs/settings.md is executed."""

import json
import re
from importlib.resources import files
from typing import Any, NamedTuple

import pytest
import yaml

from tests.support.paths import ROOT
from webhook.kube.manifests import parse_document
from webhook.kube.objects import Json
from webhook.model import ClusterState, MigrationPod, Mode, Problem, Role
from webhook.placement import place
from webhook.settings import read
from webhook.settings.installation import KEYS, read_installation

DOC = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
INSTALLATION = DOC[DOC.index("## The installation\n") : DOC.index("## Invalid settings\n")]
BLOCK = re.compile(r"^```(yaml|text)\n(?:# ([^\n]+)\n)?(.*?)^```", re.MULTILINE | re.DOTALL)
SECTIONS = re.split(r"^## ", DOC.replace(INSTALLATION, ""), flags=re.MULTILINE)[1:]
NODE_VALUES = {"memory": ["32Gi", "128Gi"]}


class Example(NamedTuple):
    """The blocks of an example by their first line; each plan begins a new example."""

    heading: str
    blocks: dict[str, str]


def read_examples() -> list[Example]:
    found: list[Example] = []
    for section in SECTIONS:
        blocks: dict[str, str] = {}
        for kind, name, body in BLOCK.findall(section):
            if name in ("defaults", "installation") or (name == "plan" and "plan" in blocks):
                blocks = {}
            if not blocks:
                found.append(Example(section.splitlines()[0], blocks))
            blocks[name or kind] = body
    return found


def load_block(example: Example, block: str) -> Json:
    value: Json = yaml.safe_load(example.blocks.get(block, "{}")) or {}
    return value


def format_problem(problem: Problem) -> str:
    message = str(problem).removeprefix(f"{problem.where}: ")
    return f"{problem.where}:\n  {message}\n{problem.detail}".rstrip("\n")


def select_fields(pod: Json) -> Json:
    """Return the fields of a pod that the document shows, without empty ones."""
    annotations = dict(pod["metadata"].get("annotations") or {})
    annotations.pop("convertor.forklift.konveyor.io/placement", None)
    metadata: Json = {"labels": pod["metadata"].get("labels"), "annotations": annotations}
    parts: Any = {"metadata": metadata, "spec": pod.get("spec")}
    return {
        part: fields
        for part, value in parts.items()
        if (fields := {name: field for name, field in (value or {}).items() if field})
    }


@pytest.mark.parametrize("example", read_examples(), ids=lambda example: example.heading)
def test_an_example_of_the_document_is_placed_as_documented(example: Example) -> None:
    document = load_block(example, "installation") | {"identityLabels": False}
    document |= {"defaults": load_block(example, "defaults")}
    installation, _ = read_installation(document, "config.yaml")
    cluster = ClusterState(NODE_VALUES, {"migration"})
    plan = read(load_block(example, "plan"), installation)
    pod: Json = {"metadata": {}} | load_block(example, "pod as Forklift makes it")
    problems = "\n".join(map(format_problem, plan.settings.problems))

    assert select_fields(place(pod, plan, installation, cluster).pod) == load_block(example, "pod")
    for role in Role:
        if role in example.blocks:
            placed = place(pod, plan, installation, cluster, MigrationPod(role)).pod
            assert select_fields(placed) == load_block(example, role)
    assert problems == example.blocks.get("text", "").strip("\n")
    assert plan.settings.mode is (Mode.OFF if example.heading == "Mode" else None)


def test_every_setting_has_a_section_and_an_example() -> None:
    settings = re.findall(r"^\| \[.+?\]\(#(.+?)\)", DOC, flags=re.MULTILINE)
    headings = {example.heading.lower().replace(" ", "-") for example in read_examples()}

    assert len(settings) == 12
    assert set(settings) <= headings
    blocks = "".join(SECTIONS).count("```") / 2
    assert sum(len(example.blocks) for example in read_examples()) == blocks
    assert all("plan" in example.blocks for example in read_examples())


def test_the_file_of_the_installation_has_every_key() -> None:
    (text,) = (body for _, name, body in BLOCK.findall(INSTALLATION) if name == "config.yaml")
    document = parse_document(text)
    found, problems = read_installation(document, "config.yaml")

    assert problems == []
    assert list(document) == list(KEYS)
    assert (found.mode, found.namespace_modes["production"]) == (Mode.AUDIT, Mode.OFF)
    comments = [line for line in text.splitlines() if line.startswith("# ")]
    assert len(comments) == len(KEYS)


def test_the_errors_of_the_installation_are_those_of_the_reader() -> None:
    document = {"mod": "audit", "namespaceModes": {"production": True}}
    problems = read_installation(document, "'config.yaml'")[1]

    assert "\nError: " + "\n".join(map(str, problems)) + "\n```\n" in INSTALLATION


def test_the_schema_is_named() -> None:
    schema = json.loads(
        files("webhook.settings").joinpath("installation.schema.json").read_text(encoding="utf-8")
    )

    assert f"\n# yaml-language-server: $schema={schema['$id']}\n" in INSTALLATION
