"""The chart's command line is valid for the server, and its values cover every flag."""

import click
import pytest

from tests.system.chart import cases, rendering
from tests.system.chart.rendering import Json
from webhook.cli.options.installation import installation_options
from webhook.cli.serve import serve
from webhook.server.config import MAX_WATCHED_NAMESPACES

pytestmark = pytest.mark.chart

BY_EXTRA_ARGS = {
    "--plans": "a directory instead of a cluster",
    "--kubeconfig": "a cluster other than the pod's own",
    "--tls-cert": "the certificate is a mounted directory: --tls-dir",
    "--tls-key": "the certificate is a mounted directory: --tls-dir",
    "--tls-name": "for a certificate that is created without a cluster",
    "--state-dir": "for a certificate that is created without a cluster",
}
"""Flags without a chart value, and the reason."""

OPTIONS = {
    name: option
    for option in serve.params
    for name in (*option.opts, *option.secondary_opts)
    if isinstance(option, click.Option)
}


@click.command()
@installation_options
def _installation() -> None:
    """Command with the options of the installation."""


IN_FILE = {
    name
    for option in _installation.params
    for name in (*option.opts, *option.secondary_opts)
    if name != "--config"
}
"""Flags whose settings are in the ConfigMap, see test_config."""

CASES = cases.ALL | {"switched": {"watchPods": False}}


def flags(values: Json) -> list[tuple[str, str]]:
    """Return the rendered flags, each with the text after `=`."""
    command, *args = rendering.container(values)["args"]
    assert command == "serve"
    return [(name, value) for name, _, value in (arg.partition("=") for arg in args)]


@pytest.mark.parametrize("values", CASES.values(), ids=CASES)
def test_the_server_has_every_rendered_flag(values: Json) -> None:
    assert [name for name, _ in flags(values) if name not in OPTIONS] == []


@pytest.mark.parametrize("values", CASES.values(), ids=CASES)
def test_the_server_accepts_every_rendered_flag_value(values: Json) -> None:
    for name, value in flags(values):
        option = OPTIONS[name]
        is_path = value.startswith("/")
        assert option.is_flag == (value == "")
        if value and not is_path:
            option.type.convert(value, option, None)


def test_every_flag_of_the_server_has_a_value() -> None:
    rendered = {name for values in CASES.values() for name, _ in flags(values)}

    assert rendered | BY_EXTRA_ARGS.keys() | IN_FILE == OPTIONS.keys()
    assert not rendered & IN_FILE


def test_the_chart_accepts_as_many_watched_namespaces_as_the_server() -> None:
    names = [f"n{number}" for number in range(MAX_WATCHED_NAMESPACES + 1)]

    assert len(flags({"watchPodsNamespaces": names[1:]})) > MAX_WATCHED_NAMESPACES
    with pytest.raises(rendering.ChartError, match="watchPodsNamespaces"):
        rendering.text({"watchPodsNamespaces": names})


def test_the_chart_renders_the_defaults_of_the_server() -> None:
    for name, value in flags({}):
        option = OPTIONS[name]
        default = option.default
        if name in ("--log-format", "--config", "--webhook-config") or name.startswith("--certs"):
            continue  # the default is for a terminal, or for a server outside a cluster
        assert value == ("" if option.is_flag else str(default)), name


@pytest.mark.parametrize("name", ["--config", *sorted(IN_FILE)])
def test_arguments_and_variables_cannot_override_the_config_map(name: str) -> None:
    """Settings must be in the ConfigMap, because `kubectl convertor` reads only that."""
    variable = f"CONVERTOR_WEBHOOK_{name.removeprefix('--').replace('-', '_').upper()}"
    reason = ": the ConfigMap would not have all settings, which kubectl convertor reads there; set"
    for args in ([f"{name}=x"], [name, "x"]):
        with pytest.raises(rendering.ChartError, match=f"extraArgs has {args[0]}{reason}"):
            rendering.text({"extraArgs": ["--log-level=debug", *args]})
    if not name.startswith("--no-"):
        with pytest.raises(rendering.ChartError, match=f"extraEnv has {variable}{reason}"):
            rendering.text({"extraEnv": [{"name": "TZ"}, {"name": variable, "value": "x"}]})


def test_other_arguments_and_variables_are_rendered() -> None:
    args = ["--plans=/plans", "--scopes=x", "mode"]
    env = [{"name": "CONVERTOR_WEBHOOK_MODES", "value": "x"}, {"name": "MODE", "value": "x"}]

    container = rendering.container({"extraArgs": args, "extraEnv": env})

    assert (container["args"][-3:], container["env"]) == (args, env)
