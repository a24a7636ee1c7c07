"""Constraints that the filters do not evaluate are reported."""

from typing import Any

import pytest

from tests.support.builders import pod
from webhook.kube.affinity import REQUIRED
from webhook.kube.objects import Json
from webhook.kube.scheduler import limitations, take_snapshot

EMPTY = take_snapshot([], [], [])


def claims(count: int) -> Json:
    names = [f"disk-{number}" for number in range(count)]
    return {
        "volumes": [
            {"name": "tmp", "emptyDir": {}},
            *({"name": name, "persistentVolumeClaim": {"claimName": name}} for name in names),
        ]
    }


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, []),
        ({"schedulerName": "default-scheduler"}, []),
        (
            claims(2),
            [
                (
                    "volumes: kube-scheduler rejects nodes that cannot access 'disk-0', 'disk-1'; "
                    "see the events of these claims"
                )
            ],
        ),
        (
            claims(5),
            [
                (
                    "volumes: kube-scheduler rejects nodes that cannot access 'disk-0', 'disk-1', "
                    "'disk-2' and 2 more; see the events of these claims"
                )
            ],
        ),
        (
            {"resourceClaims": [{}]},
            ["resourceClaims of the pod: the plugin DynamicResources may reject nodes"],
        ),
        (
            {"containers": [{"name": "c", "ports": [{"containerPort": 1}, {"hostPort": 80}]}]},
            ["host ports 80: the plugin NodePorts rejects nodes that use them"],
        ),
        (
            {"schedulingGates": [{"name": "x"}]},
            ["schedulingGates of the pod: kube-scheduler skips the pod until they are removed"],
        ),
        (
            {"schedulerName": "volcano"},
            ["scheduler 'volcano': its plugins may differ from the default profile's"],
        ),
    ],
)
def test_unsupported_fields_of_the_pod_are_reported(
    spec: dict[str, Any], expected: list[str]
) -> None:
    assert limitations(pod("vms/p", **spec), EMPTY) == expected


def test_resources_reserved_for_a_nominated_pod_are_reported() -> None:
    nominated = pod("a/b", status={"phase": "Pending", "nominatedNodeName": "n"})
    assert limitations(pod("vms/p"), take_snapshot([], [nominated, pod("a/c")], [])) == [
        "preemption: resources that are reserved for a nominated pod count as free here"
    ]


def test_differences_between_releases_of_kube_scheduler_are_reported() -> None:
    def limitations_of(*expressions: Json) -> list[str]:
        term = {"topologyKey": "zone", "namespaceSelector": {"matchExpressions": [*expressions]}}
        return limitations(pod("vms/p", affinity={"podAntiAffinity": {REQUIRED: [term]}}), EMPTY)

    none = {"key": "team", "operator": "DoesNotExist"}
    assert limitations_of(none) == [
        (
            "a namespaceSelector that matches a namespace without labels: kube-scheduler "
            "1.34 to 1.36 matches pods of all namespaces, as assumed here; other releases do not"
        )
    ]
    assert limitations_of(none, {"key": "tier", "operator": "Exists"}) == []
    assert limitations_of() == []
