"""Which mode is in force, and who said so: the more specific wins."""

from enum import StrEnum
from typing import NamedTuple

from webhook.model import Installation, Mode, Plan


class Origin(StrEnum):
    """Whose word a mode is, from the least to the most specific."""

    INSTALLATION = "installation"
    NAMESPACE = "namespace"
    PLAN = "plan"


class Effective(NamedTuple):
    """A mode, and whose word it is."""

    mode: Mode
    origin: Origin


def effective(plan: Plan | None, namespace: str, installation: Installation) -> Effective:
    """Return the plan's own mode where it has one that counts, else that of the namespace.

    `namespace` is the one that the pods are in, or will be.
    """
    if plan is not None and plan.settings.mode and installation.plan_modes:
        return Effective(plan.settings.mode, Origin.PLAN)
    if namespace in installation.namespace_modes:
        return Effective(installation.namespace_modes[namespace], Origin.NAMESPACE)
    return Effective(installation.mode, Origin.INSTALLATION)


def mode_of(plan: Plan | None, namespace: str, installation: Installation) -> Mode:
    """Return the mode alone."""
    return effective(plan, namespace, installation).mode
