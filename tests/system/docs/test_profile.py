"""The examples of docs/profile.md are valid, and the first one has every key."""

import re

import msgspec
import pytest
import yaml

from tests.support.paths import ROOT
from webhook.model import ConvertorProfile, Installation
from webhook.settings.installation import read_installation

PAGE = (ROOT / "docs" / "profile.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```yaml\n# config\.yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
KEYS = set(re.findall(r"`([a-zA-Z]+)`", "".join(re.findall(r"^\| (`.+?) \|", PAGE, re.MULTILINE))))
_FIELDS = {
    "seccompProfile": "seccomp",
    "appArmorProfile": "app_armor",
    "env": "env",
    "runtimeClass": "runtime_class",
    "scratchVolume": "scratch_volume",
}


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_is_valid_and_has_an_effect(example: str) -> None:
    found, problems = read_installation(yaml.safe_load(example), "config.yaml")

    assert problems == []
    assert found != Installation()


def test_every_yaml_block_is_an_example() -> None:
    assert len(EXAMPLES) == PAGE.count("```yaml") > 5


def test_the_first_example_and_the_table_have_every_key() -> None:
    document = yaml.safe_load(EXAMPLES[0])["convertor"]
    found, _ = read_installation({"convertor": document}, "config.yaml")
    own = msgspec.structs.asdict(found.convertor)

    assert _FIELDS.keys() == KEYS
    assert document.keys() == {*_FIELDS, "openShift", "namespaces"}
    assert all(own[field] for field in _FIELDS.values())
    assert found.profile_for("trusted") == ConvertorProfile(
        seccomp={"type": "Unconfined"}, env=found.convertor.env
    )
