"""Likely mistakes among the selectors of a rule and in their lists of values.

A probe knows one kind of mistake: it returns what to say of a stumble, or None.
"""

from webhook.karl.errors import Mistake
from webhook.karl.parse_failure import (
    Stumble,
    bracketed,
    expected,
    here,
    missing,
    step_back,
    unexpected,
)
from webhook.kube.messages import quote, suggest

_COMPARISONS = {">", ">=", "<", "<="}
_OPERATORS = _COMPARISONS | {"=", "==", "!=", "in", "notin"}
_BEHIND = {"on", "in", "weight"}
"""What can stand behind the closing parenthesis, and hardly ever is a label key."""

_SELECTOR = "expected a selector, such as app=web, app in [web, api] or has app"
_ALL_HOLD = "selectors are separated by ',' and all of them must hold"
_CONJUNCTIONS = dict.fromkeys(("and", "&", "&&"), _ALL_HOLD) | dict.fromkeys(
    ("or", "|", "||"), f"{_ALL_HOLD}; for one of several values write app in [web, api]"
)


def no_selector(s: Stumble) -> Mistake | None:
    """Explain `pods()` and `pods(`."""
    if "KEY" in s.accepts and s.previous() in {"(", ","} and s.word in {"", ")"}:
        return missing(s, "selector", _SELECTOR)
    return None


def no_key(s: Stumble) -> Mistake | None:
    """Explain `pods(=web)`, `pods(has)` and `pods(not in [web])`."""
    if "KEY" in s.accepts and (s.word in _OPERATORS or s.previous() in {"has", "!"}):
        return missing(s, "label key", _SELECTOR)
    if "HAS" in s.accepts and s.previous() == "not" and s.word in {"in", "not"}:
        return missing(step_back(s), "label key", "expected KEY not in [VALUE, ...]")
    return None


def no_has(s: Stumble) -> Mistake | None:
    """Explain `pods(not app)` and `pods(not app=web)`."""
    if s.previous() != "not" or "HAS" not in s.accepts or not s.found.text:
        return None
    unequal = s.next in {"=", "=="} and len(s.after) > 1
    meant = f"{s.found.text}!={s.after[1].text}" if unequal else f"not has {s.found.text}"
    return missing(s, "'has'", f"expected not has KEY{suggest(meant)}")


def no_parenthesis(s: Stumble) -> Mistake | None:
    """Explain `pods(app=web on node`."""
    hint = "expected ',' or ')' after a selector"
    if "RPAR" in s.accepts and s.word in _BEHIND | {""}:
        return missing(s, "')'", hint)
    if "IN" in s.accepts and s.previous() in _BEHIND and s.previous(2) != "(":
        return missing(step_back(s), "')'", hint)
    return None


def no_operator(s: Stumble) -> Mistake | None:
    """Explain `pods(app)`, `pods(app web)`, `pods(app: web)`, `pods(app not web)`."""
    if s.accepts == {"IN"}:
        return missing(s, "'in'", "expected KEY not in [VALUE, ...]")
    if "UNEQUAL" not in s.accepts or not s.before:
        return None
    key = s.before[-1].text.rstrip(":")
    if s.word in _COMPARISONS:
        hint = "expected '=', '!=', 'in' or 'not in'; only nodes(...) can compare"
        return here(s, f"comparison {quote(s.found.text)} outside nodes(...)", hint)
    if s.word in {"", ",", ")"} and s.previous(3) == "namespaces":
        meant = f"in namespaces [{key}]"
    elif s.word in {"", ",", ")"}:
        meant = key.replace(":", "=", 1) if ":" in key else f"has {key}"
    elif s.word in {"[", "("}:
        meant = f"{key} in {bracketed(s)}"
    else:
        value = s.next if s.word in {"is", "equals", "eq"} else s.found.text
        meant = f"{key}={value}"
    hint = "expected KEY=VALUE, KEY in [VALUE, ...] or has KEY"
    return missing(s, "operator", hint + suggest(meant))


def no_value(s: Stumble) -> Mistake | None:
    """Explain `pods(app=)`, `pods(app=[web, api])`, `pods(app in web)`, `pods(app in [])`."""
    if s.previous() in {"in", "notin"} and "LSQB" in s.accepts:
        meant = f"{s.previous()} [{s.found.text}]" if s.word not in {"", ",", ")"} else ""
        return missing(s, "'['", "expected a list of values" + (suggest(meant) if meant else ""))
    if not s.accepts & {"VALUE", "NAME"} or "RSQB" in s.accepts:
        return None
    if s.word in {"[", "("} and s.previous() in {"=", "=="}:
        meant = f"{s.before[-2].text} in {bracketed(s)}"
        return here(s, f"a list after {quote(s.previous())}", f"expected a value{suggest(meant)}")
    if s.word in {"]", ")"} and s.previous() in {"[", "(", ","}:
        return here(s, "empty list", "expected at least one between the brackets")
    if s.word in _COMPARISONS and s.previous() == "=":
        return here(
            s, f"unexpected {quote(s.found.text)}", f"expected a value{suggest(s.word + '=')}"
        )
    return missing(s, "value", "expected a value, as in app=web; has app asks for any")


def no_bracket(s: Stumble) -> Mistake | None:
    """Explain `pods(app in [web, api)` and `pods(app in (web, api]`."""
    if "RSQB" in s.accepts and s.word in _BEHIND | {"", ")"}:
        return missing(s, "']'", "expected ',' or ']' after a value")
    if "RPAR" in s.accepts and s.word == "]":
        return missing(s, "')'", "expected ',' or ')' after a value")
    return None


def no_comma(s: Stumble) -> Mistake | None:
    """Explain `pods(app=web tier=db)`, `pods(app=web and tier=db)`, `pods(app="my web")`."""
    if "COMMA" not in s.accepts or not s.accepts & {"RPAR", "RSQB"}:
        return None
    if s.word in _CONJUNCTIONS:
        return unexpected(s, _CONJUNCTIONS[s.word])
    if s.previous().startswith(("'", '"')):
        return unexpected(s, "a value has no quotes and no spaces")
    if not s.sign:
        return missing(s, "','", expected(s))
    return None


PROBES = (
    no_parenthesis,
    no_selector,
    no_key,
    no_has,
    no_operator,
    no_value,
    no_bracket,
    no_comma,
)
