"""Compatibility with karl-interpreter; mistakes that it accepts are errors.

`karl-reference-vectors.json` has rules from public documents with the results of
karl-interpreter. The other cases come from its sources: parser.go, validator.go, converter.go.
"""

import json
from typing import Any

import pytest

from tests.support.paths import DATA
from webhook import karl

VECTORS: list[dict[str, Any]] = json.loads((DATA / "karl-reference-vectors.json").read_bytes())
ACCEPTED = [vector for vector in VECTORS if "affinity" in vector]
REJECTED = [vector["rule"] for vector in VECTORS if "affinity" not in vector]

PLAIN = "PREFER pods(app=web, tier in [db, cache]) on node weight=80"


@pytest.mark.parametrize("vector", ACCEPTED, ids=lambda vector: vector["rule"])
def test_rules_that_it_accepts_compile_to_the_same_object(vector: dict[str, Any]) -> None:
    assert karl.compile(vector["rule"], scope="own") == vector["affinity"]


@pytest.mark.parametrize("rule", REJECTED)
def test_rules_that_it_rejects_are_rejected(rule: str) -> None:
    with pytest.raises(karl.KarlError, match="missing topology"):
        karl.compile(rule, scope="own")


@pytest.mark.parametrize(
    "text",
    [
        f"  {PLAIN};  \n",
        "prefer pods(app=web, tier in [db, cache]) ON Node weight=80",
        "PREFER\tpods( app = web ,tier in [ db ,cache ] )\ton  node weight=80",
        "PREFER pods(app=web,\n  tier in [db,\n  cache]) on node weight=80",
        "PREFER pods(,app=web,,tier in [,db,,cache,],) on node weight=80",
        "PREFER pods(app=web, tier in [db, cache]) on node weight=080",
        "PREFER pods(app=web, tier in [db, cache]) on node weight=+80",
    ],
)
def test_odd_spellings_that_it_accepts_are_accepted(text: str) -> None:
    assert karl.parse(text) == karl.parse(PLAIN)


def test_repeated_values_and_selectors_are_accepted() -> None:
    term = karl.compile("REQUIRE pods(app=a, app=a, k in [b, b], has k, has k) on node")
    (required,) = term["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert required["labelSelector"] == {
        "matchLabels": {"app": "a"},
        "matchExpressions": [
            {"key": "k", "operator": "In", "values": ["b", "b"]},
            {"key": "k", "operator": "Exists"},
            {"key": "k", "operator": "Exists"},
        ],
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("PREFER pods(app=web) on node weigt=1", "unknown option 'weigt'"),
        ("PREFER pods(app=web) on node weight =1 please", "unexpected 'please'"),
        ("REQUIRE pods(app=web) on node really", "unexpected 'really'"),
        ("REQUIRE pods(app=web) on node weight=5", "a weight on the hard rule 'REQUIRE'"),
        ("PREFER pods(app=web) on node weight=5 weight=6", "repeated 'weight'"),
        ("PREFER pods(app=web) on node weight=80%", "weight '80%' is not a whole number"),
        ("REQUIRE pods(app=-web) on node", "label value '-web' must consist of"),
        ("REQUIRE pods(my app=web) on node", "missing operator before 'app'"),
        ("REQUIRE pods(app=a,app=b) on node", "'app=b' contradicts 'app=a'"),
        ("REQUIRE pods(has app,not has app) on node", "'not has app' contradicts 'has app'"),
        ("REQUIRE pods() on node", "missing selector before ')'"),
        ("REQUIRE pods(not in [a]) on node", "missing label key before 'not'"),
    ],
)
def test_mistakes_that_it_accepts_are_errors(text: str, message: str) -> None:
    with pytest.raises(karl.KarlError) as raised:
        karl.compile(text)
    assert raised.value.errors[0].message.startswith(message)


@pytest.mark.parametrize(
    "text",
    [
        "REQUIRE Pods(app=web) on node",
        "REQUIRE pods (app=web) on node",
        "REQUIRE pods(app==web, tier!=db, !debug, NOT HAS test) on node",
        "REQUIRE pods(app in(web), tier notin (db)) on node",
        "REQUIRE pods(app=web) in namespace rook-ceph on node",
        "REQUIRE pods(app=web) on example.com/row",
        "PREFER pods(app=web) on node WEIGHT = 5",
        "REQUIRE nodes(node-role.kubernetes.io/storage=true) on node",
        "REQUIRE nodes(conversion=dedicated)",
        "REQUIRE pods(app=web) on node;; AVOID pods(app=db) on node # both",
    ],
)
def test_extensions_that_it_rejects_are_accepted(text: str) -> None:
    assert karl.compile(text)
