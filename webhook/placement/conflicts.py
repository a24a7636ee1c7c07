"""Conflicts of a VM: its disks are bound where its convertor pod, or the VM itself, cannot run.

A volume cannot move, so such a VM waits after the cutover, when it is already off. A conflict is
found from the node affinity of the volumes, long before the convertor pod exists. What passes by
itself does not count: cordoned nodes, free resources, and the taints that Kubernetes sets while a
node is not healthy.
"""

from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from typing import NamedTuple

from webhook.karl.decompile import format_pod_term
from webhook.karl.syntax import Verb
from webhook.kube.messages import quote, truncate
from webhook.kube.objects import Json, encode, name_of
from webhook.kube.scheduler.inter_pod_affinity import AFFINITY
from webhook.kube.scheduler.plugin import Rejection
from webhook.kube.selectors import node_selector_term_matches
from webhook.kube.tolerations import format_toleration
from webhook.model import Disks, Role, SiblingDisk
from webhook.placement.disk_users import PLUGINS, DiskUser, DiskUsers, Surroundings
from webhook.placement.exclusion import exclude_each_other
from webhook.placement.required_rules import MAX_RULE_CHARACTERS, format_terms

_MAX_LISTED = 3


class ConflictKind(StrEnum):
    """The kinds of conflicts: a closed set."""

    DISKS = "disks"
    """The disks are bound in places that exclude each other, or where no node is."""
    CONVERTOR = "convertor"
    """The disks are bound where the convertor pod cannot run."""
    VM = "vm"
    """The disks are bound where the VM cannot run."""


class Conflict(NamedTuple):
    """A conflict of one VM."""

    kind: ConflictKind
    message: str
    """One sentence: which disks, why, and what to change. Lower case, no full stop."""


class _Cause(NamedTuple):
    """A rule or a taint that excludes nodes."""

    text: str
    remedy: str


_Finding = tuple[ConflictKind, str]
"""A conflict, and its reason; empty for disks that no node reaches together."""


class ConflictSearch:
    """Finds the conflicts of the VMs of a plan.

    Disks of many VMs are in the same places, which are compared with the nodes once.
    """

    def __init__(self, users: DiskUsers, surroundings: Surroundings) -> None:
        self._users = users
        self._surroundings = surroundings
        self._findings: dict[bytes, list[_Finding]] = {}
        """By the places of the disks."""

    def find(self, vm: str, disks: Iterable[SiblingDisk]) -> list[Conflict]:
        """Return the conflicts of a VM, given by its ID and those of its disks that are known.

        If the plan has no settings, only disks that exclude each other are in conflict.
        """
        bound = [disk for disk in disks if disk.bound and disk.node_terms]
        places = encode([disk.node_terms for disk in bound])
        findings = self._findings.get(places)
        if findings is None:
            findings = self._findings[places] = self._compare(bound)
        return [
            Conflict(kind, _describe(vm, kind, why, bound, self._users)) for kind, why in findings
        ]

    def _compare(self, bound: list[SiblingDisk]) -> list[_Finding]:
        users, nodes = self._users, self._surroundings.nodes
        if not bound:
            return []
        reaching = find_reaching_nodes(bound, nodes)
        if not reaching if nodes else exclude_each_other(disk.node_terms or [] for disk in bound):
            is_conflict = len(bound) > 1 or users.have_settings
            return [(ConflictKind.DISKS, "")] if is_conflict else []
        if not users.have_settings:
            return []
        found: list[_Finding] = []
        for kind in (ConflictKind.CONVERTOR, ConflictKind.VM):
            user = _get_user(kind, users)
            if nodes:
                why = _explain_rejections(user, bound, reaching, self._surroundings)
            else:
                why = _find_excluding_rules(user, bound)
            if why:
                found.append((kind, why))
        return found


def _get_user(kind: ConflictKind, users: DiskUsers) -> DiskUser:
    return users.convertor if kind is ConflictKind.CONVERTOR else users.vm


def _describe(
    vm: str, kind: ConflictKind, why: str, disks: list[SiblingDisk], users: DiskUsers
) -> str:
    restart = _advise_on_restart(kind, disks, users)
    if kind is ConflictKind.DISKS:
        return f"{_describe_apart(vm, disks)}: {restart}"
    user = _get_user(kind, users).name
    return f"{_name_disks(disks)} where {user} {quote(vm)} cannot run: {why}, or {restart}"


def find_reaching_nodes(disks: Sequence[SiblingDisk], nodes: Iterable[Json]) -> list[Json]:
    """Return the nodes that reach the volumes of all these disks, which are bound."""
    return [node for node in nodes if all(_reaches(node, disk) for disk in disks)]


def _reaches(node: Json, disk: SiblingDisk) -> bool:
    return any(node_selector_term_matches(term, node) for term in disk.node_terms or ())


def _explain_rejections(
    user: DiskUser, disks: list[SiblingDisk], nodes: list[Json], surroundings: Surroundings
) -> str:
    """Return why a user of disks can run on none of these nodes; empty if it can on one."""
    filters = [plugin(user.pod, surroundings.snapshot) for plugin in PLUGINS]
    if any(not any(reject(node) for reject in filters) for node in nodes):
        return ""
    by_node = [
        {
            cause.text: cause
            for reject in filters
            if (rejection := reject(node))
            for cause in _list_causes(rejection, user)
        }
        for node in nodes
    ]
    causes = {text: cause for each in by_node for text, cause in each.items()}
    everywhere = [cause for text, cause in causes.items() if all(text in each for each in by_node)]
    texts = _describe_causes(everywhere or causes.values())
    one_of = "" if everywhere else "one of "
    names = _join(map(name_of, nodes))
    if len(nodes) == 1:
        return f"the only node that reaches {_it(disks)} ({names}) is excluded by {texts}"
    return (
        f"the {len(nodes)} nodes that reach {_it(disks)} ({names}) are excluded by {one_of}{texts}"
    )


def _find_excluding_rules(user: DiskUser, disks: list[SiblingDisk]) -> str:
    """Return which rules of a user no node meets that reaches the disks; empty if there are none.

    Only by logic: the nodes are not known.
    """
    places = [disk.node_terms or [] for disk in disks]
    if not exclude_each_other([*places, *(rule.terms for rule in user.rules)]):
        return ""
    alone = [rule for rule in user.rules if exclude_each_other([*places, rule.terms])]
    causes = [
        _Cause(str(rule), f"change {rule.setting} of the plan") for rule in alone or user.rules
    ]
    where = " and ".join(dict.fromkeys(map(format_terms, places[:_MAX_LISTED])))
    return f"only {where} reach {_it(disks)}, and no such node meets {_describe_causes(causes)}"


def _describe_causes(causes: Iterable[_Cause]) -> str:
    """Return the causes, and what to change: `node-selector a=b; change node-selector …`."""
    listed = list(causes)
    remedies = ", ".join(dict.fromkeys(cause.remedy for cause in listed[:_MAX_LISTED]))
    return f"{_join(cause.text for cause in listed)}; {remedies}"


def _list_causes(rejection: Rejection, user: DiskUser) -> Iterator[_Cause]:
    for cause in rejection.causes:
        yield _describe_cause(cause, rejection.reasons[0], user)


def _describe_cause(cause: Json, reason: str, user: DiskUser) -> _Cause:
    match cause:
        case {"nodeSelector": selector}:
            ((key, value),) = selector.items()
            return _change(user.selector, f"{key}={value}")
        case {"nodeSelectorTerms": terms}:
            settings = (rule.setting for rule in user.rules if rule.in_affinity)
            return _change(" or ".join(settings), format_terms(terms))
        case {"term": term}:
            verb = Verb.REQUIRE if reason == AFFINITY else Verb.AVOID
            return _change(user.affinity, format_pod_term(verb, term))
    taint = format_toleration(cause)
    return _Cause(f"taint {taint}", user.taint_remedy)


def _change(setting: str, text: str) -> _Cause:
    return _Cause(
        f"{setting} {truncate(text, MAX_RULE_CHARACTERS)}", f"change {setting} of the plan"
    )


def _describe_apart(vm: str, disks: list[SiblingDisk]) -> str:
    """Describe disks that no node reaches together."""
    what = "in places that exclude each other" if len(disks) > 1 else "where no node is"
    places = (f"{quote(disk.name)} on {format_terms(disk.node_terms or [])}" for disk in disks)
    return (
        f"{_name_disks(disks)} {what} ({_join(places)}), so neither the convertor pod of VM "
        f"{quote(vm)} nor the VM itself can run"
    )


def _advise_on_restart(kind: ConflictKind, disks: list[SiblingDisk], users: DiskUsers) -> str:
    """Return how the disks are bound elsewhere."""
    settings = users.plan.settings
    changes = []
    if Role.FIRST_CONSUMER not in settings.pods:
        changes.append("first-consumer among the pods of the plan")
    if kind is ConflictKind.VM:
        changes.append("a rule for first-consumer that leads to where the VM can run")
    if len(disks) > 1 and settings.disks is not Disks.TOGETHER:
        changes.append("disks: together")
    text = "cancel the migration of the VM and start it again"
    return f"{text} with {' and '.join(changes)}" if changes else text


def _name_disks(disks: list[SiblingDisk]) -> str:
    names = _join(quote(disk.name) for disk in disks)
    return f"disk {names} is bound" if len(disks) == 1 else f"disks {names} are bound"


def _it(disks: list[SiblingDisk]) -> str:
    return "it" if len(disks) == 1 else "them"


def _join(names: Iterable[str]) -> str:
    listed = list(names)
    more = len(listed) - _MAX_LISTED
    return ", ".join(listed[:_MAX_LISTED]) + (f" and {more} more" if more > 0 else "")
