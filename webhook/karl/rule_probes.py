"""Likely mistakes around the selectors of a rule: verb, target, scope, topology, weight.

A probe knows one kind of mistake: it returns what to say of a stumble, or None.
"""

import re

from webhook.karl.errors import Mistake
from webhook.karl.parse_failure import (
    Stumble,
    bracketed,
    here,
    missing,
    step_back,
    unexpected,
)
from webhook.karl.syntax import TOPOLOGIES, Verb
from webhook.kube.messages import did_you_mean, quote, suggest

_SCOPES = (
    "expected own namespace, all namespaces, namespace NAME, namespaces [NAME, ...] "
    "or namespaces (SELECTORS)"
)
_TOPOLOGY = "expected on node, zone, region, rack or a label key"
_WEIGHT = "expected weight=1 to weight=100"
_NO_OPTION = "expected the end of the rule; only PREFER and REPEL have a weight, and only one"
_SEPARATE = "rules are separated by ';' or a line end, and all of them apply"
_SOFT = {"require": "PREFER", "avoid": "REPEL"}
_ALL = {"any", "every", "each"}
_OWN = {"same", "this", "my", "its"}
_BETWEEN = {",", "and", "or", "&", "&&", "|", "||"} | {verb.lower() for verb in Verb}


def verb(s: Stumble) -> Mistake | None:
    """Explain `REQIRE pods(app=web) on node`, `pods(app=web) on node` and `// a comment`."""
    if "HARD" not in s.accepts:
        return None
    verbs = "expected REQUIRE, PREFER, AVOID or REPEL"
    if s.word in {"pods", "nodes"}:
        return missing(s, "verb", verbs)
    if s.sign:
        return unexpected(s, verbs)
    message = f"unknown rule {quote(s.found.text)}"
    if s.word.startswith(("//", "--")):
        return here(s, message, "a comment starts with #")
    if s.word in {"on", "in", "weight"}:
        return here(s, message, "a rule ends with its line, but for line ends in parentheses")
    return here(s, message, verbs + did_you_mean(s.word, Verb))


def target(s: Stumble) -> Mistake | None:
    """Explain `REQUIRE pod(app=web) on node`."""
    if "PODS" not in s.accepts:
        return None
    hint = "expected pods(...) or nodes(...)"
    if s.word in {"", "("}:
        return missing(s, "target", hint)
    hint += did_you_mean(s.word, ["pods", "nodes"])
    return here(s, f"unknown target {quote(s.found.text)}", hint)


def parenthesis(s: Stumble) -> Mistake | None:
    """Explain `REQUIRE pods app=web on node`."""
    if s.previous() not in {"pods", "nodes"} or "LPAR" not in s.accepts:
        return None
    selectors = re.split(r"(?:^|\s)(?:on|weight)\b", s.rest, maxsplit=1, flags=re.IGNORECASE)[0]
    hint = "expected the selectors in parentheses"
    if selectors := selectors.strip(" \t[]{}"):
        hint += suggest(f"{s.previous()}({selectors})")
    return missing(s, "'('", hint)


def scope(s: Stumble) -> Mistake | None:
    """Explain `in rook-ceph`, `in any namespace`, `in all namespace`."""
    if s.accepts in ({"NAMESPACE"}, {"NAMESPACES"}):
        (terminal,) = s.accepts
        meant = f"in {s.previous()} {terminal.lower()}"
        return missing(s, quote(terminal.lower()), _SCOPES + suggest(meant))
    if "ALL" not in s.accepts:
        return None
    if s.word in {"", "on"}:
        return missing(s, "namespaces", _SCOPES)
    if s.word in _ALL:
        meant = "in all namespaces"
    elif s.word in _OWN:
        meant = "in own namespace"
    elif s.word in {"[", "("}:
        meant = f"in namespaces {bracketed(s)}"
    else:
        meant = f"in namespace {s.found.text}"
    return here(s, f"unknown scope {quote(s.found.text)}", _SCOPES + suggest(meant))


def namespace(s: Stumble) -> Mistake | None:
    """Explain `in namespace on node`, `in namespace [a, b]` and `in namespaces rook-ceph`."""
    one = "expected a name, as in namespace rook-ceph"
    several = "expected names, as in namespaces [rook-ceph, monitoring]"
    if s.accepts == {"ON"} and s.previous() == "on" and s.previous(2) == "namespace":
        return missing(step_back(s), "name", one)
    if s.accepts == {"ON"} and s.word == "," and s.previous(2) == "namespace":
        return unexpected(s, several)
    if "NAME" in s.accepts and s.previous() == "namespace":
        return unexpected(s, several) if s.word == "[" else missing(s, "name", one)
    if "LSQB" in s.accepts and s.previous() == "namespaces":
        meant = f"in namespaces [{s.found.text}]"
        return missing(s, "'['", several + ("" if s.word in {"", "on"} else suggest(meant)))
    return None


def topology(s: Stumble) -> Mistake | None:
    """Explain `REQUIRE pods(app=web)`, `pods(app=web) node` and `pods(app=web) on`."""
    if "TOPOLOGY" in s.accepts:
        return missing(s, "topology", _TOPOLOGY)
    if "ON" not in s.accepts or "$END" in s.accepts:
        return None
    if s.word in TOPOLOGIES:
        return missing(s, "'on'", _TOPOLOGY + suggest(f"on {s.found.text}"))
    if s.word == "weight" and any(word.text.lower() == "on" for word in s.after):
        return here(s, "'weight' before 'on'", "expected the weight at the end of the rule")
    if s.word in {"", "weight"} | _BETWEEN:
        return missing(s, "topology", _TOPOLOGY)
    return unexpected(s, _TOPOLOGY + did_you_mean(s.word, ["on", "in"]))


def weight(s: Stumble) -> Mistake | None:
    """Explain `weight 50` and `weight=500`."""
    if s.accepts == {"EQUAL"} and s.previous() == "weight":
        number = suggest(f"weight={s.found.text}") if s.word.isdecimal() else ""
        return missing(s, "'='", _WEIGHT + number)
    if "NUMBER" not in s.accepts:
        return None
    if not s.found.text:
        return missing(s, "number", _WEIGHT)
    return here(s, f"weight {quote(s.found.text)} is no whole number from 1 to 100", _WEIGHT)


def misplaced(s: Stumble) -> Mistake | None:
    """Explain `on node in all namespaces`, `weight=1 on node`, and what comes twice."""
    if "$END" not in s.accepts or s.word not in {"in", "on", "weight"}:
        return None
    options = {word.text.lower() for word in s.before if word.span.start > _last_parenthesis(s)}
    if s.word == "in" and s.before[1].text.lower() == "nodes":
        return here(s, "nodes are in no namespace", "only pods(...) can be followed by 'in'")
    if s.word == "in":
        return here(s, "'in' after 'on'", "expected the namespaces before the topology")
    if s.word == "on" and s.word not in options:
        return here(s, "'weight' before 'on'", "expected the weight at the end of the rule")
    if s.word in options:
        return here(s, f"repeated {quote(s.found.text)}", "expected the end of the rule")
    hard = s.before[0].text
    message = f"a weight on the hard rule {quote(hard)}"
    return here(s, message, _NO_OPTION + suggest(_SOFT[hard.lower()]))


def end(s: Stumble) -> Mistake | None:
    """Explain `weigt=1`, and another rule on the same line."""
    if "$END" not in s.accepts:
        return None
    if s.word in _BETWEEN:
        return unexpected(s, _SEPARATE)
    alike = did_you_mean(re.split(r"\W", s.word)[0], ["weight"])
    if alike or s.next == "=":
        hint = _WEIGHT + alike if "WEIGHT" in s.accepts else _NO_OPTION
        return here(s, f"unknown option {quote(s.found.text)}", hint)
    return None


def _last_parenthesis(s: Stumble) -> int:
    return max(word.span.start for word in s.before if word.text == ")")


PROBES = (verb, target, parenthesis, scope, namespace, topology, weight, misplaced, end)
