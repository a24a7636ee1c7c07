"""All objects of a cluster, to find those that an uninstalled release leaves behind."""

from collections.abc import Iterator

from tests.system.controlplane.api import Api, Json, unwrap

VOLATILE = {"events", "leases"}
"""Resources whose objects change at any time."""

HIDDEN = {"resourceVersion", "managedFields", "generation"}
"""Metadata that records changes, also those that were reverted."""


def everything(api: Api) -> dict[str, Json]:
    """Return all objects without status and recorded changes, by `identity`."""
    return {identity(item): _without_records(item) for item in _objects(api)}


def identity(item: Json) -> str:
    metadata = item["metadata"]
    where = metadata.get("namespace", "")
    return f"{item['apiVersion']} {item['kind']} {where}/{metadata['name']}"


def _objects(api: Api) -> Iterator[Json]:
    groups = unwrap(api.send("GET", "/apis"))["groups"]
    versions = ["v1", *(group["preferredVersion"]["groupVersion"] for group in groups)]
    for version in versions:
        path = f"/{'apis' if '/' in version else 'api'}/{version}"
        for resource in unwrap(api.send("GET", path))["resources"]:
            if "list" in resource["verbs"] and resource["name"] not in VOLATILE:
                for item in unwrap(api.send("GET", f"{path}/{resource['name']}"))["items"]:
                    yield item | {"apiVersion": version, "kind": resource["kind"]}


def _without_records(item: Json) -> Json:
    metadata = {key: value for key, value in item["metadata"].items() if key not in HIDDEN}
    return {key: value for key, value in item.items() if key != "status"} | {"metadata": metadata}
