from collections import Counter
from datetime import UTC, datetime

from certs.serving.source import Status
from webhook.inventory import PlansStatus, PvcsStatus
from webhook.inventory.conflict_watch import ConflictsStatus
from webhook.inventory.pods import PodsStatus
from webhook.inventory.profile_watch import ProfilesStatus
from webhook.model import Reason, Role
from webhook.server.connections import Connections
from webhook.telemetry.metrics import Metrics
from webhook.telemetry.refusals import RefusalsStatus

EXPIRY = datetime(2027, 1, 1, tzinfo=UTC)


def test_the_status_of_plans_pvcs_and_certificate_is_read_at_each_scrape() -> None:
    metrics = Metrics()
    plans = PlansStatus(synced=False, age_seconds=1.5, count=3, invalid=1, fetches=4, restarts=5)
    certificate = Status(not_after=EXPIRY, published=True, changes=2, repairs=6)
    pvcs = PvcsStatus(synced=True, age_seconds=2.5, count=8, restarts=7)
    metrics.export_plans(lambda: plans)
    metrics.export_pvcs(lambda: pvcs)
    metrics.export_conflicts(lambda: ConflictsStatus(count=9))
    metrics.export_profiles(lambda: ProfilesStatus(refused=10, unchecked=11))
    metrics.export_certificate(lambda: certificate)
    found = {
        sample.name.removeprefix("convertor_webhook_"): sample.value
        for family in metrics.registry.collect()
        for sample in family.samples
        if not sample.labels and "review" not in sample.name and "process_" not in sample.name
    }
    assert found == {
        "placement_conflicts": 9,
        "profile_refused_namespaces": 10,
        "profile_unchecked_namespaces": 11,
        "plans": 3,
        "plans_invalid": 1,
        "plans_synced": 0,
        "plans_age_seconds": 1.5,
        "plan_fetches_total": 4,
        "watch_restarts_total": 5,
        "pvcs": 8,
        "pvcs_synced": 1,
        "pvcs_age_seconds": 2.5,
        "pvc_watch_restarts_total": 7,
        "certificate_expiry_timestamp_seconds": EXPIRY.timestamp(),
        "ca_published": 1,
        "certificate_changes_total": 2,
        "ca_repairs_total": 6,
    }
    plans = PlansStatus(synced=True, age_seconds=0, count=9, invalid=0)
    assert metrics.registry.get_sample_value("convertor_webhook_plans") == 9


def test_counters_of_missed_pods_and_dropped_events_start_at_zero() -> None:
    metrics = Metrics()
    dropped = Counter[str]()
    pods = PodsStatus(
        synced=True,
        age_seconds=2.5,
        restarts=1,
        message="",
        count=7,
        missed={(Reason.MISSED, Role.IMPORTER): 2},
        seen={(Reason.MISSED, Role.IMPORTER): 4, (Reason.CHANGED_BACK, Role.CONVERTOR): 1},
    )
    metrics.export_pods(lambda: pods)
    metrics.export_dropped_events(dropped)
    dropped["limited"] += 3
    found = {
        (sample.name.removeprefix("convertor_webhook_"), *sample.labels.values()): sample.value
        for family in metrics.registry.collect()
        for sample in family.samples
        if "pod" in sample.name or "events" in sample.name
    }
    zero = {
        (f"missed_pods{kind}", reason, role): 0
        for kind in ("", "_seen_total")
        for reason in ("Missed", "ChangedBack")
        for role in Role
    }
    assert found == zero | {
        ("pods",): 7,
        ("pods_age_seconds",): 2.5,
        ("pod_watch_restarts_total",): 1,
        ("missed_pods", "Missed", "importer"): 2,
        ("missed_pods_seen_total", "Missed", "importer"): 4,
        ("missed_pods_seen_total", "ChangedBack", "convertor"): 1,
        ("events_dropped_total", "full"): 0,
        ("events_dropped_total", "limited"): 3,
        ("events_dropped_total", "failed"): 0,
    }


def test_refused_importers_are_exported_as_they_are_at_the_scrape() -> None:
    metrics = Metrics()
    found = RefusalsStatus(2, 12.5)
    metrics.export_refusals(lambda: found)
    value = metrics.registry.get_sample_value

    assert value("convertor_webhook_refused_importers") == 2
    assert value("convertor_webhook_refused_importers_seconds") == 12.5
    found = RefusalsStatus()
    assert value("convertor_webhook_refused_importers") == 0


def test_the_connections_of_each_listener_are_those_at_the_scrape() -> None:
    metrics, reviews = Metrics(), Connections(max_concurrent=1)
    metrics.export_connections({"reviews": reviews, "status": Connections(max_concurrent=1)})
    for _ in range(reviews.max_of_client + 3):
        reviews.open("10.0.0.1", now=0.0)
    reviews.open("10.0.0.1", now=2.0)
    found = {
        (sample.name.removeprefix("convertor_webhook_"), *sample.labels.values()): sample.value
        for family in metrics.registry.collect()
        for sample in family.samples
        if "connections" in sample.name
    }
    assert found == {
        ("connections", "reviews"): reviews.max_of_client,
        ("connections", "status"): 0,
        ("connections_limited_total", "reviews", "closed"): 1,
        ("connections_limited_total", "reviews", "refused"): 3,
        ("connections_limited_total", "status", "closed"): 0,
        ("connections_limited_total", "status", "refused"): 0,
    }


def test_build_info_has_the_versions_as_labels() -> None:
    (build,) = (
        sample
        for family in Metrics().registry.collect()
        for sample in family.samples
        if sample.name == "convertor_webhook_build_info"
    )
    assert build.labels.keys() == {"version", "python"}
    assert build.value == 1
