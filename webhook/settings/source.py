"""The three sources of settings, each read by itself: defaults, spec and annotations."""

from collections.abc import Collection, Mapping
from typing import NamedTuple

import msgspec

from webhook.kube.messages import correct_spelling, did_you_mean, join_with_or, quote, suggest
from webhook.kube.objects import Json
from webhook.model import AffinityPolicy, Problem, Scope
from webhook.settings.lists import FieldLabels, read_labels, read_node_selector, read_tolerations
from webhook.settings.raw import UNSET, PlanName, RawSetting, expected_text, read_map, read_word
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
    problems.extend(
        Problem(f"{origin}{separator}{field}", _unknown("field", str(field), DEFAULTS))
        for field in fields
        if field not in DEFAULTS
    )
    raw = _find(fields, DEFAULTS, origin + separator)
    return {name: each._replace(reject_unknown_fields=True) for name, each in raw.items()}


def find_in_spec(spec: Json, plan: PlanName) -> RawSettings:
    """Find the settings in a Plan's spec."""
    return _find(spec, SPEC, f"{plan} spec.")


def find_in_annotations(
    annotations: Json, prefix: str, plan: PlanName, problems: list[Problem]
) -> RawSettings:
    """Find the settings in a Plan's annotations."""
    raw: dict[str, RawSetting] = {}
    for key, value in annotations.items():
        owner, _, name = str(key).partition("/")
        where = f"{plan} annotation {key}"
        if owner != prefix:
            if name in ANNOTATIONS and correct_spelling(owner, [prefix]):
                hint = suggest(f"{prefix}/{name}")
                problems.append(Problem(where, f"expected the prefix {quote(prefix)}{hint}"))
            continue
        if name == _PLACEMENT:
            continue
        if name not in ANNOTATIONS:
            problems.append(Problem(where, _unknown("annotation", name, ANNOTATIONS)))
        elif not isinstance(value, str):
            problems.append(Problem(where, expected_text(value)))
        else:
            raw[name] = RawSetting(where, value)
    return raw


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
    in_annotations = read_source(annotations, scope, problems, FieldLabels(plan, labels))
    return Sources(in_defaults, in_spec, in_annotations)


def read_source(
    raw: RawSettings,
    scope: Scope,
    problems: list[Problem],
    field_labels: FieldLabels | None = None,
) -> Source:
    """Read the settings of one source."""
    policy = raw.get("affinity-policy", UNSET)
    return Source(
        raw=raw,
        labels=read_labels(raw.get("labels", UNSET), problems, field_labels),
        node_selector=read_node_selector(raw.get("node-selector", UNSET), problems),
        tolerations=read_tolerations(raw.get("tolerations", UNSET), problems),
        affinity=read_affinity(raw["affinity"], scope, problems) if "affinity" in raw else None,
        affinity_policy=read_word(policy, AffinityPolicy, "affinity policy", problems),
    )


def _find(fields: Json, known: Mapping[str, str], prefix: str) -> dict[str, RawSetting]:
    return {
        name: RawSetting(f"{prefix}{field}", fields[field])
        for field, name in known.items()
        if fields.get(field) is not None
    }


def _unknown(what: str, name: str, known: Collection[str]) -> str:
    return f"unknown {what}: expected {join_with_or(sorted(known))}{did_you_mean(name, known)}"
