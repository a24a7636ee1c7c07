"""Where the programs of the control plane are looked for, and what is said when they are not."""

from pathlib import Path

import pytest

from tests.system.controlplane import build, programs, wheels


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Have nothing given, nothing on the PATH and nothing built."""
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(programs, "SBIN", str(tmp_path))
    monkeypatch.setattr(wheels, "CACHE", tmp_path)
    monkeypatch.setattr("os.geteuid", lambda: 1000)


def an_executable(path: Path, mode: int = 0o755) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=mode)
    return path


def test_what_is_given_comes_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    an_executable(tmp_path / "etcd")
    given = an_executable(tmp_path / "assets" / "etcd")
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(given.parent))
    assert programs.program("etcd") == given


def test_what_was_built_before_is_found_as_long_as_its_pins_are_the_same() -> None:
    built = an_executable(programs.built() / "kube-apiserver")
    assert programs.program("kube-apiserver") == built
    assert built.parent.name.startswith(f"{programs.version()}-")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            "etcd",
            (
                "etcd is not on the PATH: to install it on Debian, type 'sudo apt-get install "
                "etcd-server'; elsewhere point KUBEBUILDER_ASSETS at a folder that has it"
            ),
        ),
        (
            "kube-scheduler",
            (
                "kube-scheduler is not in '{built}': to build it, type "
                "'.venv/bin/python -m tests.system.controlplane.build'"
            ),
        ),
    ],
)
def test_what_is_missing_is_said_with_what_to_type(name: str, said: str) -> None:
    with pytest.raises(programs.NotThereYet) as missing:
        programs.program(name)
    assert str(missing.value) == said.format(built=programs.built())


def test_a_folder_of_assets_that_is_not_there_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBEBUILDER_ASSETS", "/nowhere")
    with pytest.raises(programs.MissingProgram) as missing:
        programs.program("etcd")
    assert str(missing.value) == "KUBEBUILDER_ASSETS is '/nowhere', which is no folder"


def test_a_program_that_cannot_be_executed_is_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    given = an_executable(tmp_path / "assets" / "etcd", mode=0o644)
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(given.parent))
    with pytest.raises(programs.MissingProgram) as missing:
        programs.program("etcd")
    assert str(missing.value) == f"etcd: '{given}' is there, but cannot be executed"


def test_a_build_without_go_says_where_to_get_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert build.main() == 1
    assert capsys.readouterr().err == (
        "build: go is not on the PATH, and is needed once, to build kube-apiserver and "
        "kube-scheduler: install Go 1.26 or later from https://go.dev/dl, or point "
        "KUBEBUILDER_ASSETS at a folder that has both\n"
    )


def test_a_build_where_everything_is_there_says_where(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assets = [an_executable(tmp_path / "assets" / name) for name in build.NAMES]
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path / "assets"))
    assert build.main() == 0
    assert [line.split()[1] for line in capsys.readouterr().out.splitlines()] == [*map(str, assets)]
