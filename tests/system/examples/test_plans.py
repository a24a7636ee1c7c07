"""The example plans are valid Plans with the settings of the guide's command above them.

The commands have the flags of kubectl-mtv 0.1.79 and later: in the guide the name has none.
"""

import re
import shlex
from typing import Any, NamedTuple

import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml

from tests.support import yaml_files
from tests.support.paths import ROOT
from webhook import settings
from webhook.kube.objects import Json
from webhook.model import Installation, Settings

FILES = sorted((ROOT / "examples" / "plans").glob("*.yaml"))
PREFIX = Installation().prefix
FLAGS = {
    "--convertor-labels": "labels",
    "--convertor-node-selector": "node-selector",
    "--convertor-affinity": "affinity",
}


class Example(NamedTuple):
    command: str
    """The command of the guide; empty if there is none."""
    plan: Json


def examples() -> list[Example]:
    found = []
    for path in FILES:
        for text in path.read_text().split("\n---\n"):
            document = yaml.safe_load(text)
            command = re.search(r"^# (kubectl mtv(.*\\\n# )*.*)$", text, re.MULTILINE)
            if document["kind"] == "Plan":
                written = command[1].replace("\\\n#", "") if command else ""
                found.append(Example(written, document))
    return found


EXAMPLES = examples()
OF_THE_GUIDE = [example for example in EXAMPLES if example.command]


def name(example: Example) -> str:
    found: str = example.plan["metadata"]["name"]
    return found


def strict(schema: Any) -> Any:
    """Reject fields that are not in the CRD, as `kubectl apply` does."""
    if isinstance(schema, list):
        return [strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: strict(value) for key, value in schema.items()}
    return {"additionalProperties": False} | closed if "properties" in closed else closed


@pytest.fixture(scope="module")
def crd() -> Any:
    path = ROOT / "tests" / "data" / "crds" / "plans-v2.12.5.yaml"
    (version, *_) = yaml_files.load(path)["spec"]["versions"]
    spec = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
    return jsonschema.Draft202012Validator(strict(spec))


def test_there_are_examples_for_all_commands_of_the_guide_and_more() -> None:
    assert len(OF_THE_GUIDE) == 23
    assert len(EXAMPLES) > len(OF_THE_GUIDE)


@pytest.mark.parametrize("example", EXAMPLES, ids=name)
def test_an_example_is_a_plan_of_forklift(example: Example, crd: Any) -> None:
    assert [error.message for error in crd.iter_errors(example.plan["spec"])] == []


@pytest.mark.parametrize("example", OF_THE_GUIDE, ids=name)
def test_an_example_has_the_settings_of_its_command(example: Example) -> None:
    _, _, verb, _, *words = shlex.split(example.command)
    flags = dict(zip(words[::2], words[1::2], strict=True))
    metadata = example.plan["metadata"]
    assert flags["--plan-name" if verb == "patch" else "--name"] == metadata["name"]
    assert flags["--namespace"] == metadata["namespace"]
    annotations = {f"{PREFIX}/{FLAGS[flag]}": flags[flag] for flag in flags.keys() & FLAGS.keys()}
    expected = {
        "metadata": {"name": "expected", "namespace": "forklift", "annotations": annotations},
        "spec": {"targetNamespace": "target"},
    }
    assert placement(example.plan) == placement(expected)


def placement(plan: Json) -> Any:
    found: Settings = settings.read(plan, Installation()).settings
    return found.labels, found.node_selector, found.node_requirements, found.affinity


@pytest.mark.parametrize("example", EXAMPLES, ids=name)
def test_an_example_has_no_problems(example: Example) -> None:
    assert settings.read(example.plan, Installation()).settings.problems == []
