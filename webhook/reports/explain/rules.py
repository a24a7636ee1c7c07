"""The effective rules: in plain English, compiled, and with what they match now."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import msgspec

from webhook import karl
from webhook.karl.decompile import (
    decompile,
    decompile_node_selector,
    decompile_spread,
    format_spread,
)
from webhook.karl.minimums import expand, is_minimum, join_selector, to_expression
from webhook.kube.affinity import PREFERRED, REQUIRED
from webhook.kube.objects import Json, labels_of, name_of, namespace_of
from webhook.kube.pod_terms import resolve_incoming_term
from webhook.kube.scheduler.pod_topology_spread import count_matching
from webhook.kube.scheduler.snapshot import Snapshot
from webhook.kube.selectors import label_selector_matches, node_selector_term_matches
from webhook.model import Settings
from webhook.reports.explain import near_misses
from webhook.reports.explain.context import ExplainContext
from webhook.reports.explain.model import Matches, Rule
from webhook.reports.installation import ENFORCED

MAX_NAMES = 5
"""Names beside a count."""


class _SourceRule(NamedTuple):
    source: str
    rule: karl.Rule | None
    affinity: Json
    text: str
    spread: Json = {}  # noqa: RUF012 - never changed


def list_effective_rules(context: ExplainContext, pod: Json) -> list[Rule]:
    """Return the node selector's entries and the rules; `pod` is one of the plan's.

    Those that the installation enforces are the last.
    """
    rules = [
        *_read_node_selectors(context),
        *_read_affinities(context),
        *_read_enforced(context.installation.enforced),
    ]
    return [_explain_rule(each, context, pod) for each in rules]


def _read_node_selectors(context: ExplainContext) -> Iterator[_SourceRule]:
    entries = {key: source for source in context.reading.sources for key in source.node_selector}
    for key, source in entries.items():
        if key not in context.installation.enforced.node_selector:
            where = source.location("node-selector", context.plan_name)
            yield _read_entry(key, source.node_selector[key], where)


def _read_entry(key: str, value: str, where: str) -> _SourceRule:
    """Return the rule that is equivalent to an entry of a node selector."""
    if is_minimum(value):
        term = {"matchExpressions": [to_expression(key, value[:-1])]}
        rule = karl.parse(f"REQUIRE nodes({key}>={value[:-1]})")[0]
    else:
        term = {"matchExpressions": [{"key": key, "operator": "In", "values": [value]}]}
        rule = decompile_node_selector(key, value)
    affinity = {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": [term]}}}
    return _SourceRule(where, rule, affinity, f"{key}={value}")


def _read_affinities(context: ExplainContext) -> Iterator[_SourceRule]:
    scope = context.reading.scope
    for source in context.reading.affinity_sources:
        where = source.location("affinity", context.plan_name)
        for rule in source.rules:
            affinity, spread = karl.compile_rules("", [rule], scope)
            constraint = spread[0] if spread else {}
            yield _SourceRule(where, rule, affinity, karl.to_text(rule), constraint)
        if not source.rules:
            yield from _decompile(source.affinity or {}, where)


def _read_enforced(enforced: Settings) -> Iterator[_SourceRule]:
    for key, value in join_selector(enforced.node_selector, enforced.node_requirements).items():
        yield _read_entry(key, value, f"{ENFORCED}nodeSelector")
    yield from _decompile(enforced.affinity, f"{ENFORCED}affinity")
    for each in enforced.spread:
        rule = decompile_spread(each)
        yield _SourceRule(f"{ENFORCED}affinity", rule, {}, format_spread(each), each)


def _decompile(affinity: Json, where: str) -> Iterator[_SourceRule]:
    for part in decompile(affinity):
        text = karl.to_text(part.rule) if part.rule else ""
        yield _SourceRule(where, part.rule, part.affinity, text)


def _explain_rule(found: _SourceRule, context: ExplainContext, pod: Json) -> Rule:
    affinity = expand(found.affinity, context.cluster.node_values)
    rule = Rule(
        source=found.source,
        sentence=karl.to_english(found.rule, scope=context.reading.scope) if found.rule else "",
        affinity=affinity,
        spread=found.spread,
        text=found.text,
    )
    if not context.snapshot.nodes:
        return rule
    if found.spread:
        return _count_spread(rule, pod, context.snapshot)
    nodes, note = _match_nodes(affinity, context.snapshot)
    pods: Matches | None = None
    for term in _pod_terms(affinity):
        pods, nodes, note = _match_pods(term, pod, context)
    return msgspec.structs.replace(rule, pods=pods, nodes=nodes, note=note)


def _count_spread(rule: Rule, pod: Json, snapshot: Snapshot) -> Rule:
    """Return the rule with the pods that its constraint counts, by the nodes' label."""
    key = rule.spread["topologyKey"]
    nodes = [node for node in snapshot.nodes if key in labels_of(node)]
    domains = count_matching(rule.spread, pod, nodes, snapshot)
    note = ""
    if not nodes:
        note = near_misses.describe_label(key, snapshot)
    elif not domains:
        note = f"the pod may use none of the nodes with the label {key}"
    elif not label_selector_matches(rule.spread.get("labelSelector"), labels_of(pod)):
        note = "the pod itself does not match, so it is placed by the numbers of the others"
    return msgspec.structs.replace(rule, domains=dict(sorted(domains.items())), note=note)


def _pod_terms(affinity: Json) -> Iterator[Json]:
    for kind in ("podAffinity", "podAntiAffinity"):
        for field in (REQUIRED, PREFERRED):
            for item in (affinity.get(kind) or {}).get(field) or ():
                yield item.get("podAffinityTerm") or item


def _match_pods(term: Json, pod: Json, context: ExplainContext) -> tuple[Matches, Matches, str]:
    """Return the pods that a term selects, the nodes near them, and why there is no such node."""
    snapshot, affinity_term = context.snapshot, resolve_incoming_term(term, pod)
    selected = [
        (node, each)
        for node in snapshot.nodes
        for each in snapshot.pods[name_of(node)]
        if affinity_term.matches(each, snapshot.namespaces)
    ]
    key = affinity_term.topology_key
    values = {labels_of(node).get(key) for node, _ in selected} - {None}
    near = [node for node in snapshot.nodes if labels_of(node).get(key) in values]
    pods = _count(f"{namespace_of(each)}/{name_of(each)}" for _, each in selected)
    note = "" if near else near_misses.diagnose_pod_term(term, pod, context)
    return pods, _count(map(name_of, near)), note


def _match_nodes(affinity: Json, snapshot: Snapshot) -> tuple[Matches, str]:
    """Return the nodes that match the node affinity, and why there is none."""
    section = affinity.get("nodeAffinity") or {}
    terms = [each.get("preference") or {} for each in section.get(PREFERRED) or ()]
    terms += (section.get(REQUIRED) or {}).get("nodeSelectorTerms") or ()
    matching = [
        node
        for node in snapshot.nodes
        if any(node_selector_term_matches(term, node) for term in terms)
    ]
    note = "" if matching else near_misses.diagnose_node_terms(terms, snapshot)
    return _count(map(name_of, matching)), note


def _count(names: Iterable[str]) -> Matches:
    found = list(names)
    return Matches(len(found), found[:MAX_NAMES])
