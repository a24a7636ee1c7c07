"""The syntax tree: a Rule and its parts.

Rules are equal if they mean the same, whatever their spans and their spellings: `k==v` or `k=v`,
`in (a)` or `in [a]`, `!k` or `not has k`.
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
"""The keywords for topologies and their node labels."""

DEFAULT_WEIGHT = 100
DEFAULT_SKEW = 1
MAX_SKEW = 999_999_999
"""Of the grammar; the API server accepts numbers of 31 bits."""

WORD = r"[^\s()\[\],;#=!<>]+"
"""Regular expression of a word, as in `grammar.lark`."""


class Span(NamedTuple):
    """Positions in the text: from `start`, before `end`."""

    start: int
    end: int


class Verb(StrEnum):
    """The verb of a rule: near or away from the target, as a hard or a soft constraint.

    SPREAD spreads the pods themselves; the rule says if it is hard.
    """

    REQUIRE = "REQUIRE"
    PREFER = "PREFER"
    AVOID = "AVOID"
    REPEL = "REPEL"
    SPREAD = "SPREAD"

    @property
    def hard(self) -> bool:
        return self in {Verb.REQUIRE, Verb.AVOID}

    @property
    def away(self) -> bool:
        return self in {Verb.AVOID, Verb.REPEL}


class Target(StrEnum):
    """The objects that a rule selects."""

    PODS = "pods"
    NODES = "nodes"


class Operator(Enum):
    """The operators of selectors, as they are written."""

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
    """A condition on one label. HAS and NOT_HAS have no value, all but IN and NOT_IN have one."""

    key: Word
    operator: Operator
    values: tuple[Word, ...]
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class NamespaceNames:
    """Namespaces by their names."""

    names: tuple[Word, ...]


@dataclass(frozen=True, slots=True)
class NamespaceSelector:
    """Namespaces by their labels."""

    selectors: tuple[Selector, ...]


Namespaces = Scope | NamespaceNames | NamespaceSelector


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of KARL."""

    verb: Verb
    target: Target
    selectors: tuple[Selector, ...]
    namespaces: Namespaces | None
    """The namespaces of the pods; None is the default scope. Always None for nodes."""
    topology: Word
    """The key of a node label, with the keywords of `TOPOLOGIES` replaced. For nodes always the
    host name."""
    weight: int | None
    """1 to 100, for PREFER and REPEL; None means 100."""
    span: Span = field(compare=False, repr=False)
    skew: int | None = None
    """1 to MAX_SKEW, for SPREAD; None means 1."""
    enforced: bool = False
    """True for a SPREAD with `hard`."""
