"""The effective mode: the most specific of the plan's, the namespace's and the installation's."""

from enum import StrEnum
from typing import NamedTuple

import msgspec

from webhook.model import ConvertorProfile, Installation, Mode, Plan, Settings


class Origin(StrEnum):
    """The place where a mode is set, from the least to the most specific."""

    INSTALLATION = "installation"
    NAMESPACE = "namespace"
    PLAN = "plan"


class EffectiveMode(NamedTuple):
    """A mode and its origin."""

    mode: Mode
    origin: Origin


def resolve_mode(plan: Plan | None, namespace: str, installation: Installation) -> EffectiveMode:
    """Return the plan's own mode if it has one and plan modes are on, else the namespace's.

    `namespace` is the target namespace of the pods.
    """
    if plan is not None and plan.settings.mode and installation.plan_modes:
        return EffectiveMode(plan.settings.mode, Origin.PLAN)
    if namespace in installation.namespace_modes:
        return EffectiveMode(installation.namespace_modes[namespace], Origin.NAMESPACE)
    return EffectiveMode(installation.mode, Origin.INSTALLATION)


def mode_of(plan: Plan | None, namespace: str, installation: Installation) -> Mode:
    """Return the effective mode."""
    return resolve_mode(plan, namespace, installation).mode


def installation_for(plan: Plan, installation: Installation) -> Installation:
    """Return the installation for the pods of a plan.

    It enforces nothing and has no convertor profile where only the plan has mode enforce.
    """
    target = plan.target_namespace
    by_plan = mode_of(plan, target, installation) is Mode.ENFORCE
    if not by_plan or mode_of(None, target, installation) is Mode.ENFORCE:
        return installation
    return msgspec.structs.replace(
        installation, enforced=Settings(), convertor=ConvertorProfile(), namespace_convertors={}
    )
