"""`limits` of the installation's file: the lists of allowed names, and the largest quantities."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

import msgspec

from webhook.kube import labels, quantity
from webhook.kube.messages import describe_value, did_you_mean, join_with_or, quote
from webhook.kube.objects import Json
from webhook.kube.tolerations import parse_tolerations
from webhook.model import Limits, Problem
from webhook.settings.names import RESOURCES, SETTINGS
from webhook.settings.pod_fields import to_text
from webhook.settings.raw import Invalid, RawSetting, expected_text, read_map, report
from webhook.settings.roles import read_roles

_NAMESPACES = "namespaces"
"""The key of `limits` with those by namespace of the Plan."""
_ANY = "*"
_Check = Callable[[str], str | None]
"""Returns a phrase that follows the quoted entry, or None."""


def read_limits(setting: RawSetting, problems: list[Problem]) -> tuple[Limits, dict[str, Limits]]:
    """Read the limits for all Plans, and those for the Plans of some namespaces.

    An entry that is invalid is left out, so that it allows nothing.
    """
    fields = read_map(setting, problems)
    known = [*_KEYS, _NAMESPACES]
    problems.extend(report(setting.where, _find_unknown(fields, known, setting.where)))
    general = _read_keys(setting.where, fields, Limits(), problems)
    where = f"{setting.where}.{_NAMESPACES}"
    namespaces: dict[str, Limits] = {}
    for name, own in read_map(RawSetting(where, fields.get(_NAMESPACES)), problems).items():
        of_one = f"{where}.{name}"
        if wrong := labels.check_namespace(str(name)):
            problems.append(Problem(where, f"namespace {quote(str(name))} {wrong}"))
            continue
        of_namespace = read_map(RawSetting(of_one, own), problems)
        problems.extend(report(of_one, _find_unknown(of_namespace, [*_KEYS], of_one)))
        namespaces[str(name)] = _read_keys(of_one, of_namespace, general, problems)
    return general, namespaces


def _read_keys(where: str, fields: Json, base: Limits, problems: list[Problem]) -> Limits:
    """Return the limits of these keys, and those of `base` for the others."""
    changed: dict[str, Any] = {}
    for name, (field, read) in _KEYS.items():
        if fields.get(name) is not None:
            changed[field] = read(RawSetting(f"{where}.{name}", fields[name]), problems)
    if "roles" in changed and changed["roles"] is None:
        del changed["roles"]
    return msgspec.structs.replace(base, **changed)


def _find_unknown(names: Iterable[Any], known: list[str], where: str) -> Iterator[Invalid]:
    for name in names:
        if name not in known:
            message = f"unknown key: expected {join_with_or(sorted(known))}"
            yield Invalid(f"{where}.{name}", message, partial(did_you_mean, str(name), known))


def _read_list(setting: RawSetting, problems: list[Problem], check: _Check) -> tuple[str, ...]:
    """Read a list of texts, of which a trailing `*` matches a prefix."""
    value = setting.value
    if not isinstance(value, list):
        message = f"expected a list, found {describe_value(value)}"
        problems.append(Problem(setting.where, message))
        return ()
    invalid: list[Invalid] = []
    found: dict[str, None] = {}
    for index, entry in enumerate(value):
        where = f"{setting.where}[{index}]"
        if not isinstance(entry, str):
            invalid.append(Invalid(where, expected_text(entry)))
        elif wrong := None if entry == _ANY else check(entry):
            invalid.append(Invalid(where, f"{quote(entry)} {wrong}"))
        else:
            found[entry] = None
    problems.extend(report(setting.where, invalid))
    return tuple(found)


def _of_list(check: _Check) -> Callable[[RawSetting, list[Problem]], tuple[str, ...]]:
    return lambda setting, problems: _read_list(setting, problems, check)


def _check_prefix(check: _Check, example: str) -> _Check:
    """Return a check of names and their prefixes: `team`, `cost.example.com/*`."""

    def check_entry(entry: str) -> str | None:
        if entry.endswith(_ANY):
            prefix = entry.removesuffix(_ANY)
            return None if not check(prefix + "a") else f"must be a prefix such as {example}"
        return check(entry)

    return check_entry


def _check_setting(entry: str) -> str | None:
    if entry in SETTINGS:
        return None
    return f"must be {join_with_or(SETTINGS)}{did_you_mean(entry, SETTINGS)}"


def _check_toleration(entry: str) -> str | None:
    taint, colon, effect = entry.partition(":")
    plain = "=".join(
        part.removesuffix(_ANY) + "a" if part.endswith(_ANY) else part
        for part in taint.split("=", 1)
    )
    _, errors = parse_tolerations(f"{plain}{colon}{effect}")
    return (
        f"must be a taint such as dedicated=migration:NoSchedule: {errors[0].message}"
        if errors
        else None
    )


def _read_resources(setting: RawSetting, problems: list[Problem]) -> dict[str, str]:
    """Read the largest quantities, `{memory: 16Gi}`."""
    found: dict[str, str] = {}
    for name, value in read_map(setting, problems).items():
        where, amount = f"{setting.where}.{name}", to_text(value)
        if name not in RESOURCES:
            message = f"unknown resource: expected {join_with_or(RESOURCES)}"
            problems.append(Problem(where, message + did_you_mean(str(name), RESOURCES)))
        elif not isinstance(amount, str):
            if value is not None:
                problems.append(Problem(where, expected_text(value)))
        elif wrong := _check_quantity(amount):
            problems.append(Problem(where, f"{quote(amount)} {wrong}"))
        else:
            found[name] = amount
    return found


def _check_quantity(amount: str) -> str | None:
    try:
        quantity.parse(amount)
    except ValueError as error:
        return str(error)
    return None


_Reader = Callable[[RawSetting, list[Problem]], Any]
_label_keys = _of_list(_check_prefix(labels.check_key, "cost.example.com/*"))
_namespaces = _of_list(_check_prefix(labels.check_namespace, "migrated-*"))
_KEYS: Mapping[str, tuple[str, _Reader]] = {
    "settings": ("settings", _of_list(_check_setting)),
    "roles": ("roles", read_roles),
    "labels": ("labels", _label_keys),
    "nodeLabels": ("node_labels", _label_keys),
    "tolerations": ("tolerations", _of_list(_check_toleration)),
    "ruleNamespaces": ("rule_namespaces", _namespaces),
    "targetNamespaces": ("target_namespaces", _namespaces),
    "avoidTopologies": ("avoid_topologies", _label_keys),
    "priorityClasses": (
        "priority_classes",
        _of_list(_check_prefix(labels.check_subdomain, "migration-*")),
    ),
    "podAnnotations": ("pod_annotations", _label_keys),
    "resources": ("resources", _read_resources),
}
"""The keys of the limits: the field of `Limits`, and the reader of a value that is not null."""
