"""`kubectl convertor show`: plans and their convertor settings, one line each."""

from pathlib import Path

import click

from webhook.cli.options.cluster import cluster_flags, connected, namespace_option
from webhook.cli.options.files import path_option
from webhook.cli.options.installation import installation_options, is_given
from webhook.cli.options.plan import plan_argument
from webhook.cli.output import output_option, structured, write
from webhook.cli.release.find import Release, is_only_release_known, with_installed_defaults
from webhook.model import Installation

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
    """List plans and the settings in force for their convertor pods.

    Settings are those of the plan over the defaults of the installed webhook, or those of
    --config and --defaults. A rule is shown as KARL where the plan has it as text; `object` is an
    affinity that the plan's spec has compiled. A mode is only what it would be where it is
    followed by `(no webhook)`, or by `(not known)`: -o wide says why.

    \b
    Examples:
      kubectl convertor show
      kubectl convertor show -A -o wide
      kubectl convertor show plan db -n konveyor-forklift -o yaml
      kubectl convertor show --plans examples/plans
    """  # noqa: D301 - click's mark for "do not wrap"
    if name and all_namespaces:
        raise click.UsageError("expected a plan's name or --all-namespaces, found both")
    from webhook.cli.show import plans as plan_objects  # noqa: PLC0415 - help and completion do without

    unread: list[str] = []
    doubt = ""
    if plans:
        found = plan_objects.in_files(plans, namespace, name)
    else:
        with connected(context, kubeconfig) as client:
            found = plan_objects.in_cluster(client, namespace, name, everywhere=all_namespaces)
            installation, installed = with_installed_defaults(client, installation, unread)
            doubt = _doubt(installed)
    shown = [plan_objects.shown(plan, installation) for plan in found]
    if output != "table":  # which has a word of it beside each mode
        _tell(doubt, unread)
    if output in ("yaml", "json"):
        write(structured(shown[0] if name and shown else shown, output))
    elif shown:
        write(plan_objects.as_table(shown, doubt, wide=output == "wide"))
    else:
        click.echo("No plans found", err=True)


def _doubt(installed: list[Release] | None) -> str:
    """Return why a mode may be another one, or in force nowhere; empty where it is known."""
    if installed == []:
        return _NO_WEBHOOK
    given = is_given("mode") or is_given("config")
    return "" if given or is_only_release_known(installed) else _NOT_KNOWN


def _tell(doubt: str, unread: list[str]) -> None:
    if doubt == _NO_WEBHOOK:
        click.echo("Note: no webhook is installed: until one is, nothing of it counts", err=True)
    for text in unread:
        click.echo(f"Note: {text}", err=True)
