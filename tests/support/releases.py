"""The objects of a release that commands read; tests/system/chart has those of the real chart."""

import json
from typing import Any

from webhook.kube.objects import Json

NAMESPACE = "convertor-webhook"
CONFIGURATION = f"convertor-webhook-{NAMESPACE}"
DEPLOYMENT = f"{NAMESPACE}/convertor-webhook"
CONFIG_MAP = f"{DEPLOYMENT}-config"
SINCE = "2026-08-01T07:00:00Z"


def release(
    *,
    called: str = "convertor-webhook",
    since: str = SINCE,
    text: str = "",
    selectors: Json | None = None,
    **config: Any,
) -> list[Json]:
    """Return the objects of a release whose ConfigMap has these settings, or this text.

    `selectors` are further fields of its webhook.
    """
    webhook: Json = {
        "name": "pods.convertor.forklift.konveyor.io",
        "clientConfig": {"service": {"name": called, "namespace": NAMESPACE, "path": "/mutate"}},
        "failurePolicy": "Ignore",
    } | (selectors or {})
    metadata = {"name": f"{called}-config", "namespace": NAMESPACE, "creationTimestamp": since}
    return [
        {
            "kind": "MutatingWebhookConfiguration",
            "metadata": {"name": f"{called}-{NAMESPACE}", "creationTimestamp": since},
            "webhooks": [webhook],
        },
        {
            "kind": "ConfigMap",
            "metadata": metadata,
            "data": {"config.yaml": text or json.dumps(config)},
        },
    ]
