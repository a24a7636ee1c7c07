"""The values that labels have on the nodes, for settings that say "at least"."""

from collections.abc import Iterable, Mapping

from webhook.model import NodeValues


def values(nodes: Iterable[Mapping[str, str]], keys: Iterable[str]) -> NodeValues:
    """Return the values that the labels `keys` have on `nodes`, each given by its labels."""
    found: dict[str, set[str]] = {key: set() for key in keys}
    for labels in nodes:
        for key in found.keys() & labels.keys():
            found[key].add(labels[key])
    return found
