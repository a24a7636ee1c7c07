"""The ways to write a changed object: PUT, and the kinds of patch of the Kubernetes API."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import jsonpatch

from tests.system.controlplane.api import Api, Json, at

_RECORDS = ("managedFields", "resourceVersion", "generation")
"""Metadata by which the API server records a change."""

OTHER_MANAGER = {"fieldManager": "attacker"}


def put(api: Api, _before: Json, after: Json, **query: str) -> httpx.Response:
    return _send(api, "PUT", after, after, "json", **OTHER_MANAGER, **query)


def json_patch(api: Api, before: Json, after: Json, **query: str) -> httpx.Response:
    operations = jsonpatch.make_patch(before, after).patch
    return _send(api, "PATCH", before, operations, "json-patch+json", **OTHER_MANAGER, **query)


def merge_patch(api: Api, before: Json, after: Json, **query: str) -> httpx.Response:
    changes = _difference(before, after)
    return _send(api, "PATCH", before, changes, "merge-patch+json", **OTHER_MANAGER, **query)


def strategic_merge_patch(api: Api, before: Json, after: Json, **query: str) -> httpx.Response:
    """Replace metadata and webhooks as a whole; otherwise they would be merged."""
    body = _difference(before, after) | {"metadata": after["metadata"] | {"$patch": "replace"}}
    if "webhooks" in before:
        body["webhooks"] = [*after["webhooks"], {"$patch": "replace"}]
    media_type = "strategic-merge-patch+json"
    return _send(api, "PATCH", before, body, media_type, **OTHER_MANAGER, **query)


def apply(api: Api, before: Json, after: Json, **query: str) -> httpx.Response:
    """Apply the changed object with an own field manager; the fields of others are not removed."""
    return _apply(api, before, after, "attacker", **query)


def apply_as_helm(api: Api, before: Json, after: Json, **query: str) -> httpx.Response:
    """Apply it as the manager that Helm 4 uses: what is missing is removed."""
    return _apply(api, before, after, "helm", **query)


Write = Callable[..., httpx.Response]

PATCHES: tuple[Write, ...] = (json_patch, merge_patch, strategic_merge_patch)
"""The patches that can make any change."""
WRITES: tuple[Write, ...] = (*PATCHES, apply, apply_as_helm, put)


def effect_of(before: Json, response: httpx.Response) -> set[str]:
    """Return the fields that a write has changed; empty if it was refused or changed nothing.

    `caBundle` is the CA of any webhook, unless it has gone; other changes of a webhook are
    `webhooks`.
    """
    if response.is_error:
        return set()
    old, new = without_records(before), without_records(response.json())
    changed = {key for key in old.keys() | new.keys() if old.get(key) != new.get(key)}
    if "webhooks" not in changed:
        return changed
    bundles = _bundles(new)
    if _without_bundles(old) == _without_bundles(new) and all(bundles):
        changed -= {"webhooks"}
    return changed | ({"caBundle"} if _bundles(old) != bundles else set())


def _bundles(body: Json) -> list[str]:
    return [webhook["clientConfig"].get("caBundle", "") for webhook in body.get("webhooks", [])]


def _without_bundles(body: Json) -> list[Json]:
    return [
        webhook
        | {"clientConfig": {k: v for k, v in webhook["clientConfig"].items() if k != "caBundle"}}
        for webhook in body.get("webhooks", [])
    ]


def without_records(body: Json) -> Json:
    """Return the object without the metadata by which the API server records changes."""
    metadata = {key: value for key, value in body["metadata"].items() if key not in _RECORDS}
    return body | {"metadata": metadata}


def _difference(before: Json, after: Json) -> Json:
    """Return the merge patch (RFC 7386) from one object to another."""
    changes: Json = dict.fromkeys(before.keys() - after.keys())
    for key, value in after.items():
        old = before.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            changes |= {key: _difference(old, value)} if old != value else {}
        elif value != old:
            changes[key] = value
    return changes


def _apply(api: Api, before: Json, after: Json, manager: str, **query: str) -> httpx.Response:
    body = without_records(after)
    query = {"fieldManager": manager, "force": "true"} | query
    return _send(api, "PATCH", before, body, "apply-patch+yaml", **query)


def _send(
    api: Api, method: str, target: Json, body: Any, media_type: str, **query: str
) -> httpx.Response:
    return api.http.request(
        method,
        at(target),
        content=json.dumps(body),
        headers={"Content-Type": f"application/{media_type}"},
        params=query,
    )
