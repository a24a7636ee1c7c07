"""The API server's defaulting, for a pod that has not been created.

Only the defaults that affect scheduling: label keys of pod terms become expressions, and every
pod tolerates for five minutes that its node is not ready or not reachable. Containers are assumed
to have requests already.
"""

from typing import Any

from webhook.kube.affinity import PREFERRED, REQUIRED
from webhook.kube.objects import Json, labels_of, spec_of

_LABEL_KEY_OPERATORS = {"matchLabelKeys": "In", "mismatchLabelKeys": "NotIn"}
_OUTAGE_TAINTS = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
_OUTAGE_EFFECT = "NoExecute"
_OUTAGE_TOLERATION_SECONDS = 300


def with_defaults(pod: Json) -> Json:
    """Return a copy of a pod with the defaults that it will have once it is created.

    Not for an existing pod: its label keys would be added to its terms a second time.
    """
    spec = spec_of(pod)
    changed = {
        "tolerations": _default_tolerations(spec.get("tolerations") or []),
        "affinity": _default_affinity(spec.get("affinity") or {}, labels_of(pod)),
    }
    return pod | {"spec": spec | {field: value for field, value in changed.items() if value}}


def _default_tolerations(tolerations: list[Json]) -> list[Json]:
    """Add the tolerations of the admission plugin DefaultTolerationSeconds."""
    return tolerations + [
        {
            "key": key,
            "operator": "Exists",
            "effect": _OUTAGE_EFFECT,
            "tolerationSeconds": _OUTAGE_TOLERATION_SECONDS,
        }
        for key in _OUTAGE_TAINTS
        if not any(_tolerates_outage(each, key) for each in tolerations)
    ]


def _tolerates_outage(toleration: Json, key: str) -> bool:
    effect = toleration.get("effect") or _OUTAGE_EFFECT
    return (toleration.get("key") or key, effect) == (key, _OUTAGE_EFFECT)


def _default_affinity(affinity: Json, labels: dict[str, str]) -> Json:
    return affinity | {
        kind: _default_pod_terms(affinity[kind], labels)
        for kind in ("podAffinity", "podAntiAffinity")
        if affinity.get(kind)
    }


def _default_pod_terms(kind: Json, labels: dict[str, str]) -> Json:
    required: list[Json] = kind.get(REQUIRED) or []
    preferred: list[Json] = kind.get(PREFERRED) or []
    changed: dict[str, Any] = {
        REQUIRED: [_with_label_keys(term, labels) for term in required],
        PREFERRED: [
            each | {"podAffinityTerm": _with_label_keys(each["podAffinityTerm"], labels)}
            for each in preferred
        ],
    }
    return kind | {field: terms for field, terms in changed.items() if terms}


def _with_label_keys(term: Json, labels: dict[str, str]) -> Json:
    """Add matchLabelKeys and mismatchLabelKeys to the labelSelector, with the pod's own values."""
    expressions = [
        {"key": key, "operator": operator, "values": [labels[key]]}
        for field, operator in _LABEL_KEY_OPERATORS.items()
        for key in term.get(field) or ()
        if key in labels
    ]
    selector = term.get("labelSelector")
    if selector is None or not expressions:
        return term
    written = selector.get("matchExpressions") or []
    return term | {"labelSelector": selector | {"matchExpressions": written + expressions}}
