"""`limits` of the installation's file: the lists of allowed names, and the largest quantities."""

from collections.abc import Callable

import msgspec

from webhook.kube import labels, quantity
from webhook.kube.messages import describe_value, did_you_mean, join_with_or, quote
from webhook.kube.tolerations import parse_tolerations
from webhook.model import Limits, Problem, Role
from webhook.settings.by_namespace import Key, read_by_namespace
from webhook.settings.names import RESOURCES, SETTINGS
from webhook.settings.pod_fields import to_text
from webhook.settings.raw import Invalid, RawSetting, expected_text, read_map, report
from webhook.settings.roles import read_roles

_ANY = "*"
_Check = Callable[[str], str | None]
"""Returns a phrase that follows the quoted entry, or None."""


def read_limits(setting: RawSetting, problems: list[Problem]) -> tuple[Limits, dict[str, Limits]]:
    """Read the limits for all Plans, and those for the Plans of some namespaces.

    An entry that is invalid is left out, so that it allows nothing.
    """
    return read_by_namespace(setting, _KEYS, Limits(), problems)


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


def _read_roles(
    setting: RawSetting, problems: list[Problem]
) -> tuple[Role, ...] | msgspec.UnsetType:
    found = read_roles(setting, problems)
    return msgspec.UNSET if found is None else found


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
        elif wrong := quantity.check(amount):
            problems.append(Problem(where, f"{quote(amount)} {wrong}"))
        else:
            found[name] = amount
    return found


_label_keys = _of_list(_check_prefix(labels.check_key, "cost.example.com/*"))
_namespaces = _of_list(_check_prefix(labels.check_namespace, "migrated-*"))
_KEYS = {
    "settings": Key("settings", _of_list(_check_setting)),
    "roles": Key("roles", _read_roles),
    "labels": Key("labels", _label_keys),
    "nodeLabels": Key("node_labels", _label_keys),
    "tolerations": Key("tolerations", _of_list(_check_toleration)),
    "ruleNamespaces": Key("rule_namespaces", _namespaces),
    "targetNamespaces": Key("target_namespaces", _namespaces),
    "avoidTopologies": Key("avoid_topologies", _label_keys),
    "priorityClasses": Key(
        "priority_classes",
        _of_list(_check_prefix(labels.check_subdomain, "migration-*")),
    ),
    "podAnnotations": Key("pod_annotations", _label_keys),
    "resources": Key("resources", _read_resources),
}
"""The keys of the limits: the field of `Limits`, and the reader of a value that is not null."""
