"""Finds the settings of a source, as they are written: in defaults, spec and annotations."""

from collections.abc import Iterator, Mapping
from functools import partial

from webhook.kube.labels import MAX_KEY_LENGTH
from webhook.kube.messages import correct_spelling, did_you_mean, quote, suggest, truncate
from webhook.kube.objects import Json
from webhook.model import Problem, Role
from webhook.settings.names import (
    ANNOTATIONS,
    DEFAULTS,
    DEFAULTS_OF_ROLES,
    EXPECTED_ANNOTATION,
    INSTALLATION_ONLY,
    ROLE_FIELDS,
    SPEC,
    of_role,
)
from webhook.settings.raw import (
    Invalid,
    PlanName,
    RawSetting,
    expected_text,
    read_map,
    report,
    report_unknown,
)

RawSettings = Mapping[str, RawSetting]
"""The settings of one source, by their names in annotations."""

_PLACEMENT = "placement"
"""The annotation that the webhook writes on pods; on a Plan it is ignored."""
_MAX_COMPARED_PREFIXES = 64
"""Annotations with a setting's name and another prefix, which may be a misspelt one."""
_INSTALLATION_ONLY = (
    "the setting is a privilege, which no plan can set: remove it; administrators set convertor.{} "
    "in the installation for all convertor pods"
)
_UNKNOWN_ANNOTATION = f"unknown annotation: expected {EXPECTED_ANNOTATION}"


def find_in_defaults(
    defaults: object, origin: str, problems: list[Problem], *, separator: str = " "
) -> RawSettings:
    """Find the settings in the defaults; `origin` and `separator` begin their locations."""
    fields = read_map(RawSetting(origin, defaults), problems)
    if not fields:
        return {}
    known = [*DEFAULTS, DEFAULTS_OF_ROLES]
    problems.extend(report_unknown("field", fields, known, origin, separator))
    raw = _find(fields, DEFAULTS, origin + separator)
    where = f"{origin}{separator}{DEFAULTS_OF_ROLES}"
    roles = read_map(RawSetting(where, fields.get(DEFAULTS_OF_ROLES)), problems)
    problems.extend(report_unknown("role", roles, [*Role], where))
    for role in filter(roles.__contains__, Role if roles else ()):
        of_one = f"{where}.{role}"
        settings = read_map(RawSetting(of_one, roles[role]), problems)
        problems.extend(report_unknown("field", settings, [*ROLE_FIELDS], of_one))
        found = _find(settings, ROLE_FIELDS, f"{of_one}.")
        raw |= {of_role(name, role): each for name, each in found.items()}
    return {name: each._replace(reject_unknown_fields=True) for name, each in raw.items()}


def find_in_spec(spec: Json, plan: PlanName) -> RawSettings:
    """Find the settings in a Plan's spec."""
    return _find(spec, SPEC, f"{plan} spec.")


def find_in_annotations(
    annotations: Json, prefix: str, plan: PlanName, problems: list[Problem]
) -> RawSettings:
    """Find the settings in a Plan's annotations."""
    invalid = _find_invalid_annotations(annotations, prefix, plan)
    problems.extend(report(f"{plan} metadata.annotations", invalid))
    start = f"{prefix}/"
    own = {
        key.removeprefix(start): value
        for key, value in annotations.items()
        if str(key).startswith(start) and isinstance(value, str)
    }
    return {
        name: RawSetting(f"{plan} annotation {start}{name}", own[name])
        for name in ANNOTATIONS
        if name in own
    }


def _find_invalid_annotations(annotations: Json, prefix: str, plan: PlanName) -> Iterator[Invalid]:
    """Yield annotations with the webhook's prefix, or nearly, that are not settings."""
    compared = 0
    for key, value in annotations.items():
        owner, _, name = str(key).partition("/")
        is_setting = name in ANNOTATIONS
        if name == _PLACEMENT or not (is_setting or owner == prefix):
            continue
        where = f"{plan} annotation {truncate(str(key), MAX_KEY_LENGTH)}"
        if only := INSTALLATION_ONLY.get(name):
            yield Invalid(where, _INSTALLATION_ONLY.format(only))
        elif not is_setting:
            yield Invalid(where, _UNKNOWN_ANNOTATION, partial(did_you_mean, name, ANNOTATIONS))
        elif owner == prefix:
            if not isinstance(value, str):
                yield Invalid(where, expected_text(value))
        elif compared < _MAX_COMPARED_PREFIXES:
            compared += 1
            if correct_spelling(owner, [prefix]):
                hint = suggest(f"{prefix}/{name}")
                yield Invalid(where, f"expected the prefix {quote(prefix)}{hint}")


def _find(fields: Json, known: Mapping[str, str], prefix: str) -> dict[str, RawSetting]:
    return {
        name: RawSetting(f"{prefix}{field}", fields[field])
        for field, name in known.items()
        if fields.get(field) is not None
    }
