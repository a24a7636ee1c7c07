"""The files follow .editorconfig, except for line lengths, which ruff checks."""

import configparser
import re
import subprocess
from pathlib import Path

import pytest

TOP = Path(__file__).parents[3]


def sections() -> list[tuple[re.Pattern[str], dict[str, str]]]:
    """Return a path pattern and the keys of each section, in the order of the file."""
    parser = configparser.ConfigParser(allow_no_value=True)
    parser.read_string("[root]\n" + (TOP / ".editorconfig").read_text())
    return [(_pattern(name), dict(parser[name])) for name in parser.sections()[1:]]


def _pattern(glob: str) -> re.Pattern[str]:
    found = re.escape(glob).replace(r"\{", "(").replace(r"\}", ")").replace(",", "|")
    found = found.replace(r"\*\*/", "(.*/)?").replace(r"\*\*", ".*").replace(r"\*", "[^/]*")
    return re.compile(found if "/" in glob else f"(.*/)?{found}")


def settings(path: str) -> dict[str, str]:
    """Return the settings of a path: later sections have precedence, `unset` removes a key."""
    found: dict[str, str] = {}
    for pattern, keys in SECTIONS:
        if pattern.fullmatch(path):
            found |= keys
    return {key: value for key, value in found.items() if value != "unset"}


SECTIONS = sections()


@pytest.mark.parametrize(
    ("path", "key", "value"),
    [
        ("webhook/a.py", "indent_size", "4"),
        ("charts/a/values.yaml", "indent_size", "2"),
        ("Makefile", "indent_style", "tab"),
        ("tests/system/controlplane/go.mod", "indent_style", "tab"),
        ("requirements/dev.txt", "indent_size", "4"),
        ("tests/cli/expected/show.table", "trim_trailing_whitespace", None),
        ("docs/audit.md", "insert_final_newline", "true"),
    ],
)
def test_a_path_has_the_settings_of_the_last_section_that_matches(
    path: str, key: str, value: str | None
) -> None:
    assert settings(path).get(key) == value


def test_every_file_follows_the_settings() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=TOP, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    wrong = []
    for path in filter(None, listed.stdout.split("\0")):
        if (TOP / path).is_file():
            wrong += [f"{path}: {problem}" for problem in _find_problems(path)]
    assert wrong == []


def _find_problems(path: str) -> list[str]:
    text = (TOP / path).read_bytes().decode()  # utf-8, or an error
    rules = settings(path)
    problems = []
    if "\r" in text:
        problems.append("a carriage return")
    if rules.get("insert_final_newline") and text and not text.endswith("\n"):
        problems.append("no newline at the end")
    if rules.get("trim_trailing_whitespace") and re.search(r"[ \t]$", text, re.MULTILINE):
        problems.append("trailing white space")
    if rules.get("indent_style") == "space" and re.search(r"^ *\t", text, re.MULTILINE):
        problems.append("a tab")
    return problems
