"""The public functions: scopes, quantities, invalid arguments."""

from collections.abc import Callable
from typing import Any

import pytest

from webhook import karl
from webhook.kube.objects import Json
from webhook.model import Scope

RULE = "REQUIRE pods(app=web) on node"


def pod_term(text: str, scope: Scope | str) -> dict[str, object]:
    (term,) = karl.compile(text, scope=scope)["podAffinity"][
        "requiredDuringSchedulingIgnoredDuringExecution"
    ]
    return {key: term[key] for key in ("namespaces", "namespaceSelector") if key in term}


@pytest.mark.parametrize("scope", [Scope.ALL, "all"])
def test_the_default_scope_is_all_namespaces(scope: Scope | str) -> None:
    assert pod_term(RULE, scope) == {"namespaceSelector": {}}


@pytest.mark.parametrize("scope", [Scope.OWN, "own"])
def test_the_default_scope_can_be_the_pods_own_namespace(scope: Scope | str) -> None:
    assert pod_term(RULE, scope) == {}


@pytest.mark.parametrize("scope", Scope)
def test_a_rule_with_a_scope_ignores_the_default(scope: Scope) -> None:
    assert pod_term("REQUIRE pods(app=web) in own namespace on node", scope) == {}
    all_namespaces = "REQUIRE pods(app=web) in all namespaces on node"
    assert pod_term(all_namespaces, scope) == {"namespaceSelector": {}}
    named = "REQUIRE pods(app=web) in namespace rook-ceph on node"
    assert pod_term(named, scope) == {"namespaces": ["rook-ceph"]}


def test_a_quantity_is_compiled_to_the_values_of_the_nodes() -> None:
    values = {"memory": {"32Gi", "64Gi", "65536Mi", "128Gi", "plenty"}}
    (expression,) = node_expressions(
        karl.compile("REQUIRE nodes(memory>=64Gi)", node_values=values)
    )
    assert expression == {
        "key": "memory",
        "operator": "In",
        "values": ["64Gi", "65536Mi", "128Gi"],
    }


def test_without_nodes_a_quantity_is_compiled_to_itself() -> None:
    (expression,) = node_expressions(karl.compile("REQUIRE nodes(memory>=64Gi)"))
    assert expression == {"key": "memory", "operator": "In", "values": ["64Gi"]}


def test_compile_unexpanded_keeps_quantities() -> None:
    (expression,) = node_expressions(karl.compile_unexpanded("AVOID nodes(memory>=64Gi)"))
    assert expression == {"key": "memory", "operator": "NotAtLeast", "values": ["64Gi"]}


def test_at_least_zero_is_a_quantity_because_gt_minus_1_is_invalid() -> None:
    (expression,) = node_expressions(karl.compile_unexpanded("REQUIRE nodes(cores>=0)"))
    assert expression == {"key": "cores", "operator": "AtLeast", "values": ["0"]}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (None, "null"),
        (5, "5"),
        (True, "true"),
        (b"REQUIRE", "a bytes"),
        (["REQUIRE"], "a list"),
        ({}, "a map"),
    ],
)
@pytest.mark.parametrize("compile_text", [karl.compile, karl.compile_unexpanded])
def test_a_value_that_is_not_text_is_a_karl_error(
    compile_text: Callable[[Any], Json], text: Any, value: str
) -> None:
    with pytest.raises(karl.KarlError) as raised:
        compile_text(text)
    (error,) = raised.value.errors
    assert error.message == f"rules cannot be {value}"
    assert error.hint == "expected text, such as REQUIRE pods(app=ceph-osd) on node"


@pytest.mark.parametrize(
    ("scope", "message", "hint"),
    [
        ("x", "unknown scope 'x'", "expected all or own"),
        ("All", "unknown scope 'All'", "expected all or own; did you mean 'all'?"),
        (None, "unknown scope null", "expected all or own"),
        ([], "unknown scope a list", "expected all or own"),
    ],
)
def test_an_unknown_scope_is_a_karl_error(scope: Any, message: str, hint: str) -> None:
    with pytest.raises(karl.KarlError) as raised:
        karl.compile(RULE, scope=scope)
    (error,) = raised.value.errors
    assert (error.message, error.hint, error.source) == (message, hint, RULE)


def test_all_line_ends_and_unicode_spaces_are_accepted() -> None:
    text = (
        "REQUIRE pods(app=web,\r\n\ttier=db) on\u00a0node\r\nAVOID pods(has\u3000debug) on zone\r"
    )
    plain = "REQUIRE pods(app=web, tier=db) on node; AVOID pods(has debug) on zone"
    assert karl.parse(text) == karl.parse(plain)


def test_keywords_are_ascii() -> None:
    # Unicode's case folding maps the Turkish dotted and dotless i to i
    with pytest.raises(karl.KarlError, match="did you mean 'REQUIRE'"):
        karl.compile("REQU\u0130RE pods(app=web) on node")


def test_the_english_sentence_has_the_default_scope() -> None:
    (rule,) = karl.parse(RULE)
    assert karl.to_english(rule) == (
        "A convertor pod must run on the same node as a pod where app is web, in any namespace."
    )
    assert karl.to_english(rule, scope="own") == (
        "A convertor pod must run on the same node as a pod where app is web, in its own namespace."
    )


def node_expressions(affinity: Json) -> list[Json]:
    required = affinity["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    (term,) = required["nodeSelectorTerms"]
    expressions: list[Json] = term["matchExpressions"]
    return expressions


def test_a_text_with_spread_is_no_affinity() -> None:
    with pytest.raises(karl.KarlError) as raised:
        karl.compile("PREFER nodes(a=b); SPREAD pods(c=d) on node")
    (error,) = raised.value.errors
    assert (error.line, error.column) == (1, 20)
    assert error.message == "SPREAD is not part of an affinity"
    assert "compile_all" in error.hint


def test_all_fields_of_a_text_are_compiled_without_empty_ones() -> None:
    assert [*karl.compile_all("SPREAD pods(c=d) on node")] == ["topologySpreadConstraints"]
    assert [*karl.compile_all("REQUIRE nodes(c=d)")] == ["affinity"]
