"""A setting as somebody wrote it, and where: what every reader of settings takes."""

from enum import StrEnum
from typing import Any, NamedTuple, TypeVar

from webhook.kube.messages import describe_value, expected_one_of
from webhook.kube.objects import Json
from webhook.model import Problem

Word = TypeVar("Word", bound=StrEnum)


class PlanName(NamedTuple):
    """A Plan, in the form with which the place of a problem begins."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"Plan {self.namespace}/{self.name}"


class Given(NamedTuple):
    """One setting of one source."""

    where: str
    """`Plan konveyor-forklift/db spec.convertorLabels`."""
    value: Any
    """As decoded; None where the source does not have it."""
    closed: bool = False
    """Whether fields that nobody here knows are mistakes: not where other programs write them."""


ABSENT = Given("", None)


def no_text(value: Any) -> str:
    """Say that a value is no text; YAML makes `off` false and `16` a number."""
    hint = "" if isinstance(value, dict | list | None) else ": put it in quotes"
    return f"expected text, found {describe_value(value)}{hint}"


def read_word(given: Given, known: type[Word], what: str, problems: list[Problem]) -> Word | None:
    """Read one of a closed set of words; None where there is none, or another."""
    if not isinstance(given.value, str):
        if given.value is not None:
            problems.append(Problem(given.where, no_text(given.value)))
        return None
    word = given.value.strip()
    try:
        return known(word)
    except ValueError:
        problems.append(Problem(given.where, expected_one_of(what, [*known], word)))
        return None


def read_map(given: Given, problems: list[Problem]) -> Json:
    """Read an object whose fields are looked at one by one; empty where there is none."""
    if isinstance(given.value, dict):
        return given.value
    if given.value is not None:
        problems.append(
            Problem(given.where, f"expected a map, found {describe_value(given.value)}")
        )
    return {}
