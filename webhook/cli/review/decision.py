"""Decides on a review like the server, and prints the decision."""

from pathlib import Path

import click
import jsonpatch
import msgspec
from rich.text import Text

from webhook import settings
from webhook.admission.mutate import decide, identify
from webhook.admission.review import PLAN, encode
from webhook.admission.validate import validate
from webhook.cli.errors import UserError
from webhook.cli.files.plans import index_disks, read_contents
from webhook.cli.output import console, notify, structured, write
from webhook.cli.review.diff import coloured_diff
from webhook.forklift.roles import namespace_for
from webhook.inventory.index import PlanIndex, key_of
from webhook.inventory.plan_files import Contents
from webhook.karl import minimums
from webhook.kube.messages import escape
from webhook.kube.objects import Json
from webhook.model import (
    ClusterState,
    Decision,
    Disk,
    Installation,
    Outcome,
    Plan,
    PlanRef,
    PvcRef,
    Reason,
    Request,
    Role,
)

_STYLES = {
    Outcome.PATCHED: "green",
    Outcome.WOULD_PATCH: "green",
    Outcome.REFUSED: "red",
    Outcome.WOULD_REFUSE: "red",
    Outcome.DENIED: "red",
    Outcome.WOULD_DENY: "red",
    Outcome.FAILED: "red",
}


def decide_offline(
    request: Request,
    plans: Path | None,
    node_files: Path | None,
    installation: Installation,
    disks: Contents,
) -> Decision:
    """Decide on a pod, or on a plan.

    `disks` has PVCs, volumes and classes besides those of `plans`.

    Raises:
        click.UsageError: a pod has no plan.
        UserError: the plans or nodes cannot be read.

    """
    if request.kind == PLAN:
        return validate(request, installation)
    contents = read_contents(plans) if plans else Contents()
    contents.add(disks)
    pod = identify(request, installation, _DiskFinder(contents))
    if isinstance(pod, Decision):
        return pod
    if plans is None:
        raise click.UsageError("a pod needs its plan: give --plan FILE or --plan DIRECTORY")
    if not contents.plans:
        raise UserError(f"'{plans}': expected a Plan, found {', '.join(contents.others) or 'none'}")
    plan = _find(pod.ref, contents.plans, installation)
    labels = contents.nodes + (read_contents(node_files).nodes if node_files else [])
    settings = [plan.settings] if isinstance(plan, Plan) else []
    keys = minimums.label_keys(*settings, installation.enforced)
    if isinstance(plan, Plan) and not request.namespace:
        target = namespace_for(plan, in_plan_namespace=pod.in_plan_namespace) or "default"
        note = f"the pod names no namespace; it is reviewed as if it were in '{target}'"
        notify(f"Note: {note}")
        request = msgspec.structs.replace(request, namespace=target)
    return decide(
        request,
        pod,
        plan,
        installation,
        ClusterState(minimums.label_values(labels, keys), contents.priority_classes or None),
    )


class _DiskFinder:
    """Finds the disk of a PVC in files, and notes if it is not there."""

    def __init__(self, contents: Contents) -> None:
        self._disks = index_disks(contents)
        self._namespaces = sorted({pvc.namespace for pvc in contents.pvcs})

    def __call__(self, pvc: PvcRef) -> Disk | None:
        """Return the disk; the PVC of a pod without namespace may be in any."""
        for namespace in [pvc.namespace] if pvc.namespace else self._namespaces:
            if disk := self._disks.find_disk(pvc._replace(namespace=namespace)):
                return disk
        name = "/".join(filter(None, (pvc.namespace, pvc.name)))
        note = (
            f"PVC '{name}' is not in the files, so it counts as not bound and names no plan; add "
            "it to -f or --plan"
        )
        notify(f"Note: {note}")
        return None


def _find(ref: PlanRef | None, plans: list[Json], installation: Installation) -> Plan | Reason:
    """Return the plan that owns the pod, or the only one, with a note."""
    found: Plan | Reason = Reason.NO_PLAN_REFERENCE
    if ref is not None:
        index = PlanIndex(installation)
        index.replace_all({key_of(plan): plan for plan in reversed(plans)}.values())
        found = index.find(ref)
    if isinstance(found, Reason) and len(plans) == 1:
        plan = settings.read(plans[0], installation)
        names = f"names plan '{ref}'" if ref else "names no plan"
        notify(f"Note: the pod {names}; it is reviewed as if '{plan}' were it")
        return plan
    return found


def is_failure(decision: Decision) -> bool:
    """Return whether the object is denied or refused, or the pod of a plan cannot be placed."""
    return (
        decision.outcome in {Outcome.DENIED, Outcome.REFUSED, Outcome.FAILED}
        or decision.reason is Reason.NOT_TARGET_NAMESPACE
    )


def show(request: Request, decision: Decision, output: str) -> None:
    """Print a decision and its effect on the pod."""
    response = msgspec.json.decode(encode(request.uid, decision))
    if output == "json":
        write(structured(response, "json"))
        return
    console(stderr=output != "diff").print(_summary(decision))
    if output == "patch":
        write(structured(decision.patch, "json"))
    elif output == "yaml":
        patch = decision.patch if decision.outcome is Outcome.PATCHED else []
        write(structured(jsonpatch.apply_patch(request.object, patch), "yaml"))
    elif decision.patch:
        after = jsonpatch.apply_patch(request.object, decision.patch)
        console().print(coloured_diff(request.object, after), end="")


def _summary(decision: Decision) -> Text:
    """Return the outcome and its reason, with the source and caret of each problem."""
    text = Text().append(decision.outcome, _STYLES.get(decision.outcome, ""))
    plan = f", plan {decision.plan}" if decision.plan else ""
    is_other_role = decision.role not in {None, Role.CONVERTOR}
    role = f", role {decision.role}" if is_other_role else ""
    text.append(escape(f" ({decision.reason}, mode {decision.mode}{plan}{role})"))
    lines = [problem.in_full() for problem in decision.problems] or [decision.message]
    printed = {decision.message, *map(str, decision.problems)}
    lines += [f"Warning: {warning}" for warning in decision.warnings if warning not in printed]
    return text.append(escape("\n".join(["", *lines]), keep="\n"))
