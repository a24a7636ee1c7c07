"""The sources of a plan's settings, each as it is written and as it is read."""

from typing import Any, NamedTuple

from webhook.kube.affinity import merge_affinities
from webhook.kube.objects import Json
from webhook.model import Installation, Plan, Scope
from webhook.settings.raw import ABSENT, Given, PlanName, read_word
from webhook.settings.source import (
    Source,
    given_in_annotations,
    given_in_defaults,
    given_in_spec,
    read_sources,
)


class Place(NamedTuple):
    """One source, as it is written and as it is read."""

    given: dict[str, Given]
    source: Source

    def where(self, setting: str, plan: Plan) -> str:
        """Return where a setting is written, inside the Plan."""
        return self.given.get(setting, ABSENT).where.removeprefix(f"Plan {plan} ")


def places(plan_object: Json, plan: Plan, installation: Installation) -> list[Place]:
    """Return the sources from the least to the most specific; problems are the plan's own."""
    metadata, spec = (_map(plan_object.get(field)) for field in ("metadata", "spec"))
    annotations, name = _map(metadata.get("annotations")), PlanName(plan.namespace, plan.name)
    given = (
        given_in_defaults(installation.defaults, "defaults", []),
        given_in_spec(spec, name),
        given_in_annotations(annotations, installation.prefix, name, []),
    )
    sources = read_sources(given, name, scope_of(given[-1], installation), [])
    return [Place(*each) for each in zip(given, sources, strict=True)]


def scope_of(in_annotations: dict[str, Given], installation: Installation) -> Scope:
    """Return where a rule on pods looks that names no namespace."""
    return read_word(in_annotations.get("scope", ABSENT), Scope, "scope", []) or installation.scope


def affinity_places(sources: list[Place]) -> list[Place]:
    """Return the sources whose affinity is in force: the plan's, else the default's."""
    default, *own = sources
    asked = [place for place in own if place.source.affinity is not None] or [default]
    spoken = [place for place in asked if place.source.affinity]
    try:
        for more in spoken[1:]:
            merge_affinities(spoken[0].source.affinity or {}, more.source.affinity or {})
    except ValueError:
        return spoken[:1]  # as `webhook.settings`: the object counts, the rules do not
    return spoken


def _map(value: Any) -> Json:
    return value if isinstance(value, dict) else {}
