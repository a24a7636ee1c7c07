"""The installation's settings, as options of `serve` and of every command that evaluates plans.

They are merged setting by setting: a flag, then its environment variable, then the file of
`--config`, then the built-in default. The variables are those of the server, so a command started
in the server's environment gives the server's result.
"""

import functools
from collections.abc import Callable, Collection, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple, ParamSpec, TypeVar

import click
import msgspec
from click.core import ParameterSource

from webhook.cli.errors import UserError
from webhook.cli.options.types import Parsed, complete_path, configured
from webhook.kube.labels import check_key
from webhook.kube.objects import Json
from webhook.model import Installation, Mode, OnError, Scope

P = ParamSpec("P")
R = TypeVar("R")

ENVIRONMENT = "CONVERTOR_WEBHOOK"
"""The same as in `server.config`, which is loaded only for a given value: see cli.options.types."""

_DEFAULT = Installation()

_Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def _make_option(flag: str, **attributes: Any) -> _Decorator:
    variable = flag.partition("/")[0].removeprefix("--").replace("-", "_").upper()
    return click.option(flag, envvar=f"{ENVIRONMENT}_{variable}", show_default=True, **attributes)


def _make_file_option(flag: str, text: str) -> _Decorator:
    kind = Parsed("file", configured("find_file"))
    return _make_option(flag, type=kind, shell_complete=complete_path, help=text)


def _make_choice(words: type[StrEnum]) -> click.Choice[str]:
    return click.Choice([word.value for word in words])


def _parse_prefix(text: str) -> str:
    if wrong := check_key(f"{text}/placement"):
        from webhook.server.config import ConfigError  # noqa: PLC0415 - see webhook.cli.options.types

        raise ConfigError(f"{text!r}: expected a DNS name such as '{_DEFAULT.prefix}'; {wrong}")
    return text


_CONFIG = _make_file_option("--config", "Installation (YAML); flags override its settings.")
_PREFIX = _make_option(
    "--annotation-prefix",
    type=Parsed("name", _parse_prefix),
    default=_DEFAULT.prefix,
    help="Of the annotations on plans and pods.",
)
_OPTIONS = [
    _CONFIG,
    _make_file_option(
        "--defaults", "Default settings of plans (YAML), instead of those of --config."
    ),
    _make_option(
        "--mode",
        type=_make_choice(Mode),
        default=_DEFAULT.mode.value,
        help="Place pods, only report what would be done, or neither.",
    ),
    _make_option(
        "--namespace-mode",
        type=Parsed("namespace=mode", configured("parse_namespace_mode")),
        multiple=True,
        help="Mode for the pods of one namespace.",
    ),
    _make_option(
        "--plan-modes/--no-plan-modes",
        default=_DEFAULT.plan_modes,
        help="Allow plans to override the mode.",
    ),
    _make_option(
        "--scope",
        type=_make_choice(Scope),
        default=_DEFAULT.scope.value,
        help="Namespaces of pod rules that name none.",
    ),
    _make_option(
        "--on-error",
        type=_make_choice(OnError),
        default=_DEFAULT.on_error.value,
        help="Allow or deny convertor pods of plans with invalid settings.",
    ),
    _make_option(
        "--identity-labels/--no-identity-labels",
        default=_DEFAULT.identity_labels,
        help="Add app=virt-v2v and forklift.app/plan.",
    ),
    _PREFIX,
]


class _Setting(NamedTuple):
    field: str
    """Field of an Installation."""
    convert: Callable[[Any, Installation], Any]
    """Takes the parameter, and the installation with the settings before this one."""


def _as(kind: Callable[[Any], Any]) -> Callable[[Any, Installation], Any]:
    return lambda value, _installation: kind(value)


def _load_defaults(path: Path, installation: Installation) -> Json:
    from webhook.server.config import load_defaults  # noqa: PLC0415 - see webhook.cli.options.types

    return load_defaults(path, installation)


_SETTINGS = {
    "mode": _Setting("mode", _as(Mode)),
    "namespace_mode": _Setting("namespace_modes", _as(dict)),
    "plan_modes": _Setting("plan_modes", _as(bool)),
    "scope": _Setting("scope", _as(Scope)),
    "on_error": _Setting("on_error", _as(OnError)),
    "identity_labels": _Setting("identity_labels", _as(bool)),
    "annotation_prefix": _Setting("prefix", _as(str)),
    "defaults": _Setting("defaults", _load_defaults),
}
"""The field of an Installation that each parameter of a command sets; the defaults are checked
with the other settings."""


def installation_options(command: Callable[P, R]) -> Callable[..., R]:
    """Add all options; the command gets an `installation`."""
    return _with_installation(command, _OPTIONS, _SETTINGS)


def prefix_options(command: Callable[P, R]) -> Callable[..., R]:
    """Add `--config` and `--annotation-prefix` alone; the command gets an `installation`."""
    return _with_installation(command, [_CONFIG, _PREFIX], ["annotation_prefix"])


def override(base: Installation, installation: Installation) -> Installation:
    """Return `base` with those settings of `installation` that flags or variables have set."""
    fields = [setting.field for name, setting in _SETTINGS.items() if is_given(name)]
    return msgspec.structs.replace(base, **{each: getattr(installation, each) for each in fields})


def is_given(parameter: str) -> bool:
    """Return whether a flag or a variable has set a parameter of the current command."""
    source = click.get_current_context().get_parameter_source(parameter)
    return source not in (None, ParameterSource.DEFAULT)


def _with_installation(
    command: Callable[P, R], options: Sequence[_Decorator], parameters: Collection[str]
) -> Callable[..., R]:
    @functools.wraps(command)
    def wrapped(*args: Any, config: Path | None, **kwargs: Any) -> R:
        values = {name: kwargs.pop(name) for name in parameters}
        given = {name: value for name, value in values.items() if is_given(name)}
        installation = _make_installation(config, given)
        return command(*args, installation=installation, **kwargs)  # type: ignore[arg-type]

    decorated: Callable[..., R] = wrapped
    for option in reversed(options):
        decorated = option(decorated)
    return decorated


def _make_installation(config: Path | None, given: Json) -> Installation:
    if not config and not given:
        return _DEFAULT
    from webhook.server.config import ConfigError, load_installation  # noqa: PLC0415 - see webhook.cli.options.types

    try:
        installation = load_installation(config) if config else _DEFAULT
        for name, setting in _SETTINGS.items():
            if name in given:
                value = setting.convert(given[name], installation)
                installation = msgspec.structs.replace(installation, **{setting.field: value})
    except ConfigError as error:
        raise UserError(str(error)) from None
    return installation
