"""The three sources of settings, each read by itself: defaults, spec and annotations."""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import msgspec

from webhook.kube.objects import Json
from webhook.kube.sizes import (
    MAX_AFFINITY_ITEMS,
    MAX_ENTRIES,
    MAX_RULES_CHARACTERS,
    count_entries,
    count_items,
)
from webhook.model import AffinityPolicy, Disks, Installation, Problem, Role
from webhook.settings.find import RawSettings
from webhook.settings.lists import FieldLabels, read_labels, read_node_selector, read_tolerations
from webhook.settings.names import ANNOTATIONS, LISTS, without_role
from webhook.settings.raw import UNSET, PlanName, RawSetting, read_word
from webhook.settings.roles import find_missing_roles, read_roles
from webhook.settings.rules import read_affinity


class RoleSource(msgspec.Struct, frozen=True):
    """The settings of one source for the pods of one role, or the general ones; raw and parsed."""

    raw: RawSettings
    """By their names, without the role."""
    labels: dict[str, str]
    node_selector: dict[str, str]
    """With minimums as they are written, `16+`."""
    tolerations: list[Json]
    affinity: Json | None
    """None if the source has no such setting; empty if it is invalid."""

    def location(self, setting: str, plan: PlanName) -> str:
        """Return the location of a setting inside the Plan; empty if it is not set."""
        return self.raw.get(setting, UNSET).where.removeprefix(f"{plan} ")


class Source(RoleSource, frozen=True):
    """The settings of one source: the general ones, and those for each role."""

    affinity_policy: AffinityPolicy | None
    pods: tuple[Role, ...] | None
    disks: Disks | None
    roles: Mapping[Role, RoleSource]
    """Without roles that have no setting."""


_NO_SETTINGS = Source(
    raw={},
    labels={},
    node_selector={},
    tolerations=[],
    affinity=None,
    affinity_policy=None,
    pods=None,
    disks=None,
    roles={},
)


class Sources(NamedTuple):
    """The sources of a plan's settings, from the least to the most specific."""

    defaults: Source
    spec: Source
    annotations: Source


def read_sources(
    raw: tuple[RawSettings, RawSettings, RawSettings],
    plan: PlanName,
    installation: Installation,
    problems: list[Problem],
) -> Sources:
    """Read defaults, spec and annotations; annotations must not contradict labels of the spec."""
    defaults, spec, annotations = raw
    in_defaults = read_source(defaults, installation, problems)
    in_spec = read_source(spec, installation, problems)
    written = spec.get("labels", UNSET).value
    pairs = written.items() if isinstance(written, dict) else ()
    labels = {key: text for key, text in pairs if isinstance(text, str)} | in_spec.labels
    accepted = _limit_rules(spec, annotations, problems)
    field_labels = FieldLabels(plan, labels)
    return Sources(
        in_defaults, in_spec, read_source(accepted, installation, problems, field_labels)
    )


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


def read_source(
    raw: RawSettings,
    installation: Installation,
    problems: list[Problem],
    field_labels: FieldLabels | None = None,
) -> Source:
    """Read the settings of one source; one that is too large is the same as an empty text.

    `installation` has the effective scope.
    """
    if not raw:
        return _NO_SETTINGS
    general: dict[str, RawSetting] = {}
    by_role: dict[Role, dict[str, RawSetting]] = {}
    for name, each in raw.items():
        setting, role = ANNOTATIONS[name]
        own = by_role.setdefault(role, {}) if role else general
        own[setting] = _accept(setting, each, problems)
    pod_settings = _read_role(general, installation, problems, field_labels)
    roles: dict[Role, RoleSource] = {}
    for role in filter(by_role.__contains__, Role if by_role else ()):
        own = by_role[role]
        if role in installation.roles:
            labels = field_labels if role is Role.CONVERTOR else None
            roles[role] = _read_role(own, installation, problems, labels)
        else:
            problems.extend(_describe_limit(role, own.values(), installation))
    return Source(
        raw=general,
        labels=pod_settings.labels,
        node_selector=pod_settings.node_selector,
        tolerations=pod_settings.tolerations,
        affinity=pod_settings.affinity,
        affinity_policy=read_word(
            general.get("affinity-policy", UNSET), AffinityPolicy, "affinity policy", problems
        ),
        pods=read_roles(general.get("pods", UNSET), problems, installation.roles),
        disks=read_word(general.get("disks", UNSET), Disks, "disks", problems),
        roles=roles,
    )


def _read_role(
    raw: RawSettings,
    installation: Installation,
    problems: list[Problem],
    field_labels: FieldLabels | None,
) -> RoleSource:
    prefix, scope = installation.prefix, installation.scope
    no_entry = find_missing_roles(installation)
    return RoleSource(
        raw=raw,
        labels=read_labels(raw.get("labels", UNSET), prefix, problems, field_labels),
        node_selector=read_node_selector(raw.get("node-selector", UNSET), problems),
        tolerations=read_tolerations(raw.get("tolerations", UNSET), problems, no_entry),
        affinity=read_affinity(raw["affinity"], scope, problems) if "affinity" in raw else None,
    )


def _describe_limit(
    role: Role, settings: Iterable[RawSetting], installation: Installation
) -> Iterator[Problem]:
    message = (
        "the setting is not applied, because limits.roles of the installation has only "
        f"{' and '.join(installation.roles)}: remove it, or add {role} there"
    )
    for each in settings:
        yield Problem(each.where, message)


def _accept(name: str, setting: RawSetting, problems: list[Problem]) -> RawSetting:
    """Return a setting, or an empty one if it is too large; `webhook.karl` limits rules."""
    value = setting.value
    if (name in LISTS or name == "pods") and (count := count_entries(value)) > MAX_ENTRIES:
        most, found = f"{MAX_ENTRIES} entries", str(count)
    elif name == "affinity" and count_items(value, MAX_AFFINITY_ITEMS) > MAX_AFFINITY_ITEMS:
        most, found = f"{MAX_AFFINITY_ITEMS} fields and values", "more"
    else:
        return setting
    message = f"expected at most {most}, found {found}: nothing of it is applied, shorten it"
    problems.append(Problem(setting.where, message))
    return setting._replace(value=None if name == "pods" else "")
