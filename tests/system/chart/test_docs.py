"""Every command, manifest and value in the docs on installing and operating is valid."""

import re
import shlex
from collections.abc import Iterator

import click
import kubernetes_validate
import pytest
import yaml

import certs.cli.commands
from tests.support.paths import ROOT
from tests.system.chart import rendering

pytestmark = pytest.mark.chart

PAGES = [
    ROOT / "docs" / "install.md",
    ROOT / "docs" / "operations.md",
    ROOT / "docs" / "security.md",
    rendering.CHART / "README.md",
]
CHARTS = ("oci://ghcr.io/convertor-webhook/charts/convertor-webhook", "convertor-webhook-0.1.0.tgz")
"""The references of the published chart."""

CUSTOM_GROUPS = ("forklift.konveyor.io", "argoproj.io")
"""API groups without a Kubernetes schema."""


def blocks(language: str) -> Iterator[str]:
    for page in PAGES:
        fenced = re.findall(
            rf"```{language}\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL
        )
        yield from fenced


def commands() -> Iterator[str]:
    for block in blocks("console"):
        yield from re.findall(r"^\$ (.*)", block.replace("\\\n", " "), re.MULTILINE)


HELM = [line for line in commands() if re.match(r"helm (install|upgrade) ", line)]

CERTS = [found[1] for line in commands() if (found := re.search(r"-m certs (.*)", line))]


@pytest.mark.parametrize("command", HELM, ids=range(len(HELM)))
@pytest.mark.parametrize("major", [3, 4])
def test_every_helm_command_of_the_docs_renders(command: str, major: int) -> None:
    _, _, release, chart, *rest = shlex.split(command)
    flags = [
        word for word in rest if word not in ("--create-namespace", "--reset-then-reuse-values")
    ]

    assert chart in CHARTS
    rendered = rendering.helm("template", release, str(rendering.CHART), *flags, major=major)
    assert "kind: MutatingWebhookConfiguration" in rendered


@pytest.mark.parametrize("command", CERTS, ids=range(len(CERTS)))
def test_every_certs_command_of_the_docs_is_valid(command: str) -> None:
    name, *arguments = shlex.split(command)
    found = getattr(certs.cli.commands, name)

    assert isinstance(found, click.Command)
    found.make_context(name, arguments)


@pytest.mark.parametrize("values", [block for block in blocks("yaml") if "# values.yaml" in block])
def test_every_values_file_of_the_docs_is_valid(values: str) -> None:
    assert rendering.text(yaml.safe_load(values)) != rendering.text()


@pytest.mark.parametrize("block", [block for block in blocks("yaml") if "kind:" in block])
def test_every_manifest_of_the_docs_is_valid(block: str) -> None:
    for manifest in yaml.safe_load_all(block):
        if (
            not manifest
            or "apiVersion" not in manifest
            or manifest["apiVersion"].startswith(CUSTOM_GROUPS)
        ):
            continue
        kubernetes_validate.validate(manifest, rendering.NEWEST, strict=True)


def test_the_argo_cd_application_sets_values_that_exist() -> None:
    (application,) = (
        yaml.safe_load(block) for block in blocks("yaml") if "kind: Application" in block
    )

    rendering.text(application["spec"]["source"]["helm"]["valuesObject"])


@pytest.mark.parametrize("name", ["convertor-webhook-convertor-webhook", "convertor-webhook-ca"])
def test_the_names_in_the_docs_are_rendered(name: str) -> None:
    rendered = rendering.objects(namespace="convertor-webhook")

    assert name in {each["metadata"]["name"] for each in rendered}


def test_every_value_in_the_docs_exists() -> None:
    known = yaml.safe_load((rendering.CHART / "values.yaml").read_text(encoding="utf-8"))
    for page in PAGES[:-1]:
        for name in re.findall(r"`([a-z][A-Za-z]+(?:\.[a-z][A-Za-z]+)+)`", page.read_text()):
            first, *rest = name.split(".")
            if first in known:
                found = known[first]
                for key in rest:
                    assert key in found, name
                    found = found[key]
