"""`convertor` of the installation's file: security profiles, environment, runtime class, scratch.

They are privileges, so no plan can set them. A key that is invalid is left out.
"""

import re

import msgspec

from webhook.kube import labels, quantity
from webhook.kube.messages import describe_value, expected_one_of, quote
from webhook.kube.objects import Json
from webhook.model import ConvertorProfile, Problem, ScratchVolume
from webhook.settings.by_namespace import Key, read_by_namespace
from webhook.settings.pod_fields import to_text
from webhook.settings.raw import (
    Invalid,
    RawSetting,
    expected_text,
    read_map,
    report,
    report_unknown,
)

_LOCALHOST = "Localhost"
_TYPES = ("RuntimeDefault", _LOCALHOST, "Unconfined")
_VARIABLE = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*")
_FORKLIFT_PREFIX = "V2V_"
"""The prefix of the variables in which Forklift passes a VM to virt-v2v."""
_FORKLIFT_VARIABLES = frozenset({"LOCAL_MIGRATION"})
"""Other variables of Forklift."""


def read_convertor(
    setting: RawSetting, problems: list[Problem]
) -> tuple[ConvertorProfile, dict[str, ConvertorProfile]]:
    """Read the profile of all convertor pods, and those of the pods in some namespaces."""
    return read_by_namespace(setting, _KEYS, ConvertorProfile(), problems)


def _read_security_profile(
    setting: RawSetting, problems: list[Problem]
) -> Json | msgspec.UnsetType:
    """Read a SeccompProfile or an AppArmorProfile, which have the same fields; empty for none."""
    fields = read_map(setting, problems)
    problems.extend(report_unknown("key", fields, ["type", "localhostProfile"], setting.where))
    if not fields:
        return {} if _is_map(setting) else msgspec.UNSET
    kind, path = fields.get("type"), fields.get("localhostProfile")
    if kind not in _TYPES:
        found = str(kind) if isinstance(kind, str) else describe_value(kind)
        message = expected_one_of("type", _TYPES, found)
    elif kind == _LOCALHOST and not (isinstance(path, str) and path):
        message = f"expected localhostProfile with the type {_LOCALHOST}"
    elif kind != _LOCALHOST and path is not None:
        message = f"expected localhostProfile with the type {_LOCALHOST} only"
    else:
        return {"type": kind} | ({"localhostProfile": path} if path else {})
    problems.append(Problem(setting.where, message))
    return msgspec.UNSET


def _is_map(setting: RawSetting) -> bool:
    """Return whether the value is a map; with an empty one a namespace has no such setting."""
    return isinstance(setting.value, dict)


def _read_environment(
    setting: RawSetting, problems: list[Problem]
) -> dict[str, str] | msgspec.UnsetType:
    found: dict[str, str] = {}
    invalid: list[Invalid] = []
    for name, value in read_map(setting, problems).items():
        where, text = f"{setting.where}.{name}", to_text(value)
        if not _VARIABLE.fullmatch(str(name)):
            invalid.append(Invalid(where, f"{quote(str(name))} is not a name of a variable"))
        elif str(name).startswith(_FORKLIFT_PREFIX) or name in _FORKLIFT_VARIABLES:
            message = f"{quote(name)} is a variable of Forklift: give it another name"
            invalid.append(Invalid(where, message))
        elif not isinstance(text, str):
            invalid.append(Invalid(where, expected_text(value)))
        else:
            found[str(name)] = text
    problems.extend(report(setting.where, invalid))
    return found if _is_map(setting) else msgspec.UNSET


def _read_boolean(setting: RawSetting, problems: list[Problem]) -> bool | msgspec.UnsetType:
    if isinstance(setting.value, bool):
        return setting.value
    message = f"expected true or false, found {describe_value(setting.value)}"
    problems.append(Problem(setting.where, message))
    return msgspec.UNSET


def _read_name(setting: RawSetting, problems: list[Problem]) -> str | msgspec.UnsetType:
    """Read the name of a RuntimeClass or StorageClass; empty for none."""
    value = setting.value
    if not isinstance(value, str):
        problems.append(Problem(setting.where, expected_text(value)))
        return msgspec.UNSET
    if value and (wrong := labels.check_subdomain(value)):
        problems.append(Problem(setting.where, f"{quote(value)} {wrong}"))
        return msgspec.UNSET
    return value


def _read_scratch_volume(
    setting: RawSetting, problems: list[Problem]
) -> ScratchVolume | msgspec.UnsetType | None:
    fields = read_map(setting, problems)
    problems.extend(report_unknown("key", fields, ["size", "storageClass"], setting.where))
    if not fields:
        return None if _is_map(setting) else msgspec.UNSET
    size, name = to_text(fields.get("size")), fields.get("storageClass") or ""
    if not isinstance(size, str):
        message = f"expected a size, found {describe_value(size)}"
        problems.append(Problem(f"{setting.where}.size", message))
        return msgspec.UNSET
    if wrong := quantity.check_positive(size):
        problems.append(Problem(f"{setting.where}.size", f"{quote(size)} {wrong}"))
        return msgspec.UNSET
    storage_class = _read_name(RawSetting(f"{setting.where}.storageClass", name), problems)
    if isinstance(storage_class, msgspec.UnsetType):
        return msgspec.UNSET
    return ScratchVolume(size, storage_class)


_KEYS = {
    "seccompProfile": Key("seccomp", _read_security_profile),
    "appArmorProfile": Key("app_armor", _read_security_profile),
    "env": Key("env", _read_environment),
    "runtimeClass": Key("runtime_class", _read_name),
    "scratchVolume": Key("scratch_volume", _read_scratch_volume),
    "openShift": Key("open_shift", _read_boolean),
}
