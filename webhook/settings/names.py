"""The names of settings: of annotations, and of fields of a Plan and of the installation's file."""

from collections.abc import Mapping

from webhook.kube.messages import join_with_or
from webhook.model import Role

RESOURCES = ("cpu", "memory", "ephemeral-storage")
REQUESTS, LIMITS = "requests", "limits"
RESOURCE_NAMES = tuple(f"{part}.{name}" for part in (REQUESTS, LIMITS) for name in RESOURCES)
"""The keys of the setting `resources`."""
INSTALLATION_ONLY = {
    "seccomp-profile": "seccompProfile",
    "app-armor-profile": "appArmorProfile",
    "env": "env",
    "runtime-class": "runtimeClass",
    "scratch-volume": "scratchVolume",
}
"""Names that annotations might have, and the keys of `convertor` in the installation's file: they
are privileges."""
ROLE_FIELDS = {
    "labels": "labels",
    "nodeSelector": "node-selector",
    "affinity": "affinity",
    "tolerations": "tolerations",
    "resources": "resources",
    "priorityClass": "priority-class",
    "podAnnotations": "pod-annotations",
}
"""Fields of the defaults for a role, and the settings that they hold: a role may have its own."""
ROLE_SETTINGS = (*ROLE_FIELDS.values(),)
DEFAULTS = {
    **ROLE_FIELDS,
    "affinityPolicy": "affinity-policy",
    "pods": "pods",
    "disks": "disks",
}
"""Fields of the defaults, and the settings that they hold."""
DEFAULTS_OF_ROLES = "roles"
"""The field of the defaults with those for each role."""
SPEC = {
    "convertorLabels": "labels",
    "convertorNodeSelector": "node-selector",
    "convertorAffinity": "affinity",
}
"""Fields of a Plan's spec, and the settings that they hold."""
_GENERAL = (*DEFAULTS.values(), "mode", "scope")
SETTINGS = tuple(sorted(_GENERAL))
"""All settings, by their names in annotations."""
LISTS = frozenset({"labels", "node-selector", "tolerations", "resources", "pod-annotations"})
"""Settings that are lists of entries with keys."""
_ROLES = {
    "resources": (Role.CONVERTOR, Role.FIRST_CONSUMER),
    "priority-class": (Role.CONVERTOR, Role.IMPORTER, Role.POPULATOR),
}
"""The roles that a setting has an effect on; others have one on all roles."""


def roles_of(setting: str) -> tuple[Role, ...]:
    """Return the roles whose pods a setting has an effect on."""
    return _ROLES.get(setting, tuple(Role))


def of_role(name: str, role: Role) -> str:
    """Return the name of a setting for one role, `affinity.importer`."""
    return f"{name}.{role}"


def without_role(name: str) -> str:
    """Return the name of a setting, `affinity` for `affinity.importer`."""
    return name.partition(".")[0]


def to_field(name: str) -> str:
    """Return the field of `Settings` and `RoleSettings` with a setting, `node_selector`."""
    return name.replace("-", "_")


ANNOTATIONS: Mapping[str, tuple[str, Role | None]] = {
    **{name: (name, None) for name in _GENERAL},
    **{of_role(name, role): (name, role) for name in ROLE_SETTINGS for role in Role},
}
"""Names of the annotations, after the prefix: the setting of each, and the role that it is for."""
EXPECTED_ANNOTATION = (
    f"{join_with_or(sorted(_GENERAL))}, or a setting of a role such as affinity.{Role.IMPORTER}"
)
