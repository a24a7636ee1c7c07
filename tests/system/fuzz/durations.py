"""The slowest input of each target, and the steepest growth: searched, then measured carefully."""

import gc
import math
import time
from pathlib import Path
from random import Random
from typing import NamedTuple

import msgspec

from benchmarks.budget import Budget, at_most
from tests.system.fuzz import clock
from tests.system.fuzz.campaign import FOLDER
from tests.system.fuzz.clock import LOOPS_IN_100_MS
from tests.system.fuzz.recipe import Recipe
from tests.system.fuzz.search import LEAST_SECONDS, Finding, Search, time_once
from tests.system.fuzz.server import write_logs_to
from tests.system.fuzz.targets import TARGETS, Target
from webhook.kube.objects import Json
from webhook.telemetry import logs

ROUNDS = 5
"""Of which the fastest counts."""
REPEATS = 2
DOUBLINGS = 3
MOST_GROWTH = 3.2
"""Of the time when the size doubles: 2 if it is linear, 4 if it is quadratic. The CPU's caches and
garbage collection make a linear time grow a little faster."""


class Measurement(NamedTuple):
    """Careful measurements of the inputs of a recipe."""

    recipe: Recipe
    size: int
    """Bytes of the slowest input."""
    seconds: float
    loops: float
    """The time in calibration loops."""
    growth: float
    """Of the time when the size doubles, the mean of three doublings; 0 if the time is short."""

    def __str__(self) -> str:
        places = [
            f"{growth.kind} at {'.'.join(map(str, growth.path[-3:]))}"
            for growth in self.recipe.growths
        ]
        return f"{1000 * self.seconds:.0f} ms for {self.size} bytes, {', '.join(places)}"


class Result(NamedTuple):
    """The result of the search in one target."""

    target: str
    inputs: int
    slowest: Measurement
    steepest: Measurement
    errors: list[str]
    reproducers: list[str]
    """Files with the inputs that break a budget."""

    def budgets(self) -> list[Budget]:
        """Return the budgets of a target; only commands may take longer than 100 ms."""
        growth = f"{self.target}: time when the size doubles ({self.steepest})"
        found = [
            at_most(MOST_GROWTH, growth, self.steepest.growth, "x"),
            at_most(0, f"{self.target}: exceptions in {self.inputs} inputs", len(self.errors)),
        ]
        if TARGETS[self.target].in_event_loop:
            slowest = f"{self.target}: calibration loops of the slowest input ({self.slowest})"
            found.insert(0, at_most(LOOPS_IN_100_MS, slowest, self.slowest.loops))
        return found


def search(name: str, seconds: float, seed: int) -> Result:
    """Search one target for this long, and measure what was found."""
    write_logs_to(logs.Format.JSON)
    gc.collect()
    gc.freeze()
    target = TARGETS[name]
    found = Search(target, Random(f"{seed} {name}"))
    end = time.monotonic() + seconds
    while time.monotonic() < end or not found.slowest:
        found.step()
    return conclude(name, target, found)


def conclude(name: str, target: Target, found: Search) -> Result:
    """Measure the findings of a search carefully, and write the inputs that break a budget."""
    findings = {each.recipe.growths: each for each in (*found.slowest, *found.steepest)}
    measured = [measure(target, finding) for finding in findings.values()]
    slowest = max(measured, key=lambda each: each.seconds)
    steepest = max(measured, key=lambda each: each.growth)
    result = Result(name, found.inputs, slowest, steepest, [*found.errors], [])
    broken = [(finding.recipe, finding.times[-1][0]) for finding in found.errors.values()]
    if slowest.loops > LOOPS_IN_100_MS and target.in_event_loop:
        broken.append((slowest.recipe, slowest.size))
    if steepest.growth > MOST_GROWTH:
        broken.append((steepest.recipe, steepest.size))
    for number, (recipe, size) in enumerate(broken):
        result.reproducers.append(str(_write(f"{name} {number}", target, recipe, size)))
    return result


def measure(target: Target, finding: Finding) -> Measurement:
    """Measure the slowest input of a finding again, and its growth.

    A measurement that breaks a budget is repeated, because other load of the machine passes.
    """
    found = _measure_once(target, finding)
    for _ in range(REPEATS):
        if found.loops <= LOOPS_IN_100_MS and found.growth <= MOST_GROWTH:
            break
        again = _measure_once(target, finding)
        found = again._replace(
            seconds=min(found.seconds, again.seconds),
            loops=min(found.loops, again.loops),
            growth=min(found.growth, again.growth),
        )
    return found


def _measure_once(target: Target, finding: Finding) -> Measurement:
    recipe = finding.recipe
    size = min(int(finding.slowest[0] / 0.92), target.parts[recipe.part])
    maker = target.make_maker(recipe)
    before = clock.calibrate()
    base = _time(target, recipe.document)
    times = [
        (sized.size, _time(target, sized.made))
        for doubling in range(DOUBLINGS, -1, -1)
        if (sized := maker.make(size >> doubling))
    ]
    unit = min(before, clock.calibrate())
    size, seconds = times[-1] if times else (0, 0.0)
    return Measurement(recipe, size, seconds, seconds / unit, _growth(times, base))


def _growth(times: list[tuple[int, float]], base: float) -> float:
    """Return the factor of the time when the size doubles, without the time of the smallest input.

    Of the factors up to the largest size it is the smallest: a linear time that begins at some
    size, such as that of a second buffer, grows faster only at first.
    """
    own = [(size, seconds - base) for size, seconds in times if seconds - base > LEAST_SECONDS / 10]
    if len(own) < 2 or own[-1][1] < LEAST_SECONDS:
        return 0.0
    *smaller, (largest, last) = own
    return min(
        2 ** (math.log(last / seconds) / math.log(largest / size)) for size, seconds in smaller
    )


def _time(target: Target, made: Json) -> float:
    seconds = [time_once(target, made) for _ in range(2)]
    if min(seconds) < 0.3:
        seconds += [time_once(target, made) for _ in range(ROUNDS - 2)]
    return min(seconds)


def _write(name: str, target: Target, recipe: Recipe, size: int) -> Path:
    """Write an input of a recipe, and the recipe, to a file."""
    sized = target.make_maker(recipe).make(size)
    content = {"growths": recipe.growths, "input": sized.made if sized else None}
    path = FOLDER / f"{name.strip('/').replace(' ', '-')}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.encode(content))
    return path
