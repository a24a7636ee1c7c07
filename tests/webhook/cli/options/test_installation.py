"""A flag overrides its variable, that the file of --config, and that the built-in default."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from webhook.cli.options.installation import (
    installation_options,
    is_given,
    override,
    prefix_options,
)
from webhook.model import Installation, Limits, Mode, OnError, Role, Scope

FILE = """
mode: audit
namespaceModes: {vms: off}
planModes: false
scope: own
onError: deny
identityLabels: false
annotationPrefix: convertor.example.com
defaults: {labels: {team: file}}
limits: {roles: "convertor,first-consumer"}
"""
IN_FILE = Installation(
    mode=Mode.AUDIT,
    namespace_modes={"vms": Mode.OFF},
    plan_modes=False,
    scope=Scope.OWN,
    on_error=OnError.DENY,
    identity_labels=False,
    prefix="convertor.example.com",
    defaults={"labels": {"team": "file"}},
    limits=Limits(roles=(Role.CONVERTOR, Role.FIRST_CONSUMER)),
)

Read = Callable[..., Installation]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(FILE, encoding="utf-8")
    return path


def run(options: Any, words: tuple[object, ...], env: dict[str, str]) -> tuple[Result, list[Any]]:
    found: list[Any] = []

    @click.command()
    @options  # type: ignore[untyped-decorator]
    def command(installation: Installation) -> None:
        found.extend([installation, override(Installation(scope=Scope.OWN), installation)])
        found.append([name for name in ("config", "mode", "scope") if is_given(name)])

    return CliRunner(env=env).invoke(command, [*map(str, words)]), found


def read(*words: object, **env: str) -> list[Any]:
    result, found = run(installation_options, words, env)
    assert (result.exit_code, result.stderr) == (0, "")
    return found


def test_without_flags_and_a_file_all_settings_are_built_in() -> None:
    assert read() == [Installation(), Installation(scope=Scope.OWN), []]


def test_the_file_has_every_setting(config: Path) -> None:
    installation, _, given = read("--config", config)
    assert (installation, given) == (IN_FILE, ["config"])
    assert read(CONVERTOR_WEBHOOK_CONFIG=str(config))[0] == IN_FILE


def test_flags_override_the_file(config: Path, tmp_path: Path) -> None:
    defaults = tmp_path / "defaults.yaml"
    defaults.write_text("nodeSelector: {disk: nvme}\n", encoding="utf-8")
    flags = ["--mode=enforce", "--namespace-mode=a=audit", "--plan-modes", "--scope=all"]
    more = ["--on-error=allow", "--identity-labels", "--annotation-prefix=example.org"]
    installation = read("--config", config, *flags, *more, "--defaults", defaults)[0]
    assert installation == Installation(
        namespace_modes={"a": Mode.AUDIT},
        prefix="example.org",
        defaults={"nodeSelector": {"disk": "nvme"}},
        limits=IN_FILE.limits,
    )


def test_the_defaults_are_checked_with_the_other_settings(config: Path, tmp_path: Path) -> None:
    defaults = tmp_path / "defaults.yaml"
    defaults.write_text("labels: example.org/role=x\npods: populator\n", encoding="utf-8")
    flags = ("--config", config, "--annotation-prefix", "example.org", "--defaults", defaults)
    result, _ = run(installation_options, flags, {})
    assert (result.exit_code, result.stderr) == (
        2,
        (
            f"Error: '{defaults}' labels entry 1: 'example.org/role' is the label that the webhook "
            "itself adds: give the label another name\n"
            f"'{defaults}' pods entry 1: populator is left out, because limits.roles of the "
            "installation has only convertor and first-consumer: remove it, or add it there\n"
        ),
    )


def test_variables_override_the_file_and_flags_override_variables(config: Path) -> None:
    variables = {"CONVERTOR_WEBHOOK_MODE": "off", "CONVERTOR_WEBHOOK_SCOPE": "all"}
    installation, _, given = read("--config", config, "--mode", "enforce", **variables)
    assert (installation.mode, installation.scope) == (Mode.ENFORCE, Scope.ALL)
    assert installation.on_error is OnError.DENY
    assert given == ["config", "mode", "scope"]


def test_only_given_settings_override_others() -> None:
    """The others, here the scope, are those of an installed release."""
    assert read("--mode", "audit")[1] == Installation(mode=Mode.AUDIT, scope=Scope.OWN)


def test_a_command_may_take_the_prefix_alone(config: Path) -> None:
    words = ("--config", config, "--annotation-prefix", "example.org")
    result, found = run(prefix_options, words, {"CONVERTOR_WEBHOOK_MODE": "enforce"})
    assert (result.exit_code, result.stderr) == (0, "")
    assert (found[0].mode, found[0].prefix) == (Mode.AUDIT, "example.org")


def test_a_file_with_mistakes_is_an_error_with_all_of_them(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("mode: later\nscope: mine\n", encoding="utf-8")
    result, _ = run(installation_options, ("--config", path), {})
    assert (result.exit_code, result.stderr) == (
        2,
        (
            f"Error: '{path}' mode: expected mode enforce, audit or off, found 'later'\n"
            f"'{path}' scope: expected scope all or own, found 'mine'\n"
        ),
    )


def test_a_file_that_is_missing_is_an_error_with_a_hint(config: Path) -> None:
    missing = config.with_name("confg.yaml")
    result, _ = run(installation_options, ("--config", missing), {})
    assert result.exit_code == 2
    assert f"'--config': '{missing}': no such file; did you mean '{config}'?" in result.stderr
