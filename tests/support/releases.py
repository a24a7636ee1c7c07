"""What of a release in the cluster tells what it does; tests/system/chart has the real one."""

from collections.abc import Sequence
from typing import Any

from webhook.kube.objects import Json

NAMESPACE = "convertor-webhook"
CONFIGURATION = f"convertor-webhook-{NAMESPACE}"
DEPLOYMENT = f"{NAMESPACE}/convertor-webhook"
SINCE = "2026-08-01T07:00:00Z"


def release(
    args: Sequence[str] | None = ("serve",),
    *,
    called: str = "convertor-webhook",
    since: str = SINCE,
    defaults: str = "{}",
    **container: Any,
) -> list[Json]:
    """Return its objects; what else is given belongs to the container."""
    metadata = {"name": called, "namespace": NAMESPACE, "creationTimestamp": since}
    webhook = {
        "name": "pods.convertor.forklift.konveyor.io",
        "clientConfig": {"service": {"name": called, "namespace": NAMESPACE, "path": "/mutate"}},
        "failurePolicy": "Ignore",
    }
    told = {"args": list(args)} if args is not None else {}
    pod = {
        "containers": [{"name": "convertor-webhook", **told, **container}],
        "volumes": [
            {"name": "tls", "secret": {"secretName": "tls"}},
            {"name": "defaults", "configMap": {"name": f"{called}-defaults"}},
        ],
    }
    return [
        {
            "kind": "MutatingWebhookConfiguration",
            "metadata": {"name": f"{called}-{NAMESPACE}", "creationTimestamp": since},
            "webhooks": [webhook],
        },
        {"kind": "Deployment", "metadata": metadata, "spec": {"template": {"spec": pod}}},
        {
            "kind": "ConfigMap",
            "metadata": metadata | {"name": f"{called}-defaults"},
            "data": {"defaults.yaml": defaults},
        },
    ]
