"""Tolerations in the syntax of `kubectl taint`, and validation as in the API server."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.kube.objects import Json
from webhook.kube.scheduler.taint_toleration import tolerates
from webhook.kube.tolerations import (
    covers_no_execute,
    format_toleration,
    parse_tolerations,
    suggest_toleration,
    validate_toleration,
    without_no_execute,
)

EFFECTS = "expected effect NoSchedule, PreferNoSchedule or NoExecute"
NAME = (
    "must consist of alphanumeric characters, '-', '_' or '.', "
    "and must start and end with an alphanumeric character"
)
FORM = "expected key=value:effect, key:effect or key"


@pytest.mark.parametrize(
    ("text", "tolerations"),
    [
        (
            "dedicated=migration:NoSchedule",
            [
                {
                    "key": "dedicated",
                    "operator": "Equal",
                    "value": "migration",
                    "effect": "NoSchedule",
                }
            ],
        ),
        ("gpu:NoExecute", [{"key": "gpu", "operator": "Exists", "effect": "NoExecute"}]),
        ("spot", [{"key": "spot", "operator": "Exists"}]),
        ("tier=fast", [{"key": "tier", "operator": "Equal", "value": "fast"}]),
        ("tier=", [{"key": "tier", "operator": "Equal", "value": ""}]),
        (
            " example.com/spot : PreferNoSchedule ,\n a = b ",
            [
                {"key": "example.com/spot", "operator": "Exists", "effect": "PreferNoSchedule"},
                {"key": "a", "operator": "Equal", "value": "b"},
            ],
        ),
        ("spot,spot", [{"key": "spot", "operator": "Exists"}]),
        ("", []),
        (" \n", []),
    ],
)
def test_tolerations_are_parsed(text: str, tolerations: list[dict[str, Any]]) -> None:
    assert parse_tolerations(text) == (tolerations, [])


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("a:noschedule", f"{EFFECTS}, found 'noschedule'; did you mean 'NoSchedule'?"),
        ("a:NoExecut", f"{EFFECTS}, found 'NoExecut'; did you mean 'NoExecute'?"),
        ("a:Never", f"{EFFECTS}, found 'Never'"),
        (
            "a:b:NoSchedule",
            f"{FORM}, found 'a:b:NoSchedule'; did you mean 'a=b:NoSchedule'?",
        ),
        ("a:b:NoSchedul", f"{EFFECTS}, found 'b:NoSchedul'; did you mean 'NoSchedule'?"),
        ("a:", f"'a:' has no effect after ':': {FORM}"),
        ("=v:NoSchedule", f"'=v:NoSchedule' has no key: {FORM}"),
        ("", f"is empty: {FORM}"),
        (
            "a b",
            f"key 'a b' {NAME}",
        ),
        (
            "\uff41\uff1dv\uff1aNoExecute",
            f"key '\uff41\uff1dv\uff1aNoExecute' {NAME}; did you mean 'a=v:NoExecute'?",
        ),
        ("'a=v:NoExecute'", f"key ''a' {NAME}; did you mean 'a=v:NoExecute'?"),
        ("a=v\u2013:NoExecute", f"value 'v\u2013' {NAME}"),
        ("a=" + "v" * 64, f"value '{'v' * 64}' must be no more than 63 characters"),
    ],
)
def test_an_invalid_entry_is_reported_and_the_others_are_returned(entry: str, message: str) -> None:
    tolerations, errors = parse_tolerations(f"spot,{entry},gpu")

    assert [toleration["key"] for toleration in tolerations] == ["spot", "gpu"]
    assert [(e.entry, e.message + suggest_toleration(e.text)) for e in errors] == [(2, message)]


@pytest.mark.parametrize(
    "toleration",
    [
        {"operator": "Exists"},
        {"key": "a", "value": "b"},
        {"key": "a", "operator": None, "value": "b", "effect": None, "tolerationSeconds": None},
        {"key": "a", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 60},
        {"key": "a", "operator": "Exists", "future": {"x": 1}},
    ],
)
def test_a_core_v1_toleration_is_valid(toleration: dict[str, Any]) -> None:
    assert validate_toleration(toleration) is None


@pytest.mark.parametrize(
    ("toleration", "phrase"),
    [
        ({}, "must have a key, or the operator Exists to tolerate every taint"),
        ({"key": 5}, "key must be text"),
        (
            {"key": "a", "operator": "exists"},
            "expected operator Equal or Exists, found 'exists'; did you mean 'Exists'?",
        ),
        (
            {"key": "a", "operator": "Gt", "value": "5"},
            "expected operator Equal or Exists, found 'Gt'",
        ),
        (
            {"key": "a", "operator": "Exists", "value": "b"},
            "must have no value with the operator Exists, found 'b'",
        ),
        ({"key": "a", "effect": "NoExec"}, f"{EFFECTS}, found 'NoExec'; did you mean 'NoExecute'?"),
        ({"key": "a", "tolerationSeconds": "60"}, "tolerationSeconds must be an integer"),
        (
            {"key": "a", "effect": "NoSchedule", "tolerationSeconds": 60},
            "must have the effect NoExecute with tolerationSeconds",
        ),
    ],
)
def test_an_invalid_toleration_is_reported(toleration: dict[str, Any], phrase: str) -> None:
    assert validate_toleration(toleration) == phrase


@given(st.text(alphabet="aZ0-=:, ") | st.text())
def test_any_text_gives_valid_tolerations(text: str) -> None:
    tolerations, errors = parse_tolerations(text)

    assert not any(map(validate_toleration, tolerations))
    assert len(tolerations) + len(errors) <= text.count(",") + 1


@pytest.mark.parametrize(
    ("each", "expected"),
    [
        ({"key": "a", "operator": "Equal", "value": "b", "effect": "NoSchedule"}, "a=b:NoSchedule"),
        ({"key": "gpu", "operator": "Exists", "effect": "NoExecute"}, "gpu:NoExecute"),
        ({"operator": "Exists", "effect": "NoSchedule"}, "*:NoSchedule"),
        ({"operator": "Exists"}, "*"),
    ],
)
def test_a_toleration_is_formatted_as_a_taint(each: Json, expected: str) -> None:
    assert format_toleration(each) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("gpu:NoExecute", True), ("gpu", True), ("a=b", True), ("gpu:NoSchedule", False)],
)
def test_a_toleration_without_an_effect_covers_no_execute(text: str, *, expected: bool) -> None:
    ((toleration,), _) = parse_tolerations(text)

    assert covers_no_execute(toleration) is expected
    assert covers_no_execute({"effect": None, **toleration}) is expected


def test_without_no_execute_each_toleration_is_listed_once() -> None:
    tolerations, _ = parse_tolerations("a,a:NoSchedule,b:NoExecute,c:PreferNoSchedule")

    left = [*map(format_toleration, without_no_execute(tolerations))]

    assert left == ["a:NoSchedule", "a:PreferNoSchedule", "c:PreferNoSchedule"]


_KEYS, _VALUES = st.sampled_from("ab"), st.sampled_from(["", "=", "=x"])
_ENTRIES = st.tuples(
    _KEYS, _VALUES, st.sampled_from(["", ":NoSchedule", ":NoExecute", ":PreferNoSchedule"])
)


@given(
    st.lists(_ENTRIES.map("".join)),
    st.fixed_dictionaries(
        {
            "key": _KEYS,
            "value": st.sampled_from(["", "x"]),
            "effect": st.sampled_from(["NoSchedule", "NoExecute", "PreferNoSchedule"]),
        }
    ),
)
def test_only_taints_of_no_execute_are_no_longer_tolerated(entries: list[str], taint: Json) -> None:
    tolerations, errors = parse_tolerations(",".join(entries))
    left = without_no_execute(tolerations)

    before, after = (any(tolerates(each, taint) for each in some) for some in (tolerations, left))
    assert not errors
    assert after is (before and taint["effect"] != "NoExecute")
    assert not any(map(covers_no_execute, left))
    assert not any(map(validate_toleration, left))
