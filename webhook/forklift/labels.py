"""The labels and the affinity term that Forklift gives its pods."""

from webhook.kube.objects import Json

CONVERTOR_LABEL = "forklift.app"
CONVERTOR_VALUE = "virt-v2v"

SYSTEM_LABELS = frozenset(
    {
        CONVERTOR_LABEL,
        "plan",
        "migration",
        "vmID",
        "plan-name",
        "plan-namespace",
        "conversion",
        "conversion-type",
        "resource",
    }
)
"""Forklift's own labels, by which it finds its pods again: no setting names one of them.

Up to 2.11 it goes by these alone, from 2.12 on by all labels that it created a pod with.
"""

FORKLIFT_SPREADING_TERM: Json = {
    "weight": 100,
    "podAffinityTerm": {
        "labelSelector": {
            "matchExpressions": [
                {"key": CONVERTOR_LABEL, "operator": "In", "values": [CONVERTOR_VALUE]}
            ]
        },
        "topologyKey": "kubernetes.io/hostname",
        "namespaceSelector": {},
    },
}
"""The one preferred podAntiAffinity term that Forklift gives a pod whose plan asks nothing."""
