"""The fields of the Plan CRD that placement uses; nothing else is decoded.

That is some hundred bytes of tens of kilobytes.
"""

import hashlib
import re
from typing import Any

import msgspec
from msgspec import Raw

from webhook.kube.objects import Json
from webhook.kube.sizes import MAX_FIELD_BYTES, TooLarge

GROUP = "forklift.konveyor.io"
API_VERSION = f"{GROUP}/v1beta1"
KIND = "Plan"
API_PATH = f"/apis/{API_VERSION}"

NAME_PATTERN = re.compile(r"[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?")
"""Names of Plans and namespaces. Other texts are never put into a request path."""


class MetadataFields(msgspec.Struct, frozen=True, omit_defaults=True):
    """The fields of a Plan's metadata that a field manager owns."""

    annotations: dict[str, Any] = msgspec.field(name="f:annotations", default={})


class SpecFields(msgspec.Struct, frozen=True, omit_defaults=True):
    """The fields of a Plan's spec that a field manager owns."""

    labels: Any = msgspec.field(name="f:convertorLabels", default=None)
    node_selector: Any = msgspec.field(name="f:convertorNodeSelector", default=None)
    affinity: Any = msgspec.field(name="f:convertorAffinity", default=None)


class FieldsV1(msgspec.Struct, frozen=True, omit_defaults=True):
    """The fields that a field manager owns."""

    metadata: MetadataFields = msgspec.field(name="f:metadata", default=MetadataFields())
    spec: SpecFields = msgspec.field(name="f:spec", default=SpecFields())


class ManagedFieldsEntry(msgspec.Struct, frozen=True, omit_defaults=True):
    """The fields of a field manager, and the time of its last change; its name is not used."""

    time: str = ""
    fields: FieldsV1 = msgspec.field(name="fieldsV1", default=FieldsV1())


class ObjectMetadata(msgspec.Struct, omit_defaults=True):
    """The metadata of a Plan without managedFields."""

    name: str
    namespace: str = ""
    uid: str = ""
    generation: int = 0
    annotations: dict[str, str] | None = None
    resource_version: str = msgspec.field(name="resourceVersion", default="")
    creation_timestamp: str | None = msgspec.field(name="creationTimestamp", default=None)


class Metadata(ObjectMetadata, omit_defaults=True):
    """The metadata of a Plan."""

    managed_fields: list[ManagedFieldsEntry] | None = msgspec.field(
        name="managedFields", default=None
    )


class WatchedMetadata(ObjectMetadata):
    """The metadata of a Plan from the API server."""

    managed_fields: Raw = msgspec.field(name="managedFields", default=Raw())

    def to_json(self) -> Json:
        """Return the metadata as a JSON object."""
        fields = {name: getattr(self, name) for name in ObjectMetadata.__struct_fields__}
        entries = decode_managed_fields(self.managed_fields)
        metadata: Json = msgspec.to_builtins(Metadata(**fields, managed_fields=entries))
        return metadata


class Spec(msgspec.Struct, omit_defaults=True):
    """The spec of a Plan. Fields may have any type, which `webhook.settings` checks."""

    target_namespace: Any = msgspec.field(name="targetNamespace", default=None)
    labels: Any = msgspec.field(name="convertorLabels", default=None)
    node_selector: Any = msgspec.field(name="convertorNodeSelector", default=None)
    affinity: Any = msgspec.field(name="convertorAffinity", default=None)
    vm_labels: Any = msgspec.field(name="targetLabels", default=None)
    vm_node_selector: Any = msgspec.field(name="targetNodeSelector", default=None)
    vm_affinity: Any = msgspec.field(name="targetAffinity", default=None)
    type: Any = None
    warm: Any = None


class PlanObject(msgspec.Struct, omit_defaults=True):
    """A Plan without its VMs and its status."""

    metadata: Metadata
    spec: Spec | None = None

    def to_json(self) -> Json:
        """Return the Plan as a JSON object, for `webhook.settings.read`."""
        plan: Json = msgspec.to_builtins(self)
        return plan


class RawSpec(msgspec.Struct):
    """The spec of a Plan, as JSON; absent fields are empty."""

    target_namespace: Raw = msgspec.field(name="targetNamespace", default=Raw())
    labels: Raw = msgspec.field(name="convertorLabels", default=Raw())
    node_selector: Raw = msgspec.field(name="convertorNodeSelector", default=Raw())
    affinity: Raw = msgspec.field(name="convertorAffinity", default=Raw())
    vm_labels: Raw = msgspec.field(name="targetLabels", default=Raw())
    vm_node_selector: Raw = msgspec.field(name="targetNodeSelector", default=Raw())
    vm_affinity: Raw = msgspec.field(name="targetAffinity", default=Raw())
    type: Raw = Raw()
    warm: Raw = Raw()


class WatchedPlan(msgspec.Struct):
    """A Plan from the API server, of which a setting may have megabytes.

    Decoding one would hold the interpreter's lock, and stop the event loop, for half a second.
    """

    metadata: WatchedMetadata
    spec: RawSpec | None = None

    def to_json(self) -> Json:
        """Return the Plan as `PlanObject.to_json`, with `TooLarge` for settings that are."""
        plan: Json = {"metadata": self.metadata.to_json()}
        if self.spec is not None:
            values = {name: getattr(self.spec, field) for field, name in _SPEC_FIELDS.items()}
            plan["spec"] = {name: decode_setting(raw) for name, raw in values.items() if len(raw)}
        return plan


_SPEC_FIELDS = {field.name: field.encode_name for field in msgspec.structs.fields(RawSpec)}


def decode_managed_fields(raw: Raw) -> list[ManagedFieldsEntry] | None:
    """Decode managedFields; if they are too large, as if each entry owned a setting.

    The time of a change of settings may then be too late, as for any entry with other fields.
    """
    if not len(raw):
        return None
    if len(raw) <= MAX_FIELD_BYTES:
        return msgspec.json.decode(raw, type=list[ManagedFieldsEntry] | None)
    times = msgspec.json.decode(raw, type=list[_ManagedFieldsTime])
    owned = FieldsV1(spec=SpecFields(labels={}))
    return [ManagedFieldsEntry(each.time, owned) for each in times]


class _ManagedFieldsTime(msgspec.Struct):
    time: str = ""


def decode_setting(raw: Raw) -> Any:
    """Decode the JSON of a setting, unless it is `TooLarge`.

    Raises:
        msgspec.DecodeError, UnicodeDecodeError: it is not JSON.

    """
    if len(raw) > MAX_FIELD_BYTES:
        return TooLarge(len(raw), hashlib.sha256(raw).hexdigest())
    return msgspec.json.decode(raw)
