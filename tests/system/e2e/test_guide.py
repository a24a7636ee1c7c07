"""Every command of the guide on a real scheduler, with the webhook and without."""

from collections.abc import Iterator

import pytest

from tests.system.controlplane.api import Api
from tests.system.controlplane.release import Release
from tests.system.e2e.arrival import check
from tests.system.e2e.conversion import migrate
from tests.system.e2e.setting import PLACED, UNTOUCHED, use_generation, use_plans_of
from tests.system.e2e.world import World
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


@pytest.fixture(scope="session")  # wider than a world, so that it changes less often
def generation(request: pytest.FixtureRequest, api: Api, release: Release) -> Iterator[Generation]:
    """Have the Plan CRD of a generation of Forklift."""
    generation: Generation = request.param
    use_generation(release, generation)
    yield generation
    use_plans_of(api, Generation.V2_12)


@pytest.fixture(scope="module")
def world(request: pytest.FixtureRequest, api: Api) -> Iterator[World]:
    """Have the nodes and pods of a row."""
    world = World(api, ROWS[request.param])
    try:
        world.build()
        yield world
    finally:
        world.remove()


@pytest.mark.parametrize(("generation", "world", "form"), WITH, indirect=["generation", "world"])
def test_pods_land_where_the_command_says(
    generation: Generation, world: World, form: Form, release: Release
) -> None:
    arrivals = migrate(world, generation, form, PLACED)
    check(world, arrivals, world.row.placed)
    for arrival in arrivals:
        assert world.row.labels.items() <= arrival.labels.items()
        assert arrival.labels["forklift.app/plan"] == world.row.plan_name


@pytest.mark.parametrize(("generation", "world"), WITHOUT, indirect=["generation", "world"])
def test_without_the_webhook_forklift_does_what_it_does(
    generation: Generation, world: World
) -> None:
    dropped = generation is Generation.V2_9
    landing = world.row.dropped if dropped else world.row.copied
    check(world, migrate(world, generation, Form.SPEC, UNTOUCHED), landing)
