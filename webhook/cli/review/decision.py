"""What `review` decides, as the server does but for the waiting, and how it is printed."""

from pathlib import Path
from typing import Any

import click
import jsonpatch
import msgspec
from rich.text import Text

from webhook import settings
from webhook.admission.mutate import decide, screen
from webhook.admission.review import encode
from webhook.admission.validate import PLAN, validate
from webhook.cli.errors import UserError
from webhook.cli.files import plans as plan_files
from webhook.cli.output import console, structured, unlogged, write
from webhook.cli.review.diff import coloured
from webhook.forklift.owner import plan_ref
from webhook.inventory.index import PlanIndex, key_of
from webhook.karl import minimums
from webhook.kube.objects import Json
from webhook.model import (
    Decision,
    Installation,
    Outcome,
    Plan,
    PlanRef,
    Reason,
    Request,
)

_STYLES = {
    Outcome.PATCHED: "green",
    Outcome.WOULD_PATCH: "green",
    Outcome.DENIED: "red",
    Outcome.WOULD_DENY: "red",
    Outcome.FAILED: "red",
}


def decision_on(
    request: Request, plans: Path | None, node_files: Path | None, installation: Installation
) -> Decision:
    """Decide on a pod, or on a plan.

    Raises:
        click.UsageError: a pod has no plan.
        UserError: the plans or nodes cannot be read.

    """
    if request.kind == PLAN:
        return validate(request, installation)
    decision = screen(request, installation)
    if decision is not None:
        return decision
    if plans is None:
        raise click.UsageError("a pod needs its plan: give --plan FILE or --plan DIRECTORY")
    contents = plan_files.read(plans)
    if not contents.plans:
        raise UserError(f"'{plans}': expected a Plan, found {', '.join(contents.others) or 'none'}")
    ref = plan_ref(request)
    plan = _find(ref, contents.plans, installation)
    labels = contents.nodes + (plan_files.read(node_files).nodes if node_files else [])
    keys = minimums.label_keys(plan.settings) if isinstance(plan, Plan) else ()
    if isinstance(plan, Plan) and not _namespace(request):
        target = plan.target_namespace or "default"
        note = f"the pod names no namespace; it is reviewed as if it were in '{target}'"
        click.echo(f"Note: {note}", err=True)
        request = msgspec.structs.replace(request, namespace=target)
    return decide(request, ref, plan, installation, minimums.label_values(labels, keys))


def _namespace(request: Request) -> Any:
    """Return where a pod says to be; an API server always does."""
    metadata = request.object.get("metadata")
    named = metadata.get("namespace") if isinstance(metadata, dict) else ""
    return request.namespace or named


def _find(ref: PlanRef | None, plans: list[Json], installation: Installation) -> Plan | Reason:
    """Return the plan that owns the pod, or the only one, and then say what the pod lacks."""
    found: Plan | Reason = Reason.NO_PLAN_REFERENCE
    if ref is not None:
        index = PlanIndex(installation)
        with unlogged():
            index.replace_all({key_of(plan): plan for plan in reversed(plans)}.values())
        found = index.find(ref)
    if isinstance(found, Reason) and len(plans) == 1:
        plan = settings.read(plans[0], installation)
        names = f"names plan '{ref}'" if ref else "names no plan"
        click.echo(f"Note: the pod {names}; it is reviewed as if '{plan}' were it", err=True)
        return plan
    return found


def is_bad(decision: Decision) -> bool:
    """Whether something is denied, or a pod of a plan cannot be placed."""
    return (
        decision.outcome in {Outcome.DENIED, Outcome.FAILED}
        or decision.reason is Reason.NOT_TARGET_NAMESPACE
    )


def show(request: Request, decision: Decision, output: str) -> None:
    """Print a decision and what it makes of the pod."""
    answer = msgspec.json.decode(encode(request.uid, decision))
    if output == "json":
        write(structured(answer, "json"))
        return
    console(stderr=output != "diff").print(_told(decision))
    if output == "patch":
        write(structured(decision.patch, "json"))
    elif output == "yaml":
        patch = decision.patch if decision.outcome is Outcome.PATCHED else []
        write(structured(jsonpatch.apply_patch(request.object, patch), "yaml"))
    elif decision.patch:
        after = jsonpatch.apply_patch(request.object, decision.patch)
        console().print(coloured(request.object, after), end="")


def _told(decision: Decision) -> Text:
    """Return what was decided and why, with the carets under what is wrong."""
    told = Text().append(decision.outcome, _STYLES.get(decision.outcome, ""))
    plan = f", plan {decision.plan}" if decision.plan else ""
    told.append(f" ({decision.reason}, mode {decision.mode}{plan})")
    lines = [problem.in_full() for problem in decision.problems] or [decision.message]
    said = {decision.message, *map(str, decision.problems)}
    lines += [f"Warning: {warning}" for warning in decision.warnings if warning not in said]
    return told.append("\n".join(["", *lines]))
