"""Another mutating webhook, served by the test and called by the API server."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.system.controlplane.api import Api, Json, of
from tests.system.controlplane.process import until
from tests.system.e2e.row_cluster import pod
from tests.system.e2e.webhook_stub import Stub, serving

NAME = "zz-second"
"""The API server calls webhooks in the order of their configurations' names."""


@contextmanager
def second_webhook(api: Api, folder: Path, namespace: str, patch: list[Json]) -> Iterator[None]:
    """Patch every pod in a namespace, after all other webhooks; yield when it is called."""
    called = threading.Event()

    def review(_path: str, _request: Json) -> list[Json]:
        called.set()
        return patch

    with serving(folder, review) as stub:
        api.create(_configuration(stub, namespace))
        probe = pod(namespace, {})

        def is_called() -> bool:
            api.send("POST", of(probe), probe, dryRun="All")
            return called.is_set()

        try:
            until("the API server to call the second webhook", is_called)
            yield
        finally:
            api.delete("MutatingWebhookConfiguration", NAME)


def _configuration(stub: Stub, namespace: str) -> Json:
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": NAME},
        "webhooks": [
            {
                "name": "second.example.com",
                "admissionReviewVersions": ["v1"],
                "clientConfig": stub.client_config(),
                "rules": [
                    {
                        "apiGroups": [""],
                        "apiVersions": ["v1"],
                        "operations": ["CREATE"],
                        "resources": ["pods"],
                    }
                ],
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
                "failurePolicy": "Fail",
                "sideEffects": "None",
            }
        ],
    }
