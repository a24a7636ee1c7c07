"""Small clusters drawn at random: few keys and values, so that things meet and collide.

What is drawn are objects that the API server takes as they are. Whoever draws has the seed.
"""

from random import Random
from typing import Any, TypeVar

from webhook.kube.affinity import REQUIRED
from webhook.kube.objects import Json

T = TypeVar("T")

TARGET = "vms-drawn"
"""Where the plan's pods are."""
NAMESPACES: dict[str, dict[str, str]] = {
    TARGET: {"team": "migration"},
    "storage-drawn": {"team": "storage", "tier": "infra"},
    "apps-drawn": {"team": "apps"},
    "bare-drawn": {},
}
PREFIX = "convertor.forklift.konveyor.io"
HOST, ZONE = "kubernetes.io/hostname", "topology.kubernetes.io/zone"

_NODE_LABELS: dict[str, list[str | None]] = {
    ZONE: ["a", "a", "b", "b", None],
    "topology.kubernetes.io/rack": ["r1", "r2", None],
    "kubevirt.io/schedulable": ["true"] * 9 + [None],
    "disk": ["ssd", "nvme", "nvme", "nvme", None],
    "cores": ["8", "16", "016", "many", None],
    "mem": ["32Gi", "64Gi", "128G", "lots", None],
    "spot": ["true", None, None],
}
_TAINTS = [
    {"key": "dedicated", "value": "migration", "effect": "NoSchedule"},
    {"key": "dedicated", "value": "db", "effect": "NoExecute"},
    {"key": "gpu", "effect": "NoSchedule"},
    {"key": "spot", "value": "true", "effect": "PreferNoSchedule"},
    {"key": "node.kubernetes.io/not-ready", "effect": "NoExecute"},
]
_POD_LABELS: dict[str, list[str | None]] = {
    "app": ["ceph-osd", "web", "virt-v2v", None],
    "tier": ["db", "front", None],
    "batch": ["1", "2", None],
}
_POD_RULES = [
    "REQUIRE pods(app=ceph-osd) on node",
    "REQUIRE pods(app=ceph-osd) on zone",
    "REQUIRE pods(app=ceph-osd) in namespace storage-drawn on zone",
    "REQUIRE pods(app=web) in namespaces (team=apps) on topology.kubernetes.io/rack",
    "REQUIRE pods(app=virt-v2v) on zone",
    "REQUIRE pods(tier in [db, front]) in own namespace on node",
    "REQUIRE pods(batch=1) in namespaces (not has team) on zone",
    "AVOID pods(app=web) on node",
    "AVOID pods(tier=db) on zone",
    "AVOID pods(has batch) in own namespace on node",
    "AVOID pods(app not in [ceph-osd, web]) in namespaces [apps-drawn, bare-drawn] on zone",
    "AVOID pods(app=virt-v2v) on node",
    "REPEL pods(app=virt-v2v) on zone weight=50",
    "PREFER pods(app=ceph-osd) on node",
]
_NODE_RULES = [
    "REQUIRE nodes(disk in [ssd, nvme])",
    "REQUIRE nodes(cores>=16)",
    "REQUIRE nodes(cores<16)",
    "REQUIRE nodes(mem>=64Gi)",
    "AVOID nodes(spot=true)",
    "AVOID nodes(disk=ssd, spot=true)",
    "REQUIRE nodes(has topology.kubernetes.io/zone)",
    "AVOID nodes(cores>8)",
    "PREFER nodes(disk=nvme) weight=20",
]
_SELECTORS = ["disk=nvme", "cores=16+", "mem=64Gi+", "spot=true", "disk=floppy"]
_TOLERATIONS = ["dedicated=migration:NoSchedule", "dedicated", "gpu:NoSchedule", "dedicated=db"]
_LABELS = ["app=web", "tier=db", "batch=1", "workload=migration"]


def maybe(random: Random, chance: float, value: T, otherwise: T) -> T:
    return value if random.random() < chance else otherwise


def some(random: Random, choices: list[T], most: int) -> list[T]:
    return random.sample(choices, random.randint(0, most))


def draw_nodes(random: Random, prefix: str = "node") -> list[Json]:
    return [_node(random, f"{prefix}-{number}") for number in range(random.randint(2, 7))]


def draw_pods(random: Random, nodes: list[Json]) -> list[Json]:
    """Draw pods that are on nodes; one in eight has finished."""
    return [
        _pod(random, f"pod-{number}", random.choice(nodes)["metadata"]["name"])
        for number in range(random.randint(0, 12))
    ]


def draw_namespaces() -> list[Json]:
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
        for name, labels in NAMESPACES.items()
    ]


def draw_plan(random: Random) -> Json:
    """Draw a Plan with settings in its annotations, and now and then with an affinity object."""
    rules = some(random, _POD_RULES, 2) + some(random, _NODE_RULES, 1)
    settings = {
        "affinity": "\n".join(rules),
        "node-selector": ",".join(some(random, _SELECTORS, maybe(random, 0.25, 1, 0))),
        "tolerations": ",".join(some(random, _TOLERATIONS, 2)),
        "labels": ",".join(some(random, _LABELS, 2)),
        "scope": maybe(random, 0.3, "own", ""),
    }
    spec: Json = {"targetNamespace": TARGET}
    if random.random() < 0.25:
        spec["convertorAffinity"] = {
            random.choice(["podAffinity", "podAntiAffinity"]): {REQUIRED: [_term(random)]}
        }
    return {
        "metadata": {
            "namespace": "konveyor-forklift",
            "name": "drawn",
            "uid": "5d1f0c9e-0000-4000-8000-000000000001",
            "generation": 1,
            "annotations": {f"{PREFIX}/{name}": text for name, text in settings.items() if text},
        },
        "spec": spec,
    }


def _node(random: Random, name: str) -> Json:
    labels = {key: random.choice(values) for key, values in _NODE_LABELS.items()}
    labels[HOST] = maybe(random, 0.9, name, None)
    room = {
        "cpu": random.choice(["1100m", "3500m", "8", "16", "16"]),
        "memory": random.choice(["1300Mi", "4G", "16Gi", "16Gi", "64Gi"]),
        "pods": random.choice(["2", "110", "110", "110", "110"]),
    }
    if random.random() < 0.95:
        room["devices.kubevirt.io/kvm"] = random.choice(["1", "1k", "1k", "1k"])
    taints = some(random, _TAINTS, maybe(random, 0.3, 2, 0))
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": _there(labels)},
        "spec": {"taints": taints, **maybe(random, 0.05, {"unschedulable": True}, {})},
        "status": {"capacity": room, "allocatable": room},
    }


def _pod(random: Random, name: str, node: str) -> Json:
    labels = {key: random.choice(values) for key, values in _POD_LABELS.items()}
    init = maybe(random, 0.3, [_container(random, "init"), _container(random, "sidecar")], [])
    for container in init[1:]:
        container["restartPolicy"] = "Always"
    random.shuffle(init)
    spec: Json = {
        "nodeName": node,
        "containers": [_container(random, f"c{i}") for i in range(random.randint(1, 2))],
        "initContainers": init,
        "terminationGracePeriodSeconds": 0,
    }
    if random.random() < 0.3:
        spec["affinity"] = {"podAntiAffinity": {REQUIRED: [_term(random)]}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": random.choice(list(NAMESPACES)),
            "labels": _there(labels),
        },
        "spec": spec,
        "status": {"phase": maybe(random, 0.12, random.choice(["Succeeded", "Failed"]), "Running")},
    }


def _container(random: Random, name: str) -> Json:
    requests = {
        "cpu": random.choice([None, "100m", "0.5", "1"]),
        "memory": random.choice([None, "100Mi", "1G", "1.5Gi"]),
        "devices.kubevirt.io/kvm": maybe(random, 0.1, "1", None),
    }
    there = _there(requests)
    limits = {key: value for key, value in there.items() if "/" in key}
    return {"name": name, "image": "none", "resources": {"requests": there, "limits": limits}}


def _term(random: Random) -> Json:
    """Draw a term with what no rule is compiled to."""
    term: Json = {"topologyKey": random.choice([HOST, ZONE, "disk"])}
    label_selector = random.choice(
        [
            {"matchLabels": {"app": "virt-v2v"}},
            {"matchLabels": {"app": "web"}},
            {"matchExpressions": [{"key": "tier", "operator": "DoesNotExist"}]},
            {"matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["db"]}]},
            {},
            None,
        ]
    )
    if label_selector is not None:
        term["labelSelector"] = label_selector
        if "app" not in str(label_selector) and random.random() < 0.4:
            term[random.choice(["matchLabelKeys", "mismatchLabelKeys"])] = ["app"]
    return term | random.choice(_PLACES)


_PLACES: list[dict[str, Any]] = [
    {},
    {},
    {"namespaceSelector": {}},
    {"namespaceSelector": {"matchLabels": {"team": "migration"}}},
    {"namespaceSelector": {"matchExpressions": [{"key": "team", "operator": "Exists"}]}},
    {"namespaces": ["bare-drawn", TARGET]},
    {"namespaces": ["apps-drawn"], "namespaceSelector": {"matchLabels": {"tier": "infra"}}},
]


def _there(values: dict[str, str | None]) -> dict[str, str]:
    return {key: value for key, value in values.items() if value is not None}
