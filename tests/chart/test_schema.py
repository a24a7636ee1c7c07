"""values.yaml, its schema and the README agree, and what is no value is refused."""

import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.chart import documents, rendering

pytestmark = pytest.mark.chart

VALUES = (rendering.CHART / "values.yaml").read_text(encoding="utf-8")


def test_the_schema_is_made_from_the_comments(golden: Callable[..., None]) -> None:
    golden(rendering.CHART / "values.schema.json", documents.schema(VALUES))


def test_the_readme_is_made_from_the_comments(golden: Callable[..., None]) -> None:
    readme = rendering.CHART / "README.md"
    golden(readme, documents.readme(VALUES, readme.read_text(encoding="utf-8")))


def test_the_schema_is_a_schema() -> None:
    check = [sys.executable, "-m", "check_jsonschema", "--check-metaschema"]

    subprocess.run([*check, rendering.CHART / "values.schema.json"], check=True)


def test_every_value_is_described() -> None:
    assert [value.path for value in documents.leaves(VALUES) if not value.description] == []


@pytest.mark.parametrize("major", [3, 4])
@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"replicas": 3}, "replicas"),
        ({"webhook": {"timeout": 3}}, "timeout"),
        ({"defaults": {"labels": {"batch": 1}}}, "batch"),
        ({"replicaCount": "2"}, "replicaCount"),
        ({"replicaCount": 0}, "replicaCount"),
        ({"mode": "enforced"}, "mode"),
        ({"namespaceModes": {"production": "dry-run"}}, "production"),
        ({"webhook": {"timeoutSeconds": 31}}, "timeoutSeconds"),
        ({"certificates": {"mode": "helm"}}, "mode"),
        ({"image": {"digest": "latest"}}, "digest"),
        ({"imagePullSecrets": ["mirror"]}, "imagePullSecrets"),
        ({"podDisruptionBudget": {"maxUnavailable": "half"}}, "maxUnavailable"),
    ],
)
def test_what_is_no_value_is_refused_by_name(
    values: rendering.Json, named: str, major: int
) -> None:
    with pytest.raises(rendering.ChartError, match=named):
        rendering.text(values, major=major)


def test_the_chart_can_be_a_dependency() -> None:
    rendering.text({"global": {"imageRegistry": "mirror"}, "enabled": True})
