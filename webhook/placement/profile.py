"""The profile of convertor pods: what the installation sets in their containers and volumes.

Only the installation has these settings, because they are privileges. They do not place a pod, they
make it run: with the security profile, the memory and the temporary space that virt-v2v needs.
"""

from typing import NamedTuple

from webhook.kube.objects import Json
from webhook.model import ConvertorProfile, Installation, ScratchVolume
from webhook.placement.resources import UNREADABLE, main_container

SCRATCH_PATH = "/var/tmp/virt-v2v"  # noqa: S108 - a path in the pod
"""The directory for temporary files in which Forklift 2.12 mounts a volume."""
SCRATCH_VOLUME = "conversion-temp-storage"
"""Forklift's name of that volume; the webhook's has the same."""
FIRST_WITH_APP_ARMOR_FIELD = 30
"""The minor version of Kubernetes from which on profiles of AppArmor have a field."""
OPENSHIFT_PROFILE = {"type": "Localhost", "localhostProfile": "profiles/unshare.json"}
"""The seccomp profile of pods that Forklift creates for OpenShift, which its SCC allows."""
_TEMPORARY_DIRECTORY = "TMPDIR"
_KEPT = (
    "Forklift has created the pod for OpenShift: the security profiles of the installation are not "
    "applied, without convertor.openShift"
)
_APP_ARMOR_ANNOTATION = "container.apparmor.security.beta.kubernetes.io"


class PlacedProfile(NamedTuple):
    """The parts of a pod with the profile of its installation."""

    annotations: dict[str, str]
    """Those that are added."""
    spec: Json
    notes: list[str]
    errors: list[str]


def place_profile(
    spec: Json, profile: ConvertorProfile, installation: Installation
) -> PlacedProfile:
    """Give a convertor pod the profile; the rest of its spec is kept."""
    containers, volumes = spec.get("containers"), spec.get("volumes")
    needs_containers = profile.env or profile.scratch_volume or profile.app_armor or profile.seccomp
    if needs_containers and not containers:
        return PlacedProfile({}, spec, [], [f"the convertor profile is not applied: {UNREADABLE}"])
    annotations: dict[str, str] = {}
    changed: Json = {}
    notes: list[str] = []
    index = main_container(containers or [])
    main: Json = containers[index] if containers else {}
    context = spec.get("securityContext") or {}
    if context.get("seccompProfile") == OPENSHIFT_PROFILE and not profile.open_shift:
        differs = (profile.seccomp or profile.app_armor) and profile.seccomp != OPENSHIFT_PROFILE
        notes += [_KEPT] if differs else []
    else:
        context, main = _set_profile("seccompProfile", profile.seccomp, context, main)
        if _has_app_armor_field(installation):
            context, main = _set_profile("appArmorProfile", profile.app_armor, context, main)
        elif profile.app_armor:
            key = f"{_APP_ARMOR_ANNOTATION}/{main.get('name')}"
            annotations[key] = _to_annotation(profile.app_armor)
    if context != (spec.get("securityContext") or {}):
        changed["securityContext"] = context
    if profile.runtime_class:
        changed["runtimeClassName"] = profile.runtime_class
    if profile.env:
        main = main | {"env": _set_variables(main.get("env") or [], profile.env)}
    if profile.scratch_volume:
        main, placed, note = _mount_scratch(main, volumes or [], profile.scratch_volume)
        changed["volumes"] = placed
        notes += filter(None, [note])
    if containers and main != containers[index]:
        changed["containers"] = [*containers[:index], main, *containers[index + 1 :]]
    return PlacedProfile(annotations, spec | changed, notes, [])


def _has_app_armor_field(installation: Installation) -> bool:
    version = installation.kubernetes
    return version is None or version >= FIRST_WITH_APP_ARMOR_FIELD


def _set_profile(field: str, profile: Json, context: Json, main: Json) -> tuple[Json, Json]:
    """Set a profile for the pod, and for the main container if it has one of its own."""
    if not profile:
        return context, main
    own = main.get("securityContext") or {}
    if own.get(field):
        main = main | {"securityContext": own | {field: profile}}
    return context | {field: profile}, main


def _to_annotation(profile: Json) -> str:
    """Return a profile of AppArmor as its annotation has it: `localhost/NAME`."""
    match profile["type"]:
        case "Localhost":
            return f"localhost/{profile['localhostProfile']}"
        case "Unconfined":
            return "unconfined"
    return "runtime/default"


def _set_variables(present: list[Json], wanted: dict[str, str]) -> list[Json]:
    """Return the variables of a container with others added or replaced in place."""
    left = dict(wanted)
    placed = [
        {"name": each["name"], "value": left.pop(each["name"])}
        if each.get("name") in left
        else each
        for each in present
    ]
    return placed + [{"name": name, "value": value} for name, value in left.items()]


def _mount_scratch(
    main: Json, volumes: list[Json], scratch: ScratchVolume
) -> tuple[Json, list[Json], str]:
    """Return the container and the volumes with the scratch volume, and a note if it is left out.

    It takes the place of Forklift's emptyDir, if there is one. If Forklift has mounted a PVC there,
    that stays: the API server rejects a second mount of the same path.
    """
    mounts: list[Json] = main.get("volumeMounts") or []
    mounted = next((each for each in mounts if _is_scratch(each)), None)
    name = mounted["name"] if mounted else SCRATCH_VOLUME
    present = next((each for each in volumes if each.get("name") == name), None)
    volume = {"name": name, "ephemeral": {"volumeClaimTemplate": _to_template(scratch)}}
    if present and present.get("ephemeral"):
        return main, volumes, ""
    if present and "emptyDir" not in present:
        return main, volumes, f"the pod has a volume of its own at {SCRATCH_PATH}, which is kept"
    placed = [volume if each is present else each for each in volumes]
    if not present:
        placed.append(volume)
    if not mounted:
        main = main | {"volumeMounts": [*mounts, {"name": name, "mountPath": SCRATCH_PATH}]}
    variables = main.get("env") or []
    if not any(each.get("name") == _TEMPORARY_DIRECTORY for each in variables):
        variable = {_TEMPORARY_DIRECTORY: SCRATCH_PATH}
        main = main | {"env": _set_variables(variables, variable)}
    return main, placed, ""


def _is_scratch(mount: Json) -> bool:
    return str(mount.get("mountPath") or "").rstrip("/") == SCRATCH_PATH


def _to_template(scratch: ScratchVolume) -> Json:
    """Return the template of the claim, without labels.

    Forklift up to 2.11 takes every PVC with the labels of its migration for a disk.
    """
    claim: Json = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": scratch.size}},
    }
    if scratch.storage_class:
        claim["storageClassName"] = scratch.storage_class
    return {"spec": claim}
