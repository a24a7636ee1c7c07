"""The largest inputs that are read, so that none takes more than 100 ms of the event loop.

Whatever is larger is one problem and is not applied. Objects come from everyone who may write a
Plan or create a pod, so all readers count before they parse. People write far less; Kubernetes
itself has hardly any of these limits.
"""

import msgspec

MAX_ENTRIES = 256
"""Of a list or map of labels, node selectors or tolerations."""
MAX_ENTRY_CHARACTERS = 512
"""Of an entry that gets a suggestion; the longest valid one has about 400."""
MAX_RULES_CHARACTERS = 16 * 1024
"""Of a text of rules."""
MAX_AFFINITY_ITEMS = 4 * 1024
"""Objects, lists and values of a core/v1 Affinity: a usual term of an affinity has ten."""
MAX_NODE_VALUES = 32 * 1024
"""Values of node labels in the node affinity of a plan, once its minimums are expanded: the
memory of 5000 different nodes six times. The API server would refuse a pod that is too large."""
MAX_POD_ANNOTATION_CHARACTERS = 16 * 1024
"""Of all annotations that a plan adds to a pod; Kubernetes limits all of a pod to 256 KiB."""
MAX_UNKNOWN_FIELDS = 32
"""Of an affinity; each is compared with the known ones."""
MAX_POD_ENTRIES = 1024
"""Of each list or map of a pod that a placement reads, except for the values of an expression."""

MAX_FIELD_BYTES = 96 * 2**10
"""Of a field of a pod or a Plan that is read, as JSON. Most have some hundred bytes; an `In` over
the memory of 5000 different nodes has 80 kB."""
MAX_ANNOTATIONS_BYTES = 2 * 2**20
"""Kubernetes limits the annotations of an object to 256 KiB. In JSON each of them may be an escape
of six bytes, and each annotation has six bytes of punctuation."""

MAX_CONFIG_CHARACTERS = 32 * 1024
"""Of the installation's file. YAML takes up to 2 ms for each thousand characters."""

MAX_REPORTED = 16
"""Problems of one setting that are reported; the others are counted."""
MAX_STRUCTURED_CHARACTERS = 4 * 1024
"""Of a text that is parsed as JSON or YAML for the sake of a message."""


class TooLarge(msgspec.Struct, frozen=True):
    """Stands for a JSON value that is not decoded, because it has more than MAX_FIELD_BYTES."""

    bytes: int
    digest: str
    """SHA-256 of the JSON: one of the same size may be another one."""


def count_items(value: object, most: int) -> int:
    """Return the number of values in a JSON value, itself included; at most about `most`.

    Counting ends as soon as there are more than `most`.
    """
    count, left = 0, [value]
    while left and count <= most:
        each = left.pop()
        count += 1
        if isinstance(each, dict):
            left.extend(each.values())
        elif isinstance(each, list):
            left.extend(each)
    return count + len(left)


def count_entries(value: object) -> int:
    """Return the number of entries of a list setting: text, map, or list of texts and maps."""
    match value:
        case str():
            return value.count(",") + 1
        case dict():
            return len(value)
        case list():
            return sum(part.count(",") + 1 if isinstance(part, str) else 1 for part in value)
    return 1
