"""Resources, priority class and annotations for pods: the settings that are not about nodes."""

from collections.abc import Iterator
from typing import Any

from webhook.kube import labels, quantity
from webhook.kube.lookalikes import to_plain_entry
from webhook.kube.messages import did_you_mean, join_with_or, quote, suggest
from webhook.kube.sizes import MAX_POD_ANNOTATION_CHARACTERS
from webhook.model import Problem
from webhook.settings.limits import PlanLimits
from webhook.settings.lists import EntryError, join_errors, read_pairs
from webhook.settings.names import LIMITS, REQUESTS, RESOURCE_NAMES, RESOURCES
from webhook.settings.raw import RawSetting, digest, expected_text

_RESERVED_ANNOTATIONS = ("kubernetes.io/config.mirror", "kubernetes.io/config.source")
"""Annotations of mirror pods; the API server rejects other pods with them."""


def read_resources(
    setting: RawSetting, problems: list[Problem], limits: PlanLimits | None
) -> dict[str, str]:
    """Read `requests.cpu=2,limits.memory=12Gi`, or a map; empty if a request is above its limit.

    The API server would refuse every pod with such a request.
    """

    def check(name: str, amount: str) -> EntryError | None:
        error = _check_resource(name, amount)
        resource = name.partition(".")[2]
        if error or not limits:
            return error
        return join_errors(None, limits.check_resource(resource, amount), (name, amount))

    found = read_pairs(_flatten(setting), check, problems)
    above = [*_find_above_limit(found)]
    for name in above:
        request, limit = found[f"{REQUESTS}.{name}"], found[f"{LIMITS}.{name}"]
        message = (
            f"expected {REQUESTS}.{name} of at most {LIMITS}.{name}, found {request} and {limit}: "
            "nothing of it is applied, because the API server would reject the pods"
        )
        problems.append(Problem(setting.where, message))
    return {} if above else found


def read_priority_class(
    setting: RawSetting, problems: list[Problem], limits: PlanLimits | None
) -> str | None:
    """Read the name of a PriorityClass; None if it is absent or invalid, empty for none."""
    value = setting.value
    if value is None:
        return None
    if not isinstance(value, str):
        problems.append(Problem(setting.where, expected_text(value)))
        return None
    name = value.strip()
    wrong: str | None
    if name and (wrong := labels.check_subdomain(name)):
        message = f"expected the name of a PriorityClass, found {quote(name)}: it {wrong}"
        plain = to_plain_entry(name)
        hint = suggest(plain) if plain != name and not labels.check_subdomain(plain) else ""
        problems.append(Problem(setting.where, message + hint))
        return None
    if name and limits and (beyond_limits := limits.check_priority_class(name)):
        problems.append(
            Problem(setting.where, beyond_limits, beyond_limits=True, digest=digest(name))
        )
        return None
    return name


def read_pod_annotations(
    setting: RawSetting, prefix: str, problems: list[Problem], limits: PlanLimits | None
) -> dict[str, str]:
    """Read annotations for pods, a map or `k=v,k2=v2`; `prefix` is that of the webhook's own."""

    def check(key: str, value: str) -> EntryError | None:
        if wrong := labels.check_key(key):
            return EntryError(f"key {quote(key)} {wrong}")
        if key.partition("/")[0] == prefix:
            return EntryError(f"{quote(key)} has the prefix of the webhook's own annotations")
        if key in _RESERVED_ANNOTATIONS:
            return EntryError(f"{quote(key)} marks a mirror pod, which the API server would reject")
        return join_errors(None, limits.check_pod_annotation(key) if limits else None, (key, value))

    found = read_pairs(setting, check, problems)
    size = sum(len(key) + len(value) for key, value in found.items())
    if size <= MAX_POD_ANNOTATION_CHARACTERS:
        return found
    message = (
        f"expected at most {MAX_POD_ANNOTATION_CHARACTERS} characters in all annotations, found "
        f"{size}: nothing of it is applied, shorten it"
    )
    problems.append(Problem(setting.where, message))
    return {}


def _flatten(setting: RawSetting) -> RawSetting:
    """Return the setting with `{limits: {cpu: 2}}`, as in a container, as `{limits.cpu: "2"}`."""
    value = setting.value
    if not isinstance(value, dict):
        return setting
    flat: dict[Any, Any] = {}
    for part, amounts in value.items():
        if part in (REQUESTS, LIMITS) and isinstance(amounts, dict):
            flat |= {
                f"{part}.{name}": to_text(amount)
                for name, amount in amounts.items()
                if amount is not None
            }
        elif amounts is not None or part not in (REQUESTS, LIMITS):
            flat[part] = to_text(amounts)
    return setting._replace(value=flat)


def to_text(amount: object) -> object:
    """Return a number of YAML as text: `cpu: 2` is as good as `cpu: "2"`, as in a container."""
    is_number = isinstance(amount, int | float) and not isinstance(amount, bool)
    return f"{amount:g}" if isinstance(amount, float) else str(amount) if is_number else amount


def _check_resource(name: str, amount: str) -> EntryError | None:
    if name not in RESOURCE_NAMES:
        message = f"expected {join_with_or(RESOURCE_NAMES)}, found {quote(name)}"
        return EntryError(message + _suggest(name))
    if wrong := quantity.check_positive(amount):
        return EntryError(f"{name} {quote(amount)} {wrong}")
    return None


def _suggest(name: str) -> str:
    """Return a suggestion for a resource that is meant as a request."""
    if name in RESOURCES:
        return suggest(f"{REQUESTS}.{name}")
    return did_you_mean(name, RESOURCE_NAMES)


def _find_above_limit(found: dict[str, str]) -> Iterator[str]:
    for name in RESOURCES:
        request, limit = found.get(f"{REQUESTS}.{name}"), found.get(f"{LIMITS}.{name}")
        if request and limit and quantity.is_more(request, limit):
            yield name
