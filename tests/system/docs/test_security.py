"""docs/security.md: its narrow limits are valid and hold, and what it names exists."""

import re
from typing import Any

import msgspec
import pytest
import yaml

from tests.support.paths import ROOT
from webhook import settings
from webhook.admission.validate import validate
from webhook.model import Installation, Outcome, Plan, Request
from webhook.settings.installation import KEYS, read_installation
from webhook.settings.limit_lists import _KEYS as LIMITS
from webhook.settings.names import SETTINGS, SPEC

PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```yaml\n# values\.yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
PREFIX = "convertor.forklift.konveyor.io/"
OWN, OTHER = "mtv-payments", "mtv-unknown"
TARGET = "payments-test"
WITHIN = {
    "labels": "team=a,cost.example.com/center=7",
    "node-selector": "migration-storage=fast",
    "tolerations": "dedicated=migration:NoSchedule",
    "affinity": "AVOID pods(app=db) on node",
    "resources": "requests.cpu=8,limits.memory=16Gi",
    "pods": "convertor",
}
BEYOND = {
    "labels": ["app=web", "name=web", "istio=gateway", "cost.example.org/center=7"],
    "node-selector": ["kubernetes.io/hostname=node-1", "disk=nvme"],
    "tolerations": ["spot", "dedicated", "dedicated=other:NoSchedule", "dedicated=migration"],
    "affinity": [
        "REQUIRE nodes(disk=nvme)",
        "REQUIRE pods(app=db) in namespace retail-shop on node",
        "AVOID pods(app=db) in all namespaces on node",
        "AVOID pods(app=ceph-osd) in namespace rook-ceph on node",
    ],
    "resources": ["requests.cpu=9", "limits.memory=17Gi", "requests.ephemeral-storage=1Ti"],
    "priority-class": ["migration"],
    "pod-annotations": ["karpenter.sh/do-not-disrupt=true"],
    "disks": ["together"],
    "affinity-policy": ["replace"],
    "labels.importer": ["team=a"],
}
FIELDS_BEYOND: list[dict[str, Any]] = [
    {"convertorLabels": {"app": "web"}},
    {"convertorNodeSelector": {"kubernetes.io/hostname": "node-1"}},
    {
        "convertorAffinity": {
            "podAntiAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": [
                    {
                        "labelSelector": {"matchLabels": {"app": "db"}},
                        "namespaceSelector": {},
                        "topologyKey": "kubernetes.io/hostname",
                    }
                ]
            }
        }
    },
]
PLAIN: dict[str, Any] = {}


def read_values(block: str) -> tuple[dict[str, Any], Installation]:
    """Return the values, and the installation that the chart renders of them."""
    values = yaml.safe_load(block)
    document = {key: value for key, value in values.items() if key in KEYS}
    installation, problems = read_installation(document, "values.yaml")
    assert problems == []
    return values, installation


(TENANTS,) = (block for block in BLOCKS if OWN in block)
VALUES, INSTALLATION = read_values(TENANTS)


def build_plan(
    annotations: dict[str, str], spec: dict[str, Any] = PLAIN, namespace: str = OWN
) -> dict[str, Any]:
    return {
        "metadata": {
            "name": "db",
            "namespace": namespace,
            "annotations": {PREFIX + name: value for name, value in annotations.items()},
        },
        "spec": {"targetNamespace": TARGET, **spec},
    }


def read_plan(plan: dict[str, Any]) -> Plan:
    return settings.read(plan, INSTALLATION)


def is_denied(plan: dict[str, Any]) -> bool:
    request = Request(
        uid="1", operation="CREATE", kind="forklift.konveyor.io/v1beta1/Plan", object=plan
    )
    return validate(request, INSTALLATION).outcome is Outcome.DENIED


def rows(heading: str) -> list[list[str]]:
    section = PAGE.partition(f"\n{heading}\n")[2].partition("\n#")[0]
    lines = re.findall(r"^\| (.*) \|$", section, re.MULTILINE)
    return [[cell.strip() for cell in line.split(" | ")] for line in lines[2:]]


@pytest.mark.parametrize("block", BLOCKS)
def test_every_example_is_valid(block: str) -> None:
    _, installation = read_values(block)

    assert installation != Installation()


def test_the_example_for_tenants_has_every_limit() -> None:
    assert VALUES["limits"].keys() == {*LIMITS, "namespaces"}
    assert VALUES["planModes"] is False
    assert VALUES["limitsPolicy"] == {"enabled": True}


def test_all_that_is_within_the_limits_is_applied() -> None:
    plan = build_plan(WITHIN)
    found = read_plan(plan).settings

    assert found.problems == []
    assert found.labels == {"team": "a", "cost.example.com/center": "7"}
    assert found.node_selector == {"migration-storage": "fast"}
    assert len(found.tolerations) == 1
    assert found.affinity
    assert not is_denied(plan)


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in BEYOND.items() for value in values]
)
def test_nothing_beyond_the_limits_is_applied(name: str, value: str) -> None:
    plan = build_plan({name: value})
    found = read_plan(plan).settings

    assert found.problems
    assert msgspec.structs.replace(found, problems=[]) == read_plan(build_plan({})).settings
    assert is_denied(plan)


@pytest.mark.parametrize("spec", FIELDS_BEYOND)
def test_fields_beyond_the_limits_are_denied(spec: dict[str, Any]) -> None:
    assert is_denied(build_plan({}, spec))
    assert not is_denied(build_plan({}))


@pytest.mark.parametrize(("name", "value"), WITHIN.items())
def test_no_setting_is_applied_outside_of_the_namespaces_of_tenants(name: str, value: str) -> None:
    assert is_denied(build_plan({name: value}, namespace=OTHER))
    assert is_denied(build_plan({name: value}, {"targetNamespace": "retail-shop"}))


def test_the_tables_have_every_setting_limit_and_field() -> None:
    table = rows("### Settings")
    names = {name for row in table for name in re.findall(r"`([a-z-]+)`", row[0])}
    limits = " ".join(row[2] for row in table) + PAGE.partition("### Settings")[2][:600]

    assert {*SETTINGS} <= names
    assert [limit for limit in LIMITS if f"`{limit}`" not in limits] == []
    fields = " ".join(row[0] for row in rows("### Fields that Forklift applies itself"))
    assert [field for field in SPEC if f"`spec.{field}`" not in fields] == []


def test_every_threat_and_every_mitigation_has_its_row() -> None:
    assert [row[0] for row in rows("### The threats")] == [str(each) for each in range(1, 19)]
    assert [row[0] for row in rows("### The mitigations")] == [str(each) for each in range(1, 11)]


def test_every_named_test_exists() -> None:
    tests = "\n".join(
        path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py")
    )
    named = set(re.findall(r"`(test_[a-z0-9_]+)`", PAGE))

    assert len(named) > 10
    assert [name for name in sorted(named) if f"def {name}(" not in tests] == []


def test_every_named_module_exists() -> None:
    named = re.findall(r"`((?:webhook|certs)/[^`]+\.py)`", PAGE)

    assert named
    assert [path for path in named if not (ROOT / path).is_file()] == []
