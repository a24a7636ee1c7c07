"""A rule as a value: what `parse` returns, and what everything else here takes.

Equality is about meaning: where a rule stands in its text (its spans), and which of two
spellings it has (`k==v` and `k=v`, `in (a)` and `in [a]`, `!k` and `not has k`) make no difference.
"""

from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import NamedTuple

from webhook.model import Scope

TOPOLOGIES = {
    "node": "kubernetes.io/hostname",
    "zone": "topology.kubernetes.io/zone",
    "region": "topology.kubernetes.io/region",
    "rack": "topology.kubernetes.io/rack",
}
"""The words for a topology, and the node labels that they stand for."""

DEFAULT_WEIGHT = 100

WORD = r"[^\s()\[\],;#=!<>]+"
"""A word of a text, as in `grammar.lark`."""


class Span(NamedTuple):
    """A place in the text: characters from `start` to before `end`."""

    start: int
    end: int


class Verb(StrEnum):
    """What a rule wants: near or away, as a must (hard) or as a wish (soft)."""

    REQUIRE = "REQUIRE"
    PREFER = "PREFER"
    AVOID = "AVOID"
    REPEL = "REPEL"

    @property
    def hard(self) -> bool:
        return self in {Verb.REQUIRE, Verb.AVOID}

    @property
    def away(self) -> bool:
        return self in {Verb.AVOID, Verb.REPEL}


class Target(StrEnum):
    """What a rule looks at: the pods that run somewhere, or the nodes themselves."""

    PODS = "pods"
    NODES = "nodes"


class Operator(Enum):
    """What a selector says of a label; the value is how it is written."""

    EQUAL = "="
    NOT_EQUAL = "!="
    IN = "in"
    NOT_IN = "not in"
    HAS = "has"
    NOT_HAS = "not has"
    GREATER = ">"
    AT_LEAST = ">="
    LESS = "<"
    AT_MOST = "<="


@dataclass(frozen=True, slots=True)
class Word:
    """A label key, label value, namespace or topology as it is written."""

    text: str
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Selector:
    """A condition on one label. `values` is empty for HAS, and has one item but for IN, NOT_IN."""

    key: Word
    operator: Operator
    values: tuple[Word, ...]
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Named:
    """Namespaces by their names."""

    names: tuple[Word, ...]


@dataclass(frozen=True, slots=True)
class Labelled:
    """Namespaces by their labels."""

    selectors: tuple[Selector, ...]


Namespaces = Scope | Named | Labelled


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule."""

    verb: Verb
    target: Target
    selectors: tuple[Selector, ...]
    namespaces: Namespaces | None
    """Where the pods are; None leaves it to the installation. Always None for nodes."""
    topology: Word
    """A node label's key, for the words of `TOPOLOGIES` theirs. For nodes that of node, also
    where none is written."""
    weight: int | None
    """1 to 100, for PREFER and REPEL; None where none is written, which means 100."""
    span: Span = field(compare=False, repr=False)
