"""`convertor` of the installation's file: security profiles, environment, runtime class, scratch.

They are privileges, so no plan can set them. A key that is invalid is left out.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

import msgspec

from webhook.kube import labels, quantity
from webhook.kube.messages import describe_value, did_you_mean, expected_one_of, join_with_or, quote
from webhook.kube.objects import Json
from webhook.model import ConvertorProfile, Problem, ScratchVolume
from webhook.settings.pod_fields import to_text
from webhook.settings.raw import Invalid, RawSetting, expected_text, read_map, report

_NAMESPACES = "namespaces"
"""The key of `convertor` with the profiles by namespace of the pods."""
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
    fields = read_map(setting, problems)
    problems.extend(report(setting.where, _find_unknown(fields, [*_KEYS, _NAMESPACES], setting)))
    general = _read_keys(setting.where, fields, ConvertorProfile(), problems)
    where = f"{setting.where}.{_NAMESPACES}"
    namespaces: dict[str, ConvertorProfile] = {}
    for name, own in read_map(RawSetting(where, fields.get(_NAMESPACES)), problems).items():
        of_one = RawSetting(f"{where}.{name}", own)
        if wrong := labels.check_namespace(str(name)):
            problems.append(Problem(where, f"namespace {quote(str(name))} {wrong}"))
            continue
        of_namespace = read_map(of_one, problems)
        problems.extend(report(of_one.where, _find_unknown(of_namespace, [*_KEYS], of_one)))
        namespaces[str(name)] = _read_keys(of_one.where, of_namespace, general, problems)
    return general, namespaces


def _read_keys(
    where: str, fields: Json, base: ConvertorProfile, problems: list[Problem]
) -> ConvertorProfile:
    changed: dict[str, Any] = {}
    for name, (field, read) in _KEYS.items():
        if fields.get(name) is not None:
            value = read(RawSetting(f"{where}.{name}", fields[name]), problems)
            if value is not msgspec.UNSET:
                changed[field] = value
    return msgspec.structs.replace(base, **changed)


def _find_unknown(names: Iterable[Any], known: list[str], setting: RawSetting) -> Iterator[Invalid]:
    for name in names:
        if name not in known:
            message = f"unknown key: expected {join_with_or(sorted(known))}"
            hint = partial(did_you_mean, str(name), known)
            yield Invalid(f"{setting.where}.{name}", message, hint)


def _read_security_profile(
    setting: RawSetting, problems: list[Problem]
) -> Json | msgspec.UnsetType:
    """Read a SeccompProfile or an AppArmorProfile, which have the same fields; empty for none."""
    fields = read_map(setting, problems)
    problems.extend(
        report(setting.where, _find_unknown(fields, ["type", "localhostProfile"], setting))
    )
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
    known = ["size", "storageClass"]
    problems.extend(report(setting.where, _find_unknown(fields, known, setting)))
    if not fields:
        return None if _is_map(setting) else msgspec.UNSET
    size, name = to_text(fields.get("size")), fields.get("storageClass") or ""
    if not isinstance(size, str) or (wrong := _check_size(size)):
        found = wrong if isinstance(size, str) else f"expected a size, found {describe_value(size)}"
        problems.append(Problem(f"{setting.where}.size", found))
        return msgspec.UNSET
    storage_class = _read_name(RawSetting(f"{setting.where}.storageClass", name), problems)
    if isinstance(storage_class, msgspec.UnsetType):
        return msgspec.UNSET
    return ScratchVolume(size, storage_class)


def _check_size(size: str) -> str:
    """Return the error of a size; empty for a valid one."""
    try:
        parsed = quantity.parse(size)
    except ValueError as error:
        return f"{quote(size)} {error}"
    return "" if parsed > 0 else f"{quote(size)} must be more than 0"


_KEYS: Mapping[str, tuple[str, Callable[[RawSetting, list[Problem]], Any]]] = {
    "seccompProfile": ("seccomp", _read_security_profile),
    "appArmorProfile": ("app_armor", _read_security_profile),
    "env": ("env", _read_environment),
    "runtimeClass": ("runtime_class", _read_name),
    "scratchVolume": ("scratch_volume", _read_scratch_volume),
    "openShift": ("open_shift", _read_boolean),
}
"""The keys: the field of `ConvertorProfile`, and the reader of a value that is not null, which
returns UNSET for one that is invalid."""
