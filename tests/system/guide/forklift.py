"""The convertor pods that three generations of Forklift create for a Plan."""

import copy
import json
from enum import StrEnum

from tests.support.paths import DATA
from tests.system.controlplane.api import Json

TEMPLATE_PLAN, TEMPLATE_VM = "plain", "vm-1630"
"""The plan and the VM of the pods in tests/data/pods."""


class Generation(StrEnum):
    """A generation of Forklift; its pods changed twice."""

    V2_9 = "2.9"
    V2_10 = "2.10"
    V2_12 = "2.12"

    @property
    def template(self) -> str:
        return "v2.9-vsphere-cold" if self is self.V2_9 else f"v{self}-vsphere-no-settings"

    @property
    def plans(self) -> str:
        """The file with its Plan CRD."""
        return {
            self.V2_9: "plans-v2.9.2.yaml",
            self.V2_10: "plans-v2.10.6.yaml",
            self.V2_12: "plans-v2.12.5.yaml",
        }[self]


def convertor_pod(generation: Generation, plan: Json, vm: str = TEMPLATE_VM) -> Json:
    """Return the pod of one VM of a Plan that the API server has stored.

    From 2.10 on Forklift applies the Plan's fields itself: labels are added, up to 2.11 without
    replacing its own, from 2.12 on replacing them; node selector keys replace its own; so does the
    affinity.
    """
    path = DATA / "pods" / f"{generation.template}.json"
    pod: Json = json.loads(_renamed(path.read_text(encoding="utf-8"), plan, vm))
    metadata, spec, fields = pod["metadata"], pod["spec"], copy.deepcopy(plan["spec"])
    metadata["namespace"] = fields["targetNamespace"]
    metadata["labels"]["plan"] = plan["metadata"]["uid"]
    if generation is Generation.V2_12:
        metadata["labels"]["plan-namespace"] = plan["metadata"]["namespace"]
    if generation is Generation.V2_10:
        metadata["labels"] = fields.get("convertorLabels", {}) | metadata["labels"]
    if generation is Generation.V2_12:
        metadata["labels"] |= fields.get("convertorLabels", {})
    if generation is not Generation.V2_9:
        spec["nodeSelector"] |= fields.get("convertorNodeSelector", {})
        spec["affinity"] = fields.get("convertorAffinity", spec["affinity"])
    return {"apiVersion": "v1", "kind": "Pod", **pod}


def _renamed(text: str, plan: Json, vm: str) -> str:
    """Replace the names of the plan and the VM, also in names that Forklift derives from them."""
    name = plan["metadata"]["name"]
    return (
        text.replace(f'"{TEMPLATE_PLAN}"', f'"{name}"')
        .replace(f'"{TEMPLATE_PLAN}-{TEMPLATE_VM}', f'"{name}-{TEMPLATE_VM}')
        .replace(TEMPLATE_VM, vm)
    )
