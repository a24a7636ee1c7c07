"""Inputs of any size: a document, and the places where it grows.

A recipe is small, so it can be searched, kept and printed instead of the megabytes that it makes.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Any, Literal, NamedTuple

import msgspec

from webhook.kube.objects import Json

Path = tuple[str | int, ...]
"""The keys and indexes from a value to one of its parts."""

Kind = Literal["text", "key", "items", "members", "depth", "digits"]

FIRST_COUNT = 8


class Growth(msgspec.Struct, frozen=True, omit_defaults=True):
    """A part of a document that is joined, repeated or nested `count` times."""

    path: Path
    kind: Kind
    member: str = ""
    """Of a map: the member whose key is joined, or which is repeated."""
    pieces: tuple[str, ...] = ("a",)
    """Parts of a text or key, in turn; `#` is the number of the part."""
    separator: str = ""
    head: str = ""
    tail: str = ""
    numbered: Path | None = None
    """The text in each item or member that ends with its number; None if all are equal."""


class Recipe(msgspec.Struct, frozen=True):
    """A document, and its parts that grow."""

    document: Json
    growths: tuple[Growth, ...]

    @property
    def part(self) -> str:
        """The member of the document whose size counts."""
        return str(self.growths[0].path[0])

    def make(self, count: int) -> Json:
        """Return the document with each growth repeated `count` times."""
        made = self.document
        # Inner parts grow first, so that an outer growth repeats the grown ones.
        for growth in sorted(self.growths, key=lambda each: -len(each.path)):
            made = change_part(made, growth.path, _Grow(growth, count))
        return made


class Sized(NamedTuple):
    """A document that a recipe has made, and its size in bytes."""

    made: Json
    size: int


class Maker:
    """Makes the documents of a recipe by size; it learns which count makes which size."""

    def __init__(self, recipe: Recipe, measure: Callable[[Json], int]) -> None:
        self._recipe = recipe
        self._measure = measure
        self._count = float(FIRST_COUNT)
        self._size = 0
        self._exponent = 1.0

    def make(self, most: int) -> Sized | None:
        """Make a document of at most `most` bytes, and more than half of that.

        None if the recipe does not grow, or not in steps that are small enough.
        """
        for _ in range(20):
            if self._size:
                step = (0.92 * most / self._size) ** (1 / self._exponent)
                count = max(1.0, self._count * min(8.0, step))
            else:
                count = self._count
            made = self._recipe.make(int(count))
            size = self._measure(made)
            if self._size and count != self._count:
                if size == self._size:
                    return None
                slope = math.log(size / self._size) / math.log(count / self._count)
                self._exponent = min(max(slope, 0.3), 4.0)
            self._count, self._size = count, size
            if size <= most < 2 * size:
                return Sized(made, size)
        return None


@dataclass(frozen=True)
class _Grow:
    """A growth of this many parts; the growth of a map leaves other values unchanged."""

    growth: Growth
    count: int

    def __call__(self, value: Any) -> Any:
        grown = value
        match self.growth.kind:
            case "text":
                grown = self._text()
            case "key" if isinstance(value, dict):
                rest = {key: each for key, each in value.items() if key != self.growth.member}
                grown = rest | {self._text(): value.get(self.growth.member)}
            case "items":
                items = value if isinstance(value, list) and value else [value]
                grown = list(self._items(items))
            case "members" if isinstance(value, dict):
                grown = value | dict(self._members(value))
            case "depth":
                grown = self._nest(value)
            case "digits":
                grown = msgspec.Raw(b"1" * self.count)
        return grown

    def _text(self) -> str:
        growth, count = self.growth, self.count
        parts = [*islice(cycle(growth.pieces), min(count, len(growth.pieces)))]
        if any("#" in piece for piece in parts):
            numbered = enumerate(islice(cycle(parts), count))
            parts = [piece.replace("#", str(number)) for number, piece in numbered]
        else:
            parts = [growth.separator.join(parts)] * (count // len(parts))
        return f"{growth.head}{growth.separator.join(parts)}{growth.tail}"

    def _items(self, items: list[Any]) -> Iterator[Any]:
        for number, item in enumerate(islice(cycle(items), self.count)):
            yield self._number(item, number)

    def _members(self, members: Json) -> Iterator[tuple[str, Any]]:
        value = members.get(self.growth.member)
        pieces = islice(cycle(self.growth.pieces), self.count)
        for number, piece in enumerate(pieces):
            key = piece.replace("#", str(number)) if "#" in piece else f"{piece}{number}"
            yield key, self._number(value, number)

    def _number(self, value: Any, number: int) -> Any:
        if self.growth.numbered is None:
            return value

        def append(text: Any) -> Any:
            return f"{text}{number}" if isinstance(text, str) else text

        return change_part(value, self.growth.numbered, append)

    def _nest(self, value: Any) -> msgspec.Raw:
        """Nest a value, as bytes: an encoder of objects fails before the webhook's decoder."""
        opening, closing = b"[", b"]"
        if self.growth.member:
            opening, closing = b"{" + msgspec.json.encode(self.growth.member) + b":", b"}"
        return msgspec.Raw(opening * self.count + msgspec.json.encode(value) + closing * self.count)


def change_part(value: Any, path: Path, change: Callable[[Any], Any]) -> Any:
    """Return a value with one part changed; the value itself if it has no such part."""
    if not path:
        return change(value)
    step, rest = path[0], path[1:]
    if isinstance(value, dict) and step in value:
        return value | {step: change_part(value[step], rest, change)}
    if isinstance(value, list) and isinstance(step, int) and step < len(value):
        changed = change_part(value[step], rest, change)
        return [*value[:step], changed, *value[step + 1 :]]
    return value


def get_part(value: Any, path: Path) -> Any:
    """Return a part of a value."""
    for step in path:
        value = value[step]
    return value


def list_parts(value: Any) -> Iterator[Path]:
    """Yield the path of the value itself, and of each of its parts."""
    yield ()
    if isinstance(value, dict):
        for key, each in value.items():
            yield from ((key, *rest) for rest in list_parts(each))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from ((index, *rest) for rest in list_parts(each))
