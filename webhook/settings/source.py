"""The three sources of settings, each read by itself: defaults, spec and annotations."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import NamedTuple

import msgspec

from webhook.kube.labels import MAX_KEY_LENGTH
from webhook.kube.messages import (
    correct_spelling,
    did_you_mean,
    join_with_or,
    quote,
    suggest,
    truncate,
)
from webhook.kube.objects import Json
from webhook.kube.sizes import (
    MAX_AFFINITY_ITEMS,
    MAX_ENTRIES,
    MAX_RULES_CHARACTERS,
    count_entries,
    count_items,
)
from webhook.model import AffinityPolicy, Problem, Scope
from webhook.settings.lists import FieldLabels, read_labels, read_node_selector, read_tolerations
from webhook.settings.raw import (
    UNSET,
    Invalid,
    PlanName,
    RawSetting,
    expected_text,
    read_map,
    read_word,
    report,
)
from webhook.settings.rules import read_affinity

RawSettings = Mapping[str, RawSetting]
"""The settings of one source, by their names in annotations."""

DEFAULTS = {
    "labels": "labels",
    "nodeSelector": "node-selector",
    "affinity": "affinity",
    "tolerations": "tolerations",
    "affinityPolicy": "affinity-policy",
}
"""Fields of the defaults, and the settings that they hold."""
SPEC = {
    "convertorLabels": "labels",
    "convertorNodeSelector": "node-selector",
    "convertorAffinity": "affinity",
}
"""Fields of a Plan's spec, and the settings that they hold."""
ANNOTATIONS = (*DEFAULTS.values(), "mode", "scope")
"""Names of the annotations, after the prefix."""
_PLACEMENT = "placement"
"""The annotation that the webhook writes on pods; on a Plan it is ignored."""
_UNKNOWN_ANNOTATION = f"unknown annotation: expected {join_with_or(sorted(ANNOTATIONS))}"
_LISTS = frozenset({"labels", "node-selector", "tolerations"})
_MAX_COMPARED_PREFIXES = 64
"""Annotations with a setting's name and another prefix, which may be a misspelt one."""


class Source(msgspec.Struct, frozen=True):
    """The settings of one source, raw and parsed."""

    raw: RawSettings
    labels: dict[str, str]
    node_selector: dict[str, str]
    """With minimums as they are written, `16+`."""
    tolerations: list[Json]
    affinity: Json | None
    """None if the source has no such setting; empty if it is invalid."""
    affinity_policy: AffinityPolicy | None

    def location(self, setting: str, plan: PlanName) -> str:
        """Return the location of a setting inside the Plan; empty if it is not set."""
        return self.raw.get(setting, UNSET).where.removeprefix(f"{plan} ")


class Sources(NamedTuple):
    """The sources of a plan's settings, from the least to the most specific."""

    defaults: Source
    spec: Source
    annotations: Source


def find_in_defaults(
    defaults: object, origin: str, problems: list[Problem], *, separator: str = " "
) -> RawSettings:
    """Find the settings in the defaults; `origin` and `separator` begin their locations."""
    fields = read_map(RawSetting(origin, defaults), problems)
    unknown = (
        Invalid(
            f"{origin}{separator}{truncate(str(field), MAX_KEY_LENGTH)}",
            f"unknown field: expected {join_with_or(sorted(DEFAULTS))}",
            partial(did_you_mean, str(field), DEFAULTS),
        )
        for field in fields
        if field not in DEFAULTS
    )
    problems.extend(report(origin, unknown))
    raw = _find(fields, DEFAULTS, origin + separator)
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
    return {
        name: RawSetting(f"{plan} annotation {prefix}/{name}", value)
        for name in ANNOTATIONS
        if isinstance(value := annotations.get(f"{prefix}/{name}"), str)
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
        if not is_setting:
            yield Invalid(where, _UNKNOWN_ANNOTATION, partial(did_you_mean, name, ANNOTATIONS))
        elif owner == prefix:
            if not isinstance(value, str):
                yield Invalid(where, expected_text(value))
        elif compared < _MAX_COMPARED_PREFIXES:
            compared += 1
            if correct_spelling(owner, [prefix]):
                hint = suggest(f"{prefix}/{name}")
                yield Invalid(where, f"expected the prefix {quote(prefix)}{hint}")


def read_sources(
    raw: tuple[RawSettings, RawSettings, RawSettings],
    plan: PlanName,
    scope: Scope,
    problems: list[Problem],
) -> Sources:
    """Read defaults, spec and annotations; annotations must not contradict labels of the spec."""
    defaults, spec, annotations = raw
    in_defaults = read_source(defaults, scope, problems)
    in_spec = read_source(spec, scope, problems)
    written = spec.get("labels", UNSET).value
    pairs = written.items() if isinstance(written, dict) else ()
    labels = {key: text for key, text in pairs if isinstance(text, str)} | in_spec.labels
    accepted = _limit_rules(spec, annotations, problems)
    in_annotations = read_source(accepted, scope, problems, FieldLabels(plan, labels))
    return Sources(in_defaults, in_spec, msgspec.structs.replace(in_annotations, raw=annotations))


def _limit_rules(
    spec: RawSettings, annotations: RawSettings, problems: list[Problem]
) -> RawSettings:
    """Return the annotations, without their rules if a plan has too long ones in both places."""
    lengths = [
        len(source["affinity"].value)
        for source in (spec, annotations)
        if "affinity" in source and isinstance(source["affinity"].value, str)
    ]
    if sum(lengths) <= MAX_RULES_CHARACTERS or max(lengths) > MAX_RULES_CHARACTERS:
        return annotations
    setting = annotations["affinity"]
    message = (
        f"expected at most {MAX_RULES_CHARACTERS} characters of rules together with "
        f"spec.convertorAffinity, found {sum(lengths)}: the rules are not applied, shorten them"
    )
    problems.append(Problem(setting.where, message))
    return {**annotations, "affinity": setting._replace(value="")}


def read_source(
    raw: RawSettings,
    scope: Scope,
    problems: list[Problem],
    field_labels: FieldLabels | None = None,
) -> Source:
    """Read the settings of one source; one that is too large is the same as an empty text."""
    read = {name: _accept(name, each, problems) for name, each in raw.items()}
    policy = read.get("affinity-policy", UNSET)
    return Source(
        raw=raw,
        labels=read_labels(read.get("labels", UNSET), problems, field_labels),
        node_selector=read_node_selector(read.get("node-selector", UNSET), problems),
        tolerations=read_tolerations(read.get("tolerations", UNSET), problems),
        affinity=read_affinity(read["affinity"], scope, problems) if "affinity" in read else None,
        affinity_policy=read_word(policy, AffinityPolicy, "affinity policy", problems),
    )


def _accept(name: str, setting: RawSetting, problems: list[Problem]) -> RawSetting:
    """Return a setting, or an empty text if it is too large; `webhook.karl` limits rules."""
    value = setting.value
    if name in _LISTS and (count := count_entries(value)) > MAX_ENTRIES:
        most, found = f"{MAX_ENTRIES} entries", str(count)
    elif name == "affinity" and count_items(value, MAX_AFFINITY_ITEMS) > MAX_AFFINITY_ITEMS:
        most, found = f"{MAX_AFFINITY_ITEMS} fields and values", "more"
    else:
        return setting
    message = f"expected at most {most}, found {found}: nothing of it is applied, shorten it"
    problems.append(Problem(setting.where, message))
    return setting._replace(value="")


def _find(fields: Json, known: Mapping[str, str], prefix: str) -> dict[str, RawSetting]:
    return {
        name: RawSetting(f"{prefix}{field}", fields[field])
        for field, name in known.items()
        if fields.get(field) is not None
    }
