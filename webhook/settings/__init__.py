"""What a plan asks for, over the defaults of the installation.

From the least to the most specific: the defaults file, the convertor fields of the Plan's spec,
its annotations. Labels and node selectors merge key by key, tolerations taint key by taint key.
An annotation that gives another value to a label of `spec.convertorLabels` is a problem, because
Forklift finds its pods by these labels.
The plan's affinity is that of its spec and of its annotation together; the default's counts
where the plan has neither. `docs/settings.md` has the forms.
"""

from typing import Any

from webhook.karl import minimums
from webhook.kube.affinity import merge_affinities, omit_empty_fields
from webhook.kube.objects import Json
from webhook.model import (
    AffinityPolicy,
    Installation,
    Mode,
    Plan,
    Problem,
    Scope,
    Settings,
)
from webhook.settings.last_modified import written
from webhook.settings.raw import ABSENT, Given, PlanName, read_map, read_word
from webhook.settings.source import (
    ANNOTATIONS,
    Source,
    given_in_annotations,
    given_in_defaults,
    given_in_spec,
    is_misspelt,
    misspelt_in_spec,
    read_source,
    read_sources,
)

__all__ = ["ANNOTATIONS", "check_defaults", "is_misspelt", "read"]

_NOTHING = Settings()
"""Of every plan without settings: ten thousand of them share it."""


def read(plan_object: Json, installation: Installation) -> Plan:
    """Read a Plan as far as placing its pods needs it.

    Never raises, whatever the object: what is wrong in it is told in `settings.problems`, and
    the rest counts.
    """
    problems: list[Problem] = []
    fields = read_map(Given("Plan", plan_object), problems)
    metadata = read_map(Given("Plan metadata", fields.get("metadata")), problems)
    namespace, name = _text(metadata.get("namespace")), _text(metadata.get("name"))
    where = PlanName(namespace, name)
    spec = read_map(Given(f"{where} spec", fields.get("spec")), problems)
    annotations = read_map(
        Given(f"{where} metadata.annotations", metadata.get("annotations")), problems
    )
    return Plan(
        namespace=namespace,
        name=name,
        uid=_text(metadata.get("uid")),
        generation=_number(metadata.get("generation")),
        target_namespace=_text(spec.get("targetNamespace")),
        settings=_read_settings(spec, annotations, where, installation, problems),
        written=written(metadata, installation.prefix),
    )


def check_defaults(defaults: object, origin: str) -> list[Problem]:
    """Return what is wrong with a defaults file as decoded; `origin` is its name."""
    problems: list[Problem] = []
    read_source(given_in_defaults(defaults, origin, problems), Scope.ALL, problems)
    return problems


def _read_settings(
    spec: Json,
    annotations: Json,
    plan: PlanName,
    installation: Installation,
    problems: list[Problem],
) -> Settings:
    in_annotations = given_in_annotations(annotations, installation.prefix, plan, problems)
    mode = read_word(in_annotations.get("mode", ABSENT), Mode, "mode", problems)
    scope = read_word(in_annotations.get("scope", ABSENT), Scope, "scope", problems)
    in_defaults = given_in_defaults(installation.defaults, "defaults", problems)
    in_spec = given_in_spec(spec, plan)
    problems.extend(misspelt_in_spec(spec, plan))
    rules = in_annotations.get("affinity", ABSENT)
    default, field, annotation = read_sources(
        (in_defaults, in_spec, in_annotations), plan, scope or installation.scope, problems
    )
    selector = default.node_selector | field.node_selector | annotation.node_selector
    settings = Settings(
        labels=default.labels | field.labels | annotation.labels,
        node_selector={key: value for key, value in selector.items() if not value.endswith("+")},
        node_requirements=[
            minimums.expression(key, value[:-1])
            for key, value in selector.items()
            if value.endswith("+")
        ],
        affinity=_affinity(default, field, annotation, rules, problems),
        copied=_copied(spec.get("convertorAffinity"), field.affinity),
        tolerations=_tolerations(default, field, annotation),
        affinity_policy=(
            annotation.affinity_policy or default.affinity_policy or AffinityPolicy.MERGE
        ),
        mode=mode,
        problems=problems,
    )
    return settings if settings != _NOTHING else _NOTHING


def _affinity(
    default: Source, field: Source, annotation: Source, rules: Given, problems: list[Problem]
) -> Json:
    """Return the plan's affinity, of both places, or the default's where it has none at all."""
    if field.affinity is None and annotation.affinity is None:
        return default.affinity or {}
    try:
        return merge_affinities(field.affinity or {}, annotation.affinity or {})
    except ValueError as error:
        message = f"{error} together with spec.convertorAffinity: the rules are left out"
        problems.append(Problem(rules.where, message))
        return field.affinity or {}


def _copied(written: Any, read: Json | None) -> Json:
    """Return the plan's object where the scope changed it; pods of Forklift 2.10+ have it so."""
    if not isinstance(written, dict) or not read:
        return {}
    copied = omit_empty_fields(written)
    return copied if copied != read else {}


def _tolerations(*sources: Source) -> list[Json]:
    """Return the most specific source's tolerations of each taint key."""
    tolerations: list[Json] = []
    for source in sources:
        keys = {toleration.get("key") or "" for toleration in source.tolerations}
        less_specific = [each for each in tolerations if (each.get("key") or "") not in keys]
        tolerations = less_specific + source.tolerations
    return tolerations


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _number(value: Any) -> int:
    sound = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63
    return value if sound else 0
