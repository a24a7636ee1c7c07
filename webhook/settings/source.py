"""The three sources of settings, each read by itself: defaults, spec and annotations."""

from collections.abc import Collection, Mapping
from functools import lru_cache

import msgspec

from webhook.kube.affinity_fields import describe_unknown_field
from webhook.kube.messages import correct_spelling, did_you_mean, join_with_or, quote, suggest
from webhook.kube.objects import Json
from webhook.model import AffinityPolicy, Problem, Scope
from webhook.settings.lists import (
    FieldLabels,
    read_labels,
    read_node_selector,
    read_tolerations,
)
from webhook.settings.raw import ABSENT, Given, PlanName, no_text, read_map, read_word
from webhook.settings.rules import read_affinity

_DEFAULTS = {
    "labels": "labels",
    "nodeSelector": "node-selector",
    "affinity": "affinity",
    "tolerations": "tolerations",
    "affinityPolicy": "affinity-policy",
}
"""Settings, as annotations name them, by their fields in the defaults file."""
_SPEC = {
    "convertorLabels": "labels",
    "convertorNodeSelector": "node-selector",
    "convertorAffinity": "affinity",
}
ANNOTATIONS = (*_DEFAULTS.values(), "mode", "scope")
"""Behind the prefix."""
_PLACEMENT = "placement"
"""What the webhook writes on pods; on a plan it says nothing, and is no mistake."""


class Source(msgspec.Struct, frozen=True):
    """What one source asks for, checked."""

    labels: dict[str, str]
    node_selector: dict[str, str]
    """With minimums as they are written, `16+`."""
    tolerations: list[Json]
    affinity: Json | None
    """None where the source says nothing of it; empty where nothing of it counts."""
    affinity_policy: AffinityPolicy | None


def given_in_defaults(defaults: object, origin: str, problems: list[Problem]) -> dict[str, Given]:
    """Find the settings in a defaults file; `origin` begins the places of the problems."""
    fields = read_map(Given(origin, defaults), problems)
    problems.extend(
        Problem(f"{origin} {field}", _unknown("field", str(field), _DEFAULTS))
        for field in fields
        if field not in _DEFAULTS
    )
    given = _given(fields, _DEFAULTS, origin + " ")
    return {name: each._replace(closed=True) for name, each in given.items()}


def given_in_spec(spec: Json, plan: PlanName) -> dict[str, Given]:
    """Find the settings in a Plan's spec."""
    return _given(spec, _SPEC, f"{plan} spec.")


@lru_cache(maxsize=256)
def is_misspelt(field: str) -> bool:
    """Whether a field of a Plan's spec stands for one of ours; all others are Forklift's.

    The fields of plans are few and the same, and to look costs more than to read most plans.
    """
    return field not in _SPEC and correct_spelling(field, _SPEC) is not None


def misspelt_in_spec(spec: Json, plan: PlanName) -> list[Problem]:
    """Tell the misspelt fields of a Plan's spec, which is out of a file: an API server has none."""
    return [
        Problem(f"{plan} spec", describe_unknown_field(field, _SPEC))
        for field in map(str, spec)
        if is_misspelt(field)
    ]


def given_in_annotations(
    annotations: Json, prefix: str, plan: PlanName, problems: list[Problem]
) -> dict[str, Given]:
    """Find the settings in a Plan's annotations."""
    given: dict[str, Given] = {}
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
            problems.append(Problem(where, no_text(value)))
        else:
            given[name] = Given(where, value)
    return given


def read_sources(
    given: tuple[Mapping[str, Given], Mapping[str, Given], Mapping[str, Given]],
    plan: PlanName,
    scope: Scope,
    problems: list[Problem],
) -> tuple[Source, Source, Source]:
    """Read the defaults, the spec and the annotations of a plan, whose labels must agree."""
    in_defaults, in_spec, in_annotations = given
    default = read_source(in_defaults, scope, problems)
    field = read_source(in_spec, scope, problems)
    written = in_spec.get("labels", ABSENT).value
    texts = written.items() if isinstance(written, dict) else ()
    labels = {key: text for key, text in texts if isinstance(text, str)} | field.labels
    annotation = read_source(in_annotations, scope, problems, FieldLabels(plan, labels))
    return default, field, annotation


def read_source(
    given: Mapping[str, Given],
    scope: Scope,
    problems: list[Problem],
    field_labels: FieldLabels | None = None,
) -> Source:
    """Read what one source gives."""
    policy = given.get("affinity-policy", ABSENT)
    return Source(
        labels=read_labels(given.get("labels", ABSENT), problems, field_labels),
        node_selector=read_node_selector(given.get("node-selector", ABSENT), problems),
        tolerations=read_tolerations(given.get("tolerations", ABSENT), problems),
        affinity=(
            read_affinity(given["affinity"], scope, problems) if "affinity" in given else None
        ),
        affinity_policy=read_word(policy, AffinityPolicy, "affinity policy", problems),
    )


def _given(fields: Json, known: Mapping[str, str], place: str) -> dict[str, Given]:
    return {
        name: Given(f"{place}{field}", fields[field])
        for field, name in known.items()
        if fields.get(field) is not None
    }


def _unknown(what: str, name: str, known: Collection[str]) -> str:
    return f"unknown {what}: expected {join_with_or(sorted(known))}{did_you_mean(name, known)}"
