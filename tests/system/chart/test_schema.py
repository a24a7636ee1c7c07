"""values.yaml, its schema and the README agree, and invalid values are rejected."""

import functools
import re
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.system.chart import documents, rendering

pytestmark = pytest.mark.chart

VALUES = (rendering.CHART / "values.yaml").read_text(encoding="utf-8")


def test_the_schema_is_generated_from_the_comments(golden: Callable[..., None]) -> None:
    golden(rendering.CHART / "values.schema.json", documents.schema(VALUES))


def test_the_readme_is_generated_from_the_comments(golden: Callable[..., None]) -> None:
    readme = rendering.CHART / "README.md"
    golden(readme, documents.readme(VALUES, readme.read_text(encoding="utf-8")))


def test_the_schema_is_valid() -> None:
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
        ({"nameOverride": "My_App"}, "nameOverride"),
        ({"fullnameOverride": "My_App"}, "fullnameOverride"),
        ({"fullnameOverride": "1st"}, "fullnameOverride"),
        ({"namespaceModes": {"A_B": "audit"}}, "A_B"),
        ({"webhook": {"excludedNamespaces": ["A_B"]}}, "excludedNamespaces"),
        ({"watchPodsNamespaces": "production"}, "watchPodsNamespaces"),
        ({"watchPodsNamespaces": ["A_B"]}, "watchPodsNamespaces"),
        ({"watchPodsNamespaces": ["a", "a"]}, "watchPodsNamespaces"),
        ({"serviceAccount": {"name": "A_B"}}, "name"),
        ({"clientCA": {"configMapName": "A_B"}}, "configMapName"),
        ({"clientCA": {"key": "a/b"}}, "key"),
        ({"certificates": {"certManager": {"issuerRef": {"kind": "Issuer"}}}}, "issuerRef"),
        ({"certificates": {"certManager": {"issuerRef": {"name": ""}}}}, "name"),
        ({"commonLabels": {"team": None}}, "team"),
        ({"commonLabels": {"team": "a b"}}, "team"),
        ({"podLabels": {"team": "a" * 64}}, "team"),
        ({"podLabels": {"team": 1}}, "team"),
        ({"podLabels": {"a b": "x"}}, "podLabels.*a b"),
        ({"defaults": {"labels": {"team": "_"}}}, "team"),
        ({"podAnnotations": {"example.com/scrape": True}}, "scrape"),
        ({"podAnnotations": {"a b": "x"}}, "podAnnotations.*a b"),
        ({"nodeSelector": {"gpu": True}}, "gpu"),
        ({"tolerations": [{"key": "gpu", "value": True}]}, "value"),
        ({"imagePullSecrets": [{"name": ""}]}, "name"),
        ({"image": {"tag": 1.1}}, "tag"),
        ({"image": {"tag": "a b"}}, "tag"),
        ({"image": {"repository": "//"}}, "repository"),
        ({"extraEnv": [{"name": "LIMIT", "value": 5}]}, "extraEnv.0.value"),
        ({"extraEnv": [{"name": "A B", "value": ""}]}, "extraEnv.0.name"),
        ({"extraArgs": [5]}, "extraArgs"),
    ],
)
def test_an_invalid_value_is_rejected_by_name(
    values: rendering.Json, named: str, major: int
) -> None:
    with pytest.raises(rendering.ChartError, match=named):
        rendering.text(values, major=major)


def nested(path: tuple[str, ...], value: object) -> rendering.Json:
    """Return nested values with this one."""
    *above, key = path
    values = {key: value}
    for name in reversed(above):
        values = {name: values}
    return values


def left_empty(value: documents.Value) -> object:
    """Return the value that `key:` without a value is equal to.

    Only null removes a non-empty map of the chart: Helm merges `{}` with it.
    """
    is_map = isinstance(value.default, dict) and value.default
    return None if is_map or value.default is None else type(value.default)()


@pytest.mark.parametrize("major", [3, 4])
def test_a_null_value_equals_an_empty_one(major: int) -> None:
    switches = [value.path for value in documents.leaves(VALUES) if value.path[-1] == "enabled"]
    nothing = empty = functools.reduce(rendering.merge, [nested(path, True) for path in switches])
    for value in documents.leaves(VALUES):
        if value.may_be_left_empty:
            nothing = rendering.merge(nothing, nested(value.path, None))
            empty = rendering.merge(empty, nested(value.path, left_empty(value)))

    assert rendering.objects(nothing, major=major) == rendering.objects(empty, major=major)


@pytest.mark.parametrize("major", [3, 4])
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_required_values_are_rejected_by_name_if_null(depth: int, major: int) -> None:
    required = [
        value.path
        for value in documents.values(VALUES)
        if len(value.path) == depth and not value.may_be_left_empty
    ]
    values: rendering.Json = {}
    for path in required:
        values = rendering.merge(values, nested(path, None))

    assert required
    with pytest.raises(rendering.ChartError) as error:
        rendering.text(values, major=major)
    for path in required:
        assert path[-1] in str(error.value)


MANAGED: rendering.Json = {"mode": "cert-manager"}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"ports": {"webhook": 9443, "status": 9443}},
            "ports.webhook and ports.status are both 9443: the pod needs two different ports",
        ),
        (
            {"admissionPolicy": {"validationActions": ["Warn", "Deny"]}},
            "admissionPolicy.validationActions has both Warn and Deny",
        ),
        (
            {
                "certificates": MANAGED
                | {"certManager": {"duration": "1h30m", "renewBefore": "90m"}}
            },
            "renewBefore, 90m, must be less than certificates.certManager.duration, 1h30m",
        ),
        (
            {
                "certificates": MANAGED
                | {"certManager": {"duration": "59m60s", "renewBefore": "4m"}}
            },
            "certificates.certManager.renewBefore is 4m, expected at least 5m",
        ),
        (
            {
                "certificates": MANAGED
                | {"certManager": {"duration": "59m59s", "renewBefore": "9m"}}
            },
            "certificates.certManager.duration is 59m59s, expected at least 1h",
        ),
        (
            {"image": {"registry": "https://ghcr.io", "tag": "1"}},
            '"https://ghcr.io/convertor-webhook/convertor-webhook:1" is not the name of an image',
        ),
        ({"image": {"registry": "a b"}}, "expected a host such as ghcr.io in image.registry"),
        ({"image": {"repository": "mirror/Webhook"}}, "a path in lower case in image.repository"),
        ({"image": {"repository": "mirror/webhook:1"}}, "and the tag in image.tag"),
    ],
)
def test_conflicting_values_are_rejected_with_the_reason(
    values: rendering.Json, message: str
) -> None:
    for major in (3, 4):
        with pytest.raises(rendering.ChartError, match=re.escape(message)):
            rendering.text(values, major=major)


@pytest.mark.parametrize(
    "values",
    [
        {"certificates": MANAGED | {"certManager": {"duration": "1h", "renewBefore": "08m"}}},
        {"certificates": {"certManager": {"duration": "1m", "renewBefore": "1h"}}},
        {"admissionPolicy": {"enabled": True, "validationActions": ["Audit", "Deny"]}},
    ],
)
def test_values_without_a_conflict_are_accepted(
    values: rendering.Json,
) -> None:
    rendering.text(values)


def test_the_chart_can_be_a_dependency() -> None:
    rendering.text({"global": {"imageRegistry": "mirror"}, "enabled": True})
