"""Maps of the installation's file that have other values for some namespaces."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

import msgspec
from msgspec import UNSET

from webhook.kube.labels import check_namespace
from webhook.kube.messages import quote
from webhook.kube.objects import Json
from webhook.model import Problem
from webhook.settings.raw import RawSetting, read_map, report_unknown

T = TypeVar("T", bound=msgspec.Struct)
Read = Callable[[RawSetting, list[Problem]], Any]
"""Read a value that is not null, and append what is invalid; UNSET if nothing of it is valid."""

_NAMESPACES = "namespaces"
"""The key with the values by namespace."""


class Key(NamedTuple):
    field: str
    """Field of the struct."""
    read: Read


def read_by_namespace(
    setting: RawSetting, keys: Mapping[str, Key], default: T, problems: list[Problem]
) -> tuple[T, dict[str, T]]:
    """Read a map with these keys and `namespaces`, which has maps with the same keys.

    A key that is absent has the general value in a namespace, and that of `default` in general.
    """
    fields = read_map(setting, problems)
    problems.extend(report_unknown("key", fields, [*keys, _NAMESPACES], setting.where))
    general = _read_keys(setting.where, fields, keys, default, problems)
    where = f"{setting.where}.{_NAMESPACES}"
    namespaces: dict[str, T] = {}
    for name, own in read_map(RawSetting(where, fields.get(_NAMESPACES)), problems).items():
        if wrong := check_namespace(str(name)):
            problems.append(Problem(where, f"namespace {quote(str(name))} {wrong}"))
            continue
        of_one = RawSetting(f"{where}.{name}", own)
        of_namespace = read_map(of_one, problems)
        problems.extend(report_unknown("key", of_namespace, keys, of_one.where))
        namespaces[str(name)] = _read_keys(of_one.where, of_namespace, keys, general, problems)
    return general, namespaces


def _read_keys(
    where: str, fields: Json, keys: Mapping[str, Key], base: T, problems: list[Problem]
) -> T:
    """Return `base` with the values of these keys that are valid."""
    changed = {
        key.field: value
        for name, key in keys.items()
        if fields.get(name) is not None
        and (value := key.read(RawSetting(f"{where}.{name}", fields[name]), problems)) is not UNSET
    }
    return msgspec.structs.replace(base, **changed)
