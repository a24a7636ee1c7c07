"""Warnings about required pod terms that hardly any node can meet together.

kube-scheduler counts an existing pod for `podAffinity` only if it matches all required terms of
the incoming pod, whatever their topologies. So two pods on a node, one for each of
`REQUIRE pods(app=a) on node` and `REQUIRE pods(app=b) on node`, do not make the node fit; one pod
with both labels does. Each term of `podAntiAffinity` is evaluated by itself.
"""

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import NamedTuple

from webhook.karl.contradiction import are_contradictory
from webhook.karl.decompile import format_pod_term
from webhook.karl.expressions import negate
from webhook.karl.syntax import TOPOLOGIES, Verb
from webhook.kube.affinity import POD_KINDS, REQUIRED
from webhook.kube.defaulting import with_defaults
from webhook.kube.messages import quote
from webhook.kube.objects import Json, spec_of
from webhook.kube.pod_terms import AffinityTerm, resolve_incoming_term
from webhook.kube.selectors import list_requirements

MAX_REQUIREMENTS = 128
"""Limits the time: every two of them are compared. More are not checked, values included."""
_MAX_RULES = 4  # quoted in a warning

_REMEDY = "to be near several pods, write REQUIRE for one of them and PREFER for the others"


class _Term(NamedTuple):
    """A required term as requirements."""

    resolved: AffinityTerm
    """Of its namespaces empty text is the pod's own, if that is not known."""
    labels: list[Json]
    """Expressions on the labels of a pod."""
    namespace_labels: list[Json] | None
    """Expressions on the labels of other namespaces; none match all. None selects no others."""

    @property
    def term(self) -> Json:
        return self.resolved.term

    @property
    def topology_key(self) -> str:
        return self.resolved.topology_key

    @property
    def names(self) -> frozenset[str]:
        return self.resolved.namespaces

    @property
    def matches_nothing(self) -> bool:
        """True without a labelSelector, which is a problem of its own."""
        return self.term.get("labelSelector") is None


def find_pod_rule_warnings(pod: Json) -> list[str]:
    """Return the warnings about the required pod terms of a pod.

    There are none if the pod matches all terms of podAffinity itself: the others of its kind do
    too, and kube-scheduler lets it be the first. The affinity is valid; labels and namespace may be
    unknown.
    """
    affinity = spec_of(with_defaults(pod)).get("affinity") or {}
    required = list_required_pod_terms(affinity)
    near, away = (
        [_read_term(term, pod) for of_kind, term in required if of_kind == kind]
        for kind in POD_KINDS
    )
    if sum(map(_count_requirements, near + away)) > MAX_REQUIREMENTS:
        return []
    if any(each.matches_nothing for each in near) or all(
        each.resolved.matches(pod, {}) for each in near
    ):
        return []
    return list(_find_contradiction(near)) or [*_find_shared_pod(near), *_find_avoided(near, away)]


def list_required_pod_terms(affinity: Json) -> list[tuple[str, Json]]:
    """Return the required terms of podAffinity and podAntiAffinity, each with its kind."""
    return [
        (kind, term)
        for kind in POD_KINDS
        for term in (affinity.get(kind) or {}).get(REQUIRED) or ()
    ]


def _find_contradiction(terms: list[_Term]) -> Iterator[str]:
    """Yield the warning about terms that no pod can match together."""
    if len(terms) > 1 and (what := _find_contradictory_part(terms)):
        yield (
            f"no node can fit: no pod matches {_quote_rules(terms)}, which contradict each other "
            f"in {what}, and kube-scheduler counts only pods that match all of them; {_REMEDY}"
        )


def _find_shared_pod(terms: list[_Term]) -> Iterator[str]:
    """Yield the warning about terms that only one pod can meet together.

    There is none if the terms together mean the same as each by itself, because one is the
    narrowest.
    """
    if len(terms) > 1 and not _have_narrowest(terms):
        yield (
            f"no node fits unless one pod matches {_quote_rules(terms)}, because kube-scheduler "
            f"counts only pods that match all of them; {_REMEDY}"
        )


def _find_avoided(near: list[_Term], away: list[_Term]) -> Iterator[str]:
    """Yield the warning about each anti-term that excludes every node near the required pods."""
    labels = [expression for term in near for expression in term.labels]
    for avoided in away:
        if (
            any(term.topology_key == avoided.topology_key for term in near)
            and any(_namespaces_imply(term, avoided) for term in near)
            and not avoided.matches_nothing
            and _labels_imply(labels, avoided.labels)
        ):
            rule = quote(format_pod_term(Verb.AVOID, avoided.term))
            yield (
                f"no node can fit: {rule} excludes every node that meets {_quote_rules(near)}; "
                "remove one of them, or give one another topology"
            )


def _read_term(term: Json, pod: Json) -> _Term:
    selector = term.get("namespaceSelector")
    return _Term(
        resolve_incoming_term(term, pod),
        labels=list(list_requirements(term.get("labelSelector") or {})),
        namespace_labels=None if selector is None else list(list_requirements(selector)),
    )


def _count_requirements(term: _Term) -> int:
    expressions = [*term.labels, *(term.namespace_labels or ())]
    return len(term.names) + sum(1 + len(each.get("values") or ()) for each in expressions)


def _have_narrowest(terms: list[_Term]) -> bool:
    """Return whether the terms together mean the same as each by itself.

    They do if the pods of one are also those of all others, and are near them: `app=a, tier=b` on
    node and `app=a` on zone. The other way round, a pod with `app=a` alone does not count on node.
    """
    narrowest = [term for term in terms if all(_implies(term, other) for other in terms)]
    return bool(narrowest) and all(
        _implies(term, narrowest[0]) or any(_is_inside(each, term) for each in narrowest)
        for term in terms
    )


def _is_inside(term: _Term, other: _Term) -> bool:
    """Return whether each domain of a term's topology is inside one of the other term's."""
    inner, outer = term.topology_key, other.topology_key
    in_region = (inner, outer) == (TOPOLOGIES["zone"], TOPOLOGIES["region"])
    return inner in {TOPOLOGIES["node"], outer} or in_region


def _implies(term: _Term, other: _Term) -> bool:
    """Return whether all pods of a term are also those of another one, as far as it is known."""
    return _labels_imply(term.labels, other.labels) and _namespaces_imply(term, other)


def _namespaces_imply(term: _Term, other: _Term) -> bool:
    if other.namespace_labels == []:
        return True
    if not term.names <= other.names:
        return False
    if term.namespace_labels is None:
        return True
    return other.namespace_labels is not None and _labels_imply(
        term.namespace_labels, other.namespace_labels
    )


def _labels_imply(expressions: list[Json], others: list[Json]) -> bool:
    return all(
        are_contradictory([*_of_key(expressions, other["key"]), negated])
        for other in others
        for negated in negate(other)
    )


def _find_contradictory_part(terms: list[_Term]) -> str:
    """Return what no pod has that matches all terms: a value of a label, a namespace; or nothing.

    Namespaces by name and by labels may be the same ones, and so may any and the pod's own.
    """
    if key := _find_contradictory_key(chain.from_iterable(term.labels for term in terms)):
        return f"the label {quote(key)}"
    named = [term.names for term in terms if term.namespace_labels is None and "" not in term.names]
    if named and not frozenset.intersection(*named):
        return "the namespace"
    labelled = [
        term.namespace_labels or []
        for term in terms
        if not term.names and not term.resolved.all_namespaces
    ]
    if key := _find_contradictory_key(chain.from_iterable(labelled)):
        return f"the namespace's label {quote(key)}"
    return ""


def _find_contradictory_key(expressions: Iterable[Json]) -> str:
    found = list(expressions)
    keys = dict.fromkeys(each["key"] for each in found)
    return next((key for key in keys if are_contradictory(_of_key(found, key))), "")


def _of_key(expressions: Iterable[Json], key: str) -> list[Json]:
    return [each for each in expressions if each["key"] == key]


def _quote_rules(terms: list[_Term]) -> str:
    *others, last = [quote(format_pod_term(Verb.REQUIRE, each.term)) for each in terms]
    if len(others) >= _MAX_RULES:
        *others, last = *others[:_MAX_RULES], f"{len(terms) - _MAX_RULES} more"
    return f"{', '.join(others)} and {last}" if others else last
