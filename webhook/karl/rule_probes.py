"""Probes for likely mistakes in verb, target, scope, topology and weight.

A probe recognizes one kind of mistake: it returns that mistake, or None.
"""

import re

from webhook.karl.errors import Mistake
from webhook.karl.parse_failure import (
    ParseFailure,
    format_list,
    missing_before,
    mistake_at,
    step_back,
    unexpected,
)
from webhook.karl.syntax import MAX_SKEW, TOPOLOGIES, Verb
from webhook.kube.lookalikes import to_ascii
from webhook.kube.messages import did_you_mean, quote, suggest

_SCOPES = (
    "expected own namespace, all namespaces, namespace NAME, namespaces [NAME, ...] "
    "or namespaces (SELECTORS)"
)
_TOPOLOGY = "expected on node, zone, region, rack or a label key"
_WEIGHT = "expected weight=1 to weight=100"
_NO_OPTION = "expected the end of the rule; only PREFER and REPEL have a weight, and only one"
_SKEW = f"expected skew=1 to skew={MAX_SKEW}"
_SPREAD_OPTIONS = "expected the end of the rule, or the options skew=N and hard in this order"
_SEPARATOR_HINT = "rules are separated by ';' or a line end, and all of them apply"
_SOFT = {"require": "PREFER", "avoid": "REPEL"}
_ALL = {"any", "every", "each"}
_OWN = {"same", "this", "my", "its"}
_SEPARATORS = {",", "and", "or", "&", "&&", "|", "||"} | {verb.lower() for verb in Verb}


def probe_verb(f: ParseFailure) -> Mistake | None:
    """Explain `REQIRE pods(app=web) on node`, `pods(app=web) on node` and `// a comment`."""
    if "HARD" not in f.accepts:
        return None
    verbs = "expected REQUIRE, PREFER, AVOID, REPEL or SPREAD"
    if f.word in {"pods", "nodes"}:
        return missing_before(f, "verb", verbs)
    if f.is_sign:
        return unexpected(f, verbs)
    message = f"unknown rule {quote(f.text)}"
    if to_ascii(f.word).startswith(("//", "--")):
        return mistake_at(f, message, "a comment starts with #")
    if f.word in {"on", "in", "weight"}:
        return mistake_at(f, message, "a rule ends at the end of its line, except in parentheses")
    return mistake_at(f, message, verbs + did_you_mean(f.word, Verb))


def probe_target(f: ParseFailure) -> Mistake | None:
    """Explain `REQUIRE pod(app=web) on node`."""
    if "PODS" not in f.accepts:
        return None
    hint, targets = "expected pods(...) or nodes(...)", ["pods", "nodes"]
    if "NODES" not in f.accepts:
        hint, targets = "expected pods(...), which SPREAD counts", ["pods"]
    if f.word in {"", "("}:
        return missing_before(f, "target", hint)
    hint += did_you_mean(f.word, targets)
    return mistake_at(f, f"unknown target {quote(f.text)}", hint)


def probe_parenthesis(f: ParseFailure) -> Mistake | None:
    """Explain `REQUIRE pods app=web on node`."""
    if f.previous() not in {"pods", "nodes"} or "LPAR" not in f.accepts:
        return None
    selectors = re.split(r"(?:^|\s)(?:on|weight)\b", f.rest, maxsplit=1, flags=re.IGNORECASE)[0]
    hint = "expected the selectors in parentheses"
    if selectors := selectors.strip(" \t[]{}"):
        hint += suggest(f"{f.previous()}({selectors})")
    return missing_before(f, "'('", hint)


def probe_scope(f: ParseFailure) -> Mistake | None:
    """Explain `in rook-ceph`, `in any namespace`, `in all namespace`."""
    if f.accepts in ({"NAMESPACE"}, {"NAMESPACES"}):
        (terminal,) = f.accepts
        meant = f"in {f.previous()} {terminal.lower()}"
        return missing_before(f, quote(terminal.lower()), _SCOPES + suggest(meant))
    if "ALL" not in f.accepts:
        return None
    if f.word in {"", "on"}:
        return missing_before(f, "namespaces", _SCOPES)
    if f.word in _ALL:
        meant = "in all namespaces"
    elif f.word in _OWN:
        meant = "in own namespace"
    elif f.word in {"[", "("}:
        meant = f"in namespaces {format_list(f)}"
    else:
        meant = f"in namespace {f.text}"
    return mistake_at(f, f"unknown scope {quote(f.text)}", _SCOPES + suggest(meant))


def probe_namespace(f: ParseFailure) -> Mistake | None:
    """Explain `in namespace on node`, `in namespace [a, b]` and `in namespaces rook-ceph`."""
    one = "expected a name, as in namespace rook-ceph"
    several = "expected names, as in namespaces [rook-ceph, monitoring]"
    if f.accepts == {"ON"} and f.previous() == "on" and f.previous(2) == "namespace":
        return missing_before(step_back(f), "name", one)
    if f.accepts == {"ON"} and f.word == "," and f.previous(2) == "namespace":
        return unexpected(f, several)
    if "NAME" in f.accepts and f.previous() == "namespace":
        return unexpected(f, several) if f.word == "[" else missing_before(f, "name", one)
    if "LSQB" in f.accepts and f.previous() == "namespaces":
        meant = f"in namespaces [{f.text}]"
        return missing_before(f, "'['", several + ("" if f.word in {"", "on"} else suggest(meant)))
    return None


def probe_topology(f: ParseFailure) -> Mistake | None:
    """Explain `REQUIRE pods(app=web)`, `pods(app=web) node` and `pods(app=web) on`."""
    if "TOPOLOGY" in f.accepts:
        return missing_before(f, "topology", _TOPOLOGY)
    if "ON" not in f.accepts or "$END" in f.accepts:
        return None
    if f.word in TOPOLOGIES:
        return missing_before(f, "'on'", _TOPOLOGY + suggest(f"on {f.text}"))
    if f.word == "weight" and any(word.text.lower() == "on" for word in f.after):
        return mistake_at(f, "'weight' before 'on'", "expected the weight at the end of the rule")
    if f.word in {"", "weight"} | _SEPARATORS:
        return missing_before(f, "topology", _TOPOLOGY)
    return unexpected(f, _TOPOLOGY + did_you_mean(f.word, ["on", "in"]))


def probe_weight(f: ParseFailure) -> Mistake | None:
    """Explain `weight 50` and `weight=500`."""
    if f.accepts == {"EQUAL"} and f.previous() == "weight":
        number = suggest(f"weight={f.text}") if f.word.isdecimal() else ""
        return missing_before(f, "'='", _WEIGHT + number)
    if "NUMBER" not in f.accepts:
        return None
    if not f.text:
        return missing_before(f, "number", _WEIGHT)
    return mistake_at(f, f"weight {quote(f.text)} is not a whole number from 1 to 100", _WEIGHT)


def probe_skew(f: ParseFailure) -> Mistake | None:
    """Explain `skew 2` and `skew=0`."""
    if f.accepts == {"EQUAL"} and f.previous() == "skew":
        number = suggest(f"skew={f.text}") if f.word.isdecimal() else ""
        return missing_before(f, "'='", _SKEW + number)
    if "COUNT" not in f.accepts:
        return None
    if not f.text:
        return missing_before(f, "number", _SKEW)
    message = f"skew {quote(f.text)} is not a whole number from 1 to {MAX_SKEW}"
    return mistake_at(f, message, _SKEW)


def probe_namespaces_of_spread(f: ParseFailure) -> Mistake | None:
    """Explain `SPREAD pods(app=web) in own namespace on zone`."""
    if not _is_spread(f) or f.word != "in" or not {"ON", "$END"} & f.accepts:
        return None
    hint = "expected no namespaces: SPREAD counts only pods in the pod's own namespace"
    return mistake_at(f, "SPREAD with namespaces", hint)


def probe_option_of_spread(f: ParseFailure) -> Mistake | None:
    """Explain options that SPREAD does not have, or has elsewhere, and its options on others."""
    is_known = f.word in {"skew", "hard"}
    if not _is_spread(f):
        if "$END" not in f.accepts or not is_known:
            return None
        hint = "expected the end of the rule; only SPREAD has the options skew=N and hard"
        return mistake_at(f, f"option {quote(f.text)} of another rule", hint)
    if is_known and "ON" in f.accepts:
        hint = "expected the topology first, as in on zone, and then the options skew=N and hard"
        return mistake_at(f, f"{quote(f.word)} before 'on'", hint)
    if "$END" not in f.accepts:
        return None
    alike = did_you_mean(re.split(r"\W", f.word)[0], ["skew", "hard"])
    if is_known:
        repeated = f.word in {word.text.lower() for word in f.before}
        message, alike = f"repeated {quote(f.text)}" if repeated else "'skew' after 'hard'", ""
    elif f.word == "weight" or alike or f.next == "=":
        message = f"unknown option {quote(f.text)}"
    else:
        return None
    return mistake_at(f, message, _SPREAD_OPTIONS + alike)


def _is_spread(f: ParseFailure) -> bool:
    return bool(f.before) and f.before[0].text.upper() == Verb.SPREAD


def probe_misplaced_option(f: ParseFailure) -> Mistake | None:
    """Explain `on node in all namespaces`, `weight=1 on node`, and repeated options."""
    if "$END" not in f.accepts or f.word not in {"in", "on", "weight"}:
        return None
    options = {word.text.lower() for word in f.before if word.span.start > _last_parenthesis(f)}
    if f.word == "in" and f.before[1].text.lower() == "nodes":
        return mistake_at(f, "nodes have no namespace", "only pods(...) can be followed by 'in'")
    if f.word == "in":
        return mistake_at(f, "'in' after 'on'", "expected the namespaces before the topology")
    if f.word == "on" and f.word not in options:
        return mistake_at(f, "'weight' before 'on'", "expected the weight at the end of the rule")
    if f.word in options:
        return mistake_at(f, f"repeated {quote(f.text)}", "expected the end of the rule")
    hard = f.before[0].text
    message = f"a weight on the hard rule {quote(hard)}"
    return mistake_at(f, message, _NO_OPTION + suggest(_SOFT[hard.lower()]))


def probe_end(f: ParseFailure) -> Mistake | None:
    """Explain `weigt=1`, and another rule on the same line."""
    if "$END" not in f.accepts:
        return None
    if f.word in _SEPARATORS:
        return unexpected(f, _SEPARATOR_HINT)
    alike = did_you_mean(re.split(r"\W", f.word)[0], ["weight"])
    if alike or f.next == "=":
        hint = _WEIGHT + alike if "WEIGHT" in f.accepts else _NO_OPTION
        return mistake_at(f, f"unknown option {quote(f.text)}", hint)
    return None


def _last_parenthesis(f: ParseFailure) -> int:
    return max(word.span.start for word in f.before if word.text == ")")


PROBES = (
    probe_verb,
    probe_target,
    probe_parenthesis,
    probe_scope,
    probe_namespace,
    probe_namespaces_of_spread,
    probe_option_of_spread,
    probe_topology,
    probe_weight,
    probe_skew,
    probe_misplaced_option,
    probe_end,
)
