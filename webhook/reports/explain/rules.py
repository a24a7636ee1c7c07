"""Each rule in force: in words, as YAML, and what it matches now."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from webhook import karl
from webhook.karl.decompile import parts, selector_rule
from webhook.karl.minimums import expand, expression, is_selector
from webhook.kube.affinity import PREFERRED, REQUIRED
from webhook.kube.objects import Json, labels_of, name_of, namespace_of
from webhook.kube.scheduler.pod_terms import incoming_affinity_term
from webhook.kube.scheduler.selectors import node_selector_term_matches
from webhook.kube.scheduler.snapshot import Snapshot
from webhook.reports.explain import near_misses
from webhook.reports.explain.context import Case
from webhook.reports.explain.model import Matches, Rule

SHOWN = 5
"""Names beside a count."""


class _Found(NamedTuple):
    source: str
    rule: karl.Rule | None
    affinity: Json
    text: str


def rules_in_force(case: Case, pod: Json) -> list[Rule]:
    """Return the node selector's entries and the rules; `pod` is one of the plan's."""
    found = [*_selected(case), *_ruled(case)]
    return [_explained(each, case, pod) for each in found]


def _selected(case: Case) -> Iterator[_Found]:
    entries = {key: source for source in case.reading.sources for key in source.node_selector}
    for key, source in entries.items():
        value = source.node_selector[key]
        where = source.location("node-selector", case.plan_name)
        if is_selector(value):
            term = {"matchExpressions": [expression(key, value[:-1])]}
            rule = karl.parse(f"REQUIRE nodes({key}>={value[:-1]})")[0]
        else:
            term = {"matchExpressions": [{"key": key, "operator": "In", "values": [value]}]}
            rule = selector_rule(key, value)
        affinity = {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": [term]}}}
        yield _Found(where, rule, affinity, f"{key}={value}")


def _ruled(case: Case) -> Iterator[_Found]:
    for source in case.reading.affinity_sources:
        where, written = source.location("affinity", case.plan_name), source.raw["affinity"].value
        if isinstance(written, str):
            for rule in karl.parse(written):
                text = karl.to_text(rule)
                yield _Found(where, rule, karl.compile_open(text, scope=case.reading.scope), text)
        else:
            for part in parts(source.affinity or {}):
                text = karl.to_text(part.rule) if part.rule else ""
                yield _Found(where, part.rule, part.affinity, text)


def _explained(found: _Found, case: Case, pod: Json) -> Rule:
    affinity = expand(found.affinity, case.node_values)
    pods: Matches | None = None
    nodes: Matches | None = None
    note = ""
    if case.snapshot.nodes:
        nodes, note = _on_nodes(affinity, case.snapshot)
        for term in _pod_terms(affinity):
            pods, nodes, note = _on_pods(term, pod, case)
    return Rule(
        source=found.source,
        sentence=karl.to_english(found.rule, scope=case.reading.scope) if found.rule else "",
        affinity=affinity,
        text=found.text,
        pods=pods,
        nodes=nodes,
        note=note,
    )


def _pod_terms(affinity: Json) -> Iterator[Json]:
    for kind in ("podAffinity", "podAntiAffinity"):
        for field in (REQUIRED, PREFERRED):
            for item in (affinity.get(kind) or {}).get(field) or ():
                yield item.get("podAffinityTerm") or item


def _on_pods(term: Json, pod: Json, case: Case) -> tuple[Matches, Matches, str]:
    snapshot, asked = case.snapshot, incoming_affinity_term(term, pod)
    there = [
        (node, each)
        for node in snapshot.nodes
        for each in snapshot.pods[name_of(node)]
        if asked.matches(each, snapshot.namespaces)
    ]
    values = {labels_of(node).get(asked.topology_key) for node, _ in there} - {None}
    near = [node for node in snapshot.nodes if labels_of(node).get(asked.topology_key) in values]
    pods = matches(f"{namespace_of(each)}/{name_of(each)}" for _, each in there)
    note = "" if near else near_misses.of_pod_term(term, pod, case)
    return pods, matches(map(name_of, near)), note


def _on_nodes(affinity: Json, snapshot: Snapshot) -> tuple[Matches, str]:
    section = affinity.get("nodeAffinity") or {}
    terms = [each["preference"] for each in section.get(PREFERRED) or ()]
    terms += (section.get(REQUIRED) or {}).get("nodeSelectorTerms") or ()
    met = [
        node
        for node in snapshot.nodes
        if any(node_selector_term_matches(term, node) for term in terms)
    ]
    note = "" if met else near_misses.of_node_terms(terms, snapshot)
    return matches(map(name_of, met)), note


def matches(names: Iterable[str]) -> Matches:
    found = list(names)
    return Matches(len(found), found[:SHOWN])
