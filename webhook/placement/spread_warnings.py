"""Warnings about SPREAD rules that hardly spread what is intended, or may leave pods pending."""

from collections.abc import Iterator

from webhook.forklift.labels import CONVERTOR_LABEL, CONVERTOR_VALUE, SYSTEM_LABELS
from webhook.karl.decompile import format_spread
from webhook.kube.messages import quote
from webhook.kube.objects import Json, labels_of, spec_of
from webhook.kube.selectors import label_selector_matches, list_requirements
from webhook.kube.spread import is_hard
from webhook.model import Installation, Plan, Role
from webhook.placement.role_settings import SOFTENED_ROLES
from webhook.placement.softening import soften_spread
from webhook.settings.names import of_role


def find_spread_warnings(plan: Plan, installation: Installation, pod: Json) -> Iterator[str]:
    """Yield the warnings about the SPREAD rules of a plan; `pod` is a placed convertor pod."""
    for constraint in spec_of(pod).get("topologySpreadConstraints") or ():
        if constraint not in installation.enforced.spread:
            yield from _find_uncounted_pods(constraint, pod)
            yield from _find_unreachable_volumes(constraint)
    yield from _find_softened(plan)
    first_consumer = plan.settings.roles.get(Role.FIRST_CONSUMER)
    if first_consumer and first_consumer.spread:
        name = of_role("affinity", Role.FIRST_CONSUMER)
        yield f"{name}: SPREAD has no effect, because pods that bind volumes get REQUIRE and AVOID"


def _find_uncounted_pods(constraint: Json, pod: Json) -> Iterator[str]:
    """Yield the warning about a constraint that counts other pods only.

    Nothing is known about the values of system labels.
    """
    selector = constraint["labelSelector"]
    keys = {each["key"] for each in list_requirements(selector)}
    unknown = keys & (SYSTEM_LABELS - {CONVERTOR_LABEL})
    if not unknown and not label_selector_matches(selector, labels_of(pod)):
        yield (
            f"{quote(format_spread(constraint))} does not select the convertor pods "
            "themselves, so it places them by the numbers of other pods: to spread them, write "
            f"SPREAD pods({CONVERTOR_LABEL}={CONVERTOR_VALUE})"
        )


def _find_unreachable_volumes(constraint: Json) -> Iterator[str]:
    """Yield the warning about a hard constraint: kube-scheduler counts nodes without volumes too.

    While all VMs have their volumes in one zone, the other zones have no convertor pods, and the
    next one is pending until one of that zone has ended.
    """
    if is_hard(constraint):
        yield (
            f"{quote(format_spread(constraint))} also counts the nodes from which the volumes of a "
            "VM cannot be reached, so a convertor pod may be pending until others have ended; "
            "without hard it is a preference"
        )


def _find_softened(plan: Plan) -> Iterator[str]:
    """Yield the warnings about soft rules for which pods have no room beside softened hard ones."""
    settings = plan.settings
    roles = [
        role
        for role in SOFTENED_ROLES
        if role in settings.pods
        and (role not in settings.roles or settings.roles[role].affinity is None)
    ]
    if not roles:
        return
    hard = {each["topologyKey"]: each for each in settings.spread if is_hard(each)}
    applied = soften_spread(settings.spread)
    for constraint in settings.spread:
        if not is_hard(constraint) and constraint not in applied:
            other = hard[constraint["topologyKey"]]
            yield (
                f"{quote(format_spread(constraint))} has no effect on {' and '.join(roles)} pods: "
                f"for them {quote(format_spread(other))} is soft, and Kubernetes allows one soft "
                "constraint for each topology"
            )
