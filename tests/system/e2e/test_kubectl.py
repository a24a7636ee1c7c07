"""The guide's commands for existing plans, with `kubectl convertor` instead of `kubectl mtv`."""

import json
import re
import shlex
from collections.abc import Iterator

import pytest

from tests.system.controlplane.api import Api, Json
from tests.system.controlplane.cluster import ControlPlane
from tests.system.controlplane.release import Release
from tests.system.e2e.conversion import converting
from tests.system.e2e.kubectl import Kubectl
from tests.system.e2e.pod_results import check, created, send
from tests.system.e2e.preparation import PLACED, UNTOUCHED, use_generation
from tests.system.e2e.row_cluster import RowCluster
from tests.system.guide.forklift import Generation, convertor_pod
from tests.system.guide.rows import (
    GUIDE,
    PLAN_NAMESPACE,
    PREFIX,
    ROWS,
    Form,
    Landing,
    Neighbour,
    Node,
    Row,
)

PATCHES = [row.id for row in GUIDE if row.command.startswith("kubectl mtv patch plan ")]
GENERATIONS = [Generation.V2_9, Generation.V2_12]


@pytest.fixture(scope="module")
def kubectl(plane: ControlPlane) -> Kubectl:
    return Kubectl(plane)


@pytest.fixture(scope="module")
def generation(request: pytest.FixtureRequest, release: Release) -> Generation:
    """Install the Plan CRD of a generation of Forklift."""
    generation: Generation = request.param
    use_generation(release, generation)
    return generation


@pytest.fixture
def cluster(request: pytest.FixtureRequest, api: Api) -> Iterator[RowCluster]:
    """Create the nodes and pods of a row."""
    cluster = RowCluster(api, ROWS[request.param])
    try:
        cluster.build()
        yield cluster
    finally:
        cluster.remove()


@pytest.fixture
def plan(cluster: RowCluster, generation: Generation) -> Iterator[Json]:
    """Create the row's plan, without settings."""
    body = cluster.row.plan(Form.ANNOTATIONS, PLACED)
    body["metadata"] |= {"annotations": {}}
    with created(cluster.api, body) as plan:
        yield plan


def patch(kubectl: Kubectl, cluster: RowCluster) -> str:
    """Run the row's command with `convertor` instead of `mtv`, and with the plan's namespace."""
    words = shlex.split(cluster.row.command)
    assert words[:2] == ["kubectl", "mtv"]
    return kubectl.done("convertor", *words[2:], "--namespace", PLAN_NAMESPACE)


def placement(api: Api, pod: Json) -> Json:
    """Return the placement that a pod would get now."""
    found = send(api, pod, dryRun="All").pod
    return {
        "labels": found["metadata"]["labels"],
        **{field: found["spec"].get(field) for field in ("affinity", "nodeSelector")},
    }


def test_the_guide_has_five_patch_commands() -> None:
    assert len(PATCHES) == 5


@pytest.mark.parametrize(
    ("generation", "cluster"),
    [(generation, row) for generation in GENERATIONS for row in PATCHES],
    indirect=True,
)
def test_pods_of_patched_plans_run_on_the_nodes_of_the_command(
    kubectl: Kubectl, release: Release, generation: Generation, cluster: RowCluster, plan: Json
) -> None:
    api, row, pod = cluster.api, cluster.row, convertor_pod(generation, plan)
    before = placement(api, pod)
    assert patch(kubectl, cluster) == f"plan.forklift.konveyor.io/{row.plan_name} patched\n"
    release.wait("the webhook to apply the patch", lambda: placement(api, pod) != before)
    with converting(cluster, generation, plan) as results:
        check(cluster, results, row.placed)
    for result in results:
        assert row.labels.items() <= result.labels.items()
    patched = api.get("Plan", row.plan_name, PLAN_NAMESPACE)
    assert patched["spec"] == plan["spec"]
    assert patched["metadata"]["annotations"] == {
        f"{PREFIX}/{key}": text for key, text in row.settings.items()
    }


MY_PLAN = Row(
    id="my-plan",
    command="""kubectl mtv create plan my-plan --convertor-node-selector migration-worker=true
        --convertor-affinity 'REQUIRE pods(app=ceph-osd) on node'""",
    nodes={
        "fast": Node(labels={"migration-worker": "true", "storage-tier": "fast"}),
        "slow": Node(labels={"migration-worker": "true", "storage-tier": "slow"}),
        "idle": Node(cpu=64),
    },
    pods=[Neighbour("openshift-storage", {"app": "ceph-osd"}, "fast")],
    dropped=Landing(lands=["idle"]),
    copied=Landing(lands=["idle"]),
    lands=["fast"],
    vms=2,
)


@pytest.fixture
def my_plan(api: Api) -> Iterator[RowCluster]:
    cluster = RowCluster(api, MY_PLAN)
    try:
        cluster.build()
        yield cluster
    finally:
        cluster.remove()


@pytest.mark.parametrize("generation", GENERATIONS, indirect=True)
def test_the_commands_for_troubleshooting_find_pods_and_nodes(
    kubectl: Kubectl, generation: Generation, my_plan: RowCluster
) -> None:
    pods_of_plan = ("pods", "-l", "forklift.app/plan=my-plan", "-n", PLACED)
    show = ("convertor", "show", "my-plan", "-n", PLAN_NAMESPACE, "-o", "json")
    with (
        created(my_plan.api, MY_PLAN.plan(Form.ANNOTATIONS, PLACED)) as plan,
        converting(my_plan, generation, plan) as results,
    ):
        described = kubectl.done("describe", *pods_of_plan)
        wide = kubectl.done("get", *pods_of_plan, "-o", "wide")
        selector = json.loads(kubectl.done(*show))["podSelector"]
        by_uid = kubectl.done("get", "pods", "-A", "-l", selector)
        storage = kubectl.done(
            *("get", "pods", "-l", "app=ceph-osd", "-n", "openshift-storage", "-o", "wide")
        )
    names = [result.pod["metadata"]["name"] for result in results]
    assert len(names) == MY_PLAN.vms
    assert field(described, "Name") == names
    assert field(described, "Node") == ["fast/", "fast/"]
    assert column(wide, "NODE") == ["fast", "fast"]
    assert column(by_uid, "NAME") == names
    assert column(storage, "NODE") == ["fast"]
    workers = kubectl.done("get", "nodes", "-l", "migration-worker=true")
    assert column(workers, "NAME") == ["fast", "slow"]
    described = kubectl.done("describe", "nodes", "-l", "storage-tier=fast")
    assert field(described, "Name") == ["fast"]


def test_without_the_webhook_the_label_of_the_guide_selects_no_pod(
    kubectl: Kubectl, my_plan: RowCluster
) -> None:
    with (
        created(my_plan.api, MY_PLAN.plan(Form.ANNOTATIONS, UNTOUCHED)) as plan,
        converting(my_plan, Generation.V2_12, plan),
    ):
        found = kubectl("get", "pods", "-l", "forklift.app/plan=my-plan", "-n", UNTOUCHED)
    assert (found.stdout, found.stderr) == ("", f"No resources found in {UNTOUCHED} namespace.\n")


def test_kubectl_prints_and_completes_plans(kubectl: Kubectl, api: Api) -> None:
    with created(api, MY_PLAN.plan(Form.ANNOTATIONS, PLACED)):
        table = kubectl.done("convertor", "show", "-A")
        missed = kubectl("convertor", "show", "plan", "my-plan")
        completed = [
            kubectl("__complete", "convertor", *words).stdout.splitlines()
            for words in (["pat"], ["patch", "plan", "--namespace", PLAN_NAMESPACE, "my"])
        ]
    assert column(table, "NAME") == ["my-plan"]
    assert missed.returncode == 2
    assert missed.stderr == (
        "Error: no plan 'my-plan' in namespace 'default'; try --namespace konveyor-forklift\n"
    )
    assert completed == [
        ["patch\tChange the convertor settings of a plan.", ":4"],
        ["my-plan", ":4"],
    ]


def column(table: str, name: str) -> list[str]:
    """Return the cells of a column of kubectl's table."""
    header, *lines = table.splitlines()
    start = re.search(rf"\b{name}\b", header)
    assert start, header
    return [line[start.start() :].split()[0] for line in lines]


def field(described: str, name: str) -> list[str]:
    """Return a field of each object in the output of `kubectl describe`."""
    return re.findall(rf"^{name}: +(\S+)", described, re.MULTILINE)
