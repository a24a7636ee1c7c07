"""values.yaml, its schema and the README agree, and what is no value is refused."""

import functools
import re
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.system.chart import documents, rendering

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
        ({"nameOverride": "My_App"}, "nameOverride"),
        ({"fullnameOverride": "My_App"}, "fullnameOverride"),
        ({"fullnameOverride": "1st"}, "fullnameOverride"),
        ({"namespaceModes": {"A_B": "audit"}}, "A_B"),
        ({"webhook": {"excludedNamespaces": ["A_B"]}}, "excludedNamespaces"),
        ({"serviceAccount": {"name": "A_B"}}, "name"),
        ({"clientCA": {"configMapName": "A_B"}}, "configMapName"),
        ({"clientCA": {"key": "a/b"}}, "key"),
        ({"certificates": {"certManager": {"issuerRef": {"kind": "Issuer"}}}}, "issuerRef"),
        ({"certificates": {"certManager": {"issuerRef": {"name": ""}}}}, "name"),
        ({"commonLabels": {"team": None}}, "team"),
    ],
)
def test_what_is_no_value_is_refused_by_name(
    values: rendering.Json, named: str, major: int
) -> None:
    with pytest.raises(rendering.ChartError, match=named):
        rendering.text(values, major=major)


def nested(path: tuple[str, ...], value: object) -> rendering.Json:
    """Return the values that set this one."""
    *above, key = path
    values = {key: value}
    for name in reversed(above):
        values = {name: values}
    return values


def left_empty(value: documents.Value) -> object:
    """Return what `key:` with nothing after it stands for.

    Nothing else takes away a map that the chart has: Helm merges `{}` into it.
    """
    is_there = isinstance(value.default, dict) and value.default
    return None if is_there or value.default is None else type(value.default)()


@pytest.mark.parametrize("major", [3, 4])
def test_a_value_that_is_left_empty_is_an_empty_one(major: int) -> None:
    switches = [value.path for value in documents.leaves(VALUES) if value.path[-1] == "enabled"]
    nothing = empty = functools.reduce(rendering.merged, [nested(path, True) for path in switches])
    for value in documents.leaves(VALUES):
        if value.may_be_left_empty:
            nothing = rendering.merged(nothing, nested(value.path, None))
            empty = rendering.merged(empty, nested(value.path, left_empty(value)))

    assert rendering.objects(nothing, major=major) == rendering.objects(empty, major=major)


@pytest.mark.parametrize("major", [3, 4])
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_what_may_not_be_left_empty_is_refused_by_name(depth: int, major: int) -> None:
    needed = [
        value.path
        for value in documents.values(VALUES)
        if len(value.path) == depth and not value.may_be_left_empty
    ]
    values: rendering.Json = {}
    for path in needed:
        values = rendering.merged(values, nested(path, None))

    assert needed
    with pytest.raises(rendering.ChartError) as refused:
        rendering.text(values, major=major)
    for path in needed:
        assert path[-1] in str(refused.value)


MANAGED: rendering.Json = {"mode": "cert-manager"}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (
            {"ports": {"webhook": 9443, "status": 9443}},
            "ports.webhook and ports.status are both 9443: the pod needs two ports",
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
            "certificates.certManager.renewBefore is 4m, and cert-manager takes no less than 5m",
        ),
        (
            {
                "certificates": MANAGED
                | {"certManager": {"duration": "59m59s", "renewBefore": "9m"}}
            },
            "certificates.certManager.duration is 59m59s, and cert-manager takes no less than 1h",
        ),
    ],
)
def test_values_that_do_not_go_together_are_refused_with_the_reason(
    values: rendering.Json, said: str
) -> None:
    for major in (3, 4):
        with pytest.raises(rendering.ChartError, match=re.escape(said)):
            rendering.text(values, major=major)


@pytest.mark.parametrize(
    "values",
    [
        {"certificates": MANAGED | {"certManager": {"duration": "1h", "renewBefore": "08m"}}},
        {"certificates": {"certManager": {"duration": "1m", "renewBefore": "1h"}}},
        {"admissionPolicy": {"enabled": True, "validationActions": ["Audit", "Deny"]}},
    ],
)
def test_values_that_go_together_or_that_nothing_reads_are_none_of_its_business(
    values: rendering.Json,
) -> None:
    rendering.text(values)


def test_the_chart_can_be_a_dependency() -> None:
    rendering.text({"global": {"imageRegistry": "mirror"}, "enabled": True})
