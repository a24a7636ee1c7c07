"""The three sources of settings, each read by itself: defaults, spec and annotations."""

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from webhook.karl import Rule
from webhook.kube.messages import join_with_or
from webhook.kube.objects import Json
from webhook.kube.sizes import (
    MAX_AFFINITY_ITEMS,
    MAX_ENTRIES,
    MAX_FIELD_BYTES,
    MAX_RULES_CHARACTERS,
    TooLarge,
    count_entries,
    count_items,
)
from webhook.model import AffinityPolicy, Disks, Installation, Problem, Role
from webhook.settings.find import RawSettings
from webhook.settings.limits import PlanLimits
from webhook.settings.lists import FieldLabels, read_labels, read_node_selector, read_tolerations
from webhook.settings.names import ANNOTATIONS, LISTS, roles_of, without_role
from webhook.settings.pod_fields import read_pod_annotations, read_priority_class, read_resources
from webhook.settings.raw import UNSET, PlanName, RawSetting, digest, read_word
from webhook.settings.roles import find_missing_roles, read_roles
from webhook.settings.rules import NO_RULES, read_affinity


class RoleSource(msgspec.Struct, frozen=True):
    """The settings of one source for the pods of one role, or the general ones; raw and parsed."""

    raw: RawSettings = {}
    """By their names, without the role."""
    labels: dict[str, str] = {}
    node_selector: dict[str, str] = {}
    """With minimums as they are written, `16+`."""
    tolerations: list[Json] = []
    affinity: Json | None = None
    """None if the source has no such setting; empty if it is invalid."""
    spread: list[Json] = []
    """Of the same setting as `affinity`."""
    rules: tuple[Rule, ...] = ()
    """Those that `affinity` and `spread` are compiled from; empty for an affinity object."""
    resources: dict[str, str] = {}
    priority_class: str | None = None
    """None if the source has no valid one; empty if pods have none."""
    pod_annotations: dict[str, str] = {}

    def location(self, setting: str, plan: PlanName) -> str:
        """Return the location of a setting inside the Plan; empty if it is not set."""
        return self.raw.get(setting, UNSET).where.removeprefix(f"{plan} ")


class Source(RoleSource, frozen=True):
    """The settings of one source: the general ones, and those for each role."""

    affinity_policy: AffinityPolicy | None = None
    pods: tuple[Role, ...] | None = None
    disks: Disks | None = None
    roles: Mapping[Role, RoleSource] = {}
    """Without roles that have no setting."""


_NO_SETTINGS = Source()


class SourceContext(NamedTuple):
    """The conditions under which a source is read."""

    installation: Installation
    """With the effective scope."""
    limits: PlanLimits | None = None
    """None for the installation's own settings, which have no limits."""
    field_labels: FieldLabels | None = None
    """None if the source may give any value to a label."""

    @property
    def roles(self) -> tuple[Role, ...]:
        """The roles that settings may be for."""
        return self.limits.limits.roles if self.limits else self.installation.roles


class Sources(NamedTuple):
    """The sources of a plan's settings, from the least to the most specific."""

    defaults: Source
    spec: Source
    annotations: Source


def read_sources(
    raw: tuple[RawSettings, RawSettings, RawSettings],
    plan: PlanName,
    installation: Installation,
    limits: PlanLimits,
    problems: list[Problem],
) -> Sources:
    """Read defaults, spec and annotations; annotations must not contradict labels of the spec."""
    defaults, spec, annotations = raw
    if (spec or annotations) and (message := limits.check_target_namespace()):
        where = f"{plan} spec.targetNamespace"
        content = digest([(name, each.value) for name, each in spec.items()])
        problems.append(Problem(where, message, beyond_limits=True, digest=content))
        spec, annotations = {}, {}
    context = SourceContext(installation)
    in_defaults = read_source(defaults, context, problems)
    context = context._replace(limits=limits)
    in_spec = read_source(spec, context, problems)
    written = spec.get("labels", UNSET).value
    pairs = written.items() if isinstance(written, dict) else ()
    labels = {key: text for key, text in pairs if isinstance(text, str)} | in_spec.labels
    accepted = _limit_rules(spec, annotations, problems)
    context = context._replace(field_labels=FieldLabels(plan, labels))
    return Sources(in_defaults, in_spec, read_source(accepted, context, problems))


def _limit_rules(
    spec: RawSettings, annotations: RawSettings, problems: list[Problem]
) -> RawSettings:
    """Return the annotations, without rules from the first on that makes those of a plan too long.

    A text that is too long by itself has a problem of its own, and does not count.
    """
    accepted, total = dict(annotations), 0
    texts = [(name, each) for name, each in annotations.items() if without_role(name) == "affinity"]
    for name, setting in [("", spec.get("affinity", UNSET)), *texts]:
        length = len(setting.value) if isinstance(setting.value, str) else 0
        if length > MAX_RULES_CHARACTERS:
            continue
        if total + length <= MAX_RULES_CHARACTERS:
            total += length
            continue
        message = (
            f"expected at most {MAX_RULES_CHARACTERS} characters in all rules of a plan, found "
            f"{total + length} up to here: these rules are not applied, shorten them"
        )
        problems.append(Problem(setting.where, message))
        accepted[name] = setting._replace(value="")
    return accepted


def read_source(raw: RawSettings, context: SourceContext, problems: list[Problem]) -> Source:
    """Read the settings of one source; one that is too large is the same as an empty text."""
    if not raw:
        return _NO_SETTINGS
    general: dict[str, RawSetting] = {}
    by_role: dict[Role, dict[str, RawSetting]] = {}
    for name, each in raw.items():
        setting, role = ANNOTATIONS[name]
        if message := _describe_refusal(setting, role, context):
            content = digest(each.value)
            problems.append(Problem(each.where, message, beyond_limits=True, digest=content))
            continue
        if role and role not in roles_of(setting):
            problems.append(Problem(each.where, _describe_no_effect(setting, role)))
            continue
        own = by_role.setdefault(role, {}) if role else general
        own[setting] = _accept(setting, each, context, problems)
    pod_settings = _read_role(general, context, problems)
    roles: dict[Role, RoleSource] = {}
    for role in filter(by_role.__contains__, Role if by_role else ()):
        labels = context.field_labels if role is Role.CONVERTOR else None
        roles[role] = _read_role(by_role[role], context._replace(field_labels=labels), problems)
    return Source(
        **msgspec.structs.asdict(pod_settings),
        affinity_policy=read_word(
            general.get("affinity-policy", UNSET), AffinityPolicy, "affinity policy", problems
        ),
        pods=read_roles(general.get("pods", UNSET), problems, context.roles),
        disks=read_word(general.get("disks", UNSET), Disks, "disks", problems),
        roles=roles,
    )


def _read_role(raw: RawSettings, context: SourceContext, problems: list[Problem]) -> RoleSource:
    installation, limits, field_labels = context
    prefix = installation.prefix
    no_entry = find_missing_roles(installation)
    pod_labels = read_labels(raw.get("labels", UNSET), prefix, problems, limits, field_labels)
    selector = read_node_selector(raw.get("node-selector", UNSET), problems, limits)
    tolerations = read_tolerations(raw.get("tolerations", UNSET), problems, limits, no_entry)
    rules = NO_RULES
    if "affinity" in raw:
        rules = read_affinity(raw["affinity"], installation, problems, limits)
    annotations = raw.get("pod-annotations", UNSET)
    return RoleSource(
        raw=raw,
        labels=pod_labels,
        node_selector=selector,
        tolerations=tolerations,
        affinity=rules.affinity if "affinity" in raw else None,
        spread=rules.spread,
        rules=rules.rules,
        resources=read_resources(raw.get("resources", UNSET), problems, limits),
        priority_class=read_priority_class(raw.get("priority-class", UNSET), problems, limits),
        pod_annotations=read_pod_annotations(annotations, prefix, problems, limits),
    )


def _describe_refusal(setting: str, role: Role | None, context: SourceContext) -> str | None:
    """Return why the limits refuse a setting, or one for a role; None if they do not."""
    if role and role not in context.roles:
        return (
            "the setting is not applied, because limits.roles of the installation has only "
            f"{' and '.join(context.roles)}: remove it, or add {role} there"
        )
    return context.limits.check_setting(setting) if context.limits else None


def _describe_no_effect(setting: str, role: Role) -> str:
    others = join_with_or([f"{setting}.{each}" for each in roles_of(setting)])
    return f"{setting} has no effect on {role} pods, expected {others}: remove it"


def _accept(
    name: str, setting: RawSetting, context: SourceContext, problems: list[Problem]
) -> RawSetting:
    """Return a setting, or an empty one if it is too large; `webhook.karl` limits rules."""
    value = setting.value
    if isinstance(value, TooLarge):
        most, found = f"{MAX_FIELD_BYTES} bytes of JSON", str(value.bytes)
    elif (name in LISTS or name == "pods") and (count := count_entries(value)) > MAX_ENTRIES:
        most, found = f"{MAX_ENTRIES} entries", str(count)
    elif name == "affinity" and count_items(value, MAX_AFFINITY_ITEMS) > MAX_AFFINITY_ITEMS:
        most, found = f"{MAX_AFFINITY_ITEMS} fields and values", "more"
    else:
        return setting
    message = f"expected at most {most}, found {found}: nothing of it is applied, shorten it"
    content = digest(value) if context.limits else msgspec.UNSET
    problems.append(Problem(setting.where, message, digest=content))
    return setting._replace(value=None if name == "pods" else "")
