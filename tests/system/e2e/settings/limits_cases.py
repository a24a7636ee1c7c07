"""Plans within and beyond the limits of an installation."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from tests.system.controlplane.api import Json
from tests.system.e2e.settings.conftest import BOUNDED, BOUNDS, OTHER_PLANS
from tests.system.guide.rows import PLAN_NAMESPACE

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
NAME = "kubernetes.io/metadata.name"
NODE, ZONE = "kubernetes.io/hostname", "topology.kubernetes.io/zone"

INSTALLATIONS: dict[str, Json] = {
    "built-in": {},
    "bounds": BOUNDS,
    "scope-own": {
        "scope": "own",
        "limits": {"ruleNamespaces": ["rook-*"], "avoidTopologies": ["topology.kubernetes.io/*"]},
    },
    "nothing": {
        "limits": {
            **{key: [] for key in ("settings", "labels", "nodeLabels", "tolerations")},
            "namespaces": {
                OTHER_PLANS: {
                    "settings": ["labels", "tolerations", "resources"],
                    "labels": ["team"],
                    "tolerations": ["gpu=a*"],
                    "resources": {"cpu": 2},
                }
            },
        },
    },
    "large": {
        "limits": {
            **{
                key: [*(f"example-{number}-*" for number in range(99)), "z*"]
                for key in (
                    *("labels", "nodeLabels", "ruleNamespaces", "avoidTopologies"),
                    *("priorityClasses", "podAnnotations"),
                )
            },
            "tolerations": [*(f"example-{number}:NoSchedule" for number in range(99)), "z*"],
        },
    },
    "audit": {"mode": "audit", "namespaceModes": {BOUNDED: "enforce"}},
}


class Content(NamedTuple):
    """The part of a Plan that the limits are about."""

    annotations: Mapping[str, str] = MappingProxyType({})
    labels: dict[str, str] | None = None
    node_selector: dict[str, str] | None = None
    affinity: Json | None = None
    target: str = BOUNDED

    def spec(self) -> Json:
        """Return the fields of the Plan's spec."""
        fields = {
            "targetNamespace": self.target,
            "convertorLabels": self.labels,
            "convertorNodeSelector": self.node_selector,
            "convertorAffinity": self.affinity,
        }
        return {name: value for name, value in fields.items() if value is not None}


class Case(NamedTuple):
    """A Plan that is created or changed."""

    installation: str
    after: Content
    denied: str = ""
    """A part of the policy's message; empty if the policy admits the Plan."""
    before: Content | None = None
    """None if the Plan is created."""
    namespace: str = PLAN_NAMESPACE
    webhook_only: bool = False
    """True if the webhook denies what the policy admits."""
    policy_only: bool = False
    """True if the webhook admits what the policy denies."""


def rule(kind: str = "podAntiAffinity", key: str = NODE, **fields: object) -> Json:
    """Return an affinity with a required pod term."""
    term = {"labelSelector": {"matchLabels": {"app": "db"}}, "topologyKey": key} | fields
    return {kind: {REQUIRED: [term]}}


def preferred(kind: str, *namespaces: str, weight: int = 1) -> Json:
    """Return an affinity with a preferred pod term."""
    (term,) = rule(kind, namespaces=[*namespaces])[kind][REQUIRED]
    return {kind: {PREFERRED: [{"weight": weight, "podAffinityTerm": term}]}}


def named(*names: str) -> Json:
    """Return a namespaceSelector of these names."""
    return {"matchExpressions": [{"key": NAME, "operator": "In", "values": [*names]}]}


def nodes(*keys: str, prefer: bool = False) -> Json:
    """Return an affinity to nodes with each of these labels, ORed or as preferences."""
    terms = [{"matchExpressions": [{"key": key, "operator": "Exists"}]} for key in keys]
    if prefer:
        weighted = [{"weight": 1, "preference": term} for term in terms]
        return {"nodeAffinity": {PREFERRED: weighted}}
    return {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": terms}}}


def annotated(**settings: str) -> Content:
    """Return a Plan with settings as annotations; `_` is `-`, and `__` is `.`."""
    return Content(
        {name.replace("__", ".").replace("_", "-"): text for name, text in settings.items()}
    )


OWN = [BOUNDED]
FOREIGN = "selects pods of other namespaces, but limits.ruleNamespaces of the installation has only"
WHOLE = "keeps pods of other namespaces from whole topologies, but limits.avoidTopologies"
OLD = Content({"tolerations": "node.kubernetes.io/x,spot"}, {"k8s-app": "a", "team": "a"})
BEYOND_AFFINITY = rule(namespaces=["payments"]) | preferred("podAffinity", "payments")
OLD_AFFINITY = Content(affinity=BEYOND_AFFINITY | nodes("rack"))

FIELDS = {
    "no settings": Case("bounds", Content(target="elsewhere")),
    "label": Case("built-in", Content(labels={"k8s-app": "a"}), "'k8s-app' is a label by which"),
    "label of a domain": Case("built-in", Content(labels={"a.istio.io/b": "c"}), "'a.istio.io/b'"),
    "label of the domain itself": Case("built-in", Content(labels={"k8s.io/a": ""}), "'k8s.io/a'"),
    "label of another domain": Case("built-in", Content(labels={"myk8s.io/a": "", "b": "c"})),
    "label without domain": Case("built-in", Content(labels={"istio.io": ""})),
    "listed label": Case("bounds", Content(labels={"team": "a", "cost.example.com/x": "1"})),
    "label that is not listed": Case(
        "bounds",
        Content(labels={"team": "a", "batch": "1"}),
        "spec.convertorLabels: 'batch' is not applied: limits.labels of the installation has only "
        "team, cost.example.com/*",
    ),
    "label of a namespace": Case("bounds", Content(labels={"wave": "1"}), namespace=OTHER_PLANS),
    "label of another namespace": Case("bounds", Content(labels={"wave": "1"}), "'wave'"),
    "general label in a namespace": Case(
        "bounds", Content(labels={"team": "1"}), "has only wave", namespace=OTHER_PLANS
    ),
    "node label": Case("bounds", Content(node_selector={"disk": "nvme"})),
    "node label that is not listed": Case(
        "bounds",
        Content(node_selector={"disk": "nvme", "rack": "1"}),
        "spec.convertorNodeSelector: 'rack' is not applied: limits.nodeLabels of the installation",
    ),
    "any node label": Case("built-in", Content(node_selector={"rack": "1"})),
    "node term": Case("bounds", Content(affinity=nodes("disk", ZONE))),
    "second node term": Case("bounds", Content(affinity=nodes("disk", "rack")), "'rack'"),
    "node preference": Case("bounds", Content(affinity=nodes("disk", prefer=True))),
    "second node preference": Case(
        "bounds", Content(affinity=nodes("disk", "rack", prefer=True)), "'rack' is not applied"
    ),
    "field of a node": Case(
        "bounds",
        Content(
            affinity={
                "nodeAffinity": {
                    REQUIRED: {
                        "nodeSelectorTerms": [
                            {
                                "matchFields": [
                                    {"key": "metadata.name", "operator": "In", "values": ["a"]}
                                ]
                            }
                        ]
                    }
                }
            }
        ),
        "'metadata.name'",
    ),
    "target namespace": Case(
        "bounds",
        Content(labels={"team": "a"}, target="other"),
        "no setting of the plan is applied to pods in namespace 'other': limits.targetNamespaces "
        "of the installation has only bounded*",
    ),
    "target namespace with a prefix": Case(
        "bounds", Content(labels={"team": "a"}, target="bounded-2")
    ),
    "rule about a namespace": Case("bounds", Content(affinity=rule(namespaces=["rook-ceph"]))),
    "rule about another one": Case(
        "bounds", Content(affinity=rule(namespaces=["rook-ceph", "payments"])), FOREIGN
    ),
    "preference about another one": Case(
        "bounds", Content(affinity=preferred("podAffinity", "payments")), f"PREFER on '{NODE}' "
    ),
    "rule about the target namespace": Case(
        "bounds", Content(affinity=rule(key=ZONE, namespaces=OWN))
    ),
    "rule about all": Case("bounds", Content(affinity=rule(namespaceSelector={})), FOREIGN),
    "rule about a name": Case(
        "bounds", Content(affinity=rule(namespaceSelector={"matchLabels": {NAME: "monitoring"}}))
    ),
    "rule about the name of another one": Case(
        "bounds",
        Content(affinity=rule(namespaceSelector={"matchLabels": {NAME: "payments"}})),
        FOREIGN,
    ),
    "rule about names": Case(
        "bounds", Content(affinity=rule(namespaceSelector=named("monitoring", BOUNDED)))
    ),
    "rule about names and others": Case(
        "bounds",
        Content(affinity=rule(namespaces=["rook-ceph"], namespaceSelector=named(BOUNDED, "x"))),
        FOREIGN,
    ),
    "rule about labels of namespaces": Case(
        "bounds",
        Content(affinity=rule(namespaceSelector={"matchLabels": {NAME: "monitoring", "a": "b"}})),
        FOREIGN,
    ),
    "rule about namespaces but one": Case(
        "bounds",
        Content(
            affinity=rule(
                namespaceSelector={
                    "matchExpressions": [{"key": NAME, "operator": "NotIn", "values": ["x"]}]
                }
            )
        ),
        FOREIGN,
    ),
    "rule without namespaces": Case("bounds", Content(affinity=rule()), FOREIGN),
    "rule without namespaces, scope own": Case("scope-own", Content(affinity=rule(key=ZONE))),
    "rule without namespaces, scope all": Case(
        "scope-own", Content({"scope": "all"}, affinity=rule()), FOREIGN
    ),
    "rule without namespaces, own in the plan": Case(
        "bounds", Content({"mode": "audit"}, affinity=rule(namespaces=OWN))
    ),
    "rule of a prefix": Case("scope-own", Content(affinity=rule(key=ZONE, namespaces=["rook-a"]))),
    "avoid on another topology": Case(
        "scope-own", Content(affinity=rule(namespaces=["rook-a"])), "has only topology.kubernetes"
    ),
    "rule without selector": Case(
        "bounds",
        Content(affinity={"podAffinity": {REQUIRED: [{"topologyKey": NODE}]}}),
        webhook_only=True,  # as a term that can never be met
    ),
    "avoid on a zone": Case("built-in", Content(affinity=rule(key=ZONE)), WHOLE),
    "avoid on a node": Case("built-in", Content(affinity=rule())),
    "avoid on a zone in the target": Case(
        "built-in", Content(affinity=rule(key=ZONE, namespaces=OWN))
    ),
    "require on a zone": Case("built-in", Content(affinity=rule("podAffinity", ZONE))),
    "settings": Case(
        "nothing",
        Content(labels={}),
        "spec.convertorLabels: the setting is not applied: limits.settings of the installation "
        "allows none",
    ),
    "settings of a namespace": Case(
        "nothing", Content(labels={"team": "a"}), namespace=OTHER_PLANS
    ),
    "labels of a namespace": Case(
        "nothing", Content(labels={"b": "a"}), "has only team", namespace=OTHER_PLANS
    ),
    "field that is not in the settings": Case(
        "nothing", Content(affinity=nodes("disk")), "has only labels, tol", namespace=OTHER_PLANS
    ),
    "too many labels": Case(
        "built-in",
        Content(labels={f"a{number}": "b" for number in range(257)}),
        "spec.convertorLabels: expected at most 256 entries, found 257",
    ),
    "audit": Case("audit", Content(labels={"k8s-app": "a"}, target="other")),
    "audit, but not for this namespace": Case("audit", Content(labels={"k8s-app": "a"}), "k8s-app"),
    "unchanged": Case("bounds", OLD, before=OLD),
    "other annotation": Case(
        "bounds", OLD._replace(annotations={**OLD.annotations, "mode": "audit"}), before=OLD
    ),
    "one label less": Case("bounds", OLD._replace(labels={"k8s-app": "a"}), before=OLD),
    "one label more": Case(
        "bounds", OLD._replace(labels={"k8s-app": "a", "a": "b"}), "'a' is not", before=OLD
    ),
    "another value of a label": Case(
        "bounds", OLD._replace(labels={"k8s-app": "b"}), "'k8s-app'", before=OLD
    ),
    "within the limits": Case("bounds", Content(labels={"team": "b"}), before=OLD),
    "unchanged affinity": Case("bounds", OLD_AFFINITY._replace(labels={}), before=OLD_AFFINITY),
    "fewer terms": Case(
        "bounds", Content(affinity=preferred("podAffinity", "payments")), before=OLD_AFFINITY
    ),
    "another weight": Case(
        "bounds",
        Content(affinity=preferred("podAffinity", "payments", weight=2)),
        FOREIGN,
        before=OLD_AFFINITY,
    ),
    "another kind": Case(
        "bounds", Content(affinity=rule("podAffinity", namespaces=["payments"])), FOREIGN,
        before=OLD_AFFINITY,
    ),
    "another node term": Case(
        "bounds", Content(affinity=BEYOND_AFFINITY | nodes("rack", "a")), "'rack'",
        before=OLD_AFFINITY,
    ),
    "another target for the same rule": Case(
        "bounds", Content(affinity=rule(namespaces=OWN), target="bounded-2"), FOREIGN,
        before=Content(affinity=rule(namespaces=OWN)),
    ),
    "another scope for the same rule": Case(
        "scope-own", Content({"scope": "all"}, affinity=rule()), FOREIGN,
        before=Content(affinity=rule()),
    ),
    "another target namespace": Case(
        "bounds", Content(labels={"team": "a"}, target="other"), "targetNamespaces",
        before=Content(labels={"team": "a"}),
    ),
    "old target namespace": Case(
        "bounds", Content({"mode": "off"}, {"team": "a"}, target="other"),
        before=Content(labels={"team": "a"}, target="other"),
    ),
    "label for an old target namespace": Case(
        "bounds", Content(labels={"team": "b"}, target="other"), "targetNamespaces",
        before=Content(labels={"team": "a"}, target="other"),
    ),
    "label of a plan for another target namespace": Case(
        "bounds", Content(labels={"batch": "a"}), "'batch'",
        before=Content(labels={"batch": "a"}, target="other"),
    ),
    "label of a plan for a namespace in another mode": Case(
        "audit", Content(labels={"k8s-app": "a"}), "'k8s-app'",
        before=Content(labels={"k8s-app": "a"}, target="other"),
        policy_only=True,
    ),
}  # fmt: skip
"""By their names: cases about fields, on which webhook and policy agree."""

ANNOTATIONS = {
    "setting": Case(
        "bounds", annotated(affinity_policy="merge"), "affinity-policy: the setting is not applied"
    ),
    "setting of a role": Case(
        "bounds",
        annotated(labels__importer="team=a"),
        "labels.importer: importer is left out, because limits.roles of the installation has only "
        "convertor and first-consumer",
    ),
    "setting of a listed role": Case("bounds", annotated(labels__convertor="team=a")),
    "role of another namespace": Case(
        "bounds",
        annotated(labels__first_consumer="wave=1"),
        "labels.first-consumer: first-consumer is left out",
        namespace=OTHER_PLANS,
    ),
    "pods": Case("bounds", annotated(pods="convertor, importer"), "pods: importer is left out"),
    "listed pods": Case("bounds", annotated(pods="convertor, first-consumer")),
    "all pods": Case("bounds", annotated(pods="all")),
    "labels": Case("bounds", annotated(labels="team=a, cost.example.com/x = 1")),
    "label": Case("bounds", annotated(labels="team=a,batch=1"), "labels: 'batch' is not applied"),
    "label of a role": Case("bounds", annotated(labels__convertor=" batch = 1"), "'batch'"),
    "built-in label": Case(
        "built-in", annotated(labels="a=b,app.kubernetes.io/name=x"), "name' is"
    ),
    "node selector": Case("bounds", annotated(node_selector="disk=nvme,rack=16+"), "'rack'"),
    "toleration": Case(
        "bounds",
        annotated(tolerations="spot,dedicated=migration:NoExecute"),
        "'dedicated=migration:NoExecute' is not applied: limits.tolerations of the installation "
        "has only dedicated=migration:NoSchedule, spot",
    ),
    "toleration of every value": Case(
        "bounds", annotated(tolerations="dedicated:NoSchedule"), "'dedicated:NoSchedule'"
    ),
    "toleration of every effect": Case(
        "bounds", annotated(tolerations="dedicated=migration"), "'dedicated=migration'"
    ),
    "tolerations": Case(
        "bounds",
        annotated(
            tolerations="dedicated = migration : NoSchedule, spot=a:NoSchedule,spot:NoSchedule"
        ),
    ),
    "toleration with a prefix": Case(
        "nothing", annotated(tolerations="gpu=a100:NoSchedule"), namespace=OTHER_PLANS
    ),
    "toleration without the prefix": Case(
        "nothing", annotated(tolerations="gpu=b"), "'gpu=b'", namespace=OTHER_PLANS
    ),
    "built-in toleration": Case(
        "built-in",
        annotated(tolerations__convertor="node.kubernetes.io/unschedulable:NoSchedule"),
        "'node.kubernetes.io/unschedulable:NoSchedule' admits pods to control planes",
    ),
    "other toleration": Case("built-in", annotated(tolerations="gpu,node.example.com/a=b")),
    "no class": Case("built-in", annotated(priority_class="high"), "'high' is not applied"),
    "empty class": Case("built-in", annotated(priority_class="")),
    "class": Case("bounds", annotated(priority_class="migration", priority_class__convertor="")),
    "class of a role": Case("bounds", annotated(priority_class__convertor="x"), "priorityClasses"),
    "pod annotation": Case(
        "built-in",
        annotated(pod_annotations="karpenter.sh/do-not-disrupt=true,k8s.v1.cni.cncf.io/networks=a"),
        "'k8s.v1.cni.cncf.io/networks' is not applied: limits.podAnnotations of the installation",
    ),
    "pod annotations": Case("bounds", annotated(pod_annotations="example.com/a=b=c")),
    "resources": Case("bounds", annotated(resources="requests.cpu=8000m,limits.memory=16384Mi")),
    "resource": Case(
        "bounds", annotated(resources="requests.cpu=1,limits.memory=18G"), "limits.memory=18G is"
    ),
    "resource of a namespace": Case(
        "nothing", annotated(resources="limits.cpu=3"), "limits.cpu=3", namespace=OTHER_PLANS
    ),
    "target namespace": Case("bounds", annotated(labels="a=b")._replace(target="x"), "in namesp"),
    "old target namespace": Case(
        "bounds",
        Content({"labels": "batch=1"}, {"a": "b"}, target="x"),
        before=Content(labels={"a": "b"}, target="x"),
    ),
    "entries": Case(
        "built-in",
        annotated(tolerations=",".join(f"a{number}" for number in range(257))),
        "tolerations: expected at most 256 entries, found 257",
    ),
    "old entries": Case(
        "bounds",
        annotated(labels="team=b, batch=1", tolerations="spot:NoSchedule,gpu:NoSchedule"),
        before=annotated(labels="team=a,batch=1,x=y", tolerations="gpu:NoSchedule"),
    ),
    "another value of an entry": Case(
        "bounds", annotated(labels="batch=2"), "'batch'", before=annotated(labels="batch=1")
    ),
    "the same entry for another role": Case(
        "bounds",
        annotated(labels="batch=1", labels__convertor="batch=1"),
        "labels.convertor: 'batch'",
        before=annotated(labels="batch=1"),
    ),
    "rules": Case(
        "bounds",
        annotated(affinity="AVOID pods(app=db) in namespace payments on node"),
        webhook_only=True,
    ),
    "rules are a setting": Case("nothing", annotated(affinity=""), "affinity: the setting is not"),
    "another name": Case("nothing", Content({"placement": "x"})),
}
"""By their names: cases about annotations."""
