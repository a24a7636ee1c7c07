"""The settings of all sources together, in general and for each role."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import msgspec

from webhook.karl import minimums
from webhook.kube.affinity import merge_affinities, omit_empty_fields
from webhook.kube.objects import Json
from webhook.kube.quantity import is_more
from webhook.kube.spread import merge_spread
from webhook.model import DEFAULT_ROLES, Problem, Role, RoleSettings
from webhook.settings.names import LIMITS, REQUESTS, RESOURCES
from webhook.settings.source import RoleSource, Source, Sources


def merge_maps(maps: Iterable[dict[str, str]]) -> dict[str, str]:
    """Merge labels or node selectors by their keys."""
    return {key: value for each in maps for key, value in each.items()}


def split_selector(selector: dict[str, str]) -> tuple[dict[str, str], list[Json]]:
    """Return the node selector without minimums, and the node expressions of these."""
    plain = {key: value for key, value in selector.items() if not value.endswith("+")}
    minimal = [
        minimums.to_expression(key, value[:-1])
        for key, value in selector.items()
        if value.endswith("+")
    ]
    return plain, minimal


def merge_tolerations(sources: Iterable[RoleSource]) -> list[Json]:
    """Return the most specific source's tolerations of each taint key."""
    tolerations: list[Json] = []
    for source in sources:
        keys = {toleration.get("key") or "" for toleration in source.tolerations}
        less_specific = [each for each in tolerations if (each.get("key") or "") not in keys]
        tolerations = less_specific + source.tolerations
    return tolerations


class MergedRules(NamedTuple):
    """The rules of a plan."""

    affinity: Json
    spread: list[Json]
    sources: list[Source]
    """Those whose rules are applied."""


def merge_rules(sources: Sources, problems: list[Problem]) -> MergedRules:
    """Return the plan's affinity and spread constraints, and the sources of their parts."""
    own = [each for each in (sources.spec, sources.annotations) if each.affinity is not None]
    affinity: Json = {}
    spread: list[Json] = []
    applied: list[Source] = []
    for source in own or [sources.defaults]:
        if not (source.affinity or source.spread):
            continue
        try:
            affinity = merge_affinities(affinity, source.affinity or {})
        except ValueError as error:
            message = f"{error} together with spec.convertorAffinity: the rules are not applied"
            problems.append(Problem(source.raw["affinity"].where, message))
        else:
            spread = merge_spread(spread, source.spread)
            applied.append(source)
    return MergedRules(affinity, spread, applied)


def merge_resources(sources: Iterable[RoleSource]) -> dict[str, str]:
    """Return the most specific quantities; they override less specific ones.

    A request above a less specific limit raises it, and a limit below a less specific request
    lowers that: the API server refuses a pod that requests more than its limit.
    """
    quantities: dict[str, str] = {}
    for source in sources:
        for name in RESOURCES:
            request, limit = (f"{part}.{name}" for part in (REQUESTS, LIMITS))
            own = source.resources
            quantities |= {each: own[each] for each in (request, limit) if each in own}
            if (
                request in quantities
                and limit in quantities
                and is_more(quantities[request], quantities[limit])
            ):
                changed, kept = (limit, request) if request in own else (request, limit)
                quantities[changed] = quantities[kept]
    return quantities


def merge_priority_class(sources: Iterable[RoleSource]) -> str:
    """Return the most specific class; empty if there is none."""
    named = [each.priority_class for each in sources if each.priority_class is not None]
    return named[-1] if named else ""


def find_copied_affinity(written: Any, applied: Json | None) -> Json:
    """Return the object that Forklift 2.10+ copies into pods; empty if it is applied as written."""
    if not isinstance(written, dict) or not applied:
        return {}
    copied = omit_empty_fields(written)
    return copied if copied != applied else {}


def select_pods(sources: Sources, allowed: Sequence[Role]) -> tuple[Role, ...]:
    """Return the allowed roles of `pods`, of the most specific source that has any."""
    selected = [each.pods for each in sources if each.pods is not None] or [DEFAULT_ROLES]
    return tuple(role for role in selected[-1] if role in allowed)


def merge_roles(sources: Sources) -> dict[Role, RoleSettings]:
    """Return the settings of the roles that have any."""
    roles = {role for each in sources for role in each.roles}
    found = {
        role: _merge_role([each.roles[role] for each in sources if role in each.roles])
        for role in sorted(roles, key=[*Role].index)
    }
    if convertor := found.get(Role.CONVERTOR):
        found[Role.CONVERTOR] = _without_contradictions(convertor, sources.spec.labels)
    return found


def _merge_role(sources: list[RoleSource]) -> RoleSettings:
    names = {name for source in sources for name in source.raw}
    selector, requirements = split_selector(merge_maps(each.node_selector for each in sources))
    has_selector = "node-selector" in names
    rules = [each for each in sources if each.affinity is not None]
    return RoleSettings(
        labels=merge_maps(each.labels for each in sources) if "labels" in names else None,
        node_selector=selector if has_selector else None,
        node_requirements=requirements if has_selector else None,
        affinity=rules[-1].affinity if rules else None,
        spread=(rules[-1].spread or None) if rules else None,
        tolerations=merge_tolerations(sources) if "tolerations" in names else None,
        resources=merge_resources(sources) if "resources" in names else None,
        priority_class=merge_priority_class(sources) if "priority-class" in names else None,
        pod_annotations=(
            merge_maps(each.pod_annotations for each in sources)
            if "pod-annotations" in names
            else None
        ),
    )


def _without_contradictions(convertor: RoleSettings, field: dict[str, str]) -> RoleSettings:
    """Return the settings without labels that have another value in `spec.convertorLabels`."""
    if convertor.labels is None:
        return convertor
    labels = {
        key: value for key, value in convertor.labels.items() if field.get(key, value) == value
    }
    return msgspec.structs.replace(convertor, labels=labels)
