"""The commands of the guide for warm migrations, whose importers run on the same nodes."""

from collections.abc import Iterator

import pytest

from tests.system.controlplane.api import Json
from tests.system.controlplane.replicas import Replicas
from tests.system.e2e.migration.cluster import WITH, Cluster
from tests.system.e2e.migration.printed import Versions
from tests.system.e2e.migration.provisioner import ANYWHERE
from tests.system.e2e.pod_results import check
from tests.system.e2e.row_cluster import RowCluster
from tests.system.guide.rows import PREFIX, ROWS, Form, Row

OF_CONVERTORS = "pods(app=virt-v2v)"
"""Selects convertor pods only, so the importers have no reason to be anywhere."""

PLACING = [
    row.id
    for row in ROWS.values()
    if {"affinity", "node-selector"} & row.settings.keys()
    and OF_CONVERTORS not in row.settings.get("affinity", "")
]
"""Commands that place importers; others only label them."""


@pytest.fixture
def row_cluster(request: pytest.FixtureRequest, cluster: Cluster) -> Iterator[RowCluster]:
    """Create the nodes and pods of a row."""
    row_cluster = RowCluster(cluster.api, ROWS[request.param], binder=True)
    try:
        row_cluster.build()
        yield row_cluster
    finally:
        row_cluster.remove()


@pytest.mark.parametrize("row_cluster", ROWS, indirect=True)
def test_importers_and_convertors_run_on_the_nodes_of_the_command(
    row_cluster: RowCluster, cluster: Cluster, replicas: Replicas
) -> None:
    row = row_cluster.row
    plan = cluster.api.create(_plan(row))
    warm = cluster.migrate(plan, Versions("1.66", "2.12"), vms=row.vms, storage_class=ANYWHERE)
    first = warm.imported()
    warm.precopy()
    later = warm.imported(2)
    for each in (*first, *later):
        assert row.labels.items() <= each.labels.items()
    if row.id in PLACING:
        landing = row.placed
        if _has_requirements_only(row):
            check(row_cluster, first, landing)
        check(row_cluster, later, landing)
    check(row_cluster, warm.cut_over(), row.placed)


def _plan(row: Row) -> Json:
    """Return the Plan of a row, without labels that the validation of Plans rejects."""
    body = row.plan(Form.ANNOTATIONS, WITH)
    settings = {"pods": "all"}
    if row.labels:
        settings["labels"] = ",".join(f"{key}={value}" for key, value in row.labels.items())
    body["metadata"]["annotations"] |= {f"{PREFIX}/{key}": text for key, text in settings.items()}
    body["spec"]["warm"] = True
    return body


def _has_requirements_only(row: Row) -> bool:
    """Return True if every first consumer must be on the command's nodes, too."""
    rules = row.settings.get("affinity", "")
    return not {"PREFER", "REPEL"} & set(rules.split())
