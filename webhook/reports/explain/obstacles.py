"""What stands between a pod and a node, in pieces that one change each would remove."""

from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple

import msgspec

from webhook import karl
from webhook.admission.patch_summary import format_toleration
from webhook.karl.decompile import parts, pod_rule
from webhook.karl.syntax import Verb
from webhook.kube.affinity import REQUIRED
from webhook.kube.objects import Json
from webhook.kube.scheduler import Rejection, Verdict
from webhook.kube.scheduler.inter_pod_affinity import AFFINITY, ANTI_AFFINITY
from webhook.kube.scheduler.node_unschedulable import PLUGIN as NODE_UNSCHEDULABLE
from webhook.kube.scheduler.node_unschedulable import TAINT as CORDON_TAINT
from webhook.kube.scheduler.resources import PODS
from webhook.reports.explain.amounts import amount_text

_LONGEST = 100  # characters of JSON in a text


class Kind(StrEnum):
    CORDON = "cordon"
    TAINT = "taint"
    LABEL = "label"
    """An entry of the node selector."""
    NODE_TERMS = "node terms"
    ROOM = "room"
    NOT_NEAR = "not near"
    """The pod has to be near another."""
    KEEPS_AWAY = "keeps away"
    """The pod keeps away from another."""
    KEPT_AWAY = "kept away"
    """Another pod keeps it away."""


class Obstacle(NamedTuple):
    """One thing in the way on one node."""

    kind: Kind
    text: str
    """In short: `taint gpu:NoSchedule`."""
    cause: Json
    """As in a `Rejection`."""
    key: str
    """The same for what is the same obstacle on other nodes."""


def obstacles(verdict: Verdict) -> list[Obstacle]:
    """Return everything that is in the way on a node, each once."""
    found = [each for rejection in verdict.rejections for each in of_rejection(rejection)]
    return list({each.key: each for each in found}.values())


def of_rejection(rejection: Rejection) -> Iterator[Obstacle]:
    if rejection.plugin == NODE_UNSCHEDULABLE:
        yield _CORDON
    for cause in rejection.causes:
        yield _of_cause(cause, rejection.reasons[0])


def rule_text(verb: Verb, term: Json) -> str:
    """Return a required pod term as a rule, or as JSON where there is none."""
    rule = pod_rule(verb, term)
    return karl.to_text(rule) if rule else _json(term)


def node_terms_text(terms: list[Json]) -> str:
    """Return required node terms as a rule, or as JSON where there is none."""
    (part,) = parts({"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": terms}}})
    return karl.to_text(part.rule) if part.rule else _json(terms)


def _json(value: Json | list[Json]) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


_CORDON = Obstacle(Kind.CORDON, "cordoned", {}, "cordon")


def _of_cause(cause: Json, reason: str) -> Obstacle:
    match cause:
        case {"nodeSelector": selector}:
            ((key, value),) = selector.items()
            text = f"no label {key}={value}"
            return Obstacle(Kind.LABEL, text, cause, text)
        case {"nodeSelectorTerms": terms}:
            text = f"does not meet {node_terms_text(terms)}"
            return Obstacle(Kind.NODE_TERMS, text, cause, text)
        case {"resource": resource}:
            return Obstacle(Kind.ROOM, _room_text(resource, cause), cause, f"room {resource}")
        case {"term": term}:
            return _of_term(term, cause, reason)
        case taint if taint["key"] == CORDON_TAINT["key"]:
            return _CORDON
        case taint:
            text = f"taint {format_toleration(taint)}"
            return Obstacle(Kind.TAINT, text, cause, text)


def _of_term(term: Json, cause: Json, reason: str) -> Obstacle:
    if reason == AFFINITY:
        text = f"no such pod near: {rule_text(Verb.REQUIRE, term)}"
        return Obstacle(Kind.NOT_NEAR, text, cause, text)
    rule = rule_text(Verb.AVOID, term)
    if reason == ANTI_AFFINITY:
        return Obstacle(Kind.KEEPS_AWAY, f"pod {cause['pod']} is there: {rule}", cause, rule)
    text = f"pod {cause['pod']} keeps it away: {rule}"
    return Obstacle(Kind.KEPT_AWAY, text, cause, text)


def _room_text(resource: str, cause: Json) -> str:
    taken, room = cause["used"], cause["allocatable"]
    if resource == PODS:
        return f"{taken} of {room} pods are there"
    amounts = (cause["requested"], max(0, room - taken), room)
    asked, free, all_of_it = (amount_text(resource, amount) for amount in amounts)
    return f"{resource}: {asked} asked, {free} of {all_of_it} free"
