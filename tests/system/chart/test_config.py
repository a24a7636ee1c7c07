"""The ConfigMap has the whole installation, as the file that the server and the CLI read."""

import json
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml

from tests.support.paths import ROOT
from tests.system.chart import cases, rendering
from tests.system.chart.rendering import Json
from webhook.kube.manifests import parse_document
from webhook.model import Installation, Mode, OnError, Role, Scope
from webhook.settings.installation import KEYS, read_installation

pytestmark = pytest.mark.chart

SCHEMA = ROOT / "webhook" / "settings" / "installation.schema.json"
OFF: Json = {"mode": False, "namespaceModes": {"a": "off", "b": False, "110": "audit", "on": "off"}}
SWITCHED: Json = {
    "mode": "audit",
    "planModes": False,
    "scope": "own",
    "onError": "deny",
    "identityLabels": False,
    "annotationPrefix": "101",
}
CASES = cases.ALL | {"off": OFF, "switched": SWITCHED}


def text(values: Json) -> str:
    found: str = rendering.one("ConfigMap", values, name="convertor-webhook-config")["data"][
        "config.yaml"
    ]
    return found


def installation(values: Json) -> Installation:
    found, problems = read_installation(parse_document(text(values)), "config.yaml")
    assert problems == []
    return found


@pytest.mark.parametrize("values", CASES.values(), ids=CASES)
def test_the_config_map_has_every_key_and_is_valid(values: Json) -> None:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    document = yaml.safe_load(text(values))

    installation(values)
    assert list(document) == list(KEYS)
    assert list(jsonschema.Draft7Validator(schema).iter_errors(document)) == []


def test_the_chart_has_the_defaults_of_the_server() -> None:
    assert installation({}) == Installation(defaults={"affinityPolicy": "merge", "disks": "any"})


def test_the_config_map_has_the_values() -> None:
    assert installation(SWITCHED) == Installation(
        mode=Mode.AUDIT,
        plan_modes=False,
        scope=Scope.OWN,
        on_error=OnError.DENY,
        identity_labels=False,
        prefix="101",
        defaults={"affinityPolicy": "merge", "disks": "any"},
    )


def test_a_mode_may_be_off_with_or_without_quotes() -> None:
    found = installation(OFF)

    assert found.mode is Mode.OFF
    assert found.namespace_modes == {
        "a": Mode.OFF,
        "b": Mode.OFF,
        "110": Mode.AUDIT,
        "on": Mode.OFF,
    }


@pytest.mark.parametrize(
    "defaults",
    [
        {
            "labels": {"team": "migration"},
            "nodeSelector": {"cpu-cores": "16+"},
            "affinity": "PREFER nodes(disk=nvme)\nAVOID pods(tier=critical) on node\n",
            "tolerations": ["dedicated=migration:NoSchedule"],
            "affinityPolicy": "replace",
            "pods": "convertor, importer",
            "disks": "together",
            "roles": {
                "importer": {"affinity": "", "nodeSelector": {"disk": "nvme"}},
                "first-consumer": {"labels": {"team": "storage"}},
                "populator": {"tolerations": ["storage"]},
            },
        },
        {
            "pods": ["importer", "populator"],
            "disks": "any",
            "affinity": {"podAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}},
            "tolerations": "spot",
            "affinityPolicy": "merge",
        },
    ],
)
def test_the_config_map_has_the_defaults_of_the_values(defaults: Json) -> None:
    assert installation({"defaults": defaults}).defaults == defaults


def test_the_config_map_has_the_limits_of_the_values() -> None:
    roles = ["populator", "convertor"]

    assert installation({"limits": {"roles": roles}}).roles == (Role.CONVERTOR, Role.POPULATOR)


@pytest.mark.parametrize("change", [{"mode": "audit"}, {"namespaceModes": {"a": "off"}}, SWITCHED])
def test_a_change_restarts_the_pods(change: Json) -> None:
    def checksum(values: Json) -> Any:
        template = rendering.one("Deployment", values)["spec"]["template"]
        return template["metadata"]["annotations"]["checksum/config"]

    assert checksum(change) != checksum({})


def test_the_server_reads_the_mounted_config_map() -> None:
    pod = rendering.one("Deployment")["spec"]["template"]["spec"]
    (container,) = pod["containers"]

    assert "--config=/etc/convertor-webhook/config/config.yaml" in container["args"]
    assert {"name": "config", "configMap": {"name": "convertor-webhook-config"}} in pod["volumes"]
    assert {
        "name": "config",
        "mountPath": "/etc/convertor-webhook/config",
        "readOnly": True,
    } in container["volumeMounts"]


def test_the_file_refers_to_the_schema_of_its_version() -> None:
    version = yaml.safe_load((rendering.CHART / "Chart.yaml").read_text())["appVersion"]
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))

    assert text({}).splitlines()[0] == (
        f"# yaml-language-server: $schema={schema['$id'].replace('/main/', f'/v{version}/')}"
    )


def test_the_file_equals_the_one_in_the_docs() -> None:
    """Render the example of docs/settings.md, whose keys are values of the chart."""
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    described = page.partition("```yaml\n# config.yaml\n")[2].partition("```")[0]
    _schema, _release, _separator, *rendered = text(yaml.safe_load(described)).splitlines()

    assert rendered == described.splitlines()
