"""Every value is used by a template."""

from pathlib import Path

import pytest
import yaml

from tests.system.chart import documents, rendering
from tests.system.chart.rendering import Json

pytestmark = pytest.mark.chart

VALUES = (rendering.CHART / "values.yaml").read_text(encoding="utf-8")
CHANGES: dict[str, Json] = yaml.safe_load(
    (Path(__file__).parent / "data" / "changes.yaml").read_text(encoding="utf-8")
)


def merge(base: Json, path: str, value: object) -> Json:
    """Return `base` with one value set at a dotted path."""
    key, dot, rest = path.partition(".")
    return base | {key: merge(base.get(key, {}), rest, value) if dot else value}


def test_every_value_has_a_change() -> None:
    assert list(CHANGES) == [".".join(value.path) for value in documents.leaves(VALUES)]


@pytest.mark.parametrize("path", CHANGES)
def test_every_value_changes_the_rendering(path: str) -> None:
    base = CHANGES[path].get("with", {})
    changed = merge(base, path, CHANGES[path]["set"])

    assert rendering.text(changed) != rendering.text(base)


def test_the_digest_overrides_the_tag() -> None:
    digest = CHANGES["image.digest"]["set"]
    image = {"registry": "mirror.example.com", "tag": "9.9.9", "digest": digest}

    found = rendering.container({"image": image})["image"]

    assert found == f"mirror.example.com/convertor-webhook/convertor-webhook@{digest}"


@pytest.mark.parametrize(
    ("registry", "repository", "name"),
    [
        ("ghcr.io/", "/a/b/", "ghcr.io/a/b"),
        ("mirror:5000/ghcr/", "a/b", "mirror:5000/ghcr/a/b"),
        ("[fd00::1]:5000", "a__b/c--d", "[fd00::1]:5000/a__b/c--d"),
        ("", "a", "a"),
    ],
)
def test_registry_and_repository_are_joined_by_one_slash(
    registry: str, repository: str, name: str
) -> None:
    image = {"registry": registry, "repository": repository, "tag": "1"}

    assert rendering.container({"image": image})["image"] == f"{name}:1"


def test_large_numbers_are_written_in_full() -> None:
    args = rendering.container({"maxConcurrent": 2_000_000})["args"]

    assert "--max-concurrent=2000000" in args


def test_annotations_of_the_pods_leave_the_checksum_of_the_settings() -> None:
    values = {"podAnnotations": {"checksum/config": "x", "example.com/a": "1"}}
    metadata = rendering.one("Deployment", values)["spec"]["template"]["metadata"]

    assert len(metadata["annotations"]["checksum/config"]) == 64
    assert metadata["annotations"]["example.com/a"] == "1"


def test_the_tag_is_the_version_of_the_application() -> None:
    version = yaml.safe_load((rendering.CHART / "Chart.yaml").read_text())["appVersion"]

    assert rendering.container()["image"].endswith(f"/convertor-webhook:{version}")


def test_the_mode_provided_requires_the_name_of_a_secret() -> None:
    with pytest.raises(
        rendering.ChartError,
        match=r"provided needs certificates\.provided\.secretName",
    ):
        rendering.text({"certificates": {"mode": "provided"}})
