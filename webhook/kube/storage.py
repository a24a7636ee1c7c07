"""The fields of PersistentVolumes and StorageClasses that placement uses."""

import msgspec

from webhook.kube.objects import Json

VOLUMES_PATH = "/api/v1/persistentvolumes"
STORAGE_CLASSES_PATH = "/apis/storage.k8s.io/v1/storageclasses"
BINDING_MODES = ("Immediate", "WaitForFirstConsumer")
STORAGE_API_VERSION = "storage.k8s.io/v1"


class _Metadata(msgspec.Struct):
    name: str
    resource_version: str = msgspec.field(name="resourceVersion", default="")


class _Required(msgspec.Struct):
    terms: list[Json] | None = msgspec.field(name="nodeSelectorTerms", default=None)


class _NodeAffinity(msgspec.Struct):
    required: _Required | None = None


class _VolumeSpec(msgspec.Struct):
    node_affinity: _NodeAffinity | None = msgspec.field(name="nodeAffinity", default=None)


class VolumeObject(msgspec.Struct):
    """A PersistentVolume as decoded from the API server or a file."""

    metadata: _Metadata
    spec: _VolumeSpec | None = None

    @property
    def node_terms(self) -> list[Json]:
        """The ORed terms of the nodes that reach it; empty for all nodes."""
        affinity = self.spec and self.spec.node_affinity
        required = affinity and affinity.required
        return (required and required.terms) or []


class StorageClassObject(msgspec.Struct):
    """A StorageClass as decoded from the API server or a file."""

    metadata: _Metadata
    binding_mode: str | None = msgspec.field(name="volumeBindingMode", default=None)

    @property
    def waits_for_first_consumer(self) -> bool:
        """False for the default, `Immediate`."""
        return self.binding_mode == BINDING_MODES[1]
