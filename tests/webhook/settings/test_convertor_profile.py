"""`convertor` of the installation's file."""

import json
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import msgspec
import pytest
import yaml

from webhook.model import ConvertorProfile, Installation, Problem, ScratchVolume
from webhook.settings.installation import read_installation
from webhook.settings.names import INSTALLATION_ONLY

SCHEMA = jsonschema.Draft7Validator(
    json.loads(
        Path("webhook/settings/installation.schema.json").read_text(encoding="utf-8"),
    )
)
LOCALHOST = {"type": "Localhost", "localhostProfile": "profiles/unshare.json"}
FILE = """
convertor:
  seccompProfile: {type: Localhost, localhostProfile: profiles/unshare.json}
  appArmorProfile: {type: Unconfined}
  env: {LIBGUESTFS_BACKEND: direct, LIBGUESTFS_MEMSIZE: 4096}
  runtimeClass: kata
  scratchVolume: {size: 100Gi, storageClass: fast}
  openShift: true
  namespaces:
    windows-vms: {env: {LIBGUESTFS_MEMSIZE: "8192"}, scratchVolume: {size: 200Gi}}
    plain: {seccompProfile: {}, appArmorProfile: {}, env: {}, runtimeClass: "",
      scratchVolume: {}, openShift: false}
"""
GENERAL = ConvertorProfile(
    seccomp=LOCALHOST,
    app_armor={"type": "Unconfined"},
    env={"LIBGUESTFS_BACKEND": "direct", "LIBGUESTFS_MEMSIZE": "4096"},
    runtime_class="kata",
    scratch_volume=ScratchVolume("100Gi", "fast"),
    open_shift=True,
)


def read(text: str) -> tuple[Installation, list[Problem]]:
    return read_installation(yaml.safe_load(text), "file")


def read_profile(text: str) -> tuple[ConvertorProfile, list[str]]:
    """Read the profile that replaces `GENERAL` in a namespace; the places of problems are short."""
    document = yaml.safe_load(FILE)
    document["convertor"]["namespaces"] = {"vms": yaml.safe_load(text)}
    found, problems = read_installation(document, "file")
    assert found.convertor == GENERAL
    prefix = "file convertor.namespaces.vms."
    assert all(str(each).startswith(prefix) for each in problems)
    return found.profile_for("vms"), [str(each).removeprefix(prefix) for each in problems]


def test_the_profile_has_all_keys() -> None:
    found, problems = read(FILE)

    assert problems == []
    assert found.convertor == GENERAL
    assert found.profile_for("elsewhere") == GENERAL
    assert SCHEMA.is_valid(yaml.safe_load(FILE))


def test_a_key_of_a_namespace_replaces_the_general_one() -> None:
    assert read(FILE)[0].profile_for("windows-vms") == msgspec.structs.replace(
        GENERAL, env={"LIBGUESTFS_MEMSIZE": "8192"}, scratch_volume=ScratchVolume("200Gi")
    )


def test_a_namespace_has_no_profile_with_empty_keys() -> None:
    assert read(FILE)[0].profile_for("plain") == ConvertorProfile()


@pytest.mark.parametrize("text", ["null", "{}", "{env: null, scratchVolume: null}"])
def test_a_key_that_is_missing_or_null_has_the_general_value(text: str) -> None:
    assert read_profile(text) == (GENERAL, [])


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "{seccompProfile: RuntimeDefault}",
            "seccompProfile: expected a map, found 'RuntimeDefault'",
        ),
        (
            "{seccompProfile: {type: Local}}",
            "seccompProfile: expected type RuntimeDefault, Localhost or Unconfined, found 'Local'",
        ),
        (
            "{seccompProfile: {type: Localhost}}",
            "seccompProfile: expected localhostProfile with the type Localhost",
        ),
        (
            "{appArmorProfile: {type: RuntimeDefault, localhostProfile: a}}",
            "appArmorProfile: expected localhostProfile with the type Localhost only",
        ),
        ("{env: a=b}", "env: expected a map, found 'a=b'"),
        ("{runtimeClass: Kata_1}", "runtimeClass: 'Kata_1' must consist of lower case"),
        ("{runtimeClass: 1}", "runtimeClass: expected text, found 1: put it in quotes"),
        ("{scratchVolume: 100Gi}", "scratchVolume: expected a map, found '100Gi'"),
        ("{scratchVolume: {size: 0}}", "scratchVolume.size: '0' must be more than 0"),
        ("{scratchVolume: {size: 10GiB}}", "scratchVolume.size: '10GiB' "),
        ("{scratchVolume: {storageClass: a}}", "scratchVolume.size: expected a size, found "),
        (
            "{scratchVolume: {size: 1Gi, storageClass: A}}",
            "scratchVolume.storageClass: 'A' must consist of lower case",
        ),
        ("{openShift: 'yes'}", "openShift: expected true or false, found 'yes'"),
    ],
)
def test_an_invalid_value_is_a_problem_and_the_general_one_is_kept(text: str, problem: str) -> None:
    found, (message,) = read_profile(text)

    assert message.startswith(problem)
    assert found == GENERAL


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("1A", "b", "'1A' is not a name of a variable"),
        ("V2V_source", "b", "'V2V_source' is a variable of Forklift: give it another name"),
        ("LOCAL_MIGRATION", "b", "'LOCAL_MIGRATION' is a variable of Forklift: give it another"),
        ("A", [], "expected text, found a list"),
    ],
)
def test_an_invalid_variable_is_left_out(name: str, value: Any, message: str) -> None:
    document = {"convertor": {"env": {name: value, "B": "c"}}}
    found, (problem,) = read_installation(document, "file")

    assert problem.where == f"file convertor.env.{name}"
    assert problem.message.startswith(message)
    assert found.convertor.env == {"B": "c"}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "{convertor: {seccomp: {}}}",
            "file convertor.seccomp: unknown key: expected appArmorProfile, env, namespaces, openS",
        ),
        ("{convertor: {namespaces: {vms: {namespaces: {}}}}}", "file convertor.namespaces.vms."),
        ("{convertor: {seccompProfile: {kind: a}}}", "file convertor.seccompProfile.kind: unknown"),
        ("{convertor: {scratchVolume: {class: a, size: 1}}}", "file convertor.scratchVolume.class"),
        ("{convertor: {namespaces: {A: {}}}}", "file convertor.namespaces: namespace 'A' must"),
    ],
)
def test_an_unknown_key_or_namespace_is_a_problem(text: str, problem: str) -> None:
    found, problems = read(text)

    assert str(problems[0]).startswith(problem)
    assert found.profile_for("vms").seccomp == {}
    assert not SCHEMA.is_valid(yaml.safe_load(text))


def test_every_key_has_a_name_that_a_plan_is_refused_for() -> None:
    keys = set(SCHEMA.schema["properties"]["convertor"]["properties"])

    assert keys - {"namespaces", "openShift"} == {*INSTALLATION_ONLY.values()}


def test_the_schema_has_the_same_keys_for_a_namespace() -> None:
    general = SCHEMA.schema["properties"]["convertor"]["properties"]
    of_namespace = SCHEMA.schema["definitions"]["profile"]["properties"]

    assert {key: value for key, value in general.items() if key != "namespaces"} == of_namespace
