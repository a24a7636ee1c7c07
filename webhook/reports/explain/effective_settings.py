"""The effective settings, and the source of each."""

from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec

from webhook import karl
from webhook.kube.objects import Json
from webhook.kube.tolerations import format_toleration
from webhook.model import Role, RoleSettings
from webhook.reports.explain.context import ExplainContext
from webhook.reports.installation import NO_NAME, list_enforced, list_profile
from webhook.reports.setting import Setting
from webhook.settings.names import LIMITS, REQUESTS, of_role
from webhook.settings.raw import UNSET, PlanName
from webhook.settings.source import RoleSource, Source

_NONE = "none"
"""The value of a setting for a role that replaces the general one by nothing."""


def list_effective_settings(context: ExplainContext) -> list[Setting]:
    """Return every effective setting, in the order of the documentation."""
    sources, settings = context.reading.sources, context.plan.settings
    name = context.plan_name
    of_roles = (
        each for role, own in settings.roles.items() for each in _list_of_role(role, own, context)
    )
    rows = [
        *_pairs("labels", sources, name, lambda source: source.labels),
        *_pairs("node-selector", sources, name, lambda source: source.node_selector),
        *_affinities(context.reading.affinity_sources, name),
        *_tolerations(settings.tolerations, sources, name),
        *_resources(settings.resources, sources, name),
        *_priority_class(settings.priority_class, sources, name),
        *_pairs("pod-annotations", sources, name, lambda source: source.pod_annotations),
        *_words(context),
        *of_roles,
    ]
    return [
        *_add_enforced(rows, [*list_enforced(context.installation)]),
        *list_profile(context.installation, context.plan.target_namespace),
    ]


def _add_enforced(rows: list[Setting], enforced: list[Setting]) -> list[Setting]:
    """Return the rows with those that the installation enforces, which override node labels."""
    selected = {_key(row): row for row in rows if row.name == "node-selector"}
    changed = [
        msgspec.structs.replace(
            row, overridden=[*below.overridden, f"{below.value} ({below.source})"]
        )
        if row.name == "node-selector" and (below := selected.get(_key(row)))
        else row
        for row in enforced
    ]
    overridden = {_key(row) for row in enforced if row.name == "node-selector"}
    kept = [row for row in rows if row.name != "node-selector" or _key(row) not in overridden]
    return kept + changed


def _key(row: Setting) -> str:
    return row.value.partition("=")[0]


def _list_of_role(role: Role, own: RoleSettings, context: ExplainContext) -> Iterator[Setting]:
    """Yield the settings for a role, in place of which the general ones are not effective."""
    name = context.plan_name
    sources = [each.roles[role] for each in context.reading.sources if role in each.roles]
    labels = own.labels or {}
    has_rules = own.affinity or own.spread
    affinities = [each for each in sources if each.affinity is not None][-1:] if has_rules else []
    found = {
        "labels": [
            each
            for each in _pairs("labels", sources, name, lambda source: source.labels)
            if each.value.partition("=")[0] in labels
        ],
        "node-selector": [
            *_pairs("node-selector", sources, name, lambda source: source.node_selector)
        ],
        "affinity": [*_affinities(affinities, name)],
        "tolerations": [*_tolerations(own.tolerations or [], sources, name)],
        "resources": [*_resources(own.resources or {}, sources, name)],
        "priority-class": [*_priority_class(own.priority_class or "", sources, name)],
        "pod-annotations": [
            *_pairs("pod-annotations", sources, name, lambda source: source.pod_annotations)
        ],
    }
    for setting, rows in found.items():
        where = [each.location(setting, name) for each in sources if setting in each.raw][-1:]
        for row in rows or [Setting(setting, _NONE, each) for each in where]:
            yield Setting(of_role(setting, role), row.value, row.source, row.overridden)


def _pairs(
    name: str,
    sources: Sequence[RoleSource],
    plan: PlanName,
    pairs_of: Callable[[RoleSource], dict[str, str]],
) -> Iterator[Setting]:
    for key in {key: None for source in sources for key in pairs_of(source)}:
        *others, effective = [
            (f"{key}={pairs_of(source)[key]}", source.location(name, plan))
            for source in sources
            if key in pairs_of(source)
        ]
        overridden = [f"{value} ({where})" for value, where in others if value != effective[0]]
        yield Setting(name, *effective, overridden=overridden)


def _affinities(sources: Iterable[RoleSource], plan: PlanName) -> Iterator[Setting]:
    for source in sources:
        values = [karl.to_text(rule) for rule in source.rules]
        for value in values or ([NO_NAME] if source.affinity else []):
            yield Setting("affinity", value, source.location("affinity", plan))


def _tolerations(
    tolerations: Iterable[Json], sources: Iterable[RoleSource], plan: PlanName
) -> Iterator[Setting]:
    for toleration in tolerations:
        *_, source = [each for each in sources if toleration in each.tolerations]
        where = source.location("tolerations", plan)
        yield Setting("tolerations", format_toleration(toleration), where)


def _resources(
    resources: dict[str, str], sources: Sequence[RoleSource], plan: PlanName
) -> Iterator[Setting]:
    """Yield the quantities; one may follow its request or limit of a more specific source."""
    for name, amount in resources.items():
        part, _, resource = name.partition(".")
        other = f"{REQUESTS if part == LIMITS else LIMITS}.{resource}"
        written = [each for each in sources if name in each.resources]
        followed = [each for each in sources if other in each.resources]
        *_, source = written if written[-1].resources[name] == amount else followed
        overridden = [
            f"{name}={each.resources[name]} ({each.location('resources', plan)})"
            for each in written
            if each.resources[name] != amount
        ]
        where = source.location("resources", plan)
        yield Setting("resources", f"{name}={amount}", where, overridden=overridden)


def _priority_class(name: str, sources: Iterable[RoleSource], plan: PlanName) -> Iterator[Setting]:
    written = [each for each in sources if each.priority_class is not None]
    for source in written[-1:]:
        overridden = [
            f"{each.priority_class or _NONE} ({each.location('priority-class', plan)})"
            for each in written[:-1]
            if each.priority_class != name
        ]
        where = source.location("priority-class", plan)
        yield Setting("priority-class", name or _NONE, where, overridden=overridden)


def _words(context: ExplainContext) -> Iterator[Setting]:
    """Yield the settings that are one word or a list of roles."""
    settings, annotations = context.plan.settings, context.reading.sources.annotations
    words: dict[str, tuple[str, Callable[[Source], object]]] = {
        "affinity-policy": (settings.affinity_policy, lambda source: source.affinity_policy),
        "pods": (",".join(settings.pods) or _NONE, lambda source: source.pods),
        "disks": (settings.disks, lambda source: source.disks),
    }
    for name, (value, value_of) in words.items():
        for source in [each for each in context.reading.sources if value_of(each) is not None][-1:]:
            yield Setting(name, value, source.location(name, context.plan_name))
    for name, value in (("scope", context.reading.scope), ("mode", context.mode)):
        own = (annotations.raw.get(name, UNSET).value or "").strip() == value
        where = annotations.location(name, context.plan_name) if own else "installation"
        yield Setting(name, value, where)
