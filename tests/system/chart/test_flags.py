"""The chart's command line is one that the server understands, and leaves nothing out."""

import click
import pytest

from tests.system.chart import cases, rendering
from tests.system.chart.rendering import Json
from webhook.cli.serve import serve

pytestmark = pytest.mark.chart

BY_EXTRA_ARGS = {
    "--plans": "a directory instead of a cluster",
    "--kubeconfig": "a cluster other than the pod's own",
    "--tls-cert": "the certificate is a mounted directory: --tls-dir",
    "--tls-key": "the certificate is a mounted directory: --tls-dir",
    "--tls-name": "for a certificate made without a cluster",
    "--state-dir": "for a certificate made without a cluster",
}
"""Flags that have no value of their own, and why an installation has no use for them."""

OPTIONS = {
    name: option
    for option in serve.params
    for name in (*option.opts, *option.secondary_opts)
    if isinstance(option, click.Option)
}

CASES = cases.ALL | {
    "switched": {
        "planModes": False,
        "identityLabels": False,
        "watchPods": False,
        "namespaceModes": {"production": "audit"},
    }
}


def flags(values: Json) -> list[tuple[str, str]]:
    """Return the rendered flags, each with the text after `=`."""
    command, *args = rendering.container(values)["args"]
    assert command == "serve"
    return [(name, value) for name, _, value in (arg.partition("=") for arg in args)]


@pytest.mark.parametrize("values", CASES.values(), ids=CASES)
def test_the_server_knows_every_flag_that_is_rendered(values: Json) -> None:
    assert [name for name, _ in flags(values) if name not in OPTIONS] == []


@pytest.mark.parametrize("values", CASES.values(), ids=CASES)
def test_the_server_takes_every_value_that_is_rendered(values: Json) -> None:
    for name, value in flags(values):
        option = OPTIONS[name]
        is_path = value.startswith("/")
        assert option.is_flag == (value == "")
        if value and not is_path:
            option.type.convert(value, option, None)


def test_every_flag_of_the_server_is_reached_by_a_value() -> None:
    rendered = {name for values in CASES.values() for name, _ in flags(values)}

    assert rendered | BY_EXTRA_ARGS.keys() == OPTIONS.keys()


def test_what_the_chart_says_by_default_is_what_the_server_does_by_default() -> None:
    for name, value in flags({}):
        option = OPTIONS[name]
        default = option.default
        if name in ("--log-format", "--defaults") or name.startswith("--certs"):
            continue  # a pod is no terminal, and in a cluster there is one to ask
        assert value == ("" if option.is_flag else str(default)), name
