"""docs/performance.md: what was measured, how, on what, and the data."""

import json
import math
import os
import platform
import statistics
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from benchmarks import speed
from benchmarks.budget import Budget
from benchmarks.processes import ROOT
from benchmarks.raw import Raw

PATH = ROOT / "docs" / "performance.md"


def write(budgets: Sequence[Budget], raw: Raw) -> None:
    """Put the results in the place of the last ones."""
    put("run.py", _results(budgets, raw))


def put(script: str, results: str) -> None:
    """Put what a script has found in the place of what it found last."""
    begin = f"<!-- what follows is written by benchmarks/{script} --write -->"
    end = f"<!-- end of what is written by benchmarks/{script} -->"
    before, _, rest = PATH.read_text().partition(begin)
    _, _, after = rest.partition(end)
    PATH.write_text(f"{before}{begin}\n\n{results}\n\n{end}{after}")


def _results(budgets: Sequence[Budget], raw: Raw) -> str:
    return "\n\n".join(
        (
            verdicts(budgets),
            table(
                ("server", "reviews/s", "its CPU for a review", "reviews/s in each round"),
                _rates(raw),
            ),
            table(("server", "reviews/s", "p50", "p90", "p99", "longest"), _latencies(raw)),
            f"<details><summary>Raw data</summary>\n\n```json\n{_data(raw)}\n```\n\n</details>",
        )
    )


def verdicts(budgets: Sequence[Budget]) -> str:
    """Say when and on what this was measured, and which of the budgets is met."""
    bars = [(one.name, f"{one.measured:.2f}{one.unit}", one.limit, one.verdict) for one in budgets]
    when = f"Measured on {datetime.now(UTC):%Y-%m-%d}, with {_machine()}."
    return f"{when}\n\n{table(('what', 'measured', 'bar', ''), bars)}"


def _rates(raw: Raw) -> list[Sequence[str]]:
    return [
        (
            name,
            f"{statistics.median(rate.reviews for rate in rates):.0f}",
            f"{1e6 * statistics.median(rate.cpu for rate in rates):.0f} µs",
            " ".join(f"{rate.reviews:.0f}" for rate in rates),
        )
        for name, rates in raw.rates.items()
    ]


def _latencies(raw: Raw) -> list[Sequence[str]]:
    return [
        (name, str(rate), *(_ms(speed.percentile(times, at)) for at in (50, 90, 99, 100)))
        for name, rate, times in _reviews(raw)
    ]


def _reviews(raw: Raw) -> Iterator[tuple[str, int, list[float]]]:
    for rate, servers in raw.latencies.items():
        for name, rounds in servers.items():
            yield name, rate, [seconds for times in rounds for seconds in times]


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.2f} ms"


def _data(raw: Raw) -> str:
    """Give all numbers; of the times of single reviews, each hundredth of them."""
    data = {
        "reviews/s, by round": {
            name: [round(rate.reviews) for rate in rates] for name, rates in raw.rates.items()
        },
        "µs of the server's CPU for a review, by round": {
            name: [round(1e6 * rate.cpu) for rate in rates] for name, rates in raw.rates.items()
        },
        "µs of a review, percentiles 0 to 100": {
            f"{name} at {rate}/s": [round(1e6 * speed.percentile(times, at)) for at in range(101)]
            for name, rate, times in _reviews(raw)
        },
        "bytes of private memory, by plans": raw.memory,
        "ns of a look-up, by round": {
            str(plans): [round(1e9 * seconds) for seconds in rounds]
            for plans, rounds in raw.lookups.items()
        },
        "seconds of the default test run": round(raw.tests, 1) if raw.tests < math.inf else None,
    }
    lines = (f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in data.items())
    return "{\n" + ",\n".join(lines) + "\n}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _machine() -> str:
    cpu = "an unknown CPU"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            cpu = line.partition(":")[2].strip()
            break
    parts = [f"uvicorn {version('uvicorn')}", f"FastAPI {version('fastapi')}"]
    return f"{os.cpu_count()} x {cpu}, Python {platform.python_version()}, {', '.join(parts)}"
