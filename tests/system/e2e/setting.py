"""What is put into the cluster before a test, and when it is there."""

import yaml

from tests.support.paths import DATA
from tests.system.controlplane.api import Api, Json, path
from tests.system.controlplane.process import until
from tests.system.controlplane.release import OPT_IN, Release
from tests.system.e2e.arrival import created, send
from tests.system.e2e.world import SETTLED, disk
from tests.system.guide.forklift import Generation, convertor_pod
from tests.system.guide.rows import PLAN_NAMESPACE, ROWS, Form

MAIN = "webhook"
"""The release that most tests are about."""

PLACED, UNTOUCHED = "vms", "vms-untouched"
"""Namespaces that VMs migrate into: one of the main release, and one that no release hears of."""


def furnish(api: Api) -> None:
    """Create what every test needs."""
    add_namespace(api, PLACED, {OPT_IN: MAIN})
    neighbours = {pod.namespace for row in ROWS.values() for pod in row.pods}
    for name in [PLAN_NAMESPACE, UNTOUCHED, SETTLED, *sorted(neighbours)]:
        add_namespace(api, name)
    api.create(disk())
    use_plans_of(api, Generation.V2_12)


def add_namespace(
    api: Api, name: str, labels: dict[str, str] | None = None, **annotations: str
) -> None:
    metadata: Json = {"name": name, "labels": labels or {}, "annotations": annotations}
    api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})


def use_plans_of(api: Api, generation: Generation) -> None:
    """Have the Plan CRD of a Forklift release, and return when the API server goes by it."""
    api.ensure(yaml.safe_load((DATA / "crds" / generation.plans).read_text(encoding="utf-8")))
    plan = ROWS["labels"].plan(Form.SPEC, "nowhere")
    keeps = generation is not Generation.V2_9

    def served() -> bool:
        answer = api.send("POST", path("Plan", PLAN_NAMESPACE), plan, dryRun="All")
        return answer.is_success and ("convertorLabels" in answer.json()["spec"]) is keeps

    until(f"the API server to serve the Plans of Forklift {generation}", served)


def use_generation(release: Release, generation: Generation) -> None:
    """Have the Plan CRD of a Forklift release, and return when the webhook places by its Plans."""
    use_plans_of(release.plane.admin, generation)
    form = Form.ANNOTATIONS if generation is Generation.V2_9 else Form.SPEC
    await_placing(release, PLACED, form)


def await_placing(release: Release, namespace: str, form: Form = Form.ANNOTATIONS) -> None:
    """Return when the API server has heard of the release, and the release of the plans.

    A Plan of its own for every try: of one that was made while the API server changed from one
    CRD to another, a watch may have got what the old one leaves.
    """
    api, row = release.plane.admin, ROWS["labels"]

    def placed() -> bool:
        with created(api, row.plan(form, namespace)) as plan:
            arrival = send(api, convertor_pod(Generation.V2_9, plan), dryRun="All")
        return row.labels.items() <= arrival.labels.items()

    release.wait(f"release {release.name} to place a pod", placed)


def events(release: Release, plan: Json, count: int) -> list[Json]:
    """Return the Events on a Plan when there are as many."""
    api, uid = release.plane.admin, plan["metadata"]["uid"]
    query = {"fieldSelector": f"involvedObject.uid={uid}"}

    def found() -> list[Json]:
        there = api.list("Event", PLAN_NAMESPACE, **query)
        return there if len(there) >= count else []

    there: list[Json] = release.wait(f"{count} Events on a plan", found)
    return there
