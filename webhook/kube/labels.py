"""Validation of label keys, label values and names.

Follows `k8s.io/apimachinery/pkg/util/validation`. Each function returns None for a valid text, else
a phrase that follows the quoted text in a message: `must be …`.
"""

import re

MAX_NAME_LENGTH = 63
MAX_SUBDOMAIN_LENGTH = 253
MAX_KEY_LENGTH = MAX_SUBDOMAIN_LENGTH + len("/") + MAX_NAME_LENGTH
"""Of a key of a label or an annotation."""

_NAME = re.compile(r"[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?")
_DNS_LABEL = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(rf"{_DNS_LABEL.pattern}(?:\.{_DNS_LABEL.pattern})*")

_ENDS = "and must start and end with an alphanumeric character"
_NAME_RULE = f"must consist of alphanumeric characters, '-', '_' or '.', {_ENDS}"
_DNS_LABEL_RULE = f"must consist of lower case alphanumeric characters or '-', {_ENDS}"
_SUBDOMAIN_RULE = f"must consist of lower case alphanumeric characters, '-' or '.', {_ENDS}"


def check_key(key: str) -> str | None:
    """Check a label key or topology key: `app`, `example.com/row`."""
    prefix, slash, name = key.rpartition("/")
    if "/" in prefix:
        return "must be a name with at most one prefix and '/', such as example.com/row"
    if slash and (wrong := check_subdomain(prefix)):
        return f"prefix part {wrong}"
    if wrong := _check_form(name, _NAME, MAX_NAME_LENGTH, _NAME_RULE):
        return f"name part {wrong}" if slash else wrong
    return None


def check_value(value: str) -> str | None:
    """Check a label value; it may be empty."""
    return _check_form(value, _NAME, MAX_NAME_LENGTH, _NAME_RULE) if value else None


def check_namespace(name: str) -> str | None:
    """Check the name of a namespace."""
    return _check_form(name, _DNS_LABEL, MAX_NAME_LENGTH, _DNS_LABEL_RULE)


def check_subdomain(name: str) -> str | None:
    """Check a DNS subdomain, which is the form of most objects' names."""
    return _check_form(name, _SUBDOMAIN, MAX_SUBDOMAIN_LENGTH, _SUBDOMAIN_RULE)


def _check_form(text: str, form: re.Pattern[str], length: int, rule: str) -> str | None:
    if not text:
        return "must not be empty"
    if len(text) > length:
        return f"must be no more than {length} characters"
    return None if form.fullmatch(text) else rule
