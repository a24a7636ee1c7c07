"""Label keys, label values and namespace names as the API server accepts them.

After `k8s.io/apimachinery/pkg/util/validation`: each check returns None when all is well, else
what is wrong as a phrase that goes behind the quoted text: `must be …`.
"""

import re

MAX_NAME_LENGTH = 63
MAX_SUBDOMAIN_LENGTH = 253

_NAME = re.compile(r"[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?")
_DNS_LABEL = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(rf"{_DNS_LABEL.pattern}(?:\.{_DNS_LABEL.pattern})*")

_ENDS = "and must start and end with an alphanumeric character"
_NAME_RULE = f"must consist of alphanumeric characters, '-', '_' or '.', {_ENDS}"
_DNS_LABEL_RULE = f"must consist of lower case alphanumeric characters or '-', {_ENDS}"
_SUBDOMAIN_RULE = f"must consist of lower case alphanumeric characters, '-' or '.', {_ENDS}"


def check_key(key: str) -> str | None:
    """Say what is wrong with a label key or topology key: `app`, `example.com/row`."""
    prefix, slash, name = key.rpartition("/")
    if "/" in prefix:
        return "must be a name with at most one prefix and '/', such as example.com/row"
    if slash and (wrong := check_subdomain(prefix)):
        return f"prefix part {wrong}"
    if wrong := _check(name, _NAME, MAX_NAME_LENGTH, _NAME_RULE):
        return f"name part {wrong}" if slash else wrong
    return None


def check_value(value: str) -> str | None:
    """Say what is wrong with a label value; the empty one is fine."""
    return _check(value, _NAME, MAX_NAME_LENGTH, _NAME_RULE) if value else None


def check_namespace(name: str) -> str | None:
    """Say what is wrong with a namespace's name."""
    return _check(name, _DNS_LABEL, MAX_NAME_LENGTH, _DNS_LABEL_RULE)


def check_subdomain(name: str) -> str | None:
    """Say what is wrong with a DNS subdomain, which is what most objects are named by."""
    return _check(name, _SUBDOMAIN, MAX_SUBDOMAIN_LENGTH, _SUBDOMAIN_RULE)


def _check(text: str, form: re.Pattern[str], length: int, rule: str) -> str | None:
    if not text:
        return "must not be empty"
    if len(text) > length:
        return f"must be no more than {length} characters"
    return None if form.fullmatch(text) else rule
