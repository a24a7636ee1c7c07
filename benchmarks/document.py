"""docs/performance.md: what was measured and on what. The raw data is in benchmarks/results."""

import json
import math
import os
import platform
import statistics
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks import speed
from benchmarks.budget import Budget
from benchmarks.load import Rate
from benchmarks.processes import ROOT
from benchmarks.raw import Raw

PATH = ROOT / "docs" / "performance.md"
RESULTS = ROOT / "benchmarks" / "results"


def write(budgets: Sequence[Budget], raw: Raw) -> None:
    """Replace the results of the last run."""
    put("run", _results(budgets, raw), _data(raw))


def put(script: str, results: str, data: Mapping[str, Any]) -> None:
    """Replace a script's section of the page and its raw data."""
    begin = f"<!-- what follows is written by benchmarks/{script}.py --write -->"
    end = f"<!-- end of what is written by benchmarks/{script}.py -->"
    before, _, rest = PATH.read_text().partition(begin)
    _, _, after = rest.partition(end)
    link = f"[Raw data](../benchmarks/results/{script}.json)"
    PATH.write_text(f"{before}{begin}\n\n{results}\n\n{link}\n\n{end}{after}")
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{script}.json").write_text(_lines({"measured": _measured(), **data}))


def _lines(data: Mapping[str, Any]) -> str:
    """Return JSON with a line for each key: short, and a diff shows which numbers are new."""
    entries = (
        f"  {json.dumps(key, ensure_ascii=False)}: {json.dumps(value, ensure_ascii=False)}"
        for key, value in data.items()
    )
    return "{\n" + ",\n".join(entries) + "\n}\n"


def _results(budgets: Sequence[Budget], raw: Raw) -> str:
    return "\n\n".join(
        (
            verdicts(budgets),
            table(
                ("server", "reviews/s", "slowest and fastest round", "its CPU for a review"),
                rates(raw.rates),
            ),
            table(("server", "reviews/s", "p50", "p90", "p99", "longest"), _latencies(raw)),
        )
    )


def verdicts(budgets: Sequence[Budget]) -> str:
    """Say when and on what this was measured, and which of the budgets is met."""
    bars = [(one.name, f"{one.measured:.2f}{one.unit}", one.limit, one.verdict) for one in budgets]
    return f"Measured on {_measured()}.\n\n{table(('what', 'measured', 'bar', ''), bars)}"


def _measured() -> str:
    return f"{datetime.now(UTC):%Y-%m-%d}, with {_machine()}"


def rates(measured: Mapping[str, Sequence[Rate]]) -> list[Sequence[str]]:
    """Return a row for each server: medians, and the slowest and fastest round."""
    return [
        (
            name,
            f"{statistics.median(rate.reviews for rate in rounds):.0f}",
            " and ".join(f"{each(rate.reviews for rate in rounds):.0f}" for each in (min, max)),
            f"{1e6 * statistics.median(rate.cpu for rate in rounds):.0f} µs",
        )
        for name, rounds in measured.items()
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


def _data(raw: Raw) -> dict[str, Any]:
    """Return all numbers; of the times of single reviews, the percentiles."""
    return {
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
