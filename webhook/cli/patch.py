"""`kubectl convertor patch`: the settings of a plan, checked before they are written."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import click
import msgspec

from webhook import settings
from webhook.amend import AmendError, amend
from webhook.cli.cluster import cluster_options, namespace_option
from webhook.cli.fault import Fault
from webhook.cli.installation import prefix_option
from webhook.cli.output import structured, write
from webhook.cli.plan import RESOURCE, get_plan, plan_argument, plan_path
from webhook.model import Installation, Json, Problem
from webhook.validate import new_problems

if TYPE_CHECKING:
    from kube.client import Client

MANAGER = "kubectl-convertor"
_ATTEMPTS = 5
"""To write a Plan that somebody else writes at the same time; Forklift does so all the time."""

_FLAGS = {
    "convertor_affinity": "affinity",
    "convertor_labels": "labels",
    "convertor_node_selector": "node-selector",
    "convertor_tolerations": "tolerations",
    "affinity_policy": "affinity-policy",
    "rule_scope": "scope",
    "mode": "mode",
}
"""Settings, as annotations name them, by the parameters that change them."""

_SPEC = {
    "labels": ("convertorLabels", "counts for other keys"),
    "node-selector": ("convertorNodeSelector", "counts for other keys"),
    "affinity": ("convertorAffinity", "counts together with the rules"),
}
"""What else a plan may say of a setting, and what that does."""

_DRY_RUNS = {"none": "", "client": " (dry run)", "server": " (server dry run)"}


class _Asked(NamedTuple):
    namespace: str
    name: str
    changes: Mapping[str, str]
    installation: Installation
    dry_run: str


class _Patched(NamedTuple):
    before: Json
    after: Json
    changed: bool
    problems: list[Problem]
    """Those that were there before and still are."""


@click.command()
@plan_argument()
@click.option("--convertor-affinity", metavar="KARL", help="Rules; '' removes them.")
@click.option("--convertor-labels", metavar="K=V,...", help="For the pods; k- removes one.")
@click.option("--convertor-node-selector", metavar="K=V,...", help="Or k=16+ for at least 16.")
@click.option("--convertor-tolerations", metavar="K=V:EFFECT,...", help="As for kubectl taint.")
@click.option("--affinity-policy", metavar="WORD", help="Forklift's own term: merge or replace.")
@click.option("--rule-scope", metavar="WORD", help="Where rules look by themselves: all or own.")
@click.option("--mode", metavar="WORD", help="For this plan: enforce, audit or off.")
@click.option(
    "--dry-run",
    type=click.Choice(["none", "client", "server"]),
    default="none",
    help="Check, and write nothing.",
)
@click.option("-o", "--output", type=click.Choice(["name", "yaml", "json"]), help="The plan.")
@namespace_option
@cluster_options
@prefix_option
def patch(  # noqa: PLR0913, PLR0917 - one for each option
    name: str,
    dry_run: str,
    output: str | None,
    namespace: str,
    client: "Client",
    annotation_prefix: str,
    **flags: str | None,
) -> None:
    """Change the convertor settings of a plan.

    The settings become annotations, which every release of Forklift keeps. They are checked
    first: nothing is written when one of them cannot be carried out. An entry of a list
    replaces the one with its key; a trailing - on a key removes it, an empty value removes the
    whole setting.

    \b
    Examples:
      kubectl convertor patch plan db --convertor-affinity 'REQUIRE pods(app=ceph-osd) on node'
      kubectl convertor patch plan db --convertor-labels workload=migration,batch-
      kubectl convertor patch plan db --convertor-node-selector cpu-cores=16+,disk=nvme
      kubectl convertor patch plan db --convertor-tolerations dedicated=migration:NoSchedule
      kubectl convertor patch plan db --convertor-affinity '' --dry-run=server -o yaml
    """  # noqa: D301 - click's mark for "do not wrap"
    changes = {_FLAGS[flag]: value for flag, value in flags.items() if value is not None}
    if not changes:
        raise click.UsageError("nothing to change: give at least one flag with a setting")
    asked = _Asked(namespace, name, changes, Installation(prefix=annotation_prefix), dry_run)
    patched = _patch(client, asked)
    for problem in patched.problems:
        click.echo(f"Warning: {problem}", err=True)
    _tell_of_spec(patched.before.get("spec") or {}, changes)
    if output in ("yaml", "json"):
        patched.after["metadata"].pop("managedFields", None)
        write(structured(patched.after, output))
    elif output == "name":
        write(f"{RESOURCE}/{name}")
    else:
        done = "patched" if patched.changed else "patched (no change)"
        write(f"{RESOURCE}/{name} {done}{_DRY_RUNS[dry_run]}")


def _patch(client: "Client", asked: _Asked, attempts: int = _ATTEMPTS) -> _Patched:
    """Change the plan, also when somebody else changes it at the same time."""
    from kube.client import ApiError  # noqa: PLC0415 - see webhook.cli.cluster

    before = get_plan(client, asked.namespace, asked.name)
    amended = _amended(before, asked)
    after = _merged(before, amended)
    problems = _old_problems(before, after, asked.installation)
    if not amended or asked.dry_run == "client":
        return _Patched(before, after, bool(amended), problems)
    path = plan_path(client, asked.namespace, asked.name)
    # With the version that was read, nobody's change in between is lost: that is a conflict.
    version = before["metadata"].get("resourceVersion")
    body = {"metadata": {"annotations": amended, "resourceVersion": version}}
    query = {"fieldManager": MANAGER} | ({"dryRun": "All"} if asked.dry_run == "server" else {})
    try:
        after = msgspec.json.decode(client.send("PATCH", path, body, query))
    except ApiError as error:
        if error.status == 409 and attempts > 1:
            return _patch(client, asked, attempts - 1)
        raise
    return _Patched(before, after, True, problems)


def _amended(before: Json, asked: _Asked) -> Json:
    """Return the annotations that change; None for those that go."""
    try:
        return amend(_annotations(before), asked.changes, asked.installation.prefix)
    except AmendError as error:
        raise Fault(f"nothing is written: {error}") from None


def _merged(before: Json, amended: Json) -> Json:
    """Return the plan as it will be."""
    annotations = _annotations(before) | amended
    kept = {key: value for key, value in annotations.items() if value is not None}
    return before | {"metadata": before["metadata"] | {"annotations": kept}}


def _annotations(plan: Json) -> Json:
    return plan["metadata"].get("annotations") or {}


def _old_problems(before: Json, after: Json, installation: Installation) -> list[Problem]:
    """Return the problems that were there already.

    Raises:
        Fault: the change brings new ones.

    """
    plan = settings.read(after, installation)
    new = new_problems(settings.read(before, installation), plan)
    if new:
        raise Fault("\n".join(["nothing is written:", *(problem.in_full() for problem in new)]))
    return plan.settings.problems


def _tell_of_spec(spec: Json, changes: Mapping[str, str]) -> None:
    """Show what the plan's spec says of the settings that were changed: it is not overwritten."""
    for name, (field, effect) in _SPEC.items():
        if name in changes and spec.get(field):
            value = msgspec.json.encode(spec[field]).decode()
            click.echo(f"Note: spec.{field} stays, and {effect}: {value}", err=True)
