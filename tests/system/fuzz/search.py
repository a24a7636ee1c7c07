"""The search for the inputs that take the longest.

It changes the slowest recipes at random. hypothesis, with `target`, draws inputs of at most
some kilobytes, and a fuzzer that is guided by coverage does not see that a line is executed a
million times. Both have no notion of the same input in another size.
"""

import math
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from functools import cache
from random import Random
from typing import Any, NamedTuple

import msgspec

from tests.system.fuzz import clock
from tests.system.fuzz.clock import TooSlow
from tests.system.fuzz.recipe import Growth, Kind, Path, Recipe, get_part, list_parts
from tests.system.fuzz.targets import Target, Unusable
from webhook.kube.objects import Json

PIECES = (
    *("", "a", "#", "k#=v#", "k=v", "app=a#", "k#=16+", "k#=64Gi+", "memory=#Gi+", "k#", "key#-"),
    *("dedicated=m#:NoSchedule", "spot#", "gpu#:NoExecute", "a/b#", "a.b/c", "#Gi", "k#:b:c"),
    *("REQUIRE pods(app=a#) on node", "PREFER nodes(a#>5)", "AVOID nodes(a=b#,c=d#)"),
    *("REPEL pods(a in [b, c#]) in namespaces [x] on zone weight=5", "REQUIRE nodes(m>=#Gi)"),
    *("REQUIRE", "pods(", "nodes(", ")", "[", "]", "{", "}", "(", "in [", "not", "has", "on"),
    *("'", '"', "\\", "\u200b", "é", "\u2028", "\x1b[31m", "\n", "\r", "\t", " ", "  "),
    *("- a: b\n", "a: b", "a: &a [*a]", "{a: b}", '{"a": "b"}', "? ", "!!str ", "&a#", "*a"),
    *("0", "9", "1", "1e9", "1.", ".", "-", "--", "_", "/", "x" * 63, "x" * 300, "A", "Ж"),
    *("plan", "forklift.app", "a" * 64 + "=b", "Warning:", "3s", "1h", "timeout=", "%41", "+"),
    *("key: a, operator: Exists", "matchLabels: ", "app in (a, b#)", "!app#", "a==b", "a!=b"),
    *("-----BEGIN CERTIFICATE-----", "\n-----END CERTIFICATE-----\n", "MIIB", "-----BEGIN "),
)
SEPARATORS = ("", ",", ";", "\n", " ", "=", ":", "/", ", ", "&", "&timeout=", "- ", ".", "+", "->")
ENDS = ("", "{", "[", "(", "k=", "timeout=", "REQUIRE pods(", ")", "]", "}", "'", "- ", "s", "!")
MEMBERS = ("", "a", "affinity")
_KINDS: dict[type, tuple[Kind, ...]] = {
    dict: ("members", "members", "key"),
    list: ("items",),
    str: ("text",),
}
_OTHER_KINDS: tuple[Kind, ...] = ("depth", "digits", "items", "text")
"""They change the type of a value."""

SMALLEST_BYTES = 2048
STEP = 4
"""From one size to the next."""
ENOUGH_SECONDS = 0.2
"""An input that takes longer is not made larger."""
MAX_SECONDS = 2.0
LEAST_SECONDS = 0.02
"""The growth of a shorter time is not measured."""


class Finding(NamedTuple):
    """A recipe, and the CPU time of the inputs that it makes."""

    recipe: Recipe
    times: tuple[tuple[int, float], ...]
    """Bytes and seconds of each input, the smallest first."""
    error: str = ""
    """An exception, which the part of the program must not raise."""

    @property
    def slowest(self) -> tuple[int, float]:
        """Bytes and seconds of the slowest input."""
        return max(self.times, key=lambda each: each[1])

    @property
    def exponent(self) -> float:
        """1 if the time grows as the size does, 2 if it is quadratic; 0 if it is short."""
        rising = [each for each in self.times if each[0] <= self.slowest[0]]
        if len(rising) < 2 or self.slowest[1] < LEAST_SECONDS:
            return 0.0
        (first_size, first), (last_size, last) = rising[-2:]
        return math.log(last / max(first, 1e-5)) / math.log(last_size / first_size)


class Search:
    """A search for the slowest inputs of a target, and those whose time grows the most."""

    def __init__(self, target: Target, random: Random, keep: int = 12) -> None:
        self._target = target
        self._random = random
        self._keep = keep
        self.slowest: list[Finding] = []
        self.steepest: list[Finding] = []
        self.errors: dict[str, Finding] = {}
        self.inputs = 0

    def step(self) -> None:
        """Measure one more recipe in several sizes."""
        random = self._random
        if self.slowest and random.random() < 0.5:
            parent = random.choice(self.slowest + self.steepest)
            recipe = self._change(parent.recipe)
        else:
            recipe = Recipe(self._target.document, (self._draw(),))
        finding = measure(self._target, recipe, SMALLEST_BYTES * 2 ** (2 * random.random()))
        if finding is None:
            return
        self.inputs += len(finding.times)
        if finding.error:
            self.errors.setdefault(finding.error, finding)
        self.slowest = self._select([*self.slowest, finding], lambda each: each.slowest[1])
        self.steepest = self._select([*self.steepest, finding], lambda each: each.exponent)

    def _select(self, findings: list[Finding], value: Callable[[Finding], float]) -> list[Finding]:
        """Keep the findings of the highest values, at most two that grow at the same places."""
        kept: list[Finding] = []
        places = Counter[object]()
        for finding in sorted(findings, key=value, reverse=True):
            place = _places(finding.recipe)
            places[place] += 1
            if places[place] <= 2 and value(finding):
                kept.append(finding)
        return kept[: self._keep]

    def _change(self, recipe: Recipe) -> Recipe:
        """Add a growth, remove one, or change one."""
        random = self._random
        growths = list(recipe.growths)
        place = random.randrange(len(growths))
        old = growths[place]
        drawn = self._draw("" if self._target.in_event_loop else str(old.path[0]))
        change = random.randrange(7)
        if change == 0 and len(growths) < 4:
            growths.append(drawn)
        elif change == 1 and len(growths) > 1:
            del growths[place]
        else:
            fields: Json = {
                "pieces": random.choice((drawn.pieces, (*old.pieces, *drawn.pieces)[:4])),
                "separator": drawn.separator,
                "head": drawn.head,
                "tail": drawn.tail,
                "numbered": drawn.numbered,
            }
            field = random.choice([*fields])
            growths[place] = msgspec.structs.replace(old, **{field: fields[field]})
        return Recipe(recipe.document, tuple(growths))

    def _draw(self, part: str = "") -> Growth:
        """Draw a growth at a random place, of one part of the document."""
        random = self._random
        path = self._draw_path(part)
        value = get_part(self._target.document, path)
        kinds = _KINDS.get(type(value), ("text",))
        if not self._target.typed and random.random() < 0.3:
            kinds = _OTHER_KINDS
        kind = random.choice(kinds)
        member, repeated = random.choice(MEMBERS), value
        if kind in {"members", "key"} and isinstance(value, dict) and value:
            member = random.choice([*value])
            repeated = value[member]
        elif kind == "items" and isinstance(value, list) and value:
            repeated = value[0]
        pieces = tuple(random.choices(PIECES, k=random.choice((1, 1, 2, 3))))
        separator = random.choice(SEPARATORS)
        head, tail = (random.choice((*ENDS, "", "", "")) for _ in range(2))
        if kind == "members":
            pieces = random.choice(((member,), pieces[:1]))
        elif isinstance(value, str) and random.random() < 0.2:
            pieces = (value, *pieces)
        elif isinstance(value, str) and random.random() < 0.4:  # inside the text
            at = random.randint(0, len(value))
            head, tail, separator = value[:at], value[at:], ""
        return Growth(
            path=path,
            kind=kind,
            member=member,
            pieces=pieces,
            separator=separator,
            head=head,
            tail=tail,
            numbered=self._draw_text(repeated) if random.random() < 0.7 else None,
        )

    def _draw_path(self, part: str) -> Path:
        """Draw a place: any, or one that is reached by random steps and so is near the root."""
        random = self._random
        root: Path = (part or random.choice([*self._target.parts]),)
        value = get_part(self._target.document, root)
        if random.random() < 0.5:
            return root + random.choice([*list_parts(value)])
        path = root
        while value and isinstance(value, dict | list) and random.random() < 0.85:
            steps: Iterable[Any] = value if isinstance(value, dict) else range(len(value))
            step = random.choice([*steps])
            path, value = (*path, step), value[step]
        return path

    def _draw_text(self, value: Any) -> Path | None:
        """Draw the path of a text in a value."""
        texts = [path for path in list_parts(value) if isinstance(get_part(value, path), str)]
        return self._random.choice(texts) if texts else None


def measure(target: Target, recipe: Recipe, smallest: float = SMALLEST_BYTES) -> Finding | None:
    """Measure a recipe in growing sizes, until one takes long or is the largest accepted."""
    most = target.parts[recipe.part]
    maker = target.make_maker(recipe)
    size = min(int(smallest) + target.size(recipe.document, recipe.part), most)
    times: list[tuple[int, float]] = []
    error = ""
    while sized := maker.make(size):
        try:
            seconds = time_once(target, sized.made)
        except Unusable:
            break
        except Exception as raised:  # noqa: BLE001 - whatever it is
            if isinstance(raised, target.rejected):
                break
            error, seconds = _describe(raised), 0.0
        times.append((sized.size, seconds))
        if error or seconds > ENOUGH_SECONDS or size >= most:
            break
        size = min(size * STEP, most)
    return Finding(recipe, tuple(times), error) if times else None


def time_once(target: Target, made: Json) -> float:
    """Return the CPU time of an input; MAX_SECONDS if it takes longer."""
    run = target.prepare(made)
    for results in _list_caches():
        results.cache_clear()
    try:
        with clock.limit(MAX_SECONDS):
            return clock.measure(run)
    except TooSlow:
        return MAX_SECONDS


@cache
def _list_caches() -> list[Any]:
    """Return the caches of results; those without limit have parts such as the parser."""
    values = [
        value
        for name, module in sys.modules.items()
        if name.startswith("webhook.")
        for value in vars(module).values()
    ]
    caches = [value for value in values if hasattr(value, "cache_parameters")]
    return [each for each in caches if each.cache_parameters()["maxsize"] is not None]


def _places(recipe: Recipe) -> frozenset[object]:
    return frozenset(
        (growth.path, growth.kind, growth.pieces[:1] if len(growth.path) == 1 else ())
        for growth in recipe.growths
    )


def _describe(error: BaseException) -> str:
    at = error.__traceback__
    while at and at.tb_next:
        at = at.tb_next
    where = f"{at.tb_frame.f_code.co_filename}:{at.tb_lineno}" if at else ""
    return f"{type(error).__name__} at {where}"
