"""The settings of a plan, merged over the defaults of the installation.

From the least to the most specific source: the installation's defaults, the convertor fields of
the Plan's spec, the Plan's annotations. Labels and node selectors merge key by key, tolerations
taint key by taint key. An annotation that gives another value to a label of
`spec.convertorLabels` is a problem, because Forklift finds its pods by these labels.
The plan's affinity is that of its spec and of its annotation together; the default affinity
applies to plans that have neither. A setting for one role, from defaults and annotations, replaces
the general one for pods of that role. `docs/settings.md` has the forms.
"""

from typing import Any, NamedTuple

import msgspec

from webhook.kube.labels import MAX_SUBDOMAIN_LENGTH
from webhook.kube.messages import truncate
from webhook.kube.objects import Json, nested_string
from webhook.model import AffinityPolicy, Disks, Installation, Mode, Plan, Problem, Scope, Settings
from webhook.settings import unknown_fields
from webhook.settings.find import find_in_annotations, find_in_defaults, find_in_spec
from webhook.settings.first_consumer import without_own_pod_rules
from webhook.settings.last_modified import last_modified
from webhook.settings.limits import PlanLimits
from webhook.settings.merge import (
    find_copied_affinity,
    merge_maps,
    merge_priority_class,
    merge_resources,
    merge_roles,
    merge_rules,
    merge_tolerations,
    select_pods,
    split_selector,
)
from webhook.settings.names import ANNOTATIONS
from webhook.settings.raw import UNSET, PlanName, RawSetting, read_map, read_word
from webhook.settings.source import Source, Sources, read_sources
from webhook.settings.vm_rules import read_vm_rules

__all__ = ["ANNOTATIONS", "PlanReading", "read", "read_plan"]

_NO_SETTINGS = Settings()
"""One object for all plans without settings, of which there may be thousands."""


class PlanReading(NamedTuple):
    """A Plan with the sources of its settings, for commands that show the source of each."""

    plan: Plan
    sources: Sources
    affinity_sources: list[Source]
    """Those whose affinity is applied."""
    scope: Scope
    """The scope of pod rules that name no namespace."""


def read(plan_object: Json, installation: Installation) -> Plan:
    """Read the part of a Plan that placing its pods needs.

    Never raises: anything invalid is in `settings.problems`, and the rest is applied.
    """
    return read_plan(plan_object, installation).plan


def read_plan(plan_object: Json, installation: Installation) -> PlanReading:
    """Read a Plan as `read` does, and return the sources of its settings with it."""
    problems: list[Problem] = []
    fields = read_map(RawSetting("Plan", plan_object), problems)
    metadata = read_map(RawSetting("Plan metadata", fields.get("metadata")), problems)
    name = PlanName(_read_name(metadata, "namespace"), _read_name(metadata, "name"))
    spec = read_map(RawSetting(f"{name} spec", fields.get("spec")), problems)
    annotations = read_map(
        RawSetting(f"{name} metadata.annotations", metadata.get("annotations")), problems
    )
    in_annotations = find_in_annotations(annotations, installation.prefix, name, problems)
    limits = PlanLimits(
        installation.limits_for(name.namespace), _read_name(spec, "targetNamespace")
    )
    words = {} if limits.check_target_namespace() else in_annotations
    words = {each: words[each] for each in words if not limits.check_setting(each)}
    mode = read_word(words.get("mode", UNSET), Mode, "mode", problems)
    own_scope = read_word(words.get("scope", UNSET), Scope, "scope", problems)
    scope = own_scope or installation.scope
    in_defaults = find_in_defaults(installation.defaults, "defaults", problems)
    problems.extend(unknown_fields.describe(fields, name, installation.prefix))
    sources = read_sources(
        (in_defaults, find_in_spec(spec, name), in_annotations),
        name,
        msgspec.structs.replace(installation, scope=scope),
        limits,
        problems,
    )
    rules = merge_rules(sources, problems)
    selector, requirements = split_selector(merge_maps(each.node_selector for each in sources))
    settings = Settings(
        labels=merge_maps(source.labels for source in sources),
        node_selector=selector,
        node_requirements=requirements,
        affinity=rules.affinity,
        copied=find_copied_affinity(spec.get("convertorAffinity"), sources.spec.affinity),
        tolerations=merge_tolerations(sources),
        affinity_policy=(
            sources.annotations.affinity_policy
            or sources.defaults.affinity_policy
            or AffinityPolicy.MERGE
        ),
        mode=mode,
        problems=problems,
        pods=select_pods(sources, limits.limits.roles),
        disks=sources.annotations.disks or sources.defaults.disks or Disks.ANY,
        roles=merge_roles(sources),
        spread=rules.spread,
        resources=merge_resources(sources),
        priority_class=merge_priority_class(sources),
        pod_annotations=merge_maps(source.pod_annotations for source in sources),
    )
    plan = Plan(
        namespace=name.namespace,
        name=name.name,
        uid=nested_string(metadata, "uid"),
        generation=_integer(metadata.get("generation")),
        target_namespace=_read_name(spec, "targetNamespace"),
        settings=settings if settings != _NO_SETTINGS else _NO_SETTINGS,
        settings_modified=last_modified(metadata, installation.prefix),
        vm_rules=read_vm_rules(spec),
    )
    plan = without_own_pod_rules(plan, sources, scope, installation)
    return PlanReading(plan, sources, rules.sources, scope)


def _read_name(fields: Json, field: str) -> str:
    """Return a name, which begins many messages; a longer text is not a name."""
    return truncate(nested_string(fields, field), MAX_SUBDOMAIN_LENGTH)


def _integer(value: Any) -> int:
    valid = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63
    return value if valid else 0
