"""Limits on what plans may set: `limits` of the installation, and the built-in ones without it.

The author of a Plan need not be an administrator, but the pods of its migration run beside the
workloads of others: labels make controllers and Services select them, tolerations bring them to
nodes that are being drained, required rules keep other pods from nodes, and a priority class evicts
them. `docs/security.md` has the reason for each built-in limit.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from webhook.karl.decompile import decompile, format_pod_term
from webhook.karl.syntax import TOPOLOGIES, Verb
from webhook.kube import quantity
from webhook.kube.affinity import POD_KINDS, PREFERRED, REQUIRED, required_node_terms
from webhook.kube.messages import quote, truncate
from webhook.kube.objects import Json
from webhook.kube.tolerations import format_toleration
from webhook.kube.webhook_selectors import NAME_LABEL
from webhook.model import Limits

CONTROLLER_LABELS = frozenset(
    {
        *("app", "k8s-app", "pod-template-hash", "controller-uid"),
        *("controller-revision-hash", "job-name"),
    }
)
"""Labels by which ReplicaSets, Jobs, DaemonSets, Services and budgets select pods."""
LABEL_DOMAINS = (
    *("kubernetes.io", "k8s.io", "kubevirt.io", "openshift.io", "konveyor.io", "istio.io"),
    *("linkerd.io", "cilium.io", "projectcalico.org", "kueue.x-k8s.io"),
    *("azure.workload.identity", "spiffe.io"),
)
"""Domains of labels that platforms and meshes read; those under them are meant too."""
CONTROL_TAINTS = (
    "node-role.kubernetes.io/control-plane",
    "node-role.kubernetes.io/master",
    "node-role.kubernetes.io/etcd",
    "node.kubernetes.io/*",
    "node.cloudprovider.kubernetes.io/*",
    "CriticalAddonsOnly",
    "ToBeDeletedByClusterAutoscaler",
    "DeletionCandidateOfClusterAutoscaler",
    "karpenter.sh/disrupted",
)
"""Taints of control planes, and of nodes that are cordoned, failing or being removed."""
AVOID_TOPOLOGIES = (TOPOLOGIES["node"],)
"""Larger ones let one plan keep the pods of others from every node: anti-affinity is symmetric."""
POD_ANNOTATIONS = (
    "cluster-autoscaler.kubernetes.io/safe-to-evict",
    "karpenter.sh/do-not-disrupt",
    "descheduler.alpha.kubernetes.io/prefer-no-eviction",
)
"""Annotations that keep a pod from being evicted. Others inject containers, attach networks and
switch off security profiles."""

_ANY = "*"
_MAX_LISTED = 5
_MAX_RULE_CHARACTERS = 120


class PlanLimits(NamedTuple):
    """The limits of a plan. Each method returns why a setting is beyond them, or None."""

    limits: Limits
    target_namespace: str

    def check_setting(self, name: str) -> str | None:
        """Check the name of a setting, without a role."""
        allowed = self.limits.settings
        if allowed is None or matches(name, allowed):
            return None
        return f"the setting is not applied: {_describe('settings', allowed)}"

    def check_target_namespace(self) -> str | None:
        """Check the namespace that the plan migrates into."""
        allowed = self.limits.target_namespaces
        if allowed is None or matches(self.target_namespace, allowed):
            return None
        return (
            f"no setting of the plan is applied to pods in namespace "
            f"{quote(self.target_namespace)}: {_describe('targetNamespaces', allowed)}"
        )

    def check_label(self, key: str) -> str | None:
        """Check the key of a label for the pods."""
        allowed = self.limits.labels
        if allowed is not None:
            return None if matches(key, allowed) else _reject(key, "labels", allowed)
        if key not in CONTROLLER_LABELS and not _is_in_domain(key):
            return None
        return (
            f"{quote(key)} is a label by which controllers, Services or meshes select pods: give "
            "the label another key, or add it to limits.labels of the installation"
        )

    def check_node_label(self, key: str) -> str | None:
        """Check the key of a node label in a selector or rule."""
        allowed = self.limits.node_labels
        if allowed is None or matches(key, allowed):
            return None
        return _reject(key, "nodeLabels", allowed)

    def check_toleration(self, toleration: Json) -> str | None:
        """Check a valid core/v1 Toleration."""
        allowed = self.limits.tolerations
        text = format_toleration(toleration)
        if allowed is not None:
            if any(_covers(entry, toleration) for entry in allowed):
                return None
            return _reject(text, "tolerations", allowed)
        if (key := toleration.get("key")) and not matches(key, CONTROL_TAINTS):
            return None
        what = "admits pods to control planes, and to nodes that are cordoned or failing"
        return (
            f"{quote(text)} {what if key else 'tolerates every taint'}: write another taint, or "
            "add it to limits.tolerations of the installation"
        )

    def check_priority_class(self, name: str) -> str | None:
        """Check the name of a PriorityClass."""
        allowed = self.limits.priority_classes
        return None if matches(name, allowed) else _reject(name, "priorityClasses", allowed)

    def check_pod_annotation(self, key: str) -> str | None:
        """Check the key of an annotation for the pods."""
        allowed = self.limits.pod_annotations
        allowed = POD_ANNOTATIONS if allowed is None else allowed
        return None if matches(key, allowed) else _reject(key, "podAnnotations", allowed)

    def check_resource(self, name: str, amount: str) -> str | None:
        """Check a valid quantity; `name` is that of the resource, `memory`."""
        most = self.limits.resources.get(name)
        if most is None or not quantity.is_more(amount, most):
            return None
        return f"expected at most {most} by limits.resources of the installation, found {amount}"

    def check_affinity(self, affinity: Json) -> str | None:
        """Check a valid core/v1 Affinity; the first term beyond the limits is described."""
        return next(self._find_beyond(affinity), None)

    def split_affinity(self, affinity: Json) -> tuple[Json, list[tuple[Json, str]]]:
        """Return the terms of a valid affinity within the limits, and each other one with why."""
        if not self.check_affinity(affinity):
            return affinity, []
        found: Json = {}
        beyond: list[tuple[Json, str]] = []
        for term in decompile(affinity):
            if message := self.check_affinity(term.affinity):
                beyond.append((term.affinity, message))
                continue
            for kind, fields in term.affinity.items():
                own = found.setdefault(kind, {})
                for field, terms in fields.items():
                    own[field] = own.get(field, []) + terms if isinstance(terms, list) else terms
        return found, beyond

    def _find_beyond(self, affinity: Json) -> Iterator[str]:
        if self.limits.node_labels is not None:
            yield from filter(None, map(self.check_node_label, _list_node_keys(affinity)))
        for kind in POD_KINDS:
            fields = affinity.get(kind) or {}
            for term in fields.get(REQUIRED) or ():
                yield from self._find_beyond_in_term(term, _REQUIRED_VERBS[kind])
            for weighted in fields.get(PREFERRED) or ():
                yield from self._find_beyond_in_term(
                    weighted["podAffinityTerm"], _PREFERRED_VERBS[kind]
                )

    def _find_beyond_in_term(self, term: Json, verb: Verb) -> Iterator[str]:
        names, selector = term.get("namespaces") or [], term.get("namespaceSelector")
        if term.get("labelSelector") is None:  # it selects nothing
            return
        if selector is None and {*(names or [self.target_namespace])} <= {self.target_namespace}:
            return
        rule = quote(truncate(format_pod_term(verb, term), _MAX_RULE_CHARACTERS))
        if (allowed := self.limits.rule_namespaces) is not None:
            within = (*allowed, self.target_namespace)
            selected = _list_namespaces(names, selector)
            if _ANY not in allowed and (
                selected is None or not all(matches(name, within) for name in selected)
            ):
                hint = f": write {_suggest_namespaces(allowed)}" if selected is None else ""
                listed = _describe("ruleNamespaces", allowed)
                yield f"{rule} selects pods of other namespaces, but {listed}{hint}"
        topologies = self.limits.avoid_topologies
        topologies = AVOID_TOPOLOGIES if topologies is None else topologies
        if verb is Verb.AVOID and not matches(term["topologyKey"], topologies):
            yield (
                f"{rule} keeps pods of other namespaces from whole topologies, but "
                f"{_describe('avoidTopologies', topologies)}: write on node, in own namespace, or "
                "REPEL"
            )


_REQUIRED_VERBS = {"podAffinity": Verb.REQUIRE, "podAntiAffinity": Verb.AVOID}
_PREFERRED_VERBS = {"podAffinity": Verb.PREFER, "podAntiAffinity": Verb.REPEL}


def matches(text: str, patterns: Iterable[str]) -> bool:
    """Return whether a text is one of the patterns, of which `a*` is every text from `a` on."""
    return any(
        text.startswith(pattern[:-1]) if pattern.endswith(_ANY) else text == pattern
        for pattern in patterns
    )


def _is_in_domain(key: str) -> bool:
    domain, slash, _ = key.partition("/")
    return bool(slash) and any(
        domain == each or domain.endswith(f".{each}") for each in LABEL_DOMAINS
    )


def _covers(entry: str, toleration: Json) -> bool:
    """Return whether an entry such as `dedicated=team-*:NoSchedule` allows a toleration.

    One without effect covers more than one with it, and one without value more than one with it.
    """
    taint, _, effect = entry.partition(":")
    key, equals, value = taint.partition("=")
    if not matches(toleration.get("key") or "", [key]):
        return False
    if effect and toleration.get("effect") != effect:
        return False
    if not equals:
        return True
    exact = toleration.get("operator") in (None, "", "Equal")
    return exact and matches(toleration.get("value") or "", [value])


def _list_node_keys(affinity: Json) -> Iterator[str]:
    preferred = (affinity.get("nodeAffinity") or {}).get(PREFERRED) or ()
    terms = [*required_node_terms(affinity), *(each.get("preference") or {} for each in preferred)]
    for term in terms:
        for part in ("matchExpressions", "matchFields"):
            for requirement in term.get(part) or ():
                yield requirement["key"]


def _list_namespaces(names: list[str], selector: Json | None) -> list[str] | None:
    """Return the namespaces that a term names, None if it selects them by other labels."""
    if selector is None:
        return names
    labels, expressions = (selector.get(part) for part in ("matchLabels", "matchExpressions"))
    if labels and [*labels] == [NAME_LABEL] and not expressions:
        return [*names, labels[NAME_LABEL]]
    if expressions and not labels and len(expressions) == 1:
        (each,) = expressions
        if each["key"] == NAME_LABEL and each["operator"] == "In":
            return [*names, *each["values"]]
    return None


def _suggest_namespaces(allowed: tuple[str, ...]) -> str:
    names = [name for name in allowed if not name.endswith(_ANY)]
    return f"in namespace {names[0]}" if names else "in namespace NAME"


def _reject(text: str, limit: str, allowed: tuple[str, ...]) -> str:
    return f"{quote(text)} is not applied: {_describe(limit, allowed)}"


def _describe(limit: str, allowed: tuple[str, ...]) -> str:
    """Return `limits.labels of the installation has only team and batch`."""
    where = f"limits.{limit} of the installation"
    if not allowed:
        return f"{where} allows none"
    listed = ", ".join(allowed[:_MAX_LISTED])
    more = len(allowed) - _MAX_LISTED
    return f"{where} has only {listed}" + (f" and {more} more" if more > 0 else "")
