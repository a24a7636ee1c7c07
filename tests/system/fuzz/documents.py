"""Documents that have every field, from which the search makes large ones."""

import json
from copy import deepcopy

from tests.support.builders import PREFIX, admission_review
from tests.support.paths import ROOT
from webhook.forklift.labels import FORKLIFT_SPREADING_TERM
from webhook.kube.affinity import PREFERRED, REQUIRED
from webhook.kube.objects import Json

_EXPRESSION: Json = {"key": "disk", "operator": "In", "values": ["ssd", "nvme"]}
_MINIMUM: Json = {"key": "memory", "operator": "In", "values": ["64Gi", "128Gi"]}
_NODE_TERM: Json = {
    "matchExpressions": [_EXPRESSION, _MINIMUM],
    "matchFields": [{"key": "metadata.name", "operator": "In", "values": ["node-1"]}],
}
_POD_TERM: Json = {
    "labelSelector": {"matchLabels": {"app": "ceph-osd"}, "matchExpressions": [_EXPRESSION]},
    "namespaceSelector": {"matchLabels": {"team": "storage"}},
    "namespaces": ["rook-ceph"],
    "topologyKey": "kubernetes.io/hostname",
    "matchLabelKeys": ["batch"],
    "mismatchLabelKeys": ["tier"],
}
_POD_TERMS: Json = {
    REQUIRED: [_POD_TERM],
    PREFERRED: [FORKLIFT_SPREADING_TERM, {"weight": 5, "podAffinityTerm": _POD_TERM}],
}
AFFINITY: Json = {
    "nodeAffinity": {
        REQUIRED: {"nodeSelectorTerms": [_NODE_TERM]},
        PREFERRED: [{"weight": 10, "preference": _NODE_TERM}],
    },
    "podAffinity": _POD_TERMS,
    "podAntiAffinity": _POD_TERMS,
}
_TOLERATION: Json = {
    "key": "dedicated",
    "operator": "Equal",
    "value": "migration",
    "effect": "NoExecute",
    "tolerationSeconds": 60,
}
_ANNOTATIONS = {
    "labels": "batch=1,team=a",
    "node-selector": "disk=nvme,memory=64Gi+",
    "affinity": (
        "REQUIRE pods(app=ceph-osd) on node; AVOID nodes(memory>=64Gi) weight=5; "
        "SPREAD pods(app=virt-v2v) on zone skew=2 hard"
    ),
    "tolerations": "dedicated=migration:NoSchedule,gpu:NoExecute,spot",
    "mode": "enforce",
    "affinity-policy": "replace",
    "scope": "own",
    "pods": "all",
    "disks": "together",
    "labels.importer": "team=b",
    "node-selector.populator": "disk=ssd",
    "affinity.first-consumer": "REQUIRE nodes(zone=a); AVOID pods(app=db) on node",
    "tolerations.inspection": "gpu:NoExecute",
    "resources": "requests.cpu=2,requests.memory=4Gi,limits.memory=12Gi",
    "resources.importer": "requests.ephemeral-storage=60Gi",
    "priority-class": "migration",
    "pod-annotations": "karpenter.sh/do-not-disrupt=true,example.org/note=x",
    "placement": "{}",
    "typo": "x",
}

LIMITS: Json = {
    "settings": ["labels", "node-selector", "affinity", "tolerations", "pods", "resources"],
    "roles": ["convertor", "first-consumer", "importer"],
    "labels": ["team", "batch", "example.com/*"],
    "nodeLabels": ["disk", "memory", "cores"],
    "tolerations": ["dedicated=migration:NoSchedule", "spot"],
    "ruleNamespaces": ["rook-ceph", "vms*"],
    "targetNamespaces": ["target", "vms*"],
    "avoidTopologies": ["kubernetes.io/hostname"],
    "priorityClasses": ["migration"],
    "podAnnotations": ["example.org/*"],
    "resources": {"cpu": "8", "memory": "16Gi", "ephemeral-storage": "200Gi"},
}
ENFORCED: Json = {
    "nodeSelector": {"migration": "allowed"},
    "affinity": "AVOID pods(app=db) in namespace vms on node; SPREAD pods(has plan) on zone",
    "tolerations": ["dedicated=migration:NoSchedule"],
}
PROFILE: Json = {
    "seccompProfile": {"type": "Localhost", "localhostProfile": "profiles/unshare.json"},
    "appArmorProfile": {"type": "Unconfined"},
    "env": {"LIBGUESTFS_BACKEND": "direct"},
    "runtimeClass": "kata",
    "scratchVolume": {"size": "10Gi", "storageClass": "fast"},
}


def plan() -> Json:
    """Return a Plan with every field that is read, and some others."""
    annotations = {f"{PREFIX}/{name}": text for name, text in _ANNOTATIONS.items()}
    return {
        "apiVersion": "forklift.konveyor.io/v1beta1",
        "kind": "Plan",
        "metadata": {
            "name": "db",
            "namespace": "konveyor-forklift",
            "uid": "b277064e-c8ce-430a-99ee-75a0a2a7d0ea",
            "generation": 3,
            "resourceVersion": "1234",
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "labels": {"team": "a"},
            "annotations": annotations | {"other.example.com/labels": "a=b"},
            "managedFields": [
                {
                    "manager": "kubectl",
                    "time": "2026-01-01T00:00:00Z",
                    "fieldsV1": {
                        "f:metadata": {"f:annotations": {f"f:{PREFIX}/labels": {}}},
                        "f:spec": {"f:convertorLabels": {"f:batch": {}}},
                    },
                }
            ],
        },
        "spec": {
            "targetNamespace": "target",
            "convertorLabels": {"batch": "1", "workload": "migration"},
            "convertorNodeSelector": {"disk": "nvme", "cores": "16+"},
            "convertorAffinity": deepcopy(AFFINITY),
            "vms": [{"id": "vm-1", "name": "server-1"}],
        },
    }


def pod() -> Json:
    """Return a convertor pod of that plan, with every field that is read, and many others."""
    found: Json = json.loads((ROOT / "examples" / "review.json").read_text())["request"]["object"]
    found["metadata"] |= {
        "name": "db-vm-1",
        "annotations": {"example.com/a": "b", f"{PREFIX}/placement": "{}"},
        "ownerReferences": [
            {
                "apiVersion": "forklift.konveyor.io/v1beta1",
                "kind": "Plan",
                "name": "db",
                "uid": "b277064e-c8ce-430a-99ee-75a0a2a7d0ea",
            }
        ],
    }
    found["metadata"]["labels"] |= {
        "plan-name": "db",
        "forklift.app/plan": "db",
        "batch": "2",
    }
    found["spec"] |= {
        "nodeSelector": {"disk": "hdd", "cores": "16+", "other": "1"},
        "affinity": deepcopy(AFFINITY),
        "tolerations": [_TOLERATION, {"key": "gpu", "operator": "Exists"}],
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": "zone",
                "whenUnsatisfiable": "DoNotSchedule",
                "labelSelector": {"matchLabels": {"forklift.app": "virt-v2v"}},
                "matchLabelKeys": ["plan"],
                "nodeTaintsPolicy": "Honor",
            }
        ],
    }
    return found


def pod_review() -> Json:
    """Return the review of that pod."""
    return admission_review(pod(), name="db-vm-1", dryRun=False, subResource="")


def plan_review() -> Json:
    """Return the review of an update of that plan."""
    return admission_review(plan(), operation="UPDATE", oldObject=plan(), name="db")


def installation() -> Json:
    """Return an installation with every key."""
    return {
        "mode": "enforce",
        "namespaceModes": {"target": "enforce", "other": "audit"},
        "planModes": True,
        "scope": "all",
        "onError": "allow",
        "identityLabels": True,
        "annotationPrefix": PREFIX,
        "defaults": {
            "labels": {"team": "b", "cost": "1"},
            "nodeSelector": {"disk": "ssd"},
            "affinity": deepcopy(AFFINITY),
            "tolerations": [_TOLERATION],
            "affinityPolicy": "merge",
            "resources": {"requests": {"memory": "2Gi"}},
            "priorityClass": "migration",
            "podAnnotations": {"example.org/a": "b"},
        },
        "limits": deepcopy(LIMITS) | {"namespaces": {"vms": deepcopy(LIMITS)}},
        "enforced": deepcopy(ENFORCED),
        "convertor": deepcopy(PROFILE) | {"namespaces": {"target": deepcopy(PROFILE)}},
    }
