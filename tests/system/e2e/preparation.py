"""Preparation of the cluster: namespaces, the Plan CRD, and waits until they are effective."""

import yaml

from tests.support.paths import DATA
from tests.system.controlplane.api import Api, Json, path
from tests.system.controlplane.process import until
from tests.system.controlplane.release import OPT_IN, Release
from tests.system.e2e.pod_results import created, send
from tests.system.e2e.row_cluster import SETTLED, disk
from tests.system.guide.forklift import Generation, convertor_pod
from tests.system.guide.rows import PLAN_NAMESPACE, ROWS, Form

MAIN = "webhook"
"""The release of most tests."""

PLACED, UNTOUCHED = "vms", "vms-untouched"
"""Namespaces that VMs migrate into: one of the main release, and one without a webhook."""


def furnish(api: Api) -> None:
    """Create the objects that every test needs."""
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
    """Install the Plan CRD of a Forklift release, and wait until the API server uses it."""
    api.ensure(yaml.safe_load((DATA / "crds" / generation.plans).read_text(encoding="utf-8")))
    plan = ROWS["labels"].plan(Form.SPEC, "nowhere")
    keeps = generation is not Generation.V2_9

    def served() -> bool:
        response = api.send("POST", path("Plan", PLAN_NAMESPACE), plan, dryRun="All")
        return response.is_success and ("convertorLabels" in response.json()["spec"]) is keeps

    until(f"the API server to serve the Plans of Forklift {generation}", served)


def use_generation(release: Release, generation: Generation) -> None:
    """Install the Plan CRD of a Forklift release, and wait until the webhook uses its Plans."""
    use_plans_of(release.plane.admin, generation)
    form = Form.ANNOTATIONS if generation is Generation.V2_9 else Form.SPEC
    await_placing(release, PLACED, form)


def await_placing(release: Release, namespace: str, form: Form = Form.ANNOTATIONS) -> None:
    """Wait until the API server calls the release, and the release knows the plans.

    Every attempt creates a new Plan: a watch may have got an earlier one with the fields that the
    old CRD preserves.
    """
    api, row = release.plane.admin, ROWS["labels"]

    def placed() -> bool:
        with created(api, row.plan(form, namespace)) as plan:
            result = send(api, convertor_pod(Generation.V2_9, plan), dryRun="All")
        return row.labels.items() <= result.labels.items()

    release.wait(f"release {release.name} to place a pod", placed)


def events(release: Release, plan: Json, count: int) -> list[Json]:
    """Wait for this many Events on a Plan, and return them."""
    api, uid = release.plane.admin, plan["metadata"]["uid"]
    query = {"fieldSelector": f"involvedObject.uid={uid}"}

    def list_events() -> list[Json]:
        found = api.list("Event", PLAN_NAMESPACE, **query)
        return found if len(found) >= count else []

    found: list[Json] = release.wait(f"{count} Events on a plan", list_events)
    return found
