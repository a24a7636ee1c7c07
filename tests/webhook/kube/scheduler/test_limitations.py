"""What no verdict takes into account is told."""

from typing import Any

import pytest

from tests.support.clusters import pod
from webhook.kube.affinity import REQUIRED
from webhook.kube.objects import Json
from webhook.kube.scheduler import look, unjudged

EMPTY = look([], [], [])


def claims(count: int) -> Json:
    names = [f"disk-{number}" for number in range(count)]
    return {
        "volumes": [
            {"name": "tmp", "emptyDir": {}},
            *({"name": name, "persistentVolumeClaim": {"claimName": name}} for name in names),
        ]
    }


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({}, []),
        ({"schedulerName": "default-scheduler"}, []),
        (
            claims(2),
            [
                (
                    "volumes: nodes that cannot reach 'disk-0', 'disk-1' fall away; "
                    "see kubectl describe pvc"
                )
            ],
        ),
        (
            claims(5),
            [
                (
                    "volumes: nodes that cannot reach 'disk-0', 'disk-1', 'disk-2' and 2 more "
                    "fall away; see kubectl describe pvc"
                )
            ],
        ),
        (
            {"topologySpreadConstraints": [{}]},
            ["topologySpreadConstraints of the pod: the plugin PodTopologySpread may reject nodes"],
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
            ["schedulingGates of the pod: the scheduler does not look at it until they are gone"],
        ),
        (
            {"schedulerName": "volcano"},
            ["scheduler 'volcano': it may go by other rules than kube-scheduler's default"],
        ),
    ],
)
def test_what_a_pod_has_that_is_not_looked_at(spec: dict[str, Any], told: list[str]) -> None:
    assert unjudged(pod("vms/p", **spec), EMPTY) == told


def test_room_that_is_being_made_for_another() -> None:
    nominated = pod("a/b", status={"phase": "Pending", "nominatedNodeName": "n"})
    assert unjudged(pod("vms/p"), look([], [nominated, pod("a/c")], [])) == [
        "preemption: room that is being made for a waiting pod counts as free here"
    ]


def test_what_other_releases_of_the_scheduler_judge_otherwise() -> None:
    def told(*expressions: Json) -> list[str]:
        term = {"topologyKey": "zone", "namespaceSelector": {"matchExpressions": [*expressions]}}
        return unjudged(pod("vms/p", affinity={"podAntiAffinity": {REQUIRED: [term]}}), EMPTY)

    none = {"key": "team", "operator": "DoesNotExist"}
    assert told(none) == [
        (
            "a rule that says of namespaces only what they are not: kube-scheduler 1.34 to 1.36 "
            "looks into all for it, which is judged here, and other releases do not"
        )
    ]
    assert told(none, {"key": "tier", "operator": "Exists"}) == []
    assert told() == []
