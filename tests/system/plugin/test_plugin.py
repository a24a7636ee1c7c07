"""The krew plugin: its manifest, archive and launcher."""

import hashlib
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from tests.support.paths import ROOT

PAGE = ROOT / "docs" / "cli.md"
VERSION = version("convertor-webhook")
TAG = f"{sys.version_info.major}.{sys.version_info.minor}"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a wheel with the command line."""
    path = tmp_path_factory.mktemp("wheel") / f"convertor_webhook-{VERSION}-py3-none-any.whl"
    about = f"convertor_webhook-{VERSION}.dist-info/METADATA"
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr(
            about, f"Metadata-Version: 2.4\nName: convertor-webhook\nVersion: {VERSION}\n"
        )
        for file in sorted((ROOT / "webhook").rglob("*")):
            if file.suffix in (".py", ".lark"):
                packed.write(file, file.relative_to(ROOT))
    return path


@pytest.fixture(scope="module")
def made(wheel: Path) -> Path:
    """Return the folder with the manifest and the archive."""
    folder = wheel.parent / "made"
    package(wheel, folder)
    return folder


@pytest.fixture(scope="module")
def manifest(made: Path) -> Any:
    return yaml.safe_load((made / "convertor.yaml").read_text(encoding="utf-8"))


@pytest.fixture
def plugin(made: Path, manifest: Any, tmp_path: Path) -> Path:
    """Extract the archive and create the link as krew does; return the link."""
    (platform,) = manifest["spec"]["platforms"]
    store = tmp_path / "store"
    store.mkdir()
    archive = made / platform["uri"].rpartition("/")[2]
    subprocess.run(["tar", "-xf", archive, "-C", store], check=True)
    link = tmp_path / "bin" / "kubectl-convertor"
    link.parent.mkdir()
    link.symlink_to(store / platform["bin"])
    return link


def package(wheel: Path, folder: Path) -> None:
    script = ROOT / "plugins" / "package.py"
    subprocess.run([sys.executable, script, wheel, folder], check=True, capture_output=True)


def call(plugin: Path, python: Path | str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the plugin in a folder that has another package of the same name."""
    (plugin.parent / "webhook").mkdir()
    (plugin.parent / "webhook" / "__init__.py").write_text("raise SystemExit('not ours')")
    return subprocess.run(
        [plugin, *words],
        env=os.environ
        | {"PYTHON": str(python), "PYTHONPATH": str(Path(click.__file__).parents[1])},
        cwd=plugin.parent,
        capture_output=True,
        text=True,
        check=False,
    )


def stub(folder: Path, script: str) -> Path:
    path = folder / "python3"
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def test_the_manifest_is_valid_for_krew(manifest: Any) -> None:
    assert manifest.keys() == {"apiVersion", "kind", "metadata", "spec"}
    assert manifest["apiVersion"] == "krew.googlecontainertools.github.com/v1alpha2"
    assert (manifest["kind"], manifest["metadata"]) == ("Plugin", {"name": "convertor"})
    spec = manifest["spec"]
    assert spec["version"] == f"v{VERSION}"
    assert len(spec["shortDescription"]) <= 50
    assert "{" not in yaml.safe_dump(spec["platforms"][0]["uri"])
    (systems,) = spec["platforms"][0]["selector"]["matchExpressions"]
    assert systems == {"key": "os", "operator": "In", "values": ["linux", "darwin"]}


def test_the_archive_has_the_hash_in_the_manifest(made: Path, manifest: Any) -> None:
    (platform,) = manifest["spec"]["platforms"]
    start, _, name = platform["uri"].rpartition("/")
    assert start.endswith(f"/releases/download/v{VERSION}")
    content = (made / name).read_bytes()
    assert platform["sha256"] == hashlib.sha256(content).hexdigest()
    with tarfile.open(made / name) as archive:
        names = archive.getnames()
        assert archive.getmember(platform["bin"]).mode & 0o111
    assert {"LICENSE", "requirements.txt", "convertor/webhook/cli/kubectl.py"} <= set(names)
    assert not [each for each in names if re.search(r"^/|\.\.|__pycache__", each)]


def test_the_same_wheel_gives_the_same_archive(wheel: Path, made: Path, tmp_path: Path) -> None:
    package(wheel, tmp_path)
    for path in made.iterdir():
        assert (tmp_path / path.name).read_bytes() == path.read_bytes()


def test_the_first_call_downloads_the_pinned_dependencies(plugin: Path) -> None:
    store = plugin.resolve().parent
    log = plugin.parent / "log"
    script = f'if [ "$2" = pip ]; then echo "$@" >> {log}; exit; fi; exec {sys.executable} "$@"'
    done = call(plugin, stub(plugin.parent, script), "--version")
    assert (done.returncode, done.stdout) == (0, f"{VERSION}\n")
    assert done.stderr == "kubectl convertor: fetching its dependencies, once\n"
    (fetched,) = log.read_text(encoding="utf-8").splitlines()
    assert f"--no-deps --require-hashes --requirement {store}/requirements.txt" in fetched
    assert [path.name for path in store.glob("packages-*")] == [f"packages-{TAG}"]
    assert list(store.glob("fetched.*")) == []


def test_later_calls_use_the_downloaded_dependencies(plugin: Path) -> None:
    (plugin.resolve().parent / f"packages-{TAG}").mkdir()
    done = call(plugin, sys.executable, "karl", "REQUIRE pods(a=b) on node", "-o", "text")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "REQUIRE pods(a=b) on node\n"


def create_link(plugin: Path) -> Path:
    """Create the link of docs/cli.md and the manifest."""
    (command,) = re.findall(r"^ln -s .*$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    environment = os.environ | {"KREW_ROOT": str(plugin.parents[1])}
    subprocess.run(["/bin/sh", "-c", command], env=environment, check=True)
    return plugin.with_name("kubectl_complete-convertor")


def test_kubectl_completes_through_the_link(plugin: Path) -> None:
    (plugin.resolve().parent / f"packages-{TAG}").mkdir()
    done = call(create_link(plugin), sys.executable, "patch", "plan", "db", "--mode", "a")
    assert (done.returncode, done.stdout, done.stderr) == (0, "audit\n:4\n", "")


def test_completion_downloads_nothing(plugin: Path) -> None:
    script = f'if [ "$2" = pip ]; then exit 1; fi; exec {sys.executable} "$@"'
    done = call(create_link(plugin), stub(plugin.parent, script), "ka")
    assert (done.returncode, done.stdout, done.stderr) == (0, ":4\n", "")


def test_the_manifest_has_the_link_of_the_docs(manifest: Any) -> None:
    (command,) = re.findall(r"^ln -s .*$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert f"  {command}\n" in manifest["spec"]["caveats"]


def test_a_failed_download_leaves_no_files(plugin: Path) -> None:
    script = f'if [ "$2" = pip ]; then echo no network >&2; exit 1; fi; exec {sys.executable} "$@"'
    done = call(plugin, stub(plugin.parent, script), "--version")
    assert (done.returncode, done.stderr.splitlines()[1:]) == (
        2,
        [
            "no network",
            "Error: kubectl convertor needs its dependencies, which pip cannot install",
        ],
    )
    left = {path.name for path in plugin.resolve().parent.iterdir()}
    assert left == {"LICENSE", "convertor", "kubectl-convertor", "requirements.txt"}


@pytest.mark.parametrize(
    ("script", "found"), [("echo 3.10; exit 1", "3.10"), ("exit 127", "not at all")]
)
def test_a_python_that_is_too_old_is_an_error(plugin: Path, script: str, found: str) -> None:
    python = stub(plugin.parent, script)
    done = call(plugin, python, "--version")
    assert done.returncode == 2
    assert done.stderr == (
        f"Error: kubectl convertor needs Python 3.11 or later, found '{python}' {found}; "
        "try PYTHON=/path/to/python3\n"
    )
