"""Which mode is in force."""

from webhook.model import Installation, Mode, Plan


def mode_of(plan: Plan | None, namespace: str, installation: Installation) -> Mode:
    """Return the plan's own mode where it has one that counts, else that of the namespace.

    `namespace` is the one that the pods are in, or will be.
    """
    if plan is not None and plan.settings.mode and installation.plan_modes:
        return plan.settings.mode
    return installation.namespace_modes.get(namespace, installation.mode)
