"""All objects of a cluster, to see what somebody leaves behind."""

from collections.abc import Iterator

from tests.system.controlplane.api import Api, Json, answered

IN_MOTION = {"events", "leases"}
"""Resources whose objects come and go by themselves."""

HIDDEN = {"resourceVersion", "managedFields", "generation"}
"""Metadata that tells of changes, also of those that were undone."""


def everything(api: Api) -> dict[str, Json]:
    """Return every object there is, as others have written it, by what `identity` says."""
    return {identity(item): _written(item) for item in _objects(api)}


def identity(item: Json) -> str:
    metadata = item["metadata"]
    where = metadata.get("namespace", "")
    return f"{item['apiVersion']} {item['kind']} {where}/{metadata['name']}"


def _objects(api: Api) -> Iterator[Json]:
    groups = answered(api.send("GET", "/apis"))["groups"]
    versions = ["v1", *(group["preferredVersion"]["groupVersion"] for group in groups)]
    for version in versions:
        path = f"/{'apis' if '/' in version else 'api'}/{version}"
        for resource in answered(api.send("GET", path))["resources"]:
            if "list" in resource["verbs"] and resource["name"] not in IN_MOTION:
                for item in answered(api.send("GET", f"{path}/{resource['name']}"))["items"]:
                    yield item | {"apiVersion": version, "kind": resource["kind"]}


def _written(item: Json) -> Json:
    metadata = {key: value for key, value in item["metadata"].items() if key not in HIDDEN}
    return {key: value for key, value in item.items() if key != "status"} | {"metadata": metadata}
