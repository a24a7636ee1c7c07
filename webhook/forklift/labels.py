"""The labels and the affinity term that Forklift sets on its pods, and reserved labels."""

from webhook.kube.objects import Json

CONVERTOR_LABEL = "forklift.app"
CONVERTOR_VALUE = "virt-v2v"
SCHEDULABLE_LABEL = "kubevirt.io/schedulable"
"""`true` on every node that can run VMs; it is in the node selector of Forklift's own pods."""
CDI_APP = "containerized-data-importer"
"""Value of the label `app` of CDI's pods and prime PVCs."""

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

_IMPORTER_LABEL = "app"
_POPULATOR_LABELS = frozenset({"pvcName", "sourceHost"})
_KUBEVIRT = "kubevirt.io"
"""Domain of the labels of KubeVirt and, below it, of CDI."""


def role_label(prefix: str) -> str:
    """Return the label with the role of placed pods that are not convertors."""
    return f"{prefix}/role"


def is_reserved_label(key: str, prefix: str) -> bool:
    """Return whether no setting may add a label; `prefix` is that of the annotations."""
    return describe_reserved_label(key, prefix) is not None


def describe_reserved_label(key: str, prefix: str) -> str | None:
    """Return what a label is for that no setting may add, and None for all other labels.

    Forklift and CDI select, count and delete pods by these labels, some of them by one alone.
    """
    if key in SYSTEM_LABELS:
        return "a system label, by which Forklift finds its pods"
    if key == _IMPORTER_LABEL:
        return (
            f"a label by which Forklift finds importers, and {key}={CONVERTOR_VALUE} is the "
            "identity label of convertor pods"
        )
    if key in _POPULATOR_LABELS:
        return "a label by which Forklift finds and counts populators"
    domain = key.partition("/")[0]
    if domain == _KUBEVIRT or domain.endswith(f".{_KUBEVIRT}"):
        return "a label of KubeVirt and CDI, which select pods by it"
    if key == role_label(prefix):
        return "the label that the webhook itself adds"
    return None


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
