"""Rules for first consumers about the pods of the plan itself, which are never applied.

A first consumer that requires such a pod would wait for one that comes later, and one that avoids
such pods would drive the disks of a VM apart.
"""

from collections.abc import Iterator

import msgspec

from webhook import karl
from webhook.karl.affinity import to_affinity
from webhook.karl.decompile import format_required_pod_term
from webhook.karl.errors import Mistake, build_error
from webhook.karl.pod_rule_warnings import list_required_pod_terms
from webhook.kube.messages import quote
from webhook.kube.objects import Json
from webhook.kube.sizes import MAX_REPORTED
from webhook.model import Installation, Plan, Problem, Role, Scope
from webhook.settings.names import of_role
from webhook.settings.own_pods import OwnPods, list_own_pods
from webhook.settings.raw import Invalid, RawSetting, report
from webhook.settings.rules import to_problem
from webhook.settings.source import Sources

_ROLE = Role.FIRST_CONSUMER
_MAX_LOCATED_CHARACTERS = 4 * 1024
"""Of rules that are parsed once more for their positions, which takes as long as the first time."""
_MESSAGE = "selects pods of the plan itself, which come later or hold other disks of the same VM"
_HINT = (
    f"nothing of {of_role('affinity', _ROLE)} is applied; remove the rule, or write it in "
    "affinity, which applies it to convertor pods only"
)


def without_own_pod_rules(
    plan: Plan, sources: Sources, scope: Scope, installation: Installation
) -> Plan:
    """Return the plan without an affinity for first consumers that selects its own pods.

    `scope` is that of pod rules that name no namespace.
    """
    own = plan.settings.roles.get(_ROLE)
    if own is None or not list_required_pod_terms(own.affinity or {}):
        return plan
    own_pods = list_own_pods(plan, installation)
    if not any(_find_terms(own.affinity or {}, own_pods)):
        return plan
    *_, setting = (
        source.roles[_ROLE].raw["affinity"]
        for source in sources
        if _ROLE in source.roles and "affinity" in source.roles[_ROLE].raw
    )
    found = _locate(setting, own.affinity or {}, scope, own_pods)
    settings = msgspec.structs.replace(
        plan.settings,
        problems=plan.settings.problems + found,
        roles=plan.settings.roles | {_ROLE: msgspec.structs.replace(own, affinity={})},
    )
    return msgspec.structs.replace(plan, settings=settings)


def _find_terms(affinity: Json, own_pods: OwnPods) -> Iterator[tuple[str, Json]]:
    for kind, term in list_required_pod_terms(affinity):
        if own_pods.may_match(term):
            yield kind, term


def _locate(setting: RawSetting, affinity: Json, scope: Scope, own_pods: OwnPods) -> list[Problem]:
    """Return the problem of each rule; of each term where rules have no position."""
    if not isinstance(setting.value, str) or len(setting.value) > _MAX_LOCATED_CHARACTERS:
        rules = (
            format_required_pod_term(kind, term) for kind, term in _find_terms(affinity, own_pods)
        )
        invalid = (Invalid(setting.where, f"{quote(rule)} {_MESSAGE}: {_HINT}") for rule in rules)
        return report(setting.where, invalid)
    mistakes = [
        Mistake(rule.span, f"the rule {_MESSAGE}", _HINT)
        for rule in karl.parse(setting.value)
        if any(_find_terms(_compile(rule, scope), own_pods))
    ]
    if len(mistakes) > MAX_REPORTED:
        last = mistakes[MAX_REPORTED]._replace(message="too many rules about pods of the plan")
        mistakes[MAX_REPORTED:] = [last]
    errors = build_error(setting.value, mistakes).errors
    return [to_problem(setting.where, error) for error in errors]


def _compile(rule: karl.Rule, scope: Scope) -> Json:
    compiled = to_affinity([rule], scope)
    return {} if isinstance(compiled, Mistake) else compiled
