"""Golden files: a text with its Affinity, its English translation, or its errors."""

import json
from pathlib import Path

import pytest

from tests.support.golden import Golden
from webhook import karl

CASES = Path(__file__).parent / "cases"
VALID = sorted((CASES / "valid").glob("*.karl"))
WRONG = sorted((CASES / "wrong").glob("*.karl"))
NODE_VALUES = {"memory": ["32Gi", "64Gi", "128Gi", "plenty"], "disk": ["500G", "2T"]}


def stem(path: Path) -> str:
    return path.stem


@pytest.mark.parametrize("case", VALID, ids=stem)
def test_a_text_compiles_to_its_affinity(case: Path, golden: Golden) -> None:
    text = case.read_text(encoding="utf-8")
    compiled = karl.compile_all(text, node_values=NODE_VALUES)
    if "topologySpreadConstraints" not in compiled:
        compiled = karl.compile(text, node_values=NODE_VALUES)
    golden(case.with_suffix(".json"), json.dumps(compiled, indent=2) + "\n")


@pytest.mark.parametrize("case", VALID, ids=stem)
def test_a_text_is_formatted_and_translated(case: Path, golden: Golden) -> None:
    rules = karl.parse(case.read_text(encoding="utf-8"))
    lines = [line for rule in rules for line in (karl.to_text(rule), karl.to_english(rule), "")]
    golden(case.with_suffix(".txt"), "\n".join(lines))


@pytest.mark.parametrize("case", WRONG, ids=stem)
def test_all_errors_of_a_text_are_reported_with_their_position(case: Path, golden: Golden) -> None:
    with pytest.raises(karl.KarlError) as raised:
        karl.compile_all(case.read_text(encoding="utf-8"))
    golden(case.with_suffix(".txt"), f"{raised.value}\n")
