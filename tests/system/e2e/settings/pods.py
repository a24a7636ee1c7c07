"""Convertor pods that the scheduler can place without volumes."""

from tests.system.controlplane.api import Json
from tests.system.controlplane.release import Release
from tests.system.e2e.migration.cluster import WITH, Cluster
from tests.system.e2e.pod_results import PodResult, send
from tests.system.guide.forklift import Generation, convertor_pod
from tests.system.guide.rows import PREFIX


def placed(cluster: Cluster, release: Release, body: Json) -> PodResult:
    """Create a convertor pod as soon as the release knows its plan."""

    def is_placed() -> bool:
        found = send(cluster.api, body, dryRun="All").pod["metadata"].get("annotations", {})
        return f"{PREFIX}/placement" in found

    release.wait("the pod to be placed", is_placed)
    return send(cluster.api, body)


def without_disks(body: Json) -> Json:
    """Return a convertor pod that waits for no claim."""
    spec = body["spec"]
    disks = {each["name"] for each in spec["volumes"] if "persistentVolumeClaim" in each}
    (main,) = spec["containers"]
    mounts = [each for each in main["volumeMounts"] if each["name"] not in disks]
    devices = [each for each in main.get("volumeDevices", ()) if each["name"] not in disks]
    main = main | {"volumeMounts": mounts, "volumeDevices": devices}
    volumes = [each for each in spec["volumes"] if each["name"] not in disks]
    return body | {"spec": spec | {"volumes": volumes, "containers": [main]}}


def await_classes(cluster: Cluster, release: Release, namespace: str = WITH) -> None:
    """Wait until the release knows the PriorityClasses."""
    plan = cluster.plan(namespace, {"priority-class": "migration"})
    body = convertor_pod(Generation.V2_12, plan)

    def has_class() -> bool:
        return "priorityClassName" in send(cluster.api, body, dryRun="All").pod["spec"]

    release.wait("the PriorityClasses to be known", has_class)
