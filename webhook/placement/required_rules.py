"""The required rules on nodes of a plan's pods and VMs, with the settings that they come from."""

from collections.abc import Mapping
from typing import NamedTuple

from webhook.karl.decompile import format_node_terms
from webhook.karl.syntax import Verb
from webhook.kube.affinity import required_node_terms
from webhook.kube.messages import truncate
from webhook.kube.objects import Json
from webhook.model import Installation, MigrationPod, Plan, Role, Settings, VmRules
from webhook.placement.role_settings import settings_for
from webhook.settings.names import of_role, to_field

NodeTerms = list[Json]
"""ORed node selector terms; none admit every node."""

MAX_RULE_CHARACTERS = 120


class NodeRule(NamedTuple):
    """A required rule on nodes."""

    setting: str
    """Its name: `node-selector`, `affinity.first-consumer`, `targetAffinity`."""
    terms: NodeTerms
    """Minimums are not expanded."""
    in_affinity: bool = True
    """False if the pod has it as its nodeSelector."""

    def __str__(self) -> str:
        return f"{self.setting} {format_terms(self.terms)}"


def list_role_rules(role: Role, plan: Plan, installation: Installation) -> list[NodeRule]:
    """Return the rules of a plan's pods of a role; none if the settings do not apply to it."""
    settings = settings_for(MigrationPod(role), plan, installation).settings
    names = (name_setting(name, role, plan) for name in ("node-selector", "affinity"))
    return list_node_rules(settings, *names)


def name_setting(name: str, role: Role, plan: Plan) -> str:
    """Return the name of the setting that applies to a role: `affinity.importer`, or `affinity`."""
    own = plan.settings.roles.get(role)
    is_own = own and getattr(own, to_field(name)) is not None
    return of_role(name, role) if is_own else name


def list_node_rules(
    settings: Settings, selector: str = "node-selector", affinity: str = "affinity"
) -> list[NodeRule]:
    """Return the rules of settings, given the names of two of them."""
    minimums: Json = {"matchExpressions": settings.node_requirements}
    return _drop_empty(
        NodeRule(selector, to_terms(settings.node_selector), in_affinity=False),
        NodeRule(selector, [minimums] if settings.node_requirements else []),
        NodeRule(affinity, required_node_terms(settings.affinity)),
    )


def list_vm_rules(plan: Plan) -> list[NodeRule]:
    """Return the rules of the plan's VMs."""
    rules = plan.vm_rules or VmRules()
    return _drop_empty(
        NodeRule("targetNodeSelector", to_terms(rules.node_selector), in_affinity=False),
        NodeRule("targetAffinity", required_node_terms(rules.affinity)),
    )


def to_terms(node_selector: Mapping[str, str]) -> NodeTerms:
    """Return the terms that are equivalent to a node selector."""
    expressions = [
        {"key": key, "operator": "In", "values": [value]} for key, value in node_selector.items()
    ]
    return [{"matchExpressions": expressions}] if expressions else []


def format_terms(terms: NodeTerms) -> str:
    """Return terms as `nodes(zone=a)`, or as JSON if KARL has no such rule; truncated."""
    return truncate(format_node_terms(terms).removeprefix(f"{Verb.REQUIRE} "), MAX_RULE_CHARACTERS)


def _drop_empty(*rules: NodeRule) -> list[NodeRule]:
    return [rule for rule in rules if rule.terms]
