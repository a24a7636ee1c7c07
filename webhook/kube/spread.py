"""TopologySpreadConstraints of core/v1."""

from collections.abc import Iterable

from webhook.kube.objects import Json

HARD = "DoNotSchedule"
SOFT = "ScheduleAnyway"
FIRST_WITH_NODE_TAINTS_POLICY = 26
"""The minor version of Kubernetes from which on constraints may leave out nodes with taints that
the pod does not tolerate, without a feature gate."""


def spread_key(constraint: Json) -> tuple[str, str]:
    """Return the fields of which the API server accepts each combination once in a pod."""
    return constraint.get("topologyKey") or "", constraint.get("whenUnsatisfiable") or ""


def merge_spread(less_specific: Iterable[Json], more_specific: Iterable[Json]) -> list[Json]:
    """Return the constraints of both, of the same topology and kind the more specific one."""
    by_key = {spread_key(each): each for each in (*less_specific, *more_specific)}
    return list(by_key.values())


def is_hard(constraint: Json) -> bool:
    """Return whether a pod stays pending rather than to violate a constraint."""
    return constraint.get("whenUnsatisfiable") == HARD


def counts_tainted_nodes(kubernetes: int | None) -> bool:
    """Return whether a cluster ignores `nodeTaintsPolicy`, by its minor version, None if unknown.

    One cordoned node without pods of the group then keeps all later pods of a hard constraint
    pending.
    """
    return kubernetes is not None and kubernetes < FIRST_WITH_NODE_TAINTS_POLICY
