"""What is read of a Plan as Kubernetes has it: of tens of kilobytes some hundred bytes."""

import re
from typing import Any

import msgspec

from webhook.kube.objects import Json

GROUP = "forklift.konveyor.io"
API_VERSION = f"{GROUP}/v1beta1"
KIND = "Plan"
PATH = f"/apis/{API_VERSION}"

NAME = re.compile(r"[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?")
"""Of a Plan and of a namespace; nothing else may become part of a path."""


class OwnedMetadata(msgspec.Struct, frozen=True, omit_defaults=True):
    """Of a Plan's metadata, what somebody has written."""

    annotations: dict[str, Any] = msgspec.field(name="f:annotations", default={})


class OwnedSpec(msgspec.Struct, frozen=True, omit_defaults=True):
    """Of a Plan's spec, what somebody has written and counts."""

    labels: Any = msgspec.field(name="f:convertorLabels", default=None)
    node_selector: Any = msgspec.field(name="f:convertorNodeSelector", default=None)
    affinity: Any = msgspec.field(name="f:convertorAffinity", default=None)


class Owned(msgspec.Struct, frozen=True, omit_defaults=True):
    """What somebody has written."""

    metadata: OwnedMetadata = msgspec.field(name="f:metadata", default=OwnedMetadata())
    spec: OwnedSpec = msgspec.field(name="f:spec", default=OwnedSpec())


class Managed(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who has written what, and when; the what alone counts."""

    time: str = ""
    fields: Owned = msgspec.field(name="fieldsV1", default=Owned())


class Metadata(msgspec.Struct, omit_defaults=True):
    """Of a Plan's metadata, what counts."""

    name: str
    namespace: str = ""
    uid: str = ""
    generation: int = 0
    annotations: dict[str, str] | None = None
    resource_version: str = msgspec.field(name="resourceVersion", default="")
    created: str | None = msgspec.field(name="creationTimestamp", default=None)
    managed: list[Managed] | None = msgspec.field(name="managedFields", default=None)


class Spec(msgspec.Struct, omit_defaults=True):
    """Of a Plan's spec, what counts, of whatever type: `webhook.settings` judges that."""

    target_namespace: Any = msgspec.field(name="targetNamespace", default=None)
    labels: Any = msgspec.field(name="convertorLabels", default=None)
    node_selector: Any = msgspec.field(name="convertorNodeSelector", default=None)
    affinity: Any = msgspec.field(name="convertorAffinity", default=None)


class PlanObject(msgspec.Struct, omit_defaults=True):
    """A Plan without its VMs and its status."""

    metadata: Metadata
    spec: Spec | None = None

    def as_json(self) -> Json:
        """Return the Plan as `webhook.settings.read` takes it."""
        plan: Json = msgspec.to_builtins(self)
        return plan
