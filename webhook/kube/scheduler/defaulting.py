"""A pod as the API server keeps it, before there is one.

What it changes of that which a scheduler looks at: label keys of pod terms become expressions,
and every pod tolerates for some minutes that its node is not ready. The requests of containers are
taken to be given.
"""

from typing import Any

from webhook.kube.affinity import PREFERRED, REQUIRED
from webhook.kube.objects import Json, labels_of, spec_of

_LABEL_KEYS = {"matchLabelKeys": "In", "mismatchLabelKeys": "NotIn"}
_OUTAGES = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
_EFFECT, _SECONDS = "NoExecute", 300


def admitted(pod: Json) -> Json:
    """Return a pod as it will be once it is created. Not for one that is: its terms are done."""
    spec = spec_of(pod)
    changed = {
        "tolerations": _tolerations(spec.get("tolerations") or []),
        "affinity": _affinity(spec.get("affinity") or {}, labels_of(pod)),
    }
    return pod | {"spec": spec | {field: value for field, value in changed.items() if value}}


def _tolerations(tolerations: list[Json]) -> list[Json]:
    """Add what the admission plugin DefaultTolerationSeconds adds."""
    return tolerations + [
        {"key": key, "operator": "Exists", "effect": _EFFECT, "tolerationSeconds": _SECONDS}
        for key in _OUTAGES
        if not any(_is_about(each, key) for each in tolerations)
    ]


def _is_about(toleration: Json, key: str) -> bool:
    return (toleration.get("key") or key, toleration.get("effect") or _EFFECT) == (key, _EFFECT)


def _affinity(affinity: Json, labels: dict[str, str]) -> Json:
    return affinity | {
        kind: _pod_terms(affinity[kind], labels)
        for kind in ("podAffinity", "podAntiAffinity")
        if affinity.get(kind)
    }


def _pod_terms(kind: Json, labels: dict[str, str]) -> Json:
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
    """Say of which value a label is that is to be the pod's own, or another than that."""
    expressions = [
        {"key": key, "operator": operator, "values": [labels[key]]}
        for field, operator in _LABEL_KEYS.items()
        for key in term.get(field) or ()
        if key in labels
    ]
    selector = term.get("labelSelector")
    if selector is None or not expressions:
        return term
    written = selector.get("matchExpressions") or []
    return term | {"labelSelector": selector | {"matchExpressions": written + expressions}}
