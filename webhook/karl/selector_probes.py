"""Probes for likely mistakes in the selectors of a rule.

A probe recognizes one kind of mistake: it returns that mistake, or None.
"""

from webhook.karl.errors import Mistake
from webhook.karl.parse_failure import (
    ParseFailure,
    describe_expected,
    format_list,
    missing_before,
    mistake_at,
    step_back,
    unexpected,
)
from webhook.karl.syntax import Span, Word
from webhook.kube.labels import check_key
from webhook.kube.messages import quote, suggest

_COMPARISONS = {">", ">=", "<", "<="}
_OPERATORS = _COMPARISONS | {"=", "==", "!=", "in", "notin"}
_SIGNS = _COMPARISONS | {"=", "==", "!=", "!"}
_OTHER_OPERATORS = {
    "<>": "!=",
    "=!": "!=",
    "!==": "!=",
    "===": "=",
    "=>": ">=",
    ">==": ">=",
    "=<": "<=",
    "<==": "<=",
}
"""Operators of other languages, as the signs that they consist of here."""
_EQUALITY = {"is", "equals", "eq"}
_AFTER_SELECTORS = {"on", "in", "weight"}
"""Words after the closing parenthesis, which are hardly ever label keys."""

_SELECTOR = "expected a selector, such as app=web, app in [web, api] or has app"
_ALL_MATCH = "selectors are separated by ',' and all of them must match"
_CONJUNCTIONS = dict.fromkeys(("and", "&", "&&"), _ALL_MATCH) | dict.fromkeys(
    ("or", "|", "||"), f"{_ALL_MATCH}; for one of several values write app in [web, api]"
)


def probe_operator(f: ParseFailure) -> Mistake | None:
    """Explain `pods(app<>web)`, `pods(app===web)` and `nodes(cores=>16)`."""
    words = (*f.before, f.found, *f.after)
    start = end = len(f.before)
    while start and words[start - 1].text in _SIGNS and _touch(words[start - 1], words[start]):
        start -= 1
    while words[end].text in _SIGNS and _touch(words[end], words[end + 1]):
        end += 1
    signs = "".join(word.text for word in words[start:end])
    if signs not in _OTHER_OPERATORS:
        return None
    span = Span(words[start].span.start, words[end - 1].span.end)
    hint = f"expected an operator{suggest(_OTHER_OPERATORS[signs])}"
    return Mistake(span, f"unknown operator {quote(signs)}", hint)


def _touch(word: Word, following: Word) -> bool:
    return word.span.end == following.span.start


def probe_missing_selector(f: ParseFailure) -> Mistake | None:
    """Explain `pods()` and `pods(`."""
    if "KEY" in f.accepts and f.previous() in {"(", ","} and f.word in {"", ")"}:
        return missing_before(f, "selector", _SELECTOR)
    return None


def probe_missing_key(f: ParseFailure) -> Mistake | None:
    """Explain `pods(=web)`, `pods(has)` and `pods(not in [web])`."""
    if "KEY" in f.accepts and (f.word in _OPERATORS or f.previous() in {"has", "!"}):
        return missing_before(f, "label key", _SELECTOR)
    if "HAS" in f.accepts and f.previous() == "not" and f.word in {"in", "not"}:
        return missing_before(step_back(f), "label key", "expected KEY not in [VALUE, ...]")
    return None


def probe_missing_has(f: ParseFailure) -> Mistake | None:
    """Explain `pods(not app)` and `pods(not app=web)`."""
    if f.previous() != "not" or "HAS" not in f.accepts or not f.text:
        return None
    unequal = f.next in {"=", "=="} and len(f.after) > 1
    meant = f"{f.text}!={f.after[1].text}" if unequal else f"not has {f.text}"
    return missing_before(f, "'has'", f"expected not has KEY{suggest(meant)}")


def probe_missing_parenthesis(f: ParseFailure) -> Mistake | None:
    """Explain `pods(app=web on node`."""
    hint = "expected ',' or ')' after a selector"
    if "RPAR" in f.accepts and f.word in _AFTER_SELECTORS | {""}:
        return missing_before(f, "')'", hint)
    if "IN" in f.accepts and f.previous() in _AFTER_SELECTORS and f.previous(2) != "(":
        return missing_before(step_back(f), "')'", hint)
    return None


def probe_missing_operator(f: ParseFailure) -> Mistake | None:
    """Explain `pods(app)`, `pods(app web)`, `pods(app: web)`, `pods(app not web)`."""
    if f.accepts == {"IN"}:
        hint = "expected KEY not in [VALUE, ...]"
        unequal = f.word in {"=", "=="} and f.next
        meant = suggest(f"{f.before[-2].text}!={f.next}") if unequal else ""
        return missing_before(f, "'in'", hint + meant)
    if "UNEQUAL" not in f.accepts or not f.before:
        return None
    key = f.before[-1].text.rstrip(":")
    if f.word in _COMPARISONS:
        hint = "expected '=', '!=', 'in' or 'not in'; only nodes(...) can compare"
        return mistake_at(f, f"comparison {quote(f.text)} outside nodes(...)", hint)
    if f.word in {"", ",", ")"} and f.previous(3) == "namespaces":
        meant = f"in namespaces [{key}]"
    elif f.word in {"", ",", ")"}:
        meant = key.replace(":", "=", 1) if ":" in key else f"has {key}"
    elif f.word in {"[", "("}:
        meant = f"{key} in {format_list(f)}"
    elif f.word in _EQUALITY and f.next.lower() == "not" and len(f.after) > 2:
        meant = f"{key}!={f.after[1].text}"
    else:
        value = f.next if f.word in _EQUALITY else f.text
        meant = f"{key}={value}"
    hint = "expected KEY=VALUE, KEY in [VALUE, ...] or has KEY"
    valid = check_key(key.partition(":")[0]) is None
    return missing_before(f, "operator", hint + (suggest(meant) if valid else ""))


def probe_missing_value(f: ParseFailure) -> Mistake | None:
    """Explain `pods(app=)`, `pods(app=[web, api])`, `pods(app in web)`, `pods(app in [])`."""
    if f.previous() in {"in", "notin"} and "LSQB" in f.accepts:
        meant = f"{f.previous()} [{f.text}]" if f.word not in {"", ",", ")"} else ""
        return missing_before(
            f, "'['", "expected a list of values" + (suggest(meant) if meant else "")
        )
    if not f.accepts & {"VALUE", "NAME"} or "RSQB" in f.accepts:
        return None
    if f.word in {"[", "("} and f.previous() in {"=", "=="}:
        meant = f"{f.before[-2].text} in {format_list(f)}"
        return mistake_at(
            f,
            f"a list after {quote(f.previous())}",
            f"expected a value{suggest(meant)}",
        )
    if f.word in {"]", ")"} and f.previous() in {"[", "(", ","}:
        return mistake_at(f, "empty list", "expected at least one item")
    return missing_before(f, "value", "expected a value, as in app=web; has app matches any value")


def probe_missing_bracket(f: ParseFailure) -> Mistake | None:
    """Explain `pods(app in [web, api)` and `pods(app in (web, api]`."""
    if "RSQB" in f.accepts and f.word in _AFTER_SELECTORS | {"", ")"}:
        return missing_before(f, "']'", "expected ',' or ']' after a value")
    if "RPAR" in f.accepts and f.word == "]":
        return missing_before(f, "')'", "expected ',' or ')' after a value")
    return None


def probe_missing_comma(f: ParseFailure) -> Mistake | None:
    """Explain `pods(app=web tier=db)`, `pods(app=web and tier=db)`, `pods(app="my web")`."""
    if "COMMA" not in f.accepts or not f.accepts & {"RPAR", "RSQB"}:
        return None
    if f.word in _CONJUNCTIONS:
        return unexpected(f, _CONJUNCTIONS[f.word])
    for sign in ("&", "|"):
        if sign in f.previous():
            return unexpected(step_back(f), _CONJUNCTIONS[sign])
    if f.previous().startswith(("'", '"')):
        return unexpected(f, "a value has no quotes and no spaces")
    if not f.is_sign:
        return missing_before(f, "','", describe_expected(f))
    return None


PROBES = (
    probe_operator,
    probe_missing_parenthesis,
    probe_missing_selector,
    probe_missing_key,
    probe_missing_has,
    probe_missing_operator,
    probe_missing_value,
    probe_missing_bracket,
    probe_missing_comma,
)
