"""The server's own dry runs of the convertor profile, with the rights that the chart grants."""

from collections.abc import Iterator

import pytest

from tests.system.controlplane.release import OPT_IN, Release
from tests.system.e2e.migration.cluster import Cluster
from tests.system.e2e.preparation import add_namespace

CHECKED, ACCEPTING, REFUSING = "checked", "checked-accepting", "checked-refusing"
REFUSED = "convertor_webhook_profile_refused_namespaces"
UNCHECKED = "convertor_webhook_profile_unchecked_namespaces"
PROFILE = {
    "env": {"LIBGUESTFS_BACKEND": "direct"},
    "scratchVolume": {"size": "10Gi"},
    "namespaces": {
        REFUSING: {"runtimeClass": "absent"},
        "checked-absent": {"env": {"A": "b"}},
    },
}


@pytest.fixture
def checking(shared_cluster: Cluster) -> Iterator[Release]:
    """Start a release with a profile that one of its namespaces refuses."""
    for name in (ACCEPTING, REFUSING):
        add_namespace(shared_cluster.api, name, {OPT_IN: CHECKED})
    shared_cluster.plan(ACCEPTING)
    release = Release(shared_cluster.plane, CHECKED, {"convertor": PROFILE})
    try:
        release.install()
        release.start()
        yield release
    finally:
        release.uninstall()


def test_the_server_reports_the_namespaces_that_refuse_the_profile(
    cluster: Cluster, checking: Release
) -> None:
    checking.wait("a refusal", lambda: checking.metric(REFUSED) == 1)
    lines = [each for each in checking.log_lines() if "convertor profile" in each["message"]]

    assert checking.metric(UNCHECKED) == 1
    (refusal,) = (each for each in lines if each["level"] == "error")
    assert refusal["namespace"] == REFUSING
    assert 'RuntimeClass "absent" not found' in refusal["reason"]
    (unchecked,) = (each for each in lines if each["level"] == "warning")
    assert unchecked["namespaces"] == "checked-absent"
    assert cluster.api.list("Pod", ACCEPTING) + cluster.api.list("Pod", REFUSING) == []
