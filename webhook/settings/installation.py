"""The installation: one YAML file, the chart's ConfigMap, which the server and the CLI read.

Its keys are those of the chart's values. `installation.schema.json` has the same as a JSON schema
for editors; docs/settings.md has the file with all keys.
"""

from collections.abc import Callable, Iterable
from enum import StrEnum
from functools import partial
from typing import Any, NamedTuple

import msgspec

from webhook.kube.labels import check_namespace, check_subdomain
from webhook.kube.messages import describe_value, did_you_mean, join_with_or, quote, suggest
from webhook.model import Installation, Mode, OnError, Problem, Scope
from webhook.settings.convertor_profile import read_convertor
from webhook.settings.enforced import read_enforced
from webhook.settings.find import find_in_defaults
from webhook.settings.limit_lists import read_limits
from webhook.settings.names import DEFAULTS, DEFAULTS_OF_ROLES
from webhook.settings.raw import Invalid, RawSetting, expected_text, read_map, report
from webhook.settings.source import SourceContext, read_source

_Read = Callable[[RawSetting, list[Problem]], Any]
"""Read a value that is not null, and append what is invalid; None if nothing of it is valid."""

_BOOLEANS = ("true", "false", "yes", "no", "on", "off")
"""Words that YAML 1.1 reads as true or false where they have no quotes."""


class _Key(NamedTuple):
    field: str
    """Field of an Installation."""
    read: _Read


def read_installation(document: object, origin: str) -> tuple[Installation, list[Problem]]:
    """Read the decoded file, whose name `origin` begins the location of every problem.

    Never raises. A key that is missing, null or invalid has the built-in default.
    """
    problems: list[Problem] = []
    fields = read_map(RawSetting(origin, document), problems)
    if fields.get("kind") == "ConfigMap":
        message = (
            "expected the installation, found a ConfigMap: use the text of its key config.yaml"
        )
        return Installation(), [Problem(origin, message)]
    problems.extend(report(origin, _find_unknown_keys(map(str, fields), origin)))
    values = {}
    for name, key in KEYS.items():
        if fields.get(name) is not None:
            value = key.read(RawSetting(f"{origin} {name}", fields[name]), problems)
            if value is not None:
                values[key.field] = value
    limits = RawSetting(f"{origin} limits", values.pop("limits", None))
    enforced = RawSetting(f"{origin} enforced", values.pop("enforced", None))
    profile = RawSetting(f"{origin} convertor", values.pop("convertor", None))
    general, by_namespace = read_limits(limits, problems)
    convertor, namespace_convertors = read_convertor(profile, problems)
    installation = Installation(
        limits=general,
        namespace_limits=by_namespace,
        convertor=convertor,
        namespace_convertors=namespace_convertors,
        **values,
    )
    installation = msgspec.structs.replace(
        installation, enforced=read_enforced(enforced, installation, problems)
    )
    where = f"{origin} defaults"
    if invalid := check_defaults(installation.defaults, where, installation, separator="."):
        installation = msgspec.structs.replace(installation, defaults={})
    return installation, problems + invalid


def check_defaults(
    defaults: object, origin: str, installation: Installation, *, separator: str = " "
) -> list[Problem]:
    """Return the problems of decoded defaults; `origin` begins their locations.

    The roles, the scope and the prefix of the installation apply to them.
    """
    problems: list[Problem] = []
    raw = find_in_defaults(defaults, origin, problems, separator=separator)
    read_source(raw, SourceContext(installation), problems)
    return problems


def _find_unknown_keys(names: Iterable[str], origin: str) -> Iterable[Invalid]:
    for name in names:
        if name not in KEYS:
            message = f"unknown key: expected {join_with_or(sorted(KEYS))}"
            yield Invalid(f"{origin} {name}", message, partial(_suggest_key, name))


def _suggest_key(name: str) -> str:
    if name in DEFAULTS or name == DEFAULTS_OF_ROLES:
        return suggest(f"defaults.{name}")
    return did_you_mean(name, KEYS)


def _make_word_reader(what: str, words: type[StrEnum]) -> _Read:
    def read(setting: RawSetting, problems: list[Problem]) -> StrEnum | None:
        value = setting.value
        if isinstance(value, str) and value in [*words]:
            return words(value)
        hint = did_you_mean(value, words) if isinstance(value, str) else ""
        found = f"found {describe_value(value)}{hint}"
        problems.append(
            Problem(setting.where, f"expected {what} {join_with_or([*words])}, {found}")
        )
        return None

    return read


def _read_mode(setting: RawSetting, problems: list[Problem]) -> Any:
    """Read a mode; YAML 1.1 reads `off` without quotes as false."""
    if setting.value is False:
        return Mode.OFF
    return _make_word_reader("mode", Mode)(setting, problems)


def _read_namespace_modes(setting: RawSetting, problems: list[Problem]) -> dict[str, Mode]:
    modes: dict[str, Mode] = {}
    for name, value in read_map(setting, problems).items():
        namespace = str(name)
        if wrong := check_namespace(namespace):
            problems.append(Problem(setting.where, f"namespace {quote(namespace)} {wrong}"))
        elif value is not None and (
            mode := _read_mode(RawSetting(f"{setting.where}.{namespace}", value), problems)
        ):
            modes[namespace] = mode
    return modes


def _read_boolean(setting: RawSetting, problems: list[Problem]) -> bool | None:
    value = setting.value
    if isinstance(value, bool):
        return value
    hint = ": remove the quotes" if isinstance(value, str) and value.lower() in _BOOLEANS else ""
    message = f"expected true or false, found {describe_value(value)}{hint}"
    problems.append(Problem(setting.where, message))
    return None


def _read_prefix(setting: RawSetting, problems: list[Problem]) -> str | None:
    value = setting.value
    if not isinstance(value, str):
        problems.append(Problem(setting.where, expected_text(value)))
        return None
    if wrong := check_subdomain(value):
        example = Installation().prefix
        message = f"expected a DNS name such as {quote(example)}, found {quote(value)}: {wrong}"
        problems.append(Problem(setting.where, message))
        return None
    return value


def _read_as_it_is(setting: RawSetting, _problems: list[Problem]) -> Any:
    """Return a value that is read with the other keys, which it depends on."""
    return setting.value


KEYS = {
    "mode": _Key("mode", _read_mode),
    "namespaceModes": _Key("namespace_modes", _read_namespace_modes),
    "planModes": _Key("plan_modes", _read_boolean),
    "scope": _Key("scope", _make_word_reader("scope", Scope)),
    "onError": _Key("on_error", _make_word_reader("action", OnError)),
    "identityLabels": _Key("identity_labels", _read_boolean),
    "annotationPrefix": _Key("prefix", _read_prefix),
    "defaults": _Key("defaults", _read_as_it_is),
    "limits": _Key("limits", _read_as_it_is),
    "enforced": _Key("enforced", _read_as_it_is),
    "convertor": _Key("convertor", _read_as_it_is),
}
"""Everything that the file may have. A new key is a line here and a field of Installation."""
