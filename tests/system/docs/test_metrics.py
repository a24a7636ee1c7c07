"""docs/metrics.md has all metrics with their types and labels."""

import re
from collections import Counter
from datetime import UTC, datetime

from certs.serving.source import Status
from tests.support.paths import ROOT
from webhook.inventory import PlansStatus, PvcsStatus
from webhook.inventory.conflict_watch import ConflictsStatus
from webhook.inventory.pods import PodsStatus
from webhook.inventory.profile_watch import ProfilesStatus
from webhook.server.connections import Connections
from webhook.telemetry.metrics import DURATION_BUCKETS_SECONDS, Metrics
from webhook.telemetry.refusals import RefusalsStatus

PAGE = (ROOT / "docs/metrics.md").read_text()


def exported() -> dict[str, tuple[str, str]]:
    """Return the type and labels of each metric, by name."""
    metrics = Metrics()
    now = datetime.now(UTC)
    metrics.export_plans(lambda: PlansStatus(synced=True, age_seconds=0, count=0, invalid=0))
    metrics.export_certificate(lambda: Status(not_after=now, ca_not_after=now))
    metrics.export_pods(lambda: PodsStatus(True, 0, 0, "", 0, Counter(), Counter()))
    metrics.export_pvcs(lambda: PvcsStatus(synced=True, age_seconds=0))
    metrics.export_refusals(RefusalsStatus)
    metrics.export_conflicts(lambda: ConflictsStatus(count=0))
    metrics.export_profiles(lambda: ProfilesStatus(refused=0, unchecked=0))
    metrics.export_dropped_events(Counter())
    metrics.export_dropped_log_lines(lambda: 0)
    metrics.export_connections({"reviews": Connections(1)})
    found = {}
    for family in metrics.registry.collect():
        if family.name.startswith("convertor_webhook_"):
            total = "_total" if family.type == "counter" else ""
            labels = sorted({key for sample in family.samples for key in sample.labels} - {"le"})
            found[family.name + total] = (family.type, ", ".join(labels))
    return found


def test_the_table_has_the_metrics_that_the_server_exports() -> None:
    rows = re.findall(r"^\| `(convertor_webhook_\w+)` \| (\w+) \|([^|]*)\|", PAGE, re.MULTILINE)
    documented = {name: (kind, labels.replace("`", "").strip()) for name, kind, labels in rows}
    assert documented == exported()


def test_the_buckets_are_those_of_the_histogram() -> None:
    [documented] = re.findall(r"^Buckets, in seconds: (.+)\.$", PAGE, re.MULTILINE)
    assert [float(bucket) for bucket in documented.split(", ")] == list(DURATION_BUCKETS_SECONDS)
