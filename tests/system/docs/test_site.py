"""The hooks of the docs site."""

import importlib.util
import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

TOP = Path(__file__).parents[3]
REPOSITORY = "https://github.com/convertor-webhook/convertor-webhook"


@pytest.fixture(scope="module")
def hooks() -> Any:
    spec = importlib.util.spec_from_file_location("hooks", TOP / "docs/.site/hooks.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def page(uri: str) -> SimpleNamespace:
    return SimpleNamespace(file=SimpleNamespace(src_uri=uri))


@pytest.mark.parametrize(
    ("uri", "written", "rewritten"),
    [
        ("a.md", "[x](../README.md)", f"[x]({REPOSITORY}/blob/main/README.md)"),
        ("a.md", "[x](../README.md#b)", f"[x]({REPOSITORY}/blob/main/README.md#b)"),
        ("a.md", "[x](../charts)", f"[x]({REPOSITORY}/tree/main/charts)"),
        ("d/a.md", "[x](../../README.md)", f"[x]({REPOSITORY}/blob/main/README.md)"),
        ("d/a.md", "[x](../karl.md)", "[x](../karl.md)"),
        ("a.md", "[x](karl.md#errors)", "[x](karl.md#errors)"),
        ("a.md", "```md\n[x](../README.md)\n```", "```md\n[x](../README.md)\n```"),
    ],
)
def test_links_out_of_docs_lead_to_the_repository(
    hooks: Any, uri: str, written: str, rewritten: str
) -> None:
    assert hooks.on_page_markdown(written, page=page(uri)) == rewritten


def test_a_broken_link_out_of_docs_is_a_warning(
    hooks: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        hooks.on_page_markdown("[x](../none.md)", page=page("a.md"))

    assert caplog.messages == ["a.md links to none.md, which does not exist"]


@pytest.mark.parametrize(
    "html",
    [
        '<script src="https://example.com/a.js"></script>',
        '<link href="//example.com/a.css" rel="stylesheet">',
        '<img alt="" src="https://example.com/a.png">',
        "<style>a{background:url(https://example.com/a.png)}</style>",
    ],
)
def test_a_resource_from_another_host_is_a_warning(
    hooks: Any, caplog: pytest.LogCaptureFixture, html: str
) -> None:
    with caplog.at_level(logging.WARNING):
        assert hooks.on_post_page(html, page=page("a.md")) == html

    assert len(caplog.messages) == 1


def test_a_link_to_another_host_is_allowed(hooks: Any, caplog: pytest.LogCaptureFixture) -> None:
    hooks.on_post_page('<a href="https://example.com/">x</a>', page=page("a.md"))

    assert caplog.messages == []


def test_the_site_uses_no_other_host_and_fails_on_warnings() -> None:
    text = (TOP / "mkdocs.yml").read_text().replace("!!python/object/apply:", "# ")
    config = yaml.safe_load(text)

    assert config["theme"]["font"] is False
    assert "repo_url" not in config
    assert config["strict"] is True
