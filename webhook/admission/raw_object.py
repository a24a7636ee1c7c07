"""The fields of pods and Plans that reviews read; all others are skipped, whatever their size.

A review has the whole object, in a shape that its author chooses: as Python objects, 7 MiB of
`{},{},` would block the event loop for half a second. So the fields stay JSON until they are known
to be of a size that is handled in milliseconds.
"""

import contextlib
import math
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Raw

from webhook.forklift.plan import decode_setting
from webhook.kube.labels import MAX_KEY_LENGTH, MAX_NAME_LENGTH
from webhook.kube.messages import describe_validation_error
from webhook.kube.objects import Json
from webhook.kube.sizes import MAX_ANNOTATIONS_BYTES, MAX_FIELD_BYTES, MAX_POD_ENTRIES

Fields = Mapping[str, Iterable[str]]
"""The fields of RawMetadata and RawSpec to decode, by `metadata` and `spec`."""


class FieldError(ValueError):
    """A field is too large, or is not what Kubernetes defines; the text has its path."""


class _RawFields(msgspec.Struct, rename="camel"):
    """Fields as JSON; absent ones are empty."""

    def decode(self, fields: Iterable[str]) -> Json:
        """Return an object with these fields only, as far as they are present.

        A setting that is too large becomes `TooLarge`, which is a problem of its Plan.

        Raises:
            FieldError: another field is too large, or one is malformed.

        """
        return {
            _NAMES[field]: _decode_field(field, value)
            for field in fields
            if len(value := getattr(self, field))
        }


class RawMetadata(_RawFields):
    """Fields of metadata."""

    name: Raw = Raw()
    generate_name: Raw = Raw()
    namespace: Raw = Raw()
    uid: Raw = Raw()
    generation: Raw = Raw()
    deletion_timestamp: Raw = Raw()
    labels: Raw = Raw()
    annotations: Raw = Raw()
    owner_references: Raw = Raw()


class RawSpec(_RawFields):
    """Fields of the spec of a pod or a Plan."""

    node_selector: Raw = Raw()
    affinity: Raw = Raw()
    tolerations: Raw = Raw()
    node_name: Raw = Raw()
    containers: Raw = Raw()
    volumes: Raw = Raw()
    security_context: Raw = Raw()
    runtime_class_name: Raw = Raw()
    priority_class_name: Raw = Raw()
    priority: Raw = Raw()
    preemption_policy: Raw = Raw()
    topology_spread_constraints: Raw = Raw()
    target_namespace: Raw = Raw()
    convertor_labels: Raw = Raw()
    convertor_node_selector: Raw = Raw()
    convertor_affinity: Raw = Raw()
    target_labels: Raw = Raw()
    target_node_selector: Raw = Raw()
    target_affinity: Raw = Raw()


class RawObject(msgspec.Struct):
    """A Kubernetes object."""

    metadata: RawMetadata | None = None
    spec: RawSpec | None = None

    def decode(self, fields: Fields) -> Json:
        """Return the object with these fields only; see `RawMetadata.decode`."""
        parents = {"metadata": self.metadata, "spec": self.spec}
        return {
            parent: raw.decode(fields[parent]) for parent, raw in parents.items() if raw is not None
        }


POD_IDENTITY = ("labels", "owner_references")
"""The fields of a convertor pod's metadata that name its plan."""

POD_FIELDS: Fields = {
    "metadata": ("name", *POD_IDENTITY, "annotations"),
    "spec": (
        *("node_selector", "affinity", "tolerations", "topology_spread_constraints", "node_name"),
        *("containers", "volumes", "security_context", "runtime_class_name"),
        *("priority_class_name", "priority", "preemption_policy"),
    ),
}
_SETTINGS = (
    *("convertor_labels", "convertor_node_selector", "convertor_affinity"),
    *("target_labels", "target_node_selector", "target_affinity"),
)
"""The fields that a user fills; one that is too large is not a reason to fail the review."""
PLAN_FIELDS: Fields = {
    "metadata": ("name", "namespace", "uid", "generation", "deletion_timestamp", "annotations"),
    "spec": ("target_namespace", *_SETTINGS),
}

_NAMES = {
    field.name: field.encode_name
    for struct in (RawMetadata, RawSpec)
    for field in msgspec.structs.fields(struct)
}
_PATHS = {
    field: f"{parent}.{_NAMES[field]}"
    for parent, struct in (("metadata", RawMetadata), ("spec", RawSpec))
    for field in struct.__struct_fields__
}


def read_text(raw: Raw) -> str:
    """Return the text of a field; empty if it is absent or not text."""
    try:
        return _decode_text(raw) if len(raw) else ""
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""


_LabelKey = Annotated[str, Meta(max_length=MAX_KEY_LENGTH)]
_LabelValue = Annotated[str, Meta(max_length=MAX_NAME_LENGTH)]
_Labels = Annotated[dict[_LabelKey, _LabelValue], Meta(max_length=MAX_POD_ENTRIES)]
_OwnerReferences = Annotated[list[Json], Meta(max_length=MAX_POD_ENTRIES)]


_decode_objects = msgspec.json.Decoder(list[Json]).decode


def _decode_if_readable(raw: Raw) -> list[Json] | None:
    """Return containers or volumes, None if they cannot be read: then they stay as they are.

    Only importers are recognized by their containers. Those of other pods may be of any size.
    """
    with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError):
        if len(raw) <= MAX_FIELD_BYTES:
            return _decode_objects(raw)
    return None


_OF_ANY_SIZE = ("containers", "volumes")
_decode_any = msgspec.json.Decoder(Any).decode
_decode_text = msgspec.json.Decoder(str).decode
_DECODERS = {
    "labels": msgspec.json.Decoder(_Labels | None).decode,
    "annotations": msgspec.json.Decoder(dict[str, str] | None).decode,
    "owner_references": msgspec.json.Decoder(_OwnerReferences | None).decode,
    "name": read_text,
    **dict.fromkeys(("node_name", "runtime_class_name", "priority_class_name"), read_text),
    **dict.fromkeys(_OF_ANY_SIZE, _decode_if_readable),
    **dict.fromkeys(_SETTINGS, decode_setting),
}
_LIMITS = {
    "annotations": MAX_ANNOTATIONS_BYTES,
    **dict.fromkeys(_OF_ANY_SIZE, math.inf),
    **dict.fromkeys(_SETTINGS, math.inf),
}


def _decode_field(field: str, raw: Raw) -> Any:
    limit = _LIMITS.get(field, MAX_FIELD_BYTES)
    path = _PATHS[field]
    if len(raw) > limit:
        message = f"'{path}' has {len(raw)} bytes of JSON, expected at most {limit}"
        raise FieldError(message)
    try:
        return _DECODERS.get(field, _decode_any)(raw)
    except msgspec.ValidationError as error:
        raise FieldError(describe_validation_error(error, "", path)) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise FieldError(f"'{path}' is not JSON: {error}") from None
