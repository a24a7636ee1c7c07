"""JSON and YAML where a setting has a form of its own get an error that shows the form."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.builders import PREFIX, plan
from tests.support.paths import DATA
from webhook import karl
from webhook.kube.affinity import REQUIRED
from webhook.kube.affinity_fields import AFFINITY as KNOWN
from webhook.kube.objects import Json
from webhook.model import Installation, Problem, Scope
from webhook.settings import read
from webhook.settings.edit import EditError, edit_annotations
from webhook.settings.installation import check_defaults

CASES = json.loads((DATA / "affinities.json").read_text(encoding="utf-8"))["cases"]
FIELDS = KNOWN.known.keys()
PAIRS = "expected key=value,key=value, found"
TOLERATIONS = "expected key=value:effect,key:effect, found"
MIGRATION = {"key": "dedicated", "operator": "Equal", "value": "migration", "effect": "NoSchedule"}
OSD = {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": "osd"}}}


def read_problems(name: str, text: str, **annotations: str) -> list[Problem]:
    plan_object = plan("db", "mtv", annotations={name: text, **annotations})
    return read(plan_object, Installation()).settings.problems


def problems(name: str, text: str) -> list[str]:
    where = f"Plan mtv/db annotation {PREFIX}/{name}"
    return [str(problem).removeprefix(where) for problem in read_problems(name, text)]


@pytest.mark.parametrize("name", ["labels", "node-selector"])
@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ('{"team": "a"}', "team=a"),
        ('{"team": "a", "tier": 1.10}', "team=a,tier=1.10"),
        ('["team=a", "tier=b"]', "team=a,tier=b"),
        ('[{"team": "a"}, "tier=b"]', "team=a,tier=b"),
        ("{team: a, tier: true}", "team=a,tier=true"),
        ("{team:a,tier:4}", "team=a,tier=4"),
        ("{team=a,tier=b}", "team=a,tier=b"),
        ("[team:a, tier=b]", "team=a,tier=b"),
        ("- team = a, tier=b", "team=a,tier=b"),
        ("team: a\ntier: b\n", "team=a,tier=b"),
        ("- team=a\n- tier=b", "team=a,tier=b"),
        ("{\u201cteam\u201d: \u201ca\u201d}", "team=a"),
    ],
)
def test_pairs_in_json_or_yaml_are_one_problem_with_their_form(
    name: str, text: str, meant: str
) -> None:
    quoted = text.strip().replace("\n", "\\n")
    expected = f"{PAIRS} '{quoted}'; did you mean '{meant}'?"
    assert problems(name, text) == [f": {expected}"]
    with pytest.raises(EditError) as error:
        edit_annotations({}, {name: text}, PREFIX)
    assert str(error.value) == f"{name}: {expected}"


@pytest.mark.parametrize(
    "text",
    [
        *('{"a": {"b": "c"}}', '{"a": "b,c"}', "[[a]]", "[a]", "[]", "{}", '[{"a": null}, 1]'),
        *("{a b: c}", "{a: b c}", '["a=b", {"c": ["d"]}]'),
    ],
)
def test_what_has_no_form_as_pairs_has_no_suggestion(text: str) -> None:
    assert problems("labels", text) in (
        [f": {PAIRS} '{text}'"],
        [f": {PAIRS} '{text}'; did you mean 'a=null'?"],
    )


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("team:a,tier=b", [" entry 1: expected key=value, found 'team:a'; did you mean 'team=a'?"]),
        (
            "tier=b,team: a",
            [" entry 2: expected key=value, found 'team: a'; did you mean 'team=a'?"],
        ),
        (
            'tier=b,{"team": "a"}',
            [""" entry 2: expected key=value, found '{"team": "a"}'; did you mean 'team=a'?"""],
        ),
        ("tier=b,a:b c", [" entry 2: expected key=value, found 'a:b c'"]),
        ("tier=b,a b:c", [" entry 2: expected key=value, found 'a b:c'"]),
        ("tier=b,a:", [" entry 2: expected key=value, found 'a:'; did you mean 'a='?"]),
        ("tier=b,{a", [" entry 2: expected key=value, found '{a'"]),
    ],
)
def test_an_entry_in_another_form_is_a_problem_and_the_others_are_applied(
    text: str, found: list[str]
) -> None:
    assert problems("labels", text) == found
    settings = read(plan(annotations={"labels": text}), Installation()).settings
    assert settings.labels == {"tier": "b"}


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        (json.dumps([MIGRATION]), "dedicated=migration:NoSchedule"),
        (json.dumps(MIGRATION), "dedicated=migration:NoSchedule"),
        ('[{"key": "spot", "operator": "Exists"}, "gpu:NoExecute"]', "spot,gpu:NoExecute"),
        ('{"dedicated": "migration:NoSchedule"}', "dedicated=migration:NoSchedule"),
        ("- key: spot\n  effect: NoSchedule", "spot:NoSchedule"),
        ("{spot:NoSchedule, gpu:NoExecute}", "spot:NoSchedule,gpu:NoExecute"),
    ],
)
def test_tolerations_in_json_or_yaml_are_one_problem_with_their_form(text: str, meant: str) -> None:
    (problem,) = problems("tolerations", text)
    assert problem.startswith(f": {TOLERATIONS} '")
    assert problem.endswith(f"; did you mean '{meant}'?")
    with pytest.raises(EditError, match=r"^tolerations: expected key=value:effect,key:effect, "):
        edit_annotations({}, {"tolerations": text}, PREFIX)


@pytest.mark.parametrize(
    "text",
    [
        '[{"operator": "Exists"}]',
        '[{"key": "spot", "tolerationSeconds": 5}]',
        "[[spot]]",
        "[]",
    ],
)
def test_tolerations_that_have_no_form_as_text_have_no_suggestion(text: str) -> None:
    assert problems("tolerations", text) == [f": {TOLERATIONS} '{text}'"]


@pytest.mark.parametrize(
    "text", ["spot: NoSchedule", "spot,\ngpu: NoExecute", "a = b : NoSchedule"]
)
def test_spaces_in_tolerations_are_no_yaml(text: str) -> None:
    assert problems("tolerations", text) == []


def test_a_list_of_pairs_in_a_file_is_a_problem_with_its_form() -> None:
    (problem,) = check_defaults({"labels": ["team=a", {"tier": "b"}]}, "defaults", Installation())
    assert problem.message == (
        "expected key=value,key=value or a map, found a list; did you mean 'team=a,tier=b'?"
    )


AFFINITY = {
    "nodeAffinity": {
        REQUIRED: {
            "nodeSelectorTerms": [
                {"matchExpressions": [{"key": "disk", "operator": "In", "values": ["nvme"]}]}
            ]
        }
    },
    "podAntiAffinity": {REQUIRED: [OSD]},
}
OBJECT = (
    "expected rules, found an affinity object as text; spec.convertorAffinity takes it as an object"
)


@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize("scope", Scope)
def test_an_affinity_object_where_rules_are_expected_is_shown_as_rules(
    wrapped: bool, scope: Scope
) -> None:
    text = json.dumps({"affinity": AFFINITY} if wrapped else AFFINITY)
    (problem,) = read_problems("affinity", text, scope=scope)
    assert problem.message == OBJECT
    heading, *lines = problem.detail.splitlines()
    assert heading == "  As rules:"
    expected = read(plan(spec={"convertorAffinity": AFFINITY}, scope=scope), Installation())
    assert karl.compile("\n".join(lines), scope=scope) == expected.settings.affinity


@pytest.mark.parametrize(
    "affinity",
    [
        {"podAffinity": {REQUIRED: [{}]}},
        {"podAffinity": {REQUIRED: [OSD | {"matchLabelKeys": ["plan"]}]}},
        {"podAffinity": {}},
    ],
    ids=["invalid", "not in KARL", "empty"],
)
def test_an_object_that_has_no_rules_is_a_problem_without_them(affinity: Json) -> None:
    assert read_problems("affinity", json.dumps(affinity)) == [
        Problem(f"Plan mtv/db annotation {PREFIX}/affinity", OBJECT)
    ]


@pytest.mark.parametrize("case", CASES, ids=map(str, range(len(CASES))))
def test_any_affinity_as_text_is_one_problem(case: Json) -> None:
    is_object = isinstance(case["affinity"], dict) and case["affinity"].keys() & FIELDS
    found = read_problems("affinity", json.dumps(case["affinity"]))
    assert [problem.message for problem in found] == [OBJECT] if is_object else found


@pytest.mark.parametrize(
    "text", ["{a: b}", "- REQUIRE x", "{", "affinity: 1", "x: &a [*a]", "podAffinity: {" * 2000]
)
def test_any_other_text_has_the_errors_of_the_rules(text: str) -> None:
    (problem, *_) = problems("affinity", text)
    assert problem.startswith(" line 1 column 1: ")


@given(
    st.recursive(
        st.none() | st.text(), lambda each: st.lists(each) | st.dictionaries(st.text(), each)
    )
)
def test_any_json_has_a_problem_of_one_line(value: Any) -> None:
    if isinstance(value, dict | list):
        for name in ("labels", "tolerations", "affinity"):
            for problem in problems(name, json.dumps(value)):
                assert "\n" not in problem


@pytest.mark.parametrize("name", ["labels", "tolerations"])
@pytest.mark.parametrize(
    "text",
    ["[" * 5000, "{a: " * 5000, "[&a [b=c], *a]", "{" + "a: b, " * 20000 + "}", "a: &b [*b]"],
)
def test_nesting_aliases_and_length_are_no_obstacle(name: str, text: str) -> None:
    assert problems(name, text)
