"""Every command of the guide on a real scheduler, with the webhook and without it."""

from collections.abc import Iterator

import pytest

from tests.system.controlplane.api import Api
from tests.system.controlplane.release import Release
from tests.system.e2e.conversion import migrate
from tests.system.e2e.pod_results import check
from tests.system.e2e.preparation import PLACED, UNTOUCHED, use_generation, use_plans_of
from tests.system.e2e.row_cluster import RowCluster
from tests.system.guide.forklift import Generation
from tests.system.guide.rows import ROWS, Form

WITH = [
    (generation, row, form)
    for generation in Generation
    for row in ROWS
    for form in ROWS[row].forms
    if form is Form.ANNOTATIONS or generation is not Generation.V2_9
]
WITHOUT = [(generation, row) for generation in Generation for row in ROWS]


@pytest.fixture(scope="session")  # a wider scope than the rows, so that it changes less often
def generation(request: pytest.FixtureRequest, api: Api, release: Release) -> Iterator[Generation]:
    """Install the Plan CRD of a generation of Forklift."""
    generation: Generation = request.param
    use_generation(release, generation)
    yield generation
    use_plans_of(api, Generation.V2_12)


@pytest.fixture(scope="module")
def cluster(request: pytest.FixtureRequest, api: Api) -> Iterator[RowCluster]:
    """Create the nodes and pods of a row."""
    cluster = RowCluster(api, ROWS[request.param])
    try:
        cluster.build()
        yield cluster
    finally:
        cluster.remove()


@pytest.mark.parametrize(
    ("generation", "cluster", "form"), WITH, indirect=["generation", "cluster"]
)
def test_pods_run_on_the_nodes_of_the_command(
    generation: Generation, cluster: RowCluster, form: Form, release: Release
) -> None:
    results = migrate(cluster, generation, form, PLACED)
    check(cluster, results, cluster.row.placed)
    for result in results:
        assert cluster.row.labels.items() <= result.labels.items()
        assert result.labels["forklift.app/plan"] == cluster.row.plan_name


@pytest.mark.parametrize(("generation", "cluster"), WITHOUT, indirect=["generation", "cluster"])
def test_without_the_webhook_pods_are_placed_as_the_row_expects(
    generation: Generation, cluster: RowCluster
) -> None:
    dropped = generation is Generation.V2_9
    landing = cluster.row.dropped if dropped else cluster.row.copied
    check(cluster, migrate(cluster, generation, Form.SPEC, UNTOUCHED), landing)
