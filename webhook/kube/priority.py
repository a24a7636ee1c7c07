"""The fields of PriorityClasses that placement uses."""

import msgspec

PRIORITY_API_VERSION = "scheduling.k8s.io/v1"
PRIORITY_CLASSES_PATH = f"/apis/{PRIORITY_API_VERSION}/priorityclasses"


class _Metadata(msgspec.Struct):
    name: str
    resource_version: str = msgspec.field(name="resourceVersion", default="")


class PriorityClassObject(msgspec.Struct):
    """A PriorityClass as decoded from the API server or a file."""

    metadata: _Metadata
