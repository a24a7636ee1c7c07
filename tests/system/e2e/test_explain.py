"""`kubectl convertor explain plan` agrees with the scheduler, and its advice is effective."""

import json
import shlex
from collections.abc import Iterator

import pytest

from tests.system.controlplane.api import Api, Json
from tests.system.controlplane.cluster import ControlPlane
from tests.system.controlplane.release import Release
from tests.system.e2e.conversion import converting
from tests.system.e2e.kubectl import Kubectl
from tests.system.e2e.pod_results import created
from tests.system.e2e.preparation import PLACED, await_placing, use_plans_of
from tests.system.e2e.row_cluster import RowCluster
from tests.system.guide.forklift import Generation
from tests.system.guide.rows import PLAN_NAMESPACE, Form, Landing, Neighbour, Node, Row

STUCK = Row(
    id="stuck",
    command="""kubectl mtv create plan stuck --convertor-node-selector disk=nvme
        --convertor-affinity 'REQUIRE pods(app=ceph-osd) on zone'""",
    nodes={
        "beside": Node(zone="b", labels={"disk": "ssd"}, taints=["dedicated=storage:NoSchedule"]),
        "far": Node(zone="c", labels={"disk": "hdd"}, taints=["gpu:NoSchedule"]),
    },
    pods=[Neighbour("openshift-storage", {"app": "ceph-osd"}, "beside")],
    dropped=Landing(pending="untolerated taint"),
    copied=Landing(pending="untolerated taint"),
    lands=["beside"],
)


@pytest.fixture
def cluster(api: Api, release: Release) -> Iterator[RowCluster]:
    use_plans_of(api, Generation.V2_12)
    await_placing(release, PLACED)
    cluster = RowCluster(api, STUCK)
    try:
        cluster.build()
        yield cluster
    finally:
        cluster.remove()


def test_it_has_the_message_of_the_scheduler_and_commands_that_help(
    plane: ControlPlane, cluster: RowCluster, release: Release
) -> None:
    kubectl = Kubectl(plane)

    def explained() -> Json:
        words = ["explain", "plan", "stuck", "--namespace", PLAN_NAMESPACE, "--output", "json"]
        found: Json = json.loads(kubectl.done("convertor", *words))
        return found

    with created(cluster.api, STUCK.plan(Form.ANNOTATIONS, PLACED)) as plan:
        with converting(cluster, Generation.V2_12, plan) as (waiting,):
            found = explained()
            (pod,) = found["pods"]
            assert pod["message"] == waiting.why_pending
            assert pod["nodes"] == 0
            assert "placement" not in pod
            assert waiting.why_pending.startswith(summarize(found))
            assert found["judged"] == f"{PLACED}/{pod['name']}"
        commands = [each.get("command", "") for each in explained()["advice"]]
        patches = [each for each in commands if "convertor patch" in each]
        for command in patches:
            kubectl.done(*shlex.split(command)[1:])
        (fitting,) = [node["name"] for node in explained()["nodes"] if node["fits"]]
        assert fitting == "beside"

        def lands() -> bool:
            with converting(cluster, Generation.V2_12, plan) as (result,):
                return result.node == "beside"

        release.wait("the webhook to apply the patches", lands)


def summarize(found: Json) -> str:
    """Return the scheduler's message for the nodes."""
    reasons = [reason for node in found["nodes"] for reason in node["reasons"]]
    counts = sorted(f"{reasons.count(reason)} {reason}" for reason in set(reasons))
    return f"0/{len(found['nodes'])} nodes are available: {', '.join(counts)}."
