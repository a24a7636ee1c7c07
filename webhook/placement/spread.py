"""The topology spread constraints of a placed pod."""

from webhook.kube.objects import Json
from webhook.kube.spread import spread_key


def place_spread(present: list[Json], wanted: list[Json]) -> tuple[list[Json], list[str]]:
    """Return the pod's constraints with the plan's added, and notes on those that are not applied.

    The API server rejects a pod with two constraints of the same topology and kind; the pod's own
    are kept.
    """
    own = {spread_key(each): each for each in present}
    notes = [
        f"the pod has another {each['whenUnsatisfiable']} constraint on {each['topologyKey']}, so "
        "SPREAD of the plan is not applied to it"
        for each in wanted
        if own.get(spread_key(each), each) != each
    ]
    return present + [each for each in wanted if spread_key(each) not in own], notes
