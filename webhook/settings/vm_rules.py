"""The fields of a Plan that say where its VMs must run, from Forklift 2.10 on."""

from webhook.kube.affinity_validation import validate_affinity
from webhook.kube.objects import Json, nested_map, nested_strings
from webhook.model import VmRules

VM_RULES = ("targetLabels", "targetNodeSelector", "targetAffinity")


def read_vm_rules(spec: Json) -> VmRules | None:
    """Read the rules of a Plan's VMs; None if there are none.

    The API server has validated them. In a file they may be invalid, and then they are left out:
    they are not settings.
    """
    node_selector = nested_strings(spec, "targetNodeSelector")
    affinity = nested_map(spec, "targetAffinity")
    if affinity and validate_affinity(affinity):
        affinity = {}
    if not (node_selector or affinity):
        return None
    return VmRules(nested_strings(spec, "targetLabels"), node_selector, affinity)
