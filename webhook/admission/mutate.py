"""Decision on the review of a pod: whether and how its plan places it."""

from collections.abc import Callable
from typing import NamedTuple

import msgspec

from webhook.admission.patch import diff
from webhook.admission.patch_summary import summarize
from webhook.admission.problem_text import join_problems
from webhook.forklift.roles import namespace_for, recognize, resolve
from webhook.kube.objects import Json, nested_map, nested_string
from webhook.model import (
    ClusterState,
    Decision,
    Disk,
    Installation,
    MigrationPod,
    Mode,
    OnError,
    Outcome,
    Plan,
    Problem,
    PvcRef,
    Reason,
    Request,
    Role,
)
from webhook.placement import NO_STATE, MalformedPod, place, place_enforced
from webhook.placement.role_settings import applies
from webhook.placement.warnings import find_pod_warnings
from webhook.settings.mode import mode_of

MIRROR_ANNOTATION = "kubernetes.io/config.mirror"
"""The annotation of a mirror pod, the API's copy of a kubelet's static pod."""

_NO_PLAN_MESSAGES = {
    Reason.NO_PLAN_REFERENCE: (
        "the pod names no plan, so it is not placed: it has none of the labels plan, plan-name "
        "and forklift.app/plan, and no Plan owns it"
    ),
    Reason.PLAN_NOT_FOUND: (
        "plan '{ref}' was not found, so the pod is not placed: was it deleted, or is it in a "
        "cluster that the webhook does not watch?"
    ),
    Reason.PLAN_AMBIGUOUS: (
        "several plans are named '{ref}', so the pod is not placed: give it the label plan with "
        "the UID of one of them"
    ),
    Reason.PLANS_NOT_SYNCED: (
        "the webhook has not read the plans yet, so the pod of plan '{ref}' is not placed: see "
        "the webhook's /readyz and log"
    ),
    Reason.DEADLINE_EXCEEDED: (
        "plan '{ref}' could not be read in time, so the pod is not placed: see the webhook's log, "
        "or raise timeoutSeconds in its configuration"
    ),
}
"""Messages for a pod without a plan, with what to do."""

_NOT_OWNED = (
    "plan '{ref}' was not found, or it does not migrate into the pod's namespace '{namespace}', so "
    "the pod is not placed: the webhook's log has the reason"
)
"""The warning about a pod whose plan does not exist or has another target namespace.

It does not reveal which, because every client that may create pods can name every plan.
"""


class _Enforced(NamedTuple):
    """The part of a pod that the installation enforces."""

    patch: list[Json]
    warnings: list[str]


FindDisk = Callable[[PvcRef], Disk | None]
"""Returns the disk of a PVC, if it is known."""


def identify(
    request: Request, installation: Installation, find_disk: FindDisk
) -> MigrationPod | Decision:
    """Return the migration pod that is created, or the decision on any other request."""
    mode = mode_of(None, request.namespace, installation)
    if skipped := _reason_to_skip(request):
        reason, message = skipped
        return Decision(Outcome.SKIPPED, reason, message, mode)
    if request.malformed:
        return _apply_mode(mode, _malformed(request.malformed))
    metadata, spec = (nested_map(request.object, part) for part in ("metadata", "spec"))
    pod, message = None, "not a migration pod, by its labels, its name and its owner"
    if kind := recognize(metadata, request.namespace, _list_containers(spec)):
        disk = find_disk(kind.pvc) if kind.pvc else None
        has_node = bool(spec.get("nodeName"))
        pod = resolve(kind, metadata, request.namespace, disk, has_node=has_node)
        message = "neither its labels nor those of a known PVC name a plan"
    return pod or Decision(Outcome.SKIPPED, Reason.NOT_A_CONVERTOR_POD, message, mode)


def decide(
    request: Request,
    pod: MigrationPod,
    plan: Plan | Reason,
    installation: Installation,
    cluster: ClusterState = NO_STATE,
) -> Decision:
    """Decide on a migration pod, with its plan or the reason why it has none."""
    ref = pod.ref
    owner: Plan | None = None
    not_owned = _NOT_OWNED.format(ref=ref, namespace=request.namespace)
    if isinstance(plan, Reason):
        message = _NO_PLAN_MESSAGES[plan].format(ref=ref)
        warning = not_owned if plan is Reason.PLAN_NOT_FOUND else message
        decision = Decision(Outcome.FAILED, plan, message, plan=ref, warnings=[warning])
        if plan is Reason.PLAN_NOT_FOUND and pod.disk:  # PVCs keep the labels of deleted plans
            decision = Decision(Outcome.UNCHANGED, plan, message, plan=ref)
    else:
        if request.namespace == namespace_for(plan, in_plan_namespace=pod.in_plan_namespace):
            owner = plan
            decision = _enforce(request, pod, plan, installation, cluster)
        else:
            message = _explain_namespace(request.namespace, pod, plan)
            decision = Decision(
                Outcome.UNCHANGED, Reason.NOT_TARGET_NAMESPACE, message, warnings=[not_owned]
            )
        decision = msgspec.structs.replace(
            decision,
            plan=plan.ref,
            generation=plan.generation,
        )
    decision = msgspec.structs.replace(decision, role=pod.role)
    mode = mode_of(owner, request.namespace, installation)
    own_mode = mode_of(None, request.namespace, installation)
    if owner and own_mode is Mode.ENFORCE and mode is not Mode.ENFORCE:
        found = _place_enforced(request, pod, owner, installation, cluster)
        if found.patch:
            return _report_enforced(_apply_mode(mode, decision, _AUDIT_OF_PLAN), found)
    if decision.outcome is Outcome.REFUSED and request.dry_run and mode is Mode.ENFORCE:
        return _predict(decision, "dry run, nothing is refused: ", mode)
    return _apply_mode(mode, decision)


def _reason_to_skip(request: Request) -> tuple[Reason, str] | None:
    if request.kind != "v1/Pod" or request.subresource:
        what = "/".join(filter(None, (request.kind, request.subresource)))
        return Reason.NOT_A_CONVERTOR_POD, f"'{what}' is not a Pod"
    if request.operation != "CREATE":
        return Reason.NOT_A_CREATE, f"operation '{request.operation}' creates no pod"
    metadata = nested_map(request.object, "metadata")
    if request.malformed:
        return None
    if MIRROR_ANNOTATION in nested_map(metadata, "annotations"):
        return Reason.MIRROR_POD, "a mirror pod: the kubelet of its node runs it"
    return None


def _list_containers(spec: Json) -> list[str]:
    containers = spec.get("containers")
    listed = containers if isinstance(containers, list) else []
    return [nested_string(container, "name") for container in listed]


def _malformed(error: str) -> Decision:
    message = f"the pod is malformed, so it is not placed: {error}"
    return Decision(Outcome.FAILED, Reason.MALFORMED_POD, message, warnings=[message])


def _explain_namespace(namespace: str, pod: MigrationPod, plan: Plan) -> str:
    if pod.in_plan_namespace:
        return (
            f"plan '{plan}' has its deep inspections in its own namespace, so this pod in "
            f"'{namespace}' is not one of its pods and is not placed"
        )
    target = plan.target_namespace
    into = f"namespace '{target}'" if target else "no namespace: spec.targetNamespace is missing"
    return (
        f"plan '{plan}' migrates into {into}, so this pod in '{namespace}' is not one of its pods "
        "and is not placed"
    )


def _enforce(
    request: Request,
    pod: MigrationPod,
    plan: Plan,
    installation: Installation,
    cluster: ClusterState,
) -> Decision:
    """Return the decision of mode enforce, from which those of the other modes are made."""
    try:
        placed = place(request.object, plan, installation, cluster, pod)
    except MalformedPod as error:
        return _malformed(str(error))
    if placed.refusal:
        message = f"plan '{plan}' keeps the disks of a VM together: {placed.refusal}"
        return Decision(Outcome.REFUSED, Reason.WAITING_FOR_DISK, message)
    patch = diff(request.object, placed.pod)
    if not (applies(pod, plan) or patch):
        roles = ", ".join(plan.settings.pods)
        message = f"the settings of plan '{plan}' apply to {roles} pods, this one is {pod.role}"
        return Decision(Outcome.UNCHANGED, Reason.ROLE_NOT_SELECTED, message)
    problems = plan.settings.problems + placed.problems
    is_convertor = pod.role is Role.CONVERTOR
    if problems and is_convertor and installation.on_error is OnError.DENY:
        message = _format_problems(plan, problems)
        return Decision(Outcome.DENIED, Reason.SETTINGS_INVALID, message, problems=problems)
    reason, message = _explain_patch(plan, problems, patch=bool(patch), marked=placed.marked)
    warnings = find_pod_warnings(placed.pod, plan) if is_convertor else []
    return Decision(
        Outcome.PATCHED if patch else Outcome.UNCHANGED,
        reason,
        message,
        patch=patch,
        warnings=[*placed.notes, *warnings, *map(str, problems)],
        problems=problems,
    )


def _place_enforced(
    request: Request,
    pod: MigrationPod,
    plan: Plan,
    installation: Installation,
    cluster: ClusterState,
) -> _Enforced:
    """Return what the installation enforces on a pod whose plan's own mode is not enforce."""
    try:
        placed = place_enforced(request.object, plan, installation, cluster, pod)
    except MalformedPod:
        return _Enforced([], [])
    warnings = [*placed.notes, *map(str, placed.problems)]
    return _Enforced(diff(request.object, placed.pod), warnings)


def _report_enforced(decision: Decision, enforced: _Enforced) -> Decision:
    """Return the decision of the plan's mode with the patch that the installation enforces."""
    message = (
        f"{decision.message}; the installation enforces {summarize(enforced.patch)} in every mode "
        "of a plan"
    )
    return msgspec.structs.replace(
        decision,
        outcome=Outcome.PATCHED,
        reason=Reason.ENFORCED,
        message=message,
        patch=enforced.patch,
        warnings=[*decision.warnings, *enforced.warnings],
    )


def _explain_patch(
    plan: Plan, problems: list[Problem], *, patch: bool, marked: bool
) -> tuple[Reason, str]:
    if problems:
        text = join_problems(map(str, problems), "; ")
        return Reason.SETTINGS_INVALID, f"plan '{plan}' has invalid placement settings: {text}"
    if patch:
        return Reason.PLACED, f"placed by plan '{plan}'"
    if marked:
        return Reason.ALREADY_PLACED, f"already placed by plan '{plan}'"
    return Reason.NOTHING_TO_PLACE, f"plan '{plan}' has no placement settings"


def _format_problems(plan: Plan, problems: list[Problem]) -> str:
    text = join_problems((problem.in_full() for problem in problems), "\n")
    return f"plan '{plan}' has invalid placement settings:\n{text}"


_AUDIT = "mode audit, nothing is changed: "
_AUDIT_OF_PLAN = "mode audit of the plan, only what the installation enforces is changed: "


def _apply_mode(mode: Mode, decision: Decision, audit: str = _AUDIT) -> Decision:
    """Apply the mode to the decision of enforce."""
    if mode is Mode.ENFORCE:
        return decision
    if mode is Mode.OFF:
        return Decision(
            Outcome.UNCHANGED,
            Reason.MODE_OFF,
            "the effective mode is off",
            mode,
            decision.plan,
            decision.generation,
            role=decision.role,
        )
    return _predict(decision, audit, mode)


def _predict(decision: Decision, prefix: str, mode: Mode) -> Decision:
    """Report what enforce would do, also in warnings to the client that creates the pod."""
    outcome, reason, message = decision.outcome, decision.reason, decision.message
    would: list[str] = []
    if outcome is Outcome.PATCHED:
        outcome = Outcome.WOULD_PATCH
        would = [f"the pod would get {summarize(decision.patch)}"]
    elif outcome is Outcome.DENIED:
        outcome, message = Outcome.WOULD_DENY, f"the pod would be denied: {message}"
        would = [message]
    elif outcome is Outcome.REFUSED:
        outcome, message = Outcome.WOULD_REFUSE, f"the pod would be refused for now: {message}"
        would = [message]
    if reason is Reason.PLACED:
        reason, message = Reason.WOULD_PLACE, f"would be {message}"
    return msgspec.structs.replace(
        decision,
        mode=mode,
        outcome=outcome,
        reason=reason,
        message=prefix + message,
        warnings=[prefix + warning for warning in [*would, *decision.warnings]],
    )
