"""The labels and the affinity term that Forklift sets on its pods."""

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
"""Forklift's own labels, which no setting may change, because Forklift selects its pods by them.

Up to 2.11 Forklift selects by these labels only, from 2.12 on by all labels that it set.
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
"""The preferred podAntiAffinity term that Forklift sets on a pod if its plan has no affinity."""
