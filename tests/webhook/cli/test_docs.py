"""docs/cli.md has the output of its commands, and every example in the help works."""

import itertools
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import yaml
from click.testing import Result

from tests.support.builders import ZONE, namespace, node, plan, pod
from tests.support.commands import Run
from tests.support.fake_api import FakeApi
from tests.support.golden import Golden
from tests.support.paths import ROOT
from webhook import program
from webhook.cli import errors, kubectl
from webhook.kube.objects import Json

PAGE = ROOT / "docs" / "cli.md"
SECTION = re.compile(r"^## .*?(?=^## |\Z)", re.MULTILINE | re.DOTALL)
CONSOLE = re.compile(r"^```console\n(.*?)^```\n", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^\$ (?:.*\\\n)*.*\n", re.MULTILINE)
HELP = re.compile(r"^\$ kubectl convertor (\w+) --help$", re.MULTILINE)
EXAMPLE = re.compile(r"^    .*?(kubectl convertor (\w+) .*)$", re.MULTILINE)


def objects() -> Iterator[Json]:
    """Yield the cluster of the page: three nodes, storage on two of them, two plans."""
    yield node("alpha", {ZONE: "a", "disk": "nvme"})
    yield node("beta", {ZONE: "b", "disk": "hdd"})
    yield node("gamma", {ZONE: "b", "disk": "nvme"}, taints=("dedicated=migration:NoSchedule",))
    yield from (namespace("vms"), namespace("rook-ceph"))
    yield pod("rook-ceph/osd-0", "beta", {"app": "ceph-osd"})
    yield pod("rook-ceph/osd-1", "gamma", {"app": "ceph-osd"})
    yield plan("db")
    yield plan("copied", spec={"convertorLabels": {"workload": "migration"}})
    yield plan("storefront", "shop", labels="batch")


@pytest.fixture
def documented_cluster(cluster: FakeApi) -> FakeApi:
    cluster.add(*objects())
    return cluster


class Terminal:
    """Runs the commands of a section, one after the other, on a cluster of their own."""

    def __init__(self, run: Run, cluster: FakeApi) -> None:
        self._run = run
        self._last: Result | None = None
        cluster.objects.clear()
        cluster.add(*objects())

    def __call__(self, command: str) -> str:
        """Return what a command prints on a terminal."""
        if command == "echo $?":
            assert self._last is not None
            return f"{self._last.exit_code}\n"
        given, pipe, piped = command.partition(" | ")
        text = shlex.split(given)[1] if pipe else None
        program, name, *words = shlex.split(piped if pipe else command)
        assert (program, name) == ("kubectl", "convertor"), command
        self._last = self._run(*words, input=text)
        return self._last.output


def run_section(section: str, terminal: Terminal) -> str:
    """Return a section with the output of the commands in its blocks."""

    def fill(block: re.Match[str]) -> str:
        commands = COMMAND.findall(block[1])
        outputs = [terminal(each[2:].replace("\\\n", "").rstrip("\n")) for each in commands]
        lines = (command + output for command, output in zip(commands, outputs, strict=True))
        return f"```console\n{''.join(lines)}```\n"

    return CONSOLE.sub(fill, section)


def test_every_command_on_the_page_prints_the_output_below_it(
    run: Run,
    cluster: FakeApi,
    golden: Golden,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("COLUMNS", "100")
    page = PAGE.read_text(encoding="utf-8")
    head = page[: page.index("\n## ") + 1]
    sections = [head, *SECTION.findall(page)]
    assert "".join(sections) == page
    golden(PAGE, "".join(run_section(section, Terminal(run, cluster)) for section in sections))


def test_every_command_has_its_help_on_the_page() -> None:
    assert set(HELP.findall(PAGE.read_text(encoding="utf-8"))) == set(kubectl.COMMANDS)


def test_every_exit_code_is_on_the_page() -> None:
    codes = re.findall(r"^\| (\d+) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert list(map(int, codes)) == [
        0,
        errors.EXIT_FOUND,
        errors.UserError.exit_code,
        errors.EXIT_CLUSTER,
        program.EXIT_UNEXPECTED,
        program.EXIT_INTERRUPTED,
        program.EXIT_READER_GONE,
    ]


def test_every_flag_of_the_installation_is_on_the_page_with_its_variable() -> None:
    command = kubectl.group.get_command(click.Context(kubectl.group), "review")
    assert command is not None
    known = {param.opts[0]: param.envvar for param in command.params if param.envvar}
    rows = re.findall(r"^\| `(--[a-z-]+).*?` \| `([A-Z_]+)` \|$", PAGE.read_text(), re.MULTILINE)
    assert dict(rows) == known


@pytest.mark.parametrize("name", kubectl.COMMANDS)
def test_the_examples_in_the_help_work(
    run: Run,
    documented_cluster: FakeApi,
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    convertor_pod = pod("vms/db-vm-1", "", {"forklift.app": "virt-v2v", "plan": "uid-db"})
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    (tmp_path / "plans").symlink_to(ROOT / "examples" / "plans")
    (tmp_path / "review.json").symlink_to(ROOT / "examples" / "review.json")
    (tmp_path / "plan.yaml").write_text(yaml.safe_dump(plan("db")))
    (tmp_path / "pod.yaml").write_text(yaml.safe_dump(convertor_pod))
    (tmp_path / "nodes.yaml").write_text(yaml.safe_dump(node("alpha")))
    (tmp_path / "rules.karl").write_text("REQUIRE pods(app=ceph-osd) on node\n")
    examples = EXAMPLE.findall(run(name, "--help").stdout)
    assert examples
    for example, command in examples:
        assert command == name
        words = itertools.takewhile(lambda word: word not in (">", "|"), shlex.split(example))
        done = run(
            *(word.removesuffix(")") for word in list(words)[2:]),
            input=Path("pod.yaml").read_text(),
        )
        assert done.exit_code == 0, f"{example}: {done.output}"
