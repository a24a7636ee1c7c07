"""Settings of the installation for all pods, and its limits, as rows for reports."""

from collections.abc import Iterator

from webhook.karl import to_text
from webhook.karl.decompile import decompile, format_spread
from webhook.karl.minimums import join_selector
from webhook.kube.objects import Json
from webhook.kube.tolerations import format_toleration
from webhook.model import Installation, Limits, ScratchVolume
from webhook.reports.setting import Setting
from webhook.settings.names import INSTALLATION_ONLY, to_field

ENFORCED = "installation enforced."
"""The beginning of the source of what the installation enforces."""
NO_NAME = "an affinity object"
"""The value of rules that KARL cannot express."""
_FIELDS = {"seccomp-profile": "seccomp", "app-armor-profile": "app_armor"}
"""Fields of a ConvertorProfile that are not called as the setting."""


def list_enforced(installation: Installation) -> Iterator[Setting]:
    """Yield what the installation enforces."""
    enforced = installation.enforced
    selector = join_selector(enforced.node_selector, enforced.node_requirements)
    for key, value in selector.items():
        yield Setting("node-selector", f"{key}={value}", f"{ENFORCED}nodeSelector")
    terms = [to_text(each.rule) if each.rule else NO_NAME for each in decompile(enforced.affinity)]
    for rule in [*terms, *map(format_spread, enforced.spread)]:
        yield Setting("affinity", rule, f"{ENFORCED}affinity")
    for toleration in enforced.tolerations:
        yield Setting("tolerations", format_toleration(toleration), f"{ENFORCED}tolerations")


def list_profile(installation: Installation, namespace: str) -> Iterator[Setting]:
    """Yield the profile of the convertor pods in a namespace, with the names of variables only."""
    profile, general = installation.profile_for(namespace), installation.convertor
    for name, key in INSTALLATION_ONLY.items():
        field = _FIELDS.get(name, to_field(name))
        value = getattr(profile, field)
        own = value != getattr(general, field)
        if value:
            where = f"convertor.namespaces.{namespace}" if own else "convertor"
            yield Setting(name, _format_profile(value), f"installation {where}.{key}")


def list_limits(installation: Installation, namespace: str) -> Iterator[Setting]:
    """Yield the limits of the Plans in a namespace, without those that are built in."""
    limits, built_in = installation.limits_for(namespace), Limits()
    for field in Limits.__struct_fields__:
        value = getattr(limits, field)
        if value == getattr(built_in, field):
            continue
        own = value != getattr(installation.limits, field)
        where = f"limits.namespaces.{namespace}" if own else "limits"
        pairs = (
            [f"{name}={most}" for name, most in value.items()] if field == "resources" else value
        )
        yield Setting(_to_camel(field), ", ".join(pairs) or "none", f"installation {where}")


def describe_enforced(installation: Installation) -> Json:
    """Return what the installation enforces, with the fields of its file; empty if nothing."""
    enforced = installation.enforced
    rules = [row.value for row in list_enforced(installation) if row.name == "affinity"]
    found = {
        "nodeSelector": join_selector(enforced.node_selector, enforced.node_requirements),
        "rules": rules,
        "tolerations": enforced.tolerations,
    }
    return {name: value for name, value in found.items() if value}


def describe_profile(installation: Installation, namespace: str) -> dict[str, str]:
    """Return the profile of the convertor pods in a namespace; empty if it has none."""
    return {row.name: row.value for row in list_profile(installation, namespace)}


def _format_profile(value: Json | str | ScratchVolume) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, ScratchVolume):
        return " of class ".join(filter(None, [value.size, value.storage_class]))
    if "type" in value:
        return " ".join(filter(None, [value["type"], value.get("localhostProfile")]))
    return ", ".join(value)


def _to_camel(field: str) -> str:
    first, *others = field.split("_")
    return first + "".join(each.capitalize() for each in others)
