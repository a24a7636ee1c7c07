"""Pods, settings and nodes for hypothesis: few keys and values, so that things meet.

Nodes have the labels zone, disk, cores (integers, mostly) and memory (quantities), so that every
operator has something to bite on, and all nodes that there can be are few enough to be tried.
"""

from collections.abc import Sequence
from copy import deepcopy
from itertools import combinations, product

import msgspec
from hypothesis import strategies as st

from webhook.forklift.labels import FORKLIFT_SPREADING_TERM
from webhook.kube import quantity
from webhook.kube.affinity import PREFERRED, REQUIRED, default_to_all_namespaces, merge_affinities
from webhook.kube.objects import Json
from webhook.model import (
    AffinityPolicy,
    Mode,
    Plan,
    Settings,
)

LABELS: dict[str, list[str | None]] = {
    "zone": [None, "a", "b"],
    "disk": [None, "ssd", "nvme"],
    "cores": [None, "8", "16", "many"],
    "memory": [None, "32Gi", "64Gi", "128Gi", "plenty"],
}
NODE_VALUES = {key: [value for value in values if value] for key, values in LABELS.items()}
NODES: list[dict[str, str]] = [
    {key: value for key, value in zip(LABELS, values, strict=True) if value}
    for values in product(*LABELS.values())
]

SYSTEM = {
    "forklift.app": "virt-v2v",
    "plan": "0b1c",
    "migration": "7f0b",
    "vmID": "vm-1",
    "plan-name": "db",
    "plan-namespace": "forklift",
}


def meets(labels: dict[str, str], expression: Json) -> bool:
    """Whether a node with these labels is what a node expression asks for; as the scheduler."""
    found = labels.get(expression["key"])
    values = expression.get("values") or [""]
    meanings = {
        "In": lambda: found in values,
        "NotIn": lambda: found not in values,
        "Exists": lambda: found is not None,
        "DoesNotExist": lambda: found is None,
        "Gt": lambda: found is not None and found.isdigit() and int(found) > int(values[0]),
        "Lt": lambda: found is not None and found.isdigit() and int(found) < int(values[0]),
        "AtLeast": lambda: _at_least(found, values[0]),
        "NotAtLeast": lambda: not _at_least(found, values[0]),
    }
    return meanings[expression["operator"]]()


def _at_least(found: str | None, minimum: str) -> bool:
    try:
        return found is not None and quantity.parse(found) >= quantity.parse(minimum)
    except ValueError:
        return False


def admits(affinity: Json, labels: dict[str, str]) -> bool:
    """Whether the required node terms of an affinity admit a node."""
    required = ((affinity.get("nodeAffinity") or {}).get(REQUIRED) or {}).get("nodeSelectorTerms")
    return not required or any(
        bool(term.get("matchExpressions"))
        and all(meets(labels, expression) for expression in term["matchExpressions"])
        for term in required
    )


def selects(selector: dict[str, str], labels: dict[str, str]) -> bool:
    """Whether a node selector takes a node, where `64Gi+` means at least that; by LABELS only."""
    return all(
        _at_least(labels.get(key), value[:-1]) if value.endswith("+") else labels.get(key) == value
        for key, value in selector.items()
        if key in LABELS
    )


def _expression(key: str, operator: str, *values: str) -> Json:
    return {"key": key, "operator": operator} | ({"values": list(values)} if values else {})


# Strategies draw from lists that are made once: hypothesis takes its time for each choice.
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
_OUR_EXPRESSIONS = [
    _expression("memory", operator, minimum)
    for operator in ("AtLeast", "NotAtLeast")
    for minimum in ("48Gi", "64Gi", "128Gi")
]
_SCOPES: list[Json] = [{}, {"namespaceSelector": {}}, {"namespaces": ["rook-ceph"]}]
_POD_TERMS = [
    {"labelSelector": {"matchLabels": {"app": app}}, "topologyKey": topology} | scope
    for app in ("ceph", "db")
    for topology in ("kubernetes.io/hostname", "topology.kubernetes.io/zone")
    for scope in _SCOPES
]
_WEIGHTED_POD_TERMS = [
    *({"weight": weight, "podAffinityTerm": term} for weight in (1, 100) for term in _POD_TERMS),
    FORKLIFT_SPREADING_TERM,
]


def _some(choices: Sequence[Json], most: int) -> st.SearchStrategy[list[Json]]:
    return st.lists(st.sampled_from(choices), min_size=1, max_size=most)


def _node_affinity(*, ours: bool) -> st.SearchStrategy[Json]:
    choices = _EXPRESSIONS + _OUR_EXPRESSIONS * 4 if ours else _EXPRESSIONS
    term = _some(choices, 2).map(lambda chosen: {"matchExpressions": chosen})
    terms = st.lists(term, min_size=1, max_size=3)
    weighted = terms.map(lambda each: [{"weight": 1, "preference": one} for one in each])
    required = terms.map(lambda each: {"nodeSelectorTerms": each})
    return st.fixed_dictionaries({}, optional={REQUIRED: required, PREFERRED: weighted})


_pod_affinity = st.fixed_dictionaries(
    {}, optional={REQUIRED: _some(_POD_TERMS, 2), PREFERRED: _some(_WEIGHTED_POD_TERMS, 3)}
)


def affinities(*, ours: bool = False) -> st.SearchStrategy[Json]:
    """Affinities; with `ours`, their node expressions may have the operators of the webhook."""
    return st.fixed_dictionaries(
        {},
        optional={
            "nodeAffinity": _node_affinity(ours=ours),
            "podAffinity": _pod_affinity,
            "podAntiAffinity": _pod_affinity,
        },
    )


def _maps(**choices: list[str]) -> st.SearchStrategy[dict[str, str]]:
    """Draw labels or a node selector: some of the keys, each with one of its values."""
    return st.sampled_from(
        [
            {key: value for key, value in zip(choices, chosen, strict=True) if value}
            for chosen in product(*(["", *values] for values in choices.values()))
        ]
    )


_labels = _maps(**{"app": ["x", "y"], "workload": ["x", "y"], "example.com/team~a": ["x", "y"]})
_tolerations = st.lists(
    st.sampled_from([{"key": key, "operator": "Exists"} for key in ("spot", "gpu", "storage")]),
    max_size=2,
    unique_by=str,
)
_REQUIREMENTS = [
    _expression("cores", "Gt", "15"),
    _expression("memory", "AtLeast", "64Gi"),
    _expression("memory", "AtLeast", "48Gi"),
]


@st.composite
def settings(draw: st.DrawFn) -> Settings:
    """Draw settings as `webhook.settings.read` makes them: compiled, widened, each key once."""
    requirements = draw(st.lists(st.sampled_from(_REQUIREMENTS), max_size=2, unique_by=_key))
    taken = {_key(requirement) for requirement in requirements}
    selector = draw(_maps(disk=["ssd", "nvme"], zone=["a", "b"], cores=["8", "16"]))
    written = draw(affinities())
    return Settings(
        labels=draw(_labels),
        node_selector={key: value for key, value in selector.items() if key not in taken},
        node_requirements=requirements,
        affinity=merge_affinities(default_to_all_namespaces(written), draw(affinities(ours=True))),
        copied=written,
        tolerations=draw(_tolerations),
        affinity_policy=draw(st.sampled_from(AffinityPolicy)),
        mode=draw(st.sampled_from([None, *Mode])),
    )


def _key(expression: Json) -> str:
    return str(expression["key"])


@st.composite
def plans_with_pods(draw: st.DrawFn) -> tuple[Plan, Json]:
    """Draw a plan, and a convertor pod: bare, filled by Forklift, or by somebody else as well."""
    plan = Plan(
        namespace="forklift",
        name=draw(st.sampled_from(["db", "x" * 64])),
        uid="0b1c",
        generation=3,
        target_namespace="target",
        settings=draw(settings()),
    )
    pod = draw(_pods(plan.settings.copied))
    # Nothing in JSON is shared; what hypothesis draws twice would be.
    return deepcopy(plan), msgspec.json.decode(msgspec.json.encode(pod))


def _pods(copied: Json) -> st.SearchStrategy[Json]:
    """Draw pods in which whatever is null might as well be absent."""
    selector = _maps(
        **{"disk": ["ssd"], "cores": ["8", "16+"], "memory": ["64Gi+"], "example.com/a~b": ["x"]}
    )
    others = affinities()
    affinity = st.just(copied) | others.map(lambda other: merge_affinities(copied, other)) | others
    metadata = st.fixed_dictionaries(
        {"labels": _labels.map(lambda labels: SYSTEM | labels), "name": st.just("db-vm-1")},
        optional={"annotations": st.sampled_from([None, {"example.com/note": "kept"}])},
    )
    spec = st.fixed_dictionaries(
        {"containers": st.just([{"name": "virt-v2v"}])},
        optional={
            "nodeSelector": st.none() | selector,
            "affinity": st.none() | affinity,
            "tolerations": st.none() | _tolerations,
        },
    )
    return st.fixed_dictionaries({"metadata": metadata}, optional={"spec": spec | st.none()})
