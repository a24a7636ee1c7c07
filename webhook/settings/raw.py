"""A setting as it is written, with its location: the input of every reader of settings."""

import hashlib
from collections.abc import Callable, Collection, Iterable
from enum import StrEnum
from functools import partial
from typing import Any, NamedTuple, TypeVar

import msgspec

from webhook.kube.labels import MAX_KEY_LENGTH
from webhook.kube.messages import (
    describe_value,
    did_you_mean,
    expected_one_of,
    join_with_or,
    truncate,
)
from webhook.kube.objects import Json
from webhook.kube.sizes import MAX_REPORTED
from webhook.model import Problem

Word = TypeVar("Word", bound=StrEnum)


class PlanName(NamedTuple):
    """A Plan, in the form with which the location of a problem begins."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"Plan {self.namespace}/{self.name}"


class RawSetting(NamedTuple):
    """A setting of a source, before it is parsed."""

    where: str
    """`Plan konveyor-forklift/db spec.convertorLabels`."""
    value: Any
    """As decoded; None if the source does not have it."""
    reject_unknown_fields: bool = False
    """True for files that people write; False where a newer Forklift may write new fields."""


UNSET = RawSetting("", None)


class Invalid(NamedTuple):
    """An invalid entry of a setting; see the fields of `Problem`."""

    where: str
    message: str
    hint: Callable[[], str] = str
    """Returns the end of the message. Suggestions take longer than everything else together."""
    command: str = ""
    beyond_limits: bool = False
    digest: str = ""


def digest(value: object) -> str:
    """Return the `Problem.digest` of a value beyond the limits."""
    return hashlib.sha256(repr(value).encode(errors="surrogatepass")).hexdigest()


def report(where: str, found: Iterable[Invalid]) -> list[Problem]:
    """Return the problems of a setting's first invalid entries, and one that counts the others.

    Those with a value beyond the limits come first if some are only counted.
    """
    entries = list(found)
    if len(entries) > MAX_REPORTED:
        entries.sort(key=lambda each: not each.digest)
    if not entries:
        return []
    problems = [
        Problem(
            each.where,
            each.message + each.hint(),
            command=each.command,
            beyond_limits=each.beyond_limits,
            digest=each.digest or msgspec.UNSET,
        )
        for each in entries[:MAX_REPORTED]
    ]
    if (others := len(entries) - MAX_REPORTED) > 0:
        noun = "entry" if others == 1 else "entries"
        rest = entries[MAX_REPORTED:]
        digests = [each.digest for each in rest if each.digest]
        problems.append(
            Problem(
                where,
                f"and {others} more invalid {noun}",
                others=others,
                beyond_limits=all(each.beyond_limits for each in rest),
                digest=digest(digests) if digests else msgspec.UNSET,
            )
        )
    return problems


def expected_text(value: Any) -> str:
    """Return the message for a value that is not text; YAML reads `off` as false, `16` as int."""
    hint = "" if isinstance(value, dict | list | None) else ": put it in quotes"
    return f"expected text, found {describe_value(value)}{hint}"


def read_word(
    setting: RawSetting, known: type[Word], what: str, problems: list[Problem]
) -> Word | None:
    """Read a word of a closed set; None if the setting is absent or invalid."""
    if not isinstance(setting.value, str):
        if setting.value is not None:
            problems.append(Problem(setting.where, expected_text(setting.value)))
        return None
    word = setting.value.strip()
    try:
        return known(word)
    except ValueError:
        problems.append(Problem(setting.where, expected_one_of(what, [*known], word)))
        return None


def read_map(setting: RawSetting, problems: list[Problem]) -> Json:
    """Read a map whose fields have readers of their own; empty if it is absent or invalid."""
    if isinstance(setting.value, dict):
        return setting.value
    if setting.value is not None:
        problems.append(
            Problem(setting.where, f"expected a map, found {describe_value(setting.value)}")
        )
    return {}


def report_unknown(
    what: str, names: Iterable[object], known: Collection[str], where: str, separator: str = "."
) -> list[Problem]:
    """Return the problems of names in a map that are not known; `what` is `field` or `key`."""
    unknown = (
        Invalid(
            f"{where}{separator}{truncate(str(name), MAX_KEY_LENGTH)}",
            f"unknown {what}: expected {join_with_or(sorted(known))}",
            partial(did_you_mean, str(name), known),
        )
        for name in names
        if name not in known
    )
    return report(where, unknown)
