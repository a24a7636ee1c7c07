"""The public functions: scopes, the nodes' values, and what stays open for later."""

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
def test_a_rule_without_a_scope_looks_into_all_namespaces(scope: Scope | str) -> None:
    assert pod_term(RULE, scope) == {"namespaceSelector": {}}


@pytest.mark.parametrize("scope", [Scope.OWN, "own"])
def test_or_into_its_own_where_the_installation_says_so(scope: Scope | str) -> None:
    assert pod_term(RULE, scope) == {}


@pytest.mark.parametrize("scope", Scope)
def test_a_rule_with_a_scope_keeps_it(scope: Scope) -> None:
    assert pod_term("REQUIRE pods(app=web) in own namespace on node", scope) == {}
    everywhere = "REQUIRE pods(app=web) in all namespaces on node"
    assert pod_term(everywhere, scope) == {"namespaceSelector": {}}
    named = "REQUIRE pods(app=web) in namespace rook-ceph on node"
    assert pod_term(named, scope) == {"namespaces": ["rook-ceph"]}


def test_quantities_become_the_values_that_the_nodes_have() -> None:
    values = {"memory": {"32Gi", "64Gi", "65536Mi", "128Gi", "plenty"}}
    (expression,) = node_expressions(
        karl.compile("REQUIRE nodes(memory>=64Gi)", node_values=values)
    )
    assert expression == {
        "key": "memory",
        "operator": "In",
        "values": ["64Gi", "65536Mi", "128Gi"],
    }


def test_without_nodes_the_written_quantity_is_the_only_value() -> None:
    (expression,) = node_expressions(karl.compile("REQUIRE nodes(memory>=64Gi)"))
    assert expression == {"key": "memory", "operator": "In", "values": ["64Gi"]}


def test_compile_open_leaves_quantities_for_when_a_pod_arrives() -> None:
    (expression,) = node_expressions(karl.compile_open("AVOID nodes(memory>=64Gi)"))
    assert expression == {"key": "memory", "operator": "NotAtLeast", "values": ["64Gi"]}


def test_at_least_nothing_is_a_quantity_because_no_label_is_negative() -> None:
    (expression,) = node_expressions(karl.compile_open("REQUIRE nodes(cores>=0)"))
    assert expression == {"key": "cores", "operator": "AtLeast", "values": ["0"]}


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (None, "null"),
        (5, "5"),
        (True, "true"),
        (b"REQUIRE", "a bytes"),
        (["REQUIRE"], "a list"),
        ({}, "a map"),
    ],
)
@pytest.mark.parametrize("compiled", [karl.compile, karl.compile_open])
def test_what_is_no_text_is_an_error_of_the_language(
    compiled: Callable[[Any], Json], text: Any, what: str
) -> None:
    with pytest.raises(karl.KarlError) as error:
        compiled(text)
    (fault,) = error.value.errors
    assert fault.message == f"rules cannot be {what}"
    assert fault.hint == "expected text, such as REQUIRE pods(app=ceph-osd) on node"


@pytest.mark.parametrize(
    ("scope", "message", "hint"),
    [
        ("x", "unknown scope 'x'", "expected all or own"),
        ("All", "unknown scope 'All'", "expected all or own; did you mean 'all'?"),
        (None, "unknown scope null", "expected all or own"),
        ([], "unknown scope a list", "expected all or own"),
    ],
)
def test_a_scope_that_is_none_is_an_error_of_the_language(
    scope: Any, message: str, hint: str
) -> None:
    with pytest.raises(karl.KarlError) as error:
        karl.compile(RULE, scope=scope)
    (fault,) = error.value.errors
    assert (fault.message, fault.hint, fault.source) == (message, hint, RULE)


def test_line_ends_and_spaces_may_be_those_of_any_system() -> None:
    text = (
        "REQUIRE pods(app=web,\r\n\ttier=db) on\u00a0node\r\nAVOID pods(has\u3000debug) on zone\r"
    )
    plain = "REQUIRE pods(app=web, tier=db) on node; AVOID pods(has debug) on zone"
    assert karl.parse(text) == karl.parse(plain)


def test_keywords_are_ascii() -> None:
    # with Unicode's case folding, the Turkish dotted and dotless i would be an i
    with pytest.raises(karl.KarlError, match="did you mean 'REQUIRE'"):
        karl.compile("REQU\u0130RE pods(app=web) on node")


def test_english_says_where_a_rule_without_a_scope_looks() -> None:
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
