"""The tolerations of a placed pod."""

from webhook.model import Json, Settings


def place_tolerations(present: list[Json], settings: Settings) -> list[Json]:
    """Return the pod's tolerations, and those of the plan's that are not among them."""
    return present + [one for one in settings.tolerations if one not in present]
