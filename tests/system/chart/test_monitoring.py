"""Alerts fire in their conditions, and queries of alerts and dashboard use existing metrics."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from certs.serving.source import Status
from tests.system.chart import cases, rendering
from webhook.inventory import PlansStatus, PvcsStatus
from webhook.inventory.conflict_watch import ConflictsStatus
from webhook.inventory.pods import PodsStatus
from webhook.inventory.profile_watch import ProfilesStatus
from webhook.telemetry.metrics import Metrics
from webhook.telemetry.refusals import RefusalsStatus

pytestmark = pytest.mark.chart

ALERTS = rendering.CHART / "files" / "alerts.yaml"
DASHBOARD = rendering.CHART / "files" / "dashboard.json"
CASES = Path(__file__).parent / "data" / "alerts.test.yaml"

API_SERVER = {"apiserver_admission_webhook_fail_open_count"}
"""Metrics of kube-apiserver: https://kubernetes.io/docs/reference/instrumentation/metrics/"""


def promtool(*arguments: object, cwd: Path) -> None:
    done = subprocess.run(
        ["promtool", *map(str, arguments)], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def queries() -> Iterator[str]:
    for group in yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["groups"]:
        for rule in group["rules"]:
            yield rule["expr"]
    for panel in json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]:
        for target in panel["targets"]:
            yield target["expr"]


def existing() -> set[str]:
    """Return the names of all series that the server can export."""
    metrics = Metrics()
    metrics.export_plans(lambda: PlansStatus(synced=True, age_seconds=0, count=0, invalid=0))
    metrics.export_pvcs(lambda: PvcsStatus(synced=True, age_seconds=0))
    metrics.export_certificate(lambda: Status(not_after=datetime.now(UTC)))
    metrics.export_pods(lambda: PodsStatus(synced=True, age_seconds=0, restarts=0, message=""))
    metrics.export_refusals(RefusalsStatus)
    metrics.export_conflicts(lambda: ConflictsStatus(count=0))
    metrics.export_profiles(lambda: ProfilesStatus(refused=0, unchecked=0))
    metrics.export_dropped_events({})
    metrics.export_dropped_log_lines(lambda: 0)
    names = set()
    for family in metrics.registry.collect():
        suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"]}
        names |= {family.name + suffix for suffix in suffixes.get(family.type, [""])}
    return names


def test_promtool_accepts_the_rules(tmp_path: Path) -> None:
    promtool("check", "rules", ALERTS, cwd=tmp_path)


def rendered_rules(mode: str, certificates: rendering.Json | None = None) -> rendering.Json:
    """Return the rules that are rendered for a certificate mode."""
    values = rendering.merge(cases.MODES[mode], {"certificates": certificates or {}})
    rule = rendering.one("PrometheusRule", values | {"prometheusRule": {"enabled": True}})
    spec: rendering.Json = rule["spec"]
    return spec


@pytest.mark.parametrize("mode", cases.MODES)
def test_every_alert_fires_only_in_its_condition(mode: str, tmp_path: Path) -> None:
    (tmp_path / ALERTS.name).write_text(json.dumps(rendered_rules(mode)), encoding="utf-8")
    shutil.copy(CASES, tmp_path)

    promtool("test", "rules", CASES.name, cwd=tmp_path)


MINUTE, HOUR, DAY = 60, 3600, 86400


@pytest.mark.parametrize(
    ("mode", "late", "certificates"),
    [
        ("self-managed", DAY, {}),
        ("openshift", HOUR // 2, {}),
        ("provided", 3 * DAY, {}),
        ("cert-manager", 3 * DAY, {}),
        ("cert-manager", 4 * HOUR, {"certManager": {"duration": "24h", "renewBefore": "8h"}}),
        ("cert-manager", 45 * MINUTE, {"certManager": {"duration": "24h", "renewBefore": "1h30m"}}),
    ],
)
def test_the_certificate_alert_fires_after_the_renewal_is_overdue(
    mode: str, late: int, certificates: rendering.Json, tmp_path: Path
) -> None:
    rules = rendered_rules(mode, certificates)
    (tmp_path / "rules.yaml").write_text(json.dumps(rules), encoding="utf-8")
    at = 30 * MINUTE
    expiry = "convertor_webhook_certificate_expiry_timestamp_seconds"
    firing = 'count(ALERTS{alertname="ConvertorWebhookCertificateExpires",alertstate="firing"})'
    tests = [
        {
            "name": f"{left} s left",
            "interval": "1m",
            "input_series": [{"series": expiry, "values": f"{at + left}x60"}],
            "promql_expr_test": [
                {"expr": firing, "eval_time": f"{at}s", "exp_samples": [{"value": 1}] * fires}
            ],
        }
        for left, fires in [(late + 1, 0), (late - 10 * MINUTE, 1)]
    ]
    test = {"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": tests}
    (tmp_path / "test.yaml").write_text(json.dumps(test), encoding="utf-8")

    promtool("test", "rules", "test.yaml", cwd=tmp_path)


def test_every_alert_has_a_test_case() -> None:
    alerts = {
        rule["alert"]
        for group in yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["groups"]
        for rule in group["rules"]
    }
    tested = set(re.findall(r"alertname: (\w+)", CASES.read_text(encoding="utf-8")))

    assert tested == alerts


@pytest.mark.parametrize("query", [*queries()])
def test_every_query_uses_existing_metrics(query: str) -> None:
    named = set(re.findall(r"\b(?:convertor_webhook|apiserver|process)_\w+", query))

    assert named
    assert named <= existing() | API_SERVER


def test_the_alerts_and_the_dashboard_are_rendered_unchanged() -> None:
    values: dict[str, Any] = {"prometheusRule": {"enabled": True}, "dashboard": {"enabled": True}}
    rule = rendering.one("PrometheusRule", values)
    board = rendering.one("ConfigMap", values, name="convertor-webhook-dashboard")

    assert rule["spec"] == yaml.safe_load(ALERTS.read_text(encoding="utf-8"))
    assert board["data"]["convertor-webhook.json"] == DASHBOARD.read_text(encoding="utf-8")


@pytest.mark.parametrize("label", ["serviceMonitor", "prometheusRule", "dashboard"])
def test_monitoring_objects_have_the_labels_that_select_them(label: str) -> None:
    values = {label: {"enabled": True, "labels": {"release": "prometheus"}}}
    found = [
        each
        for each in rendering.objects(values)
        if each["metadata"]["labels"].get("release") == "prometheus"
    ]

    assert len(found) == 1
