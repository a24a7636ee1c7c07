"""`kubectl convertor patch plan`: the settings of a plan, checked before they are written."""

from collections.abc import Mapping

import click
import msgspec

from kube.client import ApiError, Client
from webhook import settings
from webhook.amend import amend
from webhook.cli.cluster import cluster_options, namespace_option, plan_path, prefix_option
from webhook.cli.fault import Fault
from webhook.cli.output import structured, write
from webhook.model import Installation, Json, Problem

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
    "labels": "convertorLabels",
    "node-selector": "convertorNodeSelector",
    "affinity": "convertorAffinity",
}


@click.group()
def patch() -> None:
    """Change the convertor settings of a plan."""


@patch.command()
@click.argument("name")
@click.option("--convertor-affinity", metavar="KARL", help="Rules; '' removes them.")
@click.option("--convertor-labels", metavar="K=V,...", help="Labels for the pods; k- removes one.")
@click.option("--convertor-node-selector", metavar="K=V,...", help="Or k=16+ for at least 16.")
@click.option("--convertor-tolerations", metavar="K=V:EFFECT,...", help="As for kubectl taint.")
@click.option("--affinity-policy", metavar="merge|replace", help="What becomes of Forklift's own.")
@click.option("--rule-scope", metavar="all|own", help="Where rules look that name no namespace.")
@click.option("--mode", metavar="MODE", help="enforce, audit or off for this plan.")
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
def plan(  # noqa: PLR0913, PLR0917 - one for each option
    name: str,
    dry_run: str,
    output: str | None,
    namespace: str,
    client: Client,
    annotation_prefix: str,
    **flags: str | None,
) -> None:
    """Change the convertor settings of the plan NAME.

    The settings become annotations, which every release of Forklift keeps. They are checked
    first: nothing is written when one of them cannot be carried out. An entry of a list
    replaces the one with its key; a trailing - on a key removes it, an empty value the list.

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
        raise click.UsageError("nothing to change: give at least one of the --convertor- flags")
    path = plan_path(client, namespace, name.removeprefix("plan/").removeprefix("plans/"))
    installation = Installation(prefix=annotation_prefix)
    before, after, changed = _write(client, path, changes, installation, dry_run)
    _tell_of_spec(before, changes)
    if output in ("yaml", "json"):
        write(structured(after, output))
    else:
        what = f"plan.forklift.konveyor.io/{after['metadata']['name']}"
        done = "patched" if changed else "patched (no change)"
        dry = f" ({dry_run} dry run)" if dry_run != "none" else ""
        write(what if output == "name" else f"{what} {done}{dry}")


def _write(
    client: Client,
    path: str,
    changes: Mapping[str, str],
    installation: Installation,
    dry_run: str,
) -> tuple[Json, Json, bool]:
    """Return the plan before and after, and whether they differ."""
    for attempt in range(1, _ATTEMPTS + 1):
        before: Json = msgspec.json.decode(client.get(path))
        metadata = before["metadata"]
        annotations: dict[str, str] = metadata.get("annotations") or {}
        amended = amend(annotations, changes, installation.prefix)
        after = _amended(before, annotations, amended)
        _check(before, after, installation)
        if not amended or dry_run == "client":
            return before, after, bool(amended)
        query = {"fieldManager": MANAGER} | ({"dryRun": "All"} if dry_run == "server" else {})
        version = metadata.get("resourceVersion", "")
        body = {"metadata": {"annotations": amended, "resourceVersion": version}}
        try:
            return before, msgspec.json.decode(client.send("PATCH", path, body, query)), True
        except ApiError as error:
            if error.status != 409 or attempt == _ATTEMPTS:
                raise
    raise AssertionError  # the loop returns or raises


def _amended(before: Json, annotations: dict[str, str], amended: Json) -> Json:
    """Return the plan as it will be, with the annotations merged."""
    merged = {key: value for key, value in annotations.items() if key not in amended}
    merged |= {key: value for key, value in amended.items() if value is not None}
    return before | {"metadata": before["metadata"] | {"annotations": merged}}


def _check(before: Json, after: Json, installation: Installation) -> None:
    """Refuse what brings a problem; tell of those that were there already."""
    known = settings.read(before, installation).settings.problems
    problems = settings.read(after, installation).settings.problems
    if new := [problem for problem in problems if problem not in known]:
        raise Fault("nothing is written:\n" + "\n".join(map(_in_full, new)))
    for problem in problems:
        click.echo(f"Warning: {problem}", err=True)


def _in_full(problem: Problem) -> str:
    return f"{problem}\n{problem.detail}".rstrip()


def _tell_of_spec(before: Json, changes: Mapping[str, str]) -> None:
    spec = before.get("spec") or {}
    for name in changes:
        field = _SPEC.get(name, "")
        if spec.get(field):
            value = msgspec.json.encode(spec[field]).decode()
            click.echo(
                f"Note: the plan also has spec.{field}: {value}. It stays and counts together "
                "with the annotation, whose entries win",
                err=True,
            )
