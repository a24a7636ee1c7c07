"""Search for the programs of the control plane, and the errors if they are missing."""

from pathlib import Path

import pytest

from tests.system.controlplane import build, programs, wheels


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Remove all programs: no KUBEBUILDER_ASSETS, an empty PATH and an empty cache."""
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(programs, "SBIN", str(tmp_path))
    monkeypatch.setattr(wheels, "CACHE", tmp_path)
    monkeypatch.setattr("os.geteuid", lambda: 1000)


def an_executable(path: Path, mode: int = 0o755) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=mode)
    return path


def test_programs_in_kubebuilder_assets_come_first(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    an_executable(tmp_path / "etcd")
    given = an_executable(tmp_path / "assets" / "etcd")
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(given.parent))
    assert programs.program("etcd") == given


def test_a_program_that_was_built_from_the_same_pins_is_found() -> None:
    built = an_executable(programs.built() / "kube-apiserver")
    assert programs.program("kube-apiserver") == built
    assert built.parent.name.startswith(f"{programs.version()}-")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "etcd",
            (
                "etcd is not on the PATH: to install it on Debian, run 'sudo apt-get install "
                "etcd-server'; elsewhere set KUBEBUILDER_ASSETS to a folder that has it"
            ),
        ),
        (
            "kube-scheduler",
            (
                "kube-scheduler is not in '{built}': to build it, run "
                "'.venv/bin/python -m tests.system.controlplane.build'"
            ),
        ),
    ],
)
def test_the_error_of_a_missing_program_has_the_command_that_installs_it(
    name: str, message: str
) -> None:
    with pytest.raises(programs.NotThereYet) as missing:
        programs.program(name)
    assert str(missing.value) == message.format(built=programs.built())


def test_a_missing_folder_of_assets_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBEBUILDER_ASSETS", "/nowhere")
    with pytest.raises(programs.MissingProgram) as missing:
        programs.program("etcd")
    assert str(missing.value) == "KUBEBUILDER_ASSETS is '/nowhere', which is not a folder"


def test_a_program_that_cannot_be_executed_is_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    given = an_executable(tmp_path / "assets" / "etcd", mode=0o644)
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(given.parent))
    with pytest.raises(programs.MissingProgram) as missing:
        programs.program("etcd")
    assert str(missing.value) == f"etcd: '{given}' is not executable"


def test_the_error_of_a_build_without_go_has_the_address_of_go(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert build.main() == 1
    assert capsys.readouterr().err == (
        "build: go is not on the PATH; it is needed once, to build kube-apiserver: install Go 1.26 "
        "or later from https://go.dev/dl, or set KUBEBUILDER_ASSETS to a folder that has it\n"
    )


def test_a_program_that_the_assets_lack_is_built_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = "kube-controller-manager"
    for name in build.NAMES:
        if name != missing:
            an_executable(tmp_path / "assets" / name)
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path / "assets"))
    go = an_executable(tmp_path / "go")
    # The last two arguments are the folder and the package.
    go.write_text(
        "#!/bin/sh\nfor last; do folder=$package package=$last; done\n"
        'echo program > "$folder${package##*/}"; /bin/chmod +x "$folder${package##*/}"\n'
    )
    assert build.main() == 0
    built = programs.built() / missing
    assert built.read_text() == "program\n"
    assert [*programs.built().iterdir()] == [built]
    assert f"building {missing} {programs.version()}, once" in capsys.readouterr().out


def test_a_build_prints_the_paths_of_existing_programs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assets = [an_executable(tmp_path / "assets" / name) for name in build.NAMES]
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path / "assets"))
    assert build.main() == 0
    assert [line.split()[1] for line in capsys.readouterr().out.splitlines()] == [*map(str, assets)]
