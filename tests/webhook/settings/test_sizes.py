"""A setting that is too large is one problem and is not applied; the others are."""

import difflib
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from tests.support.builders import PREFIX, plan
from webhook import settings
from webhook.kube.affinity import REQUIRED
from webhook.kube.objects import Json
from webhook.kube.sizes import (
    MAX_AFFINITY_ITEMS,
    MAX_ENTRIES,
    MAX_REPORTED,
    MAX_RULES_CHARACTERS,
    MAX_UNKNOWN_FIELDS,
)
from webhook.model import Installation, Problem, Settings
from webhook.settings import structured, unknown_fields
from webhook.settings.installation import check_defaults, read_installation

RULE = "REQUIRE pods(app=web) on node"


def read(annotations: Json | None = None, defaults: Json | None = None, **spec: Any) -> Settings:
    plan_object = plan("db", "mtv", annotations=annotations, spec=spec)
    found = settings.read(plan_object, Installation(defaults=defaults or {})).settings
    problems = [msgspec.structs.replace(each, digest=msgspec.UNSET) for each in found.problems]
    return msgspec.structs.replace(found, problems=problems)


def pairs(count: int) -> str:
    return ",".join(f"k{number}=v" for number in range(count))


def pair_map(count: int) -> Json:
    return {f"k{number}": "v" for number in range(count)}


def entries_problem(where: str, found: int) -> Problem:
    message = f"expected at most 256 entries, found {found}: nothing of it is applied, shorten it"
    return Problem(where, message)


@pytest.mark.parametrize(
    ("name", "field", "make"),
    [
        ("labels", "convertorLabels", pairs),
        ("labels", "convertorLabels", pair_map),
        ("labels", "convertorLabels", lambda count: "," * (count - 1)),
        ("node-selector", "convertorNodeSelector", pairs),
        ("node-selector", "convertorNodeSelector", pair_map),
    ],
)
def test_a_list_of_a_field_has_at_most_256_entries(
    name: str, field: str, make: Callable[[int], Any]
) -> None:
    """Whatever else is wrong with it: entries are counted before anything is parsed."""
    where = f"Plan mtv/db spec.{field}"
    allowed, too_many = read({"tolerations": "spot"}, **{field: make(MAX_ENTRIES)}), make(257)
    assert "expected at most" not in "".join(map(str, allowed.problems))
    found = read({"tolerations": "spot", "mode": "audit"}, **{field: too_many})
    assert found.problems == [entries_problem(where, 257)]
    assert (found.labels, found.node_selector) == ({}, {})
    assert found.tolerations == [{"key": "spot", "operator": "Exists"}]
    assert found.mode == "audit"


@pytest.mark.parametrize("name", ["labels", "node-selector", "tolerations"])
def test_a_list_of_an_annotation_has_at_most_256_entries(name: str) -> None:
    where = f"Plan mtv/db annotation {PREFIX}/{name}"
    assert not read({name: pairs(MAX_ENTRIES)}).problems
    assert read({name: pairs(12_000)}) == Settings(problems=[entries_problem(where, 12_000)])
    assert read({name: "," * 20_000}) == Settings(problems=[entries_problem(where, 20_001)])


@pytest.mark.parametrize(
    "tolerations", [["a,b"] * 129, [{"key": "a", "operator": "Exists"}] * 258, ["a"] * 258]
)
def test_a_list_of_the_defaults_has_at_most_256_entries(tolerations: list[Any]) -> None:
    where = "defaults tolerations"
    count = 2 * len(tolerations) if tolerations == ["a,b"] * 129 else len(tolerations)
    for lists in ({"tolerations": tolerations}, {"tolerations": tolerations, "labels": "a=b"}):
        assert check_defaults(lists, "defaults", Installation()) == [entries_problem(where, count)]


def test_the_most_specific_source_that_is_not_too_large_is_applied() -> None:
    found = read({"labels": pairs(257)}, {"labels": "team=a"}, convertorLabels={"tier": "b"})
    assert found.labels == {"team": "a", "tier": "b"}


def test_what_is_not_a_list_has_one_entry() -> None:
    (problem,) = check_defaults({"tolerations": 5, "labels": None}, "defaults", Installation())
    assert problem.message == "expected key=value:effect or a toleration, found 5"
    assert check_defaults({"tolerations": [None, "spot"]}, "defaults", Installation()) == []


def test_an_affinity_object_has_at_most_4096_fields_and_values() -> None:
    def affinity(values: int) -> Json:
        expression = {"key": "a", "operator": "In", "values": ["v"] * values}
        terms = [{"matchExpressions": [expression]}]
        return {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": terms}}}

    others = 10
    most = affinity(MAX_AFFINITY_ITEMS - others)
    assert read(convertorAffinity=most).affinity == most
    found = read({"labels": "a=b"}, {"affinity": RULE}, convertorAffinity=affinity(4096))
    assert (found.affinity, found.labels) == ({}, {"a": "b"})
    assert list(map(str, found.problems)) == [
        (
            "Plan mtv/db spec.convertorAffinity: expected at most 4096 fields and values, "
            "found more: nothing of it is applied, shorten it"
        )
    ]


def test_an_affinity_object_has_at_most_32_unknown_fields() -> None:
    """They may be those of a newer release, but each has to be compared with the known ones."""
    unknown = {f"future{number}": 1 for number in range(MAX_UNKNOWN_FIELDS)}
    assert not read(convertorAffinity=unknown).problems
    found = read(convertorAffinity=unknown | {"more": 1})
    assert [problem.message for problem in found.problems] == [
        "has more than 32 unknown fields: expected a core/v1 Affinity"
    ]


def test_rules_have_at_most_16_kib() -> None:
    where = f"Plan mtv/db annotation {PREFIX}/affinity line 1 column 1"
    assert read({"affinity": RULE.ljust(MAX_RULES_CHARACTERS)}).affinity
    found = read({"affinity": RULE.ljust(MAX_RULES_CHARACTERS + 1)}, {"affinity": RULE})
    assert found.affinity == {}
    assert [(problem.where, problem.message) for problem in found.problems] == [
        (where, "the text is 16385 characters long: expected at most 16384")
    ]


@pytest.mark.parametrize("most", [MAX_REPORTED, MAX_REPORTED + 1, MAX_ENTRIES])
@pytest.mark.parametrize(
    ("name", "entry"), [("labels", "a"), ("node-selector", "a=-"), ("tolerations", "a:b")]
)
def test_the_first_problems_of_a_setting_are_reported_and_the_others_counted(
    name: str, entry: str, most: int
) -> None:
    where = f"Plan mtv/db annotation {PREFIX}/{name}"
    found = read({name: ",".join([entry] * most)}).problems
    others = most - MAX_REPORTED
    assert [problem.where for problem in found[:MAX_REPORTED]] == [
        f"{where} entry {number}" for number in range(1, MAX_REPORTED + 1)
    ]
    noun = "entry" if others == 1 else "entries"
    counted = [Problem(where, f"and {others} more invalid {noun}", others=others)]
    assert found[MAX_REPORTED:] == (counted if others else [])


@pytest.mark.parametrize(
    "entry", ["k{0}: v", "\u201ck{0}\u201d=v", "k{0}\u2265v", "k{0}:NoSchedul", "{{k{0}: v}}"]
)
def test_suggestions_are_made_for_reported_problems_only(
    entry: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are why the largest list could block a server for 50 ms."""
    made: list[str] = []
    parse, compare = structured._parse, difflib.get_close_matches

    def record_parse(text: str) -> structured.Collection | None:
        made.append(text)
        return parse(text)

    def record_compare(word: str, *others: Any) -> list[str]:
        made.append(word)
        return compare(word, *others)

    monkeypatch.setattr(difflib, "get_close_matches", record_compare)
    monkeypatch.setattr(structured, "_parse", record_parse)
    text = ",".join(entry.format(number) for number in range(MAX_ENTRIES))
    for name in ("labels", "node-selector", "tolerations"):
        made.clear()
        assert len(read({name: f"a=b,{text}".removesuffix(f",{entry.format(255)}")}).problems) == 17
        assert len(made) <= MAX_REPORTED + 1


def test_a_long_entry_has_no_suggestion() -> None:
    long = "\u2019" + "v" * 600
    for name in ("labels", "node-selector", "tolerations"):
        for entry in (f"k={long}", f"{long}: a", long):
            (problem,) = read({name: entry}).problems
            assert "did you mean" not in problem.message
            assert len(str(problem)) < 400


def test_unknown_annotations_are_counted_and_their_keys_truncated() -> None:
    keys = {f"label{number}{'x' * 1000}": "v" for number in range(1000)}
    found = read(keys).problems
    assert len(found) == MAX_REPORTED + 1
    assert max(len(str(problem)) for problem in found) < 600
    assert str(found[-1]) == "Plan mtv/db metadata.annotations: and 984 more invalid entries"


def test_the_prefixes_of_64_annotations_are_compared() -> None:
    misspelt = PREFIX.replace("forklift", "forklft")
    for others, count in ((63, 1), (64, 0)):
        annotations = {f"example{number}.com/labels": "" for number in range(others)}
        plan_object = plan("db", "mtv")
        plan_object["metadata"]["annotations"] = annotations | {f"{misspelt}/labels": "a=b"}
        found = settings.read(plan_object, Installation()).settings.problems
        assert len(found) == count


def test_a_long_name_is_truncated_before_any_message_is_made() -> None:
    plan_object = plan("n" * 10_000, "m" * 10_000, annotations={"labels": "a"})
    found = settings.read(plan_object, Installation())
    assert len(found.name) == len(found.namespace) == 253
    assert max(len(str(problem)) for problem in found.settings.problems) < 800


def test_the_unknown_fields_of_a_file_are_limited() -> None:
    fields = {f"field{number}": 1 for number in range(300)}
    assert unknown_fields.find({"spec": {"convertorLabel": {}} | fields}) == ["spec.convertorLabel"]
    assert unknown_fields.find({"spec": fields | {"convertorLabel": {}}}) == []
    paths = ["spec.convertorLabel", "x" * 81, 5]
    plan_object = plan("db", "mtv") | {"unknownFields": paths}
    found = settings.read(plan_object, Installation()).settings.problems
    assert [problem.where for problem in found] == ["Plan mtv/db spec.convertorLabel"]


@pytest.mark.parametrize("length", [1, 300])
def test_a_list_of_maps_has_a_suggestion_if_it_is_short(length: int) -> None:
    (problem,) = read(convertorLabels=[pair_map(length)]).problems
    assert ("did you mean" in problem.message) == (length == 1)


def test_values_that_are_no_text_make_no_suggestion() -> None:
    deep: Any = "v"
    for _ in range(900):
        deep = {"a": deep}
    (problem,) = read(convertorLabels=[{"team": deep}]).problems
    assert problem.message == "expected key=value,key=value or a map, found a list"


def test_the_unknown_fields_of_the_defaults_are_counted() -> None:
    _, found = read_installation({"defaults": {f"x{number}": 1 for number in range(100)}}, "file")
    assert len(found) == MAX_REPORTED + 1
    assert str(found[-1]) == "file defaults: and 84 more invalid entries"


def test_the_rules_of_a_field_and_the_annotation_have_a_common_limit() -> None:
    half = RULE.ljust(MAX_RULES_CHARACTERS // 2)
    both = read({"affinity": f"AVOID pods(app=db) on node # {half[29:]}"}, convertorAffinity=half)
    assert both.problems == []
    assert both.affinity.keys() == {"podAffinity", "podAntiAffinity"}
    found = read({"affinity": f"AVOID pods(app=db) on node # {half[28:]}"}, convertorAffinity=half)
    where = f"Plan mtv/db annotation {PREFIX}/affinity"
    message = (
        "expected at most 16384 characters in all rules of a plan, found 16385 up to here: these "
        "rules are not applied, shorten them"
    )
    assert found.problems == [Problem(where, message)]
    assert found.affinity.keys() == {"podAffinity"}


def test_a_text_that_is_too_long_does_not_count_with_the_other() -> None:
    found = read({"affinity": RULE.ljust(MAX_RULES_CHARACTERS + 1)}, convertorAffinity=RULE)
    assert [problem.where for problem in found.problems] == [
        f"Plan mtv/db annotation {PREFIX}/affinity line 1 column 1"
    ]
    assert found.affinity.keys() == {"podAffinity"}
