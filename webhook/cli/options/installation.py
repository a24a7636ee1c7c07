"""What whoever installed the webhook decided, as flags: of the server, and of all that judges.

The variables of the environment are the same for both, so that what a command says is what the
server does.
"""

import functools
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import click

from webhook.cli.errors import UserError
from webhook.cli.options.types import Parsed, complete_path, configured
from webhook.kube.labels import check_key
from webhook.model import Installation, Mode, OnError, Scope

P = ParamSpec("P")
R = TypeVar("R")

ENVIRONMENT = "CONVERTOR_WEBHOOK"
"""That of `server.config`, which is loaded only where a value is given: see cli.options.types."""

_DEFAULT = Installation()


def _option(flag: str, **attributes: Any) -> Callable[[Callable[P, R]], Callable[P, R]]:
    variable = flag.partition("/")[0].removeprefix("--").replace("-", "_").upper()
    return click.option(flag, envvar=f"{ENVIRONMENT}_{variable}", show_default=True, **attributes)


def _one_of(words: type[StrEnum]) -> click.Choice[str]:
    return click.Choice([word.value for word in words])


def _prefix(text: str) -> str:
    if fault := check_key(f"{text}/placement"):
        from webhook.server.config import ConfigError  # noqa: PLC0415 - see webhook.cli.options.types

        raise ConfigError(f"{text!r}: expected a DNS name such as '{_DEFAULT.prefix}'; {fault}")
    return text


prefix_option = _option(
    "--annotation-prefix",
    type=Parsed("name", _prefix),
    default=_DEFAULT.prefix,
    help="Of the annotations on plans and pods.",
)

_OPTIONS = [
    _option(
        "--defaults",
        type=Parsed("file", configured("file")),
        shell_complete=complete_path,
        help="Settings (YAML) for plans that say nothing.",
    ),
    _option(
        "--mode",
        type=_one_of(Mode),
        default=_DEFAULT.mode.value,
        help="Place pods, only tell what would be done, or neither.",
    ),
    _option(
        "--namespace-mode",
        type=Parsed("namespace=mode", configured("namespace_mode")),
        multiple=True,
        help="Mode for the pods of one namespace.",
    ),
    _option(
        "--plan-modes/--no-plan-modes",
        default=_DEFAULT.plan_modes,
        help="Whether a plan's own mode counts.",
    ),
    _option(
        "--scope",
        type=_one_of(Scope),
        default=_DEFAULT.scope.value,
        help="Where pod rules look that name no namespace.",
    ),
    _option(
        "--on-error",
        type=_one_of(OnError),
        default=_DEFAULT.on_error.value,
        help="What settings that cannot be done mean for the pod.",
    ),
    _option(
        "--identity-labels/--no-identity-labels",
        default=_DEFAULT.identity_labels,
        help="Whether to add app=virt-v2v and forklift.app/plan.",
    ),
    prefix_option,
]


def installation_options(command: Callable[P, R]) -> Callable[..., R]:
    """Add the flags; the command gets an `installation`."""

    @functools.wraps(command)
    def wrapped(  # noqa: PLR0913 - one for each option
        *args: Any,
        defaults: Path | None,
        mode: str,
        namespace_mode: tuple[tuple[str, Mode], ...],
        plan_modes: bool,
        scope: str,
        on_error: str,
        identity_labels: bool,
        annotation_prefix: str,
        **kwargs: Any,
    ) -> R:
        installation = Installation(
            mode=Mode(mode),
            namespace_modes=dict(namespace_mode),
            plan_modes=plan_modes,
            scope=Scope(scope),
            on_error=OnError(on_error),
            identity_labels=identity_labels,
            prefix=annotation_prefix,
            defaults=_read(defaults) if defaults else {},
        )
        return command(*args, installation=installation, **kwargs)  # type: ignore[arg-type]

    options: Callable[..., R] = wrapped
    for option in reversed(_OPTIONS):
        options = option(options)
    return options


def _read(defaults: Path) -> dict[str, Any]:
    from webhook.server import config  # noqa: PLC0415 - see webhook.cli.options.types

    try:
        return config.defaults(defaults)
    except config.ConfigError as error:
        raise UserError(str(error)) from None
