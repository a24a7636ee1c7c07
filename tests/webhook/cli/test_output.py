"""Texts from a cluster or a file cannot control the terminal."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.text import Text

from tests.support.builders import encode_review, minimal_pod, plan
from webhook.cli import output
from webhook.cli.explain.text import Line, print_lines
from webhook.cli.review.diff import coloured_diff

FORGED = "db\x1b[2J\x9b2J\u202e\u2028\rb"
ESCAPED = r"db\u001b[2J\u009b2J\u202e\u2028\rb"


def is_printable(text: str) -> bool:
    return all(line.isprintable() for line in text.split("\n"))


def test_cells_of_a_table_are_escaped() -> None:
    assert output.table(["NAME"], [[FORGED], ["a\nb"]]) == f"NAME\n{ESCAPED}\na\\nb"


@pytest.mark.parametrize("form", ["json", "yaml"])
@pytest.mark.parametrize("text", [FORGED, "é 😀 \u202e", "plain é"])
def test_json_and_yaml_are_printable_and_have_the_same_values(form: str, text: str) -> None:
    printed = output.structured({"a": [text]}, form)

    assert is_printable(printed)
    parsed = json.loads(printed) if form == "json" else yaml.safe_load(printed)
    assert parsed == {"a": [text]}


def test_yaml_repeats_what_values_share() -> None:
    shared = {"a": [1]}
    assert output.as_yaml([shared, shared]) == "- a:\n  - 1\n- a:\n  - 1\n"


def test_lines_are_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    print_lines([Line(FORGED, "red"), Line("a\nb")])
    output.notify(f"Warning: {FORGED}\nnext")

    assert capsys.readouterr() == (f"{ESCAPED}\na\\nb\n", f"Warning: {ESCAPED}\nnext\n")


def test_a_diff_is_escaped() -> None:
    text: Text = coloured_diff({"a": "x"}, {"a": FORGED})

    assert is_printable(text.plain)


def test_a_review_of_a_pod_with_control_characters_is_printable(run: Any, tmp_path: Path) -> None:
    pod = minimal_pod({FORGED: FORGED, "plan": FORGED}, metadata={"name": FORGED})
    review, plan_file = tmp_path / "review.json", tmp_path / "plan.json"
    review.write_bytes(encode_review(pod))
    plan_file.write_text(json.dumps(plan(annotations={"labels": FORGED}, spec={})))
    for form in ("diff", "yaml", "json", "patch"):
        result = run("review", "-f", str(review), "--plan", str(plan_file), "-o", form)
        assert is_printable(result.output)
