"""`kubectl convertor karl`: output and exit codes."""

import json
from pathlib import Path

import pytest
import yaml

from tests.support.commands import Run
from webhook import karl

RULE = "REQUIRE pods(app=ceph-osd) on node"


def test_rules_become_an_affinity_in_yaml_and_json(run: Run) -> None:
    compiled = karl.compile(RULE)
    assert yaml.safe_load(run("karl", RULE).stdout) == compiled
    assert json.loads(run("karl", RULE, "-o", "json").stdout) == compiled


def test_several_arguments_are_the_lines_of_one_text(run: Run) -> None:
    result = run("karl", RULE, "prefer nodes(disk==ssd)", "-o", "text")
    assert result.stdout == f"{RULE}\nPREFER nodes(disk=ssd)\n"


def test_rules_come_from_a_file_or_from_standard_input(run: Run, tmp_path: Path) -> None:
    (tmp_path / "rules.karl").write_text(f"{RULE} # Ceph\n", encoding="utf-8")
    for result in (
        run("karl", "-f", str(tmp_path / "rules.karl"), "-o", "text"),
        run("karl", "-f", "-", "-o", "text", input=RULE),
    ):
        assert (result.exit_code, result.stdout) == (0, f"{RULE}\n")


@pytest.mark.parametrize(
    ("scope", "where"), [("all", "any namespace"), ("own", "its own namespace")]
)
def test_a_rule_is_explained_in_english_with_its_scope(run: Run, scope: str, where: str) -> None:
    result = run("karl", RULE, "-o", "english", "--scope", scope)
    assert result.stdout == (
        f"A convertor pod must run on the same node as a pod where app is ceph-osd, in {where}.\n"
    )


def test_a_text_with_spread_becomes_the_fields_of_a_pod(run: Run) -> None:
    spread = "SPREAD pods(app=virt-v2v) on zone skew=2 hard"
    for texts, fields in (
        ([spread], {"topologySpreadConstraints"}),
        ([RULE, spread], {"affinity", "topologySpreadConstraints"}),
    ):
        compiled = karl.compile_all("\n".join(texts))
        assert {*compiled} == fields
        assert yaml.safe_load(run("karl", *texts).stdout) == compiled
        assert json.loads(run("karl", *texts, "-o", "json").stdout) == compiled
    assert run("karl", spread, "-o", "text").stdout == f"{spread}\n"
    assert run("karl", spread, "-o", "english").stdout == (
        "The pods where app is virt-v2v, in its own namespace, must be spread over "
        "zones, with a difference of at most 2.\n"
    )


@pytest.mark.parametrize("output", ["yaml", "json", "text", "english"])
def test_an_invalid_rule_is_reported_with_its_caret_in_every_format(run: Run, output: str) -> None:
    result = run("karl", "REQUIRE pods(app=ceph-osd) on nodes", "-o", output)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (
        "Error: karl: 1:31: unknown topology 'nodes'\n"
        "  REQUIRE pods(app=ceph-osd) on nodes\n"
        "                                ^^^^^\n"
        "  expected node, zone, region, rack or a label key; did you mean 'node'?\n"
    )


@pytest.mark.parametrize("output", ["yaml", "json", "text", "english"])
def test_rules_that_only_one_pod_can_meet_together_are_a_warning_in_every_format(
    run: Run, output: str
) -> None:
    result = run("karl", RULE, "REQUIRE pods(team=x) on zone", "-o", output)
    assert result.exit_code == 0
    assert result.stdout
    assert result.stderr == (
        "Warning: no node fits unless one pod matches 'REQUIRE pods(app=ceph-osd) in all "
        "namespaces on node' and 'REQUIRE pods(team=x) in all namespaces on zone', because "
        "kube-scheduler counts only pods that match all of them; to be near several pods, write "
        "REQUIRE for one of them and PREFER for the others\n"
    )


@pytest.mark.parametrize("words", [[], [RULE, "-f", "-"]])
def test_rules_from_two_sources_are_an_error(run: Run, words: list[str]) -> None:
    result = run("karl", *words)
    assert result.exit_code == 2
    assert result.stderr.endswith(
        "Error: expected rules as arguments, or --filename FILE, one of the two\n"
    )


def test_an_unreadable_file_is_reported_with_the_reason(run: Run, tmp_path: Path) -> None:
    binary = tmp_path / "rules.karl"
    binary.write_bytes(b"REQUIRE \xff")
    for path, reason in ((binary, "byte 8 is not UTF-8"), (tmp_path, "is a directory")):
        result = run("karl", "-f", str(path))
        assert result.exit_code == 2
        assert result.stderr.endswith(f"Error: '{path}': {reason}\n")
