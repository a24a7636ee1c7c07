"""Small clusters, plans and pods drawn at random: few keys and values, so that they meet.

First come clusters for the scheduler, each drawn with the Random of a seed; an API server accepts
their objects. Then come hypothesis' strategies for placements, and `NODES`: every node that can
have their labels, few enough to try each.
"""

from collections.abc import Sequence
from copy import deepcopy
from itertools import combinations, product
from random import Random
from typing import NamedTuple, TypeVar

import msgspec
from hypothesis import strategies as st

from tests.support import builders
from tests.support.affinity_terms import pod_term
from tests.support.builders import HOST, ZONE
from tests.support.node_affinity import every_node, is_at_least
from webhook.forklift.labels import FORKLIFT_SPREADING_TERM
from webhook.kube import quantity
from webhook.kube.affinity import PREFERRED, REQUIRED, default_to_all_namespaces, merge_affinities
from webhook.kube.defaulting import with_defaults
from webhook.kube.objects import Json
from webhook.kube.scheduler import Verdict, run_filters, take_snapshot
from webhook.kube.spread import HARD, SOFT, spread_key
from webhook.model import (
    AffinityPolicy,
    ClusterState,
    ConvertorProfile,
    Installation,
    Limits,
    Mode,
    Plan,
    ScratchVolume,
    Settings,
)
from webhook.placement import place
from webhook.placement.profile import OPENSHIFT_PROFILE
from webhook.reports.model_pod import build_model_pod
from webhook.settings import read

T = TypeVar("T")

TARGET = "vms-drawn"
"""The target namespace of the drawn Plans."""
NAMESPACES: dict[str, dict[str, str]] = {
    TARGET: {"team": "migration"},
    "storage-drawn": {"team": "storage", "tier": "infra"},
    "apps-drawn": {"team": "apps"},
    "bare-drawn": {},
}
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
_SPREAD_RULES = [
    "SPREAD pods(app in [virt-v2v, web]) on node hard",
    "SPREAD pods(has app) on node hard",
    "SPREAD pods(not has batch) on zone skew=2 hard",
    "SPREAD pods(tier=db) on topology.kubernetes.io/rack hard",
    "SPREAD pods(has app) on node",
]
_LABEL_SELECTORS: list[Json | None] = [
    {"matchLabels": {"app": "virt-v2v"}},
    {"matchLabels": {"app": "web"}},
    {"matchExpressions": [{"key": "tier", "operator": "DoesNotExist"}]},
    {"matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["db"]}]},
    {},
    None,
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
INSTALLATION = Installation(limits=Limits(labels=("*",), avoid_topologies=("*",)))
"""An installation that lets a Plan have all drawn settings."""


class DrawnCluster(NamedTuple):
    nodes: list[Json]
    pods: list[Json]
    pod: Json
    """A pod of a drawn Plan, before it is scheduled."""
    random: Random
    """For further draws."""

    def verdicts(self) -> list[Verdict]:
        return run_filters(self.pod, take_snapshot(self.nodes, self.pods, build_namespaces()))


def draw_cluster(random: Random) -> DrawnCluster:
    nodes = draw_nodes(random)
    pods = draw_pods(random, nodes)
    pod = draw_convertor_pod(random, ClusterState())
    return DrawnCluster(nodes, pods, with_defaults(pod), random)


def draw_convertor_pod(random: Random, cluster: ClusterState) -> Json:
    """Draw a plan, and return a placed convertor pod of it, as it is before it is created."""
    plan_object = draw_plan(random)
    plan = read(plan_object, INSTALLATION)
    model_pod = build_model_pod(plan, plan_object["spec"])
    model_pod["spec"]["topologySpreadConstraints"] = _spread_constraints(random)
    return place(model_pod, plan, INSTALLATION, cluster).pod


def build_namespaces() -> list[Json]:
    return [builders.namespace(name, **labels) for name, labels in NAMESPACES.items()]


def draw_nodes(random: Random, prefix: str = "node") -> list[Json]:
    return [_node(random, f"{prefix}-{number}") for number in range(random.randint(2, 7))]


def draw_pods(random: Random, nodes: list[Json]) -> list[Json]:
    """Draw pods on nodes; one in eight has ended, and one in ten is being deleted."""
    return [
        _pod(random, f"pod-{number}", random.choice(nodes)["metadata"]["name"])
        for number in range(random.randint(0, 12))
    ]


def draw_plan(random: Random) -> Json:
    """Draw a Plan with settings in annotations, and in one of four with an affinity object."""
    rules = _sample(random, _SPREAD_RULES, 1)
    spread_only = random.random() < 0.3
    if not spread_only:
        rules += _sample(random, _POD_RULES, 2) + _sample(random, _NODE_RULES, 1)
    settings = {
        "affinity": "\n".join(rules),
        "node-selector": ",".join(
            _sample(random, _SELECTORS, _choose(random, 0.25, 1, 0)) * (not spread_only)
        ),
        "tolerations": ",".join(_sample(random, _TOLERATIONS, 2)),
        "labels": ",".join(_sample(random, _LABELS, 2)),
        "scope": _choose(random, 0.3, "own", ""),
    }
    spec: Json = {"targetNamespace": TARGET}
    if random.random() < 0.25:
        spec["convertorAffinity"] = {
            random.choice(["podAffinity", "podAntiAffinity"]): {REQUIRED: [_term(random)]}
        }
    return builders.plan(
        "drawn",
        metadata={"uid": "5d1f0c9e-0000-4000-8000-000000000001"},
        spec=spec,
        annotations={name: text for name, text in settings.items() if text},
    )


def _node(random: Random, name: str) -> Json:
    labels = {key: random.choice(values) for key, values in _NODE_LABELS.items()}
    labels[HOST] = _choose(random, 0.9, name, None)
    room = {
        "cpu": random.choice(["1100m", "3500m", "8", "16", "16"]),
        "memory": random.choice(["1300Mi", "4G", "16Gi", "16Gi", "64Gi"]),
        "pods": random.choice(["2", "110", "110", "110", "110"]),
    }
    if random.random() < 0.95:
        room["devices.kubevirt.io/kvm"] = random.choice(["1", "1k", "1k", "1k"])
    taints = _sample(random, _TAINTS, _choose(random, 0.3, 2, 0))
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": _present(labels)},
        "spec": {"taints": taints, **_choose(random, 0.05, {"unschedulable": True}, {})},
        "status": {"capacity": room, "allocatable": room},
    }


def _pod(random: Random, name: str, node: str) -> Json:
    labels = {key: random.choice(values) for key, values in _POD_LABELS.items()}
    init = _choose(random, 0.3, [_container(random, "init"), _container(random, "sidecar")], [])
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
    namespace = random.choice([TARGET, TARGET, *NAMESPACES])
    phase = _choose(random, 0.12, random.choice(["Succeeded", "Failed"]), "Running")
    metadata = {"name": name, "namespace": namespace, "labels": _present(labels)}
    if phase == "Running" and random.random() < 0.1:
        metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": spec,
        "status": {"phase": phase},
    }


def _container(random: Random, name: str) -> Json:
    requests = {
        "cpu": random.choice([None, "100m", "0.5", "1"]),
        "memory": random.choice([None, "100Mi", "1G", "1.5Gi"]),
        "devices.kubevirt.io/kvm": _choose(random, 0.1, "1", None),
    }
    present = _present(requests)
    limits = {key: value for key, value in present.items() if "/" in key}
    return {"name": name, "image": "none", "resources": {"requests": present, "limits": limits}}


def _term(random: Random) -> Json:
    """Draw a pod term, also with fields that no KARL rule compiles to."""
    term: Json = {"topologyKey": random.choice([HOST, ZONE, "disk"])}
    label_selector = random.choice(_LABEL_SELECTORS)
    if label_selector is not None:
        term["labelSelector"] = label_selector
        if "app" not in str(label_selector) and random.random() < 0.4:
            term[random.choice(["matchLabelKeys", "mismatchLabelKeys"])] = ["app"]
    return term | random.choice(_NAMESPACE_FIELDS)


def _spread_constraints(random: Random) -> list[Json]:
    """Draw constraints with fields that no KARL rule compiles to; each topology key once."""
    return [
        _spread_constraint(random, key)
        for key in dict.fromkeys(_sample(random, [HOST, HOST, ZONE, "disk"], 2))
        if random.random() < 0.5
    ]


def _spread_constraint(random: Random, topology_key: str) -> Json:
    is_hard = random.random() < 0.9
    constraint: Json = {
        "topologyKey": topology_key,
        "maxSkew": random.choice([1, 1, 2]),
        "whenUnsatisfiable": "DoNotSchedule" if is_hard else "ScheduleAnyway",
    }
    any_app = {"matchExpressions": [{"key": "app", "operator": "Exists"}]}
    selector = random.choice([any_app, any_app, *_LABEL_SELECTORS])
    policies = ["Honor", "Ignore", None]
    optional: Json = {
        "labelSelector": selector,
        "matchLabelKeys": ["plan"] if selector and random.random() < 0.2 else None,
        "nodeAffinityPolicy": random.choice(["Ignore", *policies]),
        "nodeTaintsPolicy": random.choice(policies),
        "minDomains": random.choice([1, 2, 5]) if is_hard and random.random() < 0.3 else None,
    }
    return constraint | {name: value for name, value in optional.items() if value is not None}


_NAMESPACE_FIELDS: list[Json] = [
    {},
    {},
    {"namespaceSelector": {}},
    {"namespaceSelector": {"matchLabels": {"team": "migration"}}},
    {"namespaceSelector": {"matchExpressions": [{"key": "team", "operator": "Exists"}]}},
    {"namespaces": ["bare-drawn", TARGET]},
    {"namespaces": ["apps-drawn"], "namespaceSelector": {"matchLabels": {"tier": "infra"}}},
]


def _present(values: dict[str, str | None]) -> dict[str, str]:
    return {key: value for key, value in values.items() if value is not None}


def _choose(random: Random, chance: float, value: T, otherwise: T) -> T:
    return value if random.random() < chance else otherwise


def _sample(random: Random, choices: list[T], most: int) -> list[T]:
    return random.sample(choices, random.randint(0, most))


LABELS: dict[str, list[str | None]] = {
    "zone": [None, "a", "b"],
    "disk": [None, "ssd", "nvme"],
    "cores": [None, "8", "16", "many"],
    "memory": [None, "32Gi", "64Gi", "128Gi", "plenty"],
}
NODE_VALUES = {key: [value for value in values if value] for key, values in LABELS.items()}
NODES = every_node(LABELS)
FORKLIFT_LABELS = {
    "forklift.app": "virt-v2v",
    "plan": "0b1c",
    "migration": "7f0b",
    "vmID": "vm-1",
    "plan-name": "db",
    "plan-namespace": "forklift",
}


def selects(selector: dict[str, str], node: dict[str, str]) -> bool:
    """Return whether a node selector, in which `64Gi+` is a minimum, matches a node of `NODES`."""
    return all(
        is_at_least(node.get(key), value[:-1]) if value.endswith("+") else node.get(key) == value
        for key, value in selector.items()
        if key in LABELS
    )


def _expression(key: str, operator: str, *values: str) -> Json:
    return {"key": key, "operator": operator} | ({"values": list(values)} if values else {})


# Each choice costs hypothesis time, so strategies sample from lists that are built once.
_EXPRESSIONS = [
    *(
        _expression(key, operator, *chosen)
        for key, values in NODE_VALUES.items()
        for operator in ("In", "NotIn")
        for count in (1, 2)
        for chosen in combinations(values, count)
    ),
    *(_expression(key, operator) for key in LABELS for operator in ("Exists", "DoesNotExist")),
    *(_expression("cores", operator, bound) for operator in ("Gt", "Lt") for bound in ("7", "15")),
]
_MINIMUMS = [
    _expression("memory", operator, minimum)
    for operator in ("AtLeast", "NotAtLeast")
    for minimum in ("48Gi", "64Gi", "128Gi")
]
_SCOPES: list[Json] = [{}, {"namespaceSelector": {}}, {"namespaces": ["rook-ceph"]}]
_POD_TERMS = [
    pod_term(app, topology, **scope)
    for app in ("ceph", "db")
    for topology in (HOST, ZONE)
    for scope in _SCOPES
]
_WEIGHTED_POD_TERMS = [
    *({"weight": weight, "podAffinityTerm": term} for weight in (1, 100) for term in _POD_TERMS),
    FORKLIFT_SPREADING_TERM,
]


def _some(choices: Sequence[Json], most: int) -> st.SearchStrategy[list[Json]]:
    return st.lists(st.sampled_from(choices), min_size=1, max_size=most)


def _node_affinity(*, minimums: bool) -> st.SearchStrategy[Json]:
    choices = _EXPRESSIONS + _MINIMUMS * 4 if minimums else _EXPRESSIONS
    term = _some(choices, 2).map(lambda chosen: {"matchExpressions": chosen})
    terms = st.lists(term, min_size=1, max_size=3)
    weighted = terms.map(lambda each: [{"weight": 1, "preference": one} for one in each])
    required = terms.map(lambda each: {"nodeSelectorTerms": each})
    return st.fixed_dictionaries({}, optional={REQUIRED: required, PREFERRED: weighted})


_pod_affinity = st.fixed_dictionaries(
    {}, optional={REQUIRED: _some(_POD_TERMS, 2), PREFERRED: _some(_WEIGHTED_POD_TERMS, 3)}
)


def affinities(*, minimums: bool = False) -> st.SearchStrategy[Json]:
    """Return affinities, on request with `AtLeast` and `NotAtLeast` in their node expressions."""
    return st.fixed_dictionaries(
        {},
        optional={
            "nodeAffinity": _node_affinity(minimums=minimums),
            "podAffinity": _pod_affinity,
            "podAntiAffinity": _pod_affinity,
        },
    )


def _maps(**choices: list[str]) -> st.SearchStrategy[dict[str, str]]:
    """Return maps of some of the keys, each with one of its values."""
    return st.sampled_from(
        [
            {key: value for key, value in zip(choices, chosen, strict=True) if value}
            for chosen in product(*(["", *values] for values in choices.values()))
        ]
    )


_labels = _maps(**{"tier": ["x", "y"], "workload": ["x", "y"], "example.com/team~a": ["x", "y"]})
_tolerations = st.lists(
    st.sampled_from([{"key": key, "operator": "Exists"} for key in ("spot", "gpu", "storage")]),
    max_size=2,
    unique_by=str,
)
_SPREAD = [
    {
        "maxSkew": skew,
        "topologyKey": key,
        "whenUnsatisfiable": kind,
        "labelSelector": {"matchLabels": {"app": "virt-v2v"}},
        "nodeTaintsPolicy": "Honor",
    }
    for skew, key, kind in product((1, 5), (HOST, ZONE), (HARD, SOFT))
]
_spread = st.lists(st.sampled_from(_SPREAD), max_size=2, unique_by=spread_key)
_REQUIREMENTS = [
    _expression("cores", "Gt", "15"),
    _expression("memory", "AtLeast", "64Gi"),
    _expression("memory", "AtLeast", "48Gi"),
]


@st.composite
def settings(draw: st.DrawFn) -> Settings:
    """Draw settings as `webhook.settings.read` returns them: compiled, each key once."""
    requirements = draw(st.lists(st.sampled_from(_REQUIREMENTS), max_size=2, unique_by=_key))
    taken = {_key(requirement) for requirement in requirements}
    selector = draw(_maps(disk=["ssd", "nvme"], zone=["a", "b"], cores=["8", "16"]))
    copied = draw(affinities())
    return Settings(
        labels=draw(_labels),
        node_selector={key: value for key, value in selector.items() if key not in taken},
        node_requirements=requirements,
        affinity=merge_affinities(
            default_to_all_namespaces(copied), draw(affinities(minimums=True))
        ),
        copied=copied,
        tolerations=draw(_tolerations),
        affinity_policy=draw(st.sampled_from(AffinityPolicy)),
        mode=draw(st.sampled_from([None, *Mode])),
        spread=draw(_spread),
    )


def _key(expression: Json) -> str:
    return str(expression["key"])


@st.composite
def plans_with_pods(draw: st.DrawFn) -> tuple[Plan, Json]:
    """Draw a plan and its convertor pod, with settings of Forklift, of another client, or none."""
    plan = Plan(
        namespace="forklift",
        name=draw(st.sampled_from(["db", "x" * 64])),
        uid="0b1c",
        generation=3,
        target_namespace="target",
        settings=draw(settings()),
    )
    pod = draw(_pods(plan.settings.copied))
    # In JSON no value is shared, but hypothesis shares what it draws twice.
    return deepcopy(plan), msgspec.json.decode(msgspec.json.encode(pod))


def _pods(copied: Json) -> st.SearchStrategy[Json]:
    """Return pods with fields that are absent, null or set."""
    selector = _maps(
        **{"disk": ["ssd"], "cores": ["8", "16+"], "memory": ["64Gi+"], "example.com/a~b": ["x"]}
    )
    others = affinities()
    affinity = st.just(copied) | others.map(lambda other: merge_affinities(copied, other)) | others
    metadata = st.fixed_dictionaries(
        {
            "labels": _labels.map(lambda labels: FORKLIFT_LABELS | labels),
            "name": st.just("db-vm-1"),
        },
        optional={"annotations": st.sampled_from([None, {"example.com/note": "kept"}])},
    )
    spec = st.fixed_dictionaries(
        {"containers": st.just([{"name": "virt-v2v"}])},
        optional={
            "nodeSelector": st.none() | selector,
            "affinity": st.none() | affinity,
            "tolerations": st.none() | _tolerations,
            "topologySpreadConstraints": st.none() | _spread,
        },
    )
    return st.fixed_dictionaries({"metadata": metadata}, optional={"spec": spec | st.none()})


_AMOUNTS = {
    "cpu": ["100m", "0.5", "1", "1500m", "4"],
    "memory": ["512Mi", "1Gi", "1G", "8Gi", "16Gi"],
    "ephemeral-storage": ["1Gi", "60Gi", "200G"],
}
_AMOUNT_PAIRS = {
    name: [
        (request, limit)
        for request, limit in product(["", *amounts], repeat=2)
        if not (request and limit and quantity.is_more(request, limit))
    ]
    for name, amounts in _AMOUNTS.items()
}
"""Requests and limits that the API server accepts together; empty for none."""


@st.composite
def resources(draw: st.DrawFn) -> dict[str, str]:
    """Draw the setting `resources` as `webhook.settings` reads it."""
    found: dict[str, str] = {}
    for name, pairs in _AMOUNT_PAIRS.items():
        request, limit = draw(st.sampled_from(pairs))
        found |= {f"requests.{name}": request} if request else {}
        found |= {f"limits.{name}": limit} if limit else {}
    return found


@st.composite
def profiles(draw: st.DrawFn) -> ConvertorProfile:
    """Draw a profile of convertor pods."""
    security = [{}, {"type": "Unconfined"}, {"type": "Localhost", "localhostProfile": "v2v.json"}]
    variables = _maps(LIBGUESTFS_BACKEND=["direct"], TMPDIR=["/other"], A=["b", "c"])
    return ConvertorProfile(
        seccomp=draw(st.sampled_from(security)),
        app_armor=draw(st.sampled_from(security)),
        env=draw(variables),
        runtime_class=draw(st.sampled_from(["", "kata"])),
        scratch_volume=draw(st.sampled_from([None, ScratchVolume("10Gi", "fast")])),
        open_shift=draw(st.booleans()),
    )


@st.composite
def plans_with_whole_pods(draw: st.DrawFn) -> tuple[Plan, Json]:
    """Draw a plan with settings besides the place, and a pod as the API server has defaulted it."""
    plan, pod = draw(plans_with_pods())
    changed = msgspec.structs.replace(
        plan.settings,
        resources=draw(resources()),
        priority_class=draw(st.sampled_from(["", "migration", "low", "absent"])),
        pod_annotations=draw(_maps(**{"example.com/note": ["new"], "karpenter.sh/x": ["true"]})),
    )
    spec = {**(pod.get("spec") or {}), **draw(_whole_specs())}
    return msgspec.structs.replace(plan, settings=changed), pod | {"spec": spec}


@st.composite
def _whole_specs(draw: st.DrawFn) -> Json:
    scratch: Json | None = draw(
        st.sampled_from([None, {"emptyDir": {}}, {"persistentVolumeClaim": {"claimName": "x"}}])
    )
    main: Json = {
        "name": "virt-v2v",
        "image": "virt-v2v",
        "env": draw(st.sampled_from([[], [{"name": "A", "valueFrom": {}}, {"name": "V2V_x"}]])),
        "resources": draw(resources().map(_to_requirements)),
    }
    volumes: list[Json] = [{"name": "disk", "persistentVolumeClaim": {"claimName": "disk"}}]
    if scratch:
        main["volumeMounts"] = [{"name": "temporary", "mountPath": "/var/tmp/virt-v2v"}]
        volumes.append({"name": "temporary", **scratch})
    if draw(st.booleans()):
        main["securityContext"] = {"seccompProfile": {"type": "RuntimeDefault"}}
    others = draw(st.sampled_from([[], [{"name": "sidecar", "image": "x"}]]))
    profile = draw(
        st.sampled_from(
            [{}, {"type": "RuntimeDefault"}, deepcopy(OPENSHIFT_PROFILE)],
        )
    )
    return {
        "containers": [*others, main],
        "volumes": volumes,
        "securityContext": {"seccompProfile": profile} if profile else {},
        "priority": 0,
        "preemptionPolicy": "PreemptLowerPriority",
        **draw(st.sampled_from([{}, {"priorityClassName": "low", "priority": 5}])),
    }


def _to_requirements(settings_value: dict[str, str]) -> Json:
    """Return core/v1 ResourceRequirements, in which a limit without a request is one too."""
    found: Json = {"requests": {}, "limits": {}}
    for name, amount in settings_value.items():
        part, _, resource = name.partition(".")
        found[part][resource] = amount
    found["requests"] = found["limits"] | found["requests"]
    return {part: amounts for part, amounts in found.items() if amounts}
