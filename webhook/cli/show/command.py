"""`kubectl convertor show`: plans and their convertor settings, one line each."""

from collections.abc import Iterator
from pathlib import Path

import click

from webhook.cli.options.cluster import cluster_flags, connected, namespace_option, selected_cluster
from webhook.cli.options.files import path_option
from webhook.cli.options.installation import installation_options, is_given
from webhook.cli.options.plan import plan_argument
from webhook.cli.output import notify, output_option, structured, write
from webhook.cli.release.find import Release, is_only_release_known, with_installed_defaults
from webhook.cli.release.webhooks import read_webhooks
from webhook.kube.objects import Json, nested_string
from webhook.model import Installation
from webhook.reports.exclusions import InstalledWebhooks

_NO_WEBHOOK, _NOT_KNOWN = "no webhook", "not known"


@click.command()
@plan_argument(required=False)
@click.option("-A", "--all-namespaces", is_flag=True, help="Plans of all namespaces.")
@path_option("--plans", help="Plans in files, without a cluster.")
@output_option("table", "wide", "yaml", "json")
@namespace_option
@cluster_flags
@installation_options
def show(  # noqa: PLR0913, PLR0917 - one for each option
    name: str,
    all_namespaces: bool,
    plans: Path | None,
    output: str,
    namespace: str,
    context: str,
    kubeconfig: Path | None,
    installation: Installation,
) -> None:
    """List plans and the effective settings of their pods, by role.

    Settings of the plan override the defaults of the installed webhook, or those of --config and
    --defaults. Rules are shown as KARL if the plan has them as text; `object` is a compiled
    affinity in the plan's spec. PODS has the roles that the settings apply to; -o wide, yaml and
    json also have resources, priority class, annotations, disks and the settings for single roles,
    such as affinity.importer; yaml and json have what the installation limits, enforces and gives
    convertor pods. A setting beyond the limits is a problem, and not shown as effective. A mode
    followed by `(no webhook)` or `(not known)` would be effective if such a webhook were installed.
    After `(excluded)` nothing is placed, because the webhook is not called in the plan's target
    namespace. -o wide shows the reasons. The pod selector, in all outputs but the table, selects
    the pods of a plan, whatever its name is. A warning names each disk of a running migration that
    is bound where its convertor pod or its VM cannot run.

    \b
    Examples:
      kubectl convertor show
      kubectl convertor show -A -o wide
      kubectl convertor show plan db -n konveyor-forklift -o yaml
      kubectl convertor show --plans examples/plans
    """  # noqa: D301 - click's mark for "do not wrap"
    if name and all_namespaces:
        raise click.UsageError("expected a plan's name or --all-namespaces, found both")
    from webhook.cli.show import plans as plan_table  # noqa: PLC0415 - help and completion do not load it

    unread: list[str] = []
    unread_namespaces: list[str] = []
    unread_disks: list[str] = []
    conflicts: dict[tuple[str, str], list[str]] = {}
    mode_note = ""
    webhooks = InstalledWebhooks()
    if plans:
        found = plan_table.read_files(plans, namespace, name)
    else:
        with connected(context, kubeconfig) as client:
            found = plan_table.read_cluster(client, namespace, name, everywhere=all_namespaces)
            installation, installed = with_installed_defaults(client, installation, unread)
            mode_note = _make_mode_note(installed)
            targets = [nested_string(plan, "spec", "targetNamespace") for plan in found]
            webhooks = read_webhooks(client, installed, targets, unread_namespaces)
            conflicts = plan_table.read_disks_in_conflict(client, found, installation, unread_disks)
    flags = selected_cluster()
    described = [plan_table.describe_plan(plan, installation, webhooks, flags) for plan in found]
    for plan in described:
        plan["conflicts"] = conflicts.get((plan["namespace"], plan["name"]), [])
    in_rows = () if output == "table" else _list_notes(mode_note, unread, described)
    for note in (*in_rows, *unread_namespaces, *(() if output == "table" else unread_disks)):
        notify(f"Note: {note}")
    for plan in described:
        for conflict in plan["conflicts"]:
            notify(f"Warning: {plan['namespace']}/{plan['name']}: {conflict}")
    if output in ("yaml", "json"):
        write(structured(described[0] if name and described else described, output))
    elif described:
        write(plan_table.format_table(described, mode_note, wide=output == "wide"))
    else:
        click.echo("No plans found", err=True)


def _make_mode_note(installed: list[Release] | None) -> str:
    """Return why the effective mode may be another one; empty if it is known."""
    if installed == []:
        return _NO_WEBHOOK
    given = is_given("mode") or is_given("config")
    return "" if given or is_only_release_known(installed) else _NOT_KNOWN


def _list_notes(mode_note: str, unread: list[str], described: list[Json]) -> Iterator[str]:
    """Yield the notes that a table has in its rows, in short."""
    if mode_note == _NO_WEBHOOK:
        yield "no webhook is installed, so none of these settings is applied"
    yield from unread
    yield from dict.fromkeys(plan["excluded"] for plan in described if "excluded" in plan)
