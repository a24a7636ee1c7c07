"""Warnings about rules by which a volume may be bound where its convertor pod or VM cannot run.

A first consumer decides where a volume is. These warnings are about the rules alone, without the
cluster: a volume that every node reaches is never in the wrong place.
"""

from collections.abc import Iterable, Iterator

from webhook.karl.decompile import format_required_pod_term
from webhook.karl.pod_rule_warnings import list_required_pod_terms
from webhook.karl.syntax import TOPOLOGIES
from webhook.kube.messages import quote
from webhook.model import Installation, Plan, Role
from webhook.placement import CONVERTOR_POD
from webhook.placement.exclusion import exclude_each_other
from webhook.placement.required_rules import NodeRule, list_role_rules, list_vm_rules
from webhook.placement.role_settings import settings_for
from webhook.settings.own_pods import list_own_pods


def find_place_warnings(plan: Plan, installation: Installation) -> Iterator[str]:
    """Yield the warnings about a plan whose rules lead its disks away from their users."""
    roles = plan.settings.pods
    consumers = Role.FIRST_CONSUMER if Role.FIRST_CONSUMER in roles else Role.CONVERTOR
    by_consumers = list_role_rules(consumers, plan, installation)
    if Role.CONVERTOR in roles:
        if consumers is Role.FIRST_CONSUMER:
            yield from _find_own_pod_rules(plan, installation)
            convertor = list_role_rules(Role.CONVERTOR, plan, installation)
            yield from _find_exclusion(by_consumers, convertor, "the convertor pod")
        else:
            yield from _find_unplaced_consumers(plan, installation)
    yield from _find_exclusion(by_consumers, list_vm_rules(plan), "the VM")


def _find_exclusion(rules: list[NodeRule], others: list[NodeRule], user: str) -> Iterator[str]:
    """Yield the warning about rules of first consumers that exclude those of a user of disks.

    Rules that exclude each other by themselves have another warning, or are pending anyway.
    """
    if not _exclude(rules + others) or _exclude(rules) or _exclude(others):
        return
    yield (
        f"{_join(rules)} of the pods that bind volumes and {_join(others)} exclude each other: a "
        f"volume that not every node reaches may be bound where {user} cannot run"
    )


def _find_unplaced_consumers(plan: Plan, installation: Installation) -> Iterator[str]:
    """Yield the warning about required rules that first consumers do not get."""
    settings = settings_for(CONVERTOR_POD, plan, installation).settings
    own_pods = list_own_pods(plan, installation)
    on_pods = [
        term
        for _, term in list_required_pod_terms(settings.affinity)
        if not own_pods.may_match(term)
    ]
    on_nodes = list_role_rules(Role.CONVERTOR, plan, installation)
    if on_nodes or on_pods:
        names = dict.fromkeys([rule.setting for rule in on_nodes] + ["affinity"] * bool(on_pods))
        remedy = f"add {Role.FIRST_CONSUMER} to the annotation {installation.prefix}/pods"
        if Role.FIRST_CONSUMER not in installation.roles:
            remedy = f"limits.roles of the installation does not have {Role.FIRST_CONSUMER}"
        yield (
            f"the required rules of {' and '.join(names)} do not apply to first consumers, so a "
            "volume that waits for its first consumer may be bound where the convertor pod cannot "
            f"run; {remedy}"
        )


def _find_own_pod_rules(plan: Plan, installation: Installation) -> Iterator[str]:
    """Yield the warnings about required rules on the plan's own pods, for convertor pods only.

    Convertor pods that avoid each other on a node are on nodes that reach the same volumes,
    unless these are local.
    """
    own_pods = list_own_pods(plan, installation)
    settings = settings_for(CONVERTOR_POD, plan, installation).settings
    for kind, term in list_required_pod_terms(settings.affinity):
        is_spread = kind == "podAntiAffinity" and term["topologyKey"] == TOPOLOGIES["node"]
        if not is_spread and own_pods.may_match(term):
            rule = quote(format_required_pod_term(kind, term))
            yield (
                f"{rule} selects pods of the plan's own migrations, so only convertor pods get it: "
                "a volume that not every node reaches may be bound where they cannot run"
            )


def _exclude(rules: Iterable[NodeRule]) -> bool:
    return exclude_each_other(rule.terms for rule in rules)


def _join(rules: list[NodeRule]) -> str:
    return " and ".join(map(str, rules))
