"""Values that cover the templates: every certificate mode, every switch."""

from datetime import UTC, datetime, timedelta

from certs.ca import pki
from tests.system.chart.rendering import Json


def make_ca() -> str:
    """Return a new CA as PEM."""
    day = timedelta(days=1)
    return pki.make_ca(datetime.now(UTC), day, backdate=day).certificate.pem.decode()


MODES: dict[str, Json] = {
    "self-managed": {},
    "cert-manager": {"certificates": {"mode": "cert-manager"}},
    "openshift": {"certificates": {"mode": "openshift"}},
    "provided": {"certificates": {"mode": "provided", "provided": {"secretName": "tls"}}},
    "provided-ca-bundle": {
        "certificates": {
            "mode": "provided",
            "provided": {"secretName": "tls", "caBundle": make_ca()},
        }
    },
}

SWITCHES: dict[str, Json] = {
    "own-issuer": {
        "certificates": {
            "mode": "cert-manager",
            "certManager": {"issuerRef": {"name": "corporate", "kind": "ClusterIssuer"}},
        }
    },
    "hub": {"hubKubeconfig": {"secretName": "hub"}},
    "client-ca": {"clientCA": {"configMapName": "api-server-ca"}},
    "everything-on": {
        "serviceMonitor": {"enabled": True},
        "prometheusRule": {"enabled": True},
        "dashboard": {"enabled": True},
        "admissionPolicy": {"enabled": True},
        "limitsPolicy": {"enabled": True},
        "hostNetwork": True,
        "hubKubeconfig": {"secretName": "hub"},
        "clientCA": {"configMapName": "api-server-ca"},
        "commonLabels": {"team": "migration"},
        "commonAnnotations": {"example.com/owner": "migration"},
        "imagePullSecrets": [{"name": "mirror"}],
    },
    "everything-off": {
        "podDisruptionBudget": {"enabled": False},
        "serviceAccount": {"create": False},
        "rbac": {"create": False},
        "planValidation": {"enabled": False},
        "networkPolicy": {"enabled": False},
        "resources": None,
        "test": {"resources": None},
        "podSecurityContext": None,
        "securityContext": None,
    },
    "watched-namespaces": {
        "watchPodsNamespaces": ["production", "staging"],
        "webhook": {"namespaceSelector": {"matchLabels": {"convertor": "on"}}},
    },
    "restricted-network": {
        "networkPolicy": {
            "reviewsFrom": [{"ipBlock": {"cidr": "192.0.2.0/28"}}],
            "metricsFrom": [{"namespaceSelector": {"matchLabels": {"team": "monitoring"}}}],
            "egress": [{"ports": [{"port": 6443}]}],
        }
    },
    "defaults": {
        "defaults": {
            "labels": {"team": "migration"},
            "nodeSelector": {"disk": "nvme"},
            "affinity": "PREFER nodes(disk=nvme)",
            "tolerations": ["dedicated=migration:NoSchedule"],
            "affinityPolicy": "replace",
        }
    },
}

ALL = MODES | SWITCHES


def supported(values: Json, kubernetes: str) -> Json:
    """Return values without those that the chart rejects for a Kubernetes release."""
    has_policies = int(kubernetes.partition(".")[2]) >= 30
    optional = {name: {"enabled": False} for name in ("admissionPolicy", "limitsPolicy")}
    return values if has_policies else values | optional
