"""The examples of docs/karl.md compile to what the page says."""

import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.paths import ROOT
from webhook import karl
from webhook.kube.affinity import MAX_NODE_TERMS
from webhook.kube.sizes import MAX_ENTRIES, MAX_REPORTED, MAX_RULES_CHARACTERS

PAGE = (ROOT / "docs" / "karl.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
NODE_VALUES = {"memory": ["32Gi", "64Gi", "128Gi"]}
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


def rows(section: str) -> list[list[str]]:
    """Return the cells of a section's table, without code marks and header."""
    lines = re.findall(r"^\| (.*) \|$", SECTIONS[section], re.MULTILINE)[2:]
    return [[cell.strip().strip("`") for cell in line.split(" | ")] for line in lines]


def pod_term(text: str) -> dict[str, Any]:
    (term,) = karl.compile(text)["podAffinity"][REQUIRED]
    return dict(term)


def required_expression(text: str) -> dict[str, Any]:
    affinity = karl.compile(text, node_values=NODE_VALUES)
    (term,) = affinity["nodeAffinity"][REQUIRED]["nodeSelectorTerms"]
    (expression,) = term["matchExpressions"]
    return dict(expression)


@pytest.mark.parametrize(
    ("text", "follows"),
    [
        (text, follows)
        for (kind, text), (_, follows) in pairwise([*BLOCKS, ("", "")])
        if kind == "karl"
    ],
)
def test_an_example_has_the_result_below_it(text: str, follows: str) -> None:
    if follows.startswith("karl: "):
        with pytest.raises(karl.KarlError) as raised:
            karl.compile(text)
        assert f"{raised.value}\n" == follows
    elif "topologySpreadConstraints:" in follows:
        assert karl.compile_all(text) == yaml.safe_load(follows)
    elif "Affinity:" in follows:
        assert karl.compile(text) == yaml.safe_load(follows)
    else:
        assert karl.compile(text)


@pytest.mark.parametrize(("selectors", "label_selector"), rows("Selectors"))
def test_a_selector_compiles_to_the_label_selector_beside_it(
    selectors: str, label_selector: str
) -> None:
    term = pod_term(f"REQUIRE pods({selectors}) on node")
    assert term["labelSelector"] == yaml.safe_load(label_selector)


@pytest.mark.parametrize(("namespaces", "fields"), rows("Namespaces"))
def test_namespaces_compile_to_the_fields_beside_them(namespaces: str, fields: str) -> None:
    term = pod_term(f"REQUIRE pods(app=web) {namespaces.replace('nothing', '')} on node")
    del term["labelSelector"], term["topologyKey"]
    assert term == yaml.safe_load(fields)


@pytest.mark.parametrize(("topology", "label"), rows("Topologies"))
def test_a_topology_compiles_to_the_label_beside_it(topology: str, label: str) -> None:
    assert pod_term(f"REQUIRE pods(app=web) on {topology}")["topologyKey"] == label


@pytest.mark.parametrize(("selector", "_", "expression"), rows("Rules on nodes"))
def test_a_comparison_compiles_to_the_expression_beside_it(
    selector: str, _: str, expression: str
) -> None:
    assert required_expression(f"REQUIRE nodes({selector})") == yaml.safe_load(expression)


@pytest.mark.parametrize(("text", "_", "message"), rows("Differences to karl-interpreter"))
def test_mistakes_that_karl_interpreter_accepts_are_the_errors_beside_them(
    text: str, _: str, message: str
) -> None:
    with pytest.raises(karl.KarlError) as raised:
        karl.compile(text)
    assert raised.value.errors[0].message.startswith(message)


def test_the_contradictions_on_the_page_are_errors() -> None:
    contradictions = ["app=a, app=b", "has k, !k", "k in [a], k=b", "k>5, k<3"]
    for selectors in contradictions:
        assert f"`{selectors}`" in SECTIONS["Errors"]
        with pytest.raises(karl.KarlError, match="contradicts"):
            karl.compile(f"REQUIRE nodes({selectors})")


def test_the_limits_are_those_of_the_code() -> None:
    assert f"{MAX_RULES_CHARACTERS} characters in a text" in SECTIONS["Errors"]
    assert f"{MAX_NODE_TERMS} required terms and {MAX_ENTRIES} selectors" in SECTIONS["Errors"]
    assert f"{MAX_REPORTED} errors" in SECTIONS["Errors"]


def test_every_keyword_of_the_grammar_is_on_the_page() -> None:
    grammar = (Path(karl.__file__).parent / "grammar.lark").read_text(encoding="utf-8")
    keywords = re.findall(r'^[A-Z]+\.1: (?:"(\w+)"i|/\((\w+)\|(\w+)\)/i)', grammar, re.MULTILINE)
    found = {word for words in keywords for word in words if word}
    assert {"require", "repel", "notin", "namespaces"} <= found
    assert found <= set(re.findall(r"\w+", PAGE.lower()))
