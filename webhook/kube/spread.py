"""TopologySpreadConstraints of core/v1."""

from webhook.kube.objects import Json


def spread_key(constraint: Json) -> tuple[str, str]:
    """Return the fields of which the API server accepts each combination once in a pod."""
    return constraint.get("topologyKey") or "", constraint.get("whenUnsatisfiable") or ""
