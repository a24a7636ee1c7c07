"""The rights in a release's roles, which a test can remove one at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from tests.system.controlplane.api import Json
from tests.system.controlplane.installed import Installed


class Right(NamedTuple):
    """A verb on a resource."""

    verb: str
    resource: str

    def __str__(self) -> str:
        return f"{self.verb} {self.resource}"


def rights(release: Installed) -> set[Right]:
    """Return all rights of the rendered roles."""
    return {
        Right(verb, resource)
        for role in _roles(release)
        for rule in role["rules"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


@contextmanager
def without(right: Right, release: Installed) -> Iterator[None]:
    """Remove a right for a while."""
    api, roles = release.plane.admin, _roles(release)
    try:
        for role in roles:
            api.ensure(role | {"rules": list(_without(role["rules"], right))})
        yield
    finally:
        for role in roles:
            api.ensure(role)


def _roles(release: Installed) -> list[Json]:
    return [body for body in release.objects if body["kind"] in ("Role", "ClusterRole")]


def _without(rules: list[Json], right: Right) -> Iterator[Json]:
    for rule in rules:
        for resource in rule["resources"]:
            verbs = [verb for verb in rule["verbs"] if (verb, resource) != right]
            if verbs:
                yield rule | {"resources": [resource], "verbs": verbs}
