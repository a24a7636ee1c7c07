"""The words of the project are those by which a Kubernetes engineer would search.

Each entry of WORDS and NAMES was used once, and made a text hard to find or to understand. The
message of a failing test has the words to use instead.
"""

import ast
import functools
import gc
import re
from collections.abc import Iterator

import pytest

from tests.support.paths import ROOT

WORDS = {
    "tell, tells, telling, told": "report, print, log, show",
    "ask, asks, asked, asking": "request, specify, call; 'the settings of the plan'",
    "not all that": "plan 'x' has invalid placement settings",
    "as it came": "unchanged",
    "let through, come through, comes through, came through": "admitted",
    "whoever, nobody, somebody": "the actor: the administrator, another client, no client",
    "anew": "again, restarted",
    "put right, puts right, mend, mends, mended": "repair",
    "give way to, gives way to, gave way to": "is overridden by",
    "in force": "effective",
    "fault of ours, faults of ours, fault of the program, our fault": "internal error",
    "the rest counts": "the rest is applied",
    "stands at, stands where, stands in, stands on, stands beside, stands below": "is",
    "foresaw, unforeseen": "unexpected",
}
"""Words that no text has, and what to write instead."""
NO_NOUN = re.compile(
    r"(?<!there )\b(?:is|are|was) no (?!longer\b|more\b|other\b|such\b|different\b)"
)
"""`is no pod`: write `is not a Pod`."""

NAMES = {
    "sketch|Sketch|Answers": "fingerprint, Fingerprint, ResponseCache",
    "Stumble|meet": "ParseFailure, locate",
    "never_met": "unsatisfiable_terms",
    "Given|ABSENT": "RawSetting, UNSET",
    "Placing|answered|_decided": "PodReviewHandler, respond",
    "Since|learn|covers": "EnforcementWindow, record, includes",
    "World|look|points|unjudged": "Snapshot, snapshot, score, limitations",
    "told|renewed|adopted|shown|merged": "pod_rows, recreated, with_installed_defaults, …",
    "Served|Serving": "TlsKeeper, SwappableContext",
    "Tell": "EventSink",
    "Fault": "UserError, ClusterError, or the kind of error",
}
"""Names that no function, class or variable has, and what they are called now."""
_NAMES = {name: new for names, new in NAMES.items() for name in names.split("|")}

QUESTIONS = ("What ", "Whether ", "Where ", "How ", "Why ", "When ", "Which ", "Who")
"""First words that no docstring has: it says what the thing is or does."""

TEXTS = {".py", ".md", ".yaml", ".yml", ".toml", ".tpl", ".txt", ".lark", ".json", ""}
SKIPPED = re.compile(
    r"\.(?!ci/|github/)|tests/data/|requirements/|LICENSE|dist/|"
    r".*/(?:__pycache__/|\.)|tests/system/docs/test_vocabulary\.py"
)
"""Recorded and generated files, and folders of tools."""

FIELD = re.compile(r'"asks"|^ *asks:', re.MULTILINE)
"""A field of the output of `audit` and `explain`, which programs read."""

BREAK = re.compile(r'[ \t]*["\'`*|]*\n[ \t]*(?:#+ |"|\'|f"|// )?[ \t]*')
"""A line end inside a sentence, in comments and in texts that are written over several lines."""


def paths() -> Iterator[str]:
    tops = [path for path in ROOT.iterdir() if not SKIPPED.match(f"{path.name}/")]
    for path in sorted(found for top in tops for found in [top, *top.rglob("*")]):
        name = path.relative_to(ROOT).as_posix()
        if path.suffix in TEXTS and path.is_file() and not SKIPPED.match(name):
            yield name


@functools.cache
def texts() -> dict[str, str]:
    return {path: (ROOT / path).read_text(encoding="utf-8") for path in paths()}


@functools.cache
def trees() -> dict[str, ast.Module]:
    """Parse all modules without garbage collections, which would take longer than parsing."""
    gc.disable()
    parsed = {path: ast.parse(text) for path, text in texts().items() if path.endswith(".py")}
    gc.enable()
    gc.freeze()  # the trees are kept for the next tests
    return parsed


def wrong_words(text: str) -> Iterator[tuple[str, str]]:
    """Yield each place of a word with its surroundings, and what to write instead."""
    joined = BREAK.sub(" ", FIELD.sub("", text)).lower()
    words = set(re.findall("[a-z]+", joined))
    patterns = {NO_NOUN: "is not a …"}
    for phrases, instead in WORDS.items():
        for phrase in phrases.split(", "):
            if phrase in words or (" " in phrase and phrase in joined):
                patterns[re.compile(rf"\b{phrase}\b")] = instead
    for pattern, instead in patterns.items():
        for match in pattern.finditer(joined):
            yield joined[max(match.start() - 40, 0) : match.end() + 30], instead


def test_texts_use_the_words_of_the_field() -> None:
    found = [
        f"{path}: '…{context}…': write {instead}"
        for path, text in texts().items()
        for context, instead in wrong_words(text)
    ]
    assert not found, "\n".join(found)


def names_in(tree: ast.Module) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name, node.lineno
            case ast.ClassDef(name=name):
                yield name, node.lineno
            case ast.Name(id=name, ctx=ast.Store()):
                yield name, node.lineno
            case ast.arg(arg=name):
                yield name, node.lineno


def test_names_are_the_words_of_the_field() -> None:
    found = [
        f"{path}:{line}: {name}: the name is {instead}"
        for path, tree in trees().items()
        for name, line in names_in(tree)
        if (instead := _NAMES.get(name))
    ]
    assert not found, "\n".join(found)


def test_the_first_line_of_a_docstring_says_what_the_thing_is_or_does() -> None:
    found = [
        f"{path}:{node.lineno}: {text.splitlines()[0]!r}"
        for path, tree in trees().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if isinstance(text := node.value.value, str) and text.startswith(QUESTIONS)
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("text", ["is\n    told", '"it asks "\n    "nothing"', "# is no\n# pod"])
def test_a_word_is_found_over_the_end_of_a_line(text: str) -> None:
    assert [*wrong_words(text)]
