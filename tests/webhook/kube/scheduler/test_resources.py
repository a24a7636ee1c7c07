"""Requests are added up as kube-scheduler does."""

from typing import Any

import pytest

from webhook.kube.objects import Json
from webhook.kube.scheduler.resources import requested, used


def container(name: str = "c", **more: Any) -> Json:
    requests = {key: more.pop(key) for key in ("cpu", "memory") if key in more}
    return {"name": name, "resources": {"requests": requests}, **more}


def sidecar(name: str, **requests: str) -> Json:
    return container(name, restartPolicy="Always", **requests)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, {}),
        ({"containers": [{"name": "c"}, {"name": "d", "resources": None}]}, {}),
        ({"containers": [container(cpu="1"), container("d", cpu="250m")]}, {"cpu": 1250}),
        ({"containers": [container(cpu="0.1"), container("d", cpu="0.0001")]}, {"cpu": 101}),
        ({"containers": [container(memory="1.5Gi")]}, {"memory": 1610612736}),
        ({"containers": [container(memory="1500m")]}, {"memory": 2}),
        (
            {
                "containers": [container(cpu="1")],
                "initContainers": [container("i", cpu="2"), container("j", cpu="500m")],
            },
            {"cpu": 2000},
        ),
        (
            {
                "containers": [container(cpu="1")],
                "initContainers": [sidecar("s", cpu="1"), container("i", cpu="2")],
            },
            {"cpu": 3000},
        ),
        (
            {
                "containers": [container(cpu="1")],
                "initContainers": [container("i", cpu="2"), sidecar("s", cpu="1")],
            },
            {"cpu": 2000},
        ),
        (
            {"containers": [container(cpu="1")], "overhead": {"cpu": "100m", "memory": "1Mi"}},
            {"cpu": 1100, "memory": 1048576},
        ),
        (
            {
                "containers": [container(cpu="1", memory="1Gi")],
                "resources": {"requests": {"cpu": "3", "ephemeral-storage": "1Gi"}},
            },
            {"cpu": 3000, "memory": 1073741824},
        ),
    ],
)
def test_requests_of_containers_init_containers_and_sidecars(
    spec: Json, expected: dict[str, int]
) -> None:
    assert requested({"spec": spec}) == expected


def test_resources_that_the_scheduler_ignores_are_left_out() -> None:
    requests = {"hugepages-2Mi": "4Mi", "example.com/gpu": "2", "storage": "1Gi", "pods": "1"}
    pod = {"spec": {"containers": [{"name": "c", "resources": {"requests": requests}}]}}
    assert requested(pod) == {"hugepages-2Mi": 4194304, "example.com/gpu": 2, "pods": 1}


def status(requests: Json, allocated: Json | None = None, **more: Any) -> Json:
    status_of_c = {
        "name": "c",
        "resources": {"requests": requests},
        "allocatedResources": allocated,
    }
    return {"containerStatuses": [status_of_c], **more}


INFEASIBLE = {"conditions": [{"type": "PodResizePending", "reason": "Infeasible"}]}
DEFERRED = {"conditions": [{"type": "PodResizePending", "reason": "Deferred"}]}


@pytest.mark.parametrize(
    ("pod_status", "cpu"),
    [
        ({}, 1000),
        ({"containerStatuses": [{"name": "c"}]}, 1000),
        ({"containerStatuses": [{"name": "other", "resources": {"requests": {"cpu": "9"}}}]}, 1000),
        (status({"cpu": "2"}), 2000),
        (status({"cpu": "500m"}, {"cpu": "3"}), 3000),
        (status({"cpu": "500m"}, {"cpu": "600m"}, **DEFERRED), 1000),
        (status({"cpu": "500m"}, {"cpu": "600m"}, **INFEASIBLE), 600),
    ],
)
def test_during_a_resize_the_larger_requests_are_used(pod_status: Json, cpu: int) -> None:
    pod = {"spec": {"containers": [container(cpu="1")]}, "status": pod_status}
    assert used(pod) == {"cpu": cpu}
    assert requested(pod) == {"cpu": 1000}


def test_sidecars_and_pod_level_resources_are_resized_too() -> None:
    status_of_c = {"name": "s", "resources": {"requests": {"cpu": "2"}}}
    spec: Json = {"containers": [container(cpu="1")], "initContainers": [sidecar("s", cpu="1")]}
    assert used({"spec": spec, "status": {"initContainerStatuses": [status_of_c]}}) == {"cpu": 3000}
    whole = {"resources": {"requests": {"cpu": "4"}}, "allocatedResources": {"cpu": "3"}}
    spec |= {"resources": {"requests": {"cpu": "1"}}}
    assert used({"spec": spec, "status": whole}) == {"cpu": 4000}


def test_the_status_of_an_init_container_is_ignored() -> None:
    status_of_c = {"name": "i", "resources": {"requests": {"cpu": "5"}}}
    spec = {"initContainers": [container("i", cpu="1")]}
    assert used({"spec": spec, "status": {"initContainerStatuses": [status_of_c]}}) == {"cpu": 1000}
