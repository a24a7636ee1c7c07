"""Recipes make documents of any size."""

import json

import msgspec
import pytest

from tests.system.fuzz.recipe import Growth, Maker, Recipe
from webhook.kube.objects import Json

DOCUMENT: Json = {"name": "db", "items": [{"key": "a"}, {"key": "b"}], "labels": {"team": "a"}}


def make(count: int, *growths: Growth) -> Json:
    made: Json = json.loads(msgspec.json.encode(Recipe(DOCUMENT, growths).make(count)))
    return made


@pytest.mark.parametrize(
    ("growth", "changed"),
    [
        (Growth(("name",), "text", pieces=("k#", "v"), separator=","), {"name": "k0,v,k2,v"}),
        (Growth(("name",), "text", pieces=("1", "2"), head="(", tail=")"), {"name": "(1212)"}),
        (Growth(("name",), "items"), {"name": ["db"] * 4}),
        (Growth(("name",), "digits"), {"name": 1111}),
        (Growth(("name",), "depth"), {"name": [[[["db"]]]]}),
        (Growth(("name",), "depth", member="a"), {"name": {"a": {"a": {"a": {"a": "db"}}}}}),
        (
            Growth(("items",), "items", numbered=("key",)),
            {"items": [{"key": "a0"}, {"key": "b1"}, {"key": "a2"}, {"key": "b3"}]},
        ),
        (
            Growth(("labels",), "members", member="team", pieces=("k#",), numbered=()),
            {"labels": {"team": "a", "k0": "a0", "k1": "a1", "k2": "a2", "k3": "a3"}},
        ),
        (Growth(("labels",), "key", member="team", pieces=("x",)), {"labels": {"xxxx": "a"}}),
        (Growth(("absent", 3), "text"), {}),
    ],
)
def test_a_part_grows_and_the_rest_is_unchanged(growth: Growth, changed: Json) -> None:
    assert make(4, growth) == DOCUMENT | changed


def test_an_outer_growth_repeats_what_has_grown_inside() -> None:
    outer = Growth(("items",), "items")
    inner = Growth(("items", 0, "key"), "text", pieces=("x",))

    assert make(2, outer, inner)["items"] == [{"key": "xx"}, {"key": "b"}]


@pytest.mark.parametrize("most", [1000, 100_000, 1_000_000])
@pytest.mark.parametrize(
    "growths",
    [
        [Growth(("name",), "text", pieces=("ab",))],
        [Growth(("items",), "items", numbered=("key",)), Growth(("items", 0, "key"), "text")],
    ],
)
def test_a_document_of_the_requested_size_is_made(growths: list[Growth], most: int) -> None:
    maker = Maker(Recipe(DOCUMENT, tuple(growths)), lambda made: len(msgspec.json.encode(made)))

    sized = maker.make(most)

    assert sized
    assert most / 2 < sized.size <= most
    assert len(msgspec.json.encode(sized.made)) == sized.size


def test_a_recipe_that_does_not_grow_makes_nothing() -> None:
    recipe = Recipe(DOCUMENT, (Growth(("absent",), "text"),))

    assert Maker(recipe, lambda made: len(msgspec.json.encode(made))).make(1000) is None
