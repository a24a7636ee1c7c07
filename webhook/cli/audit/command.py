"""`kubectl convertor audit`: effective settings, changes in mode enforce, problems, missed pods."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import msgspec

from webhook.cli.errors import EXIT_FOUND, ClusterError
from webhook.cli.options.cluster import cluster_flags, connected, selected_cluster
from webhook.cli.options.files import filename_option, path_option
from webhook.cli.options.installation import installation_options
from webhook.cli.output import console, output_option
from webhook.cli.release.find import Release, with_installed_defaults
from webhook.model import Installation

_PODS = ("pods", "persistentvolumeclaims of pods")
_WEBHOOKS = ("mutatingwebhookconfigurations", "namespaces")
FINDINGS = {
    "problem": {"plans"},
    "limit": {"plans"},
    "change": {"plans", *_PODS},
    "missed": {"plans", *_PODS, *_WEBHOOKS, "configmaps"},
    "excluded": {"plans", *_WEBHOOKS},
    "duplicate": {"plans", "pods"},
    "conflict": {"plans", "persistentvolumeclaims", "persistentvolumes", "nodes"},
}
"""The values of `--fail-on`, with the resources that must be readable to find none."""


@click.command()
@click.option("-n", "--namespace", default="", help="Only plans of this namespace.")
@click.option("-A", "--all-namespaces", is_flag=True, help="All plans (the default without -n).")
@click.option(
    "--fail-on",
    type=click.Choice([*FINDINGS]),
    multiple=True,
    help="Exit with 1 if there is such a finding; may be repeated.",
)
@path_option("--plans", help="Plans in files, without a cluster.")
@filename_option(help="With --plans: migration pods in a file; - is standard input.")
@output_option("table", "wide", "yaml", "json")
@cluster_flags
@installation_options
def audit(  # noqa: PLR0913, PLR0917 - one for each option
    namespace: str,
    all_namespaces: bool,
    fail_on: tuple[str, ...],
    plans: Path | None,
    filename: str | None,
    output: str,
    context: str,
    kubeconfig: Path | None,
    installation: Installation,
) -> None:
    """Report effective settings, changes in mode enforce, problems and missed pods.

    Checks every plan and every pod of a migration that has not ended: convertor pods, inspections,
    consumer pods, importers and populators. The command only reads, and needs no webhook in the
    cluster: run it before you install one. If one is installed, its settings are read from its
    ConfigMap, unless --config is given. Flags override single settings, so that --mode enforce
    shows what a change of the mode would do.

    A change is a pod that would be different in mode enforce. For a plan without pods it is the
    next pod, unless the plan is enforced already. A problem is an invalid setting, or one beyond
    the limits of the installation; --fail-on limit finds the latter only, before the upgrade of a
    release without limits too. A missed pod should have been placed and was not, or was changed
    back since. An excluded plan has settings without effect, because the webhook is not called in
    its target namespace. A duplicate is a VM with several convertor pods at the same time. A
    conflict is a disk of a running migration that is bound where its convertor pod or its VM cannot
    run. An importer or a populator whose labels name no plan is of the plan that its PVC names;
    without one it is another user's, and is left out. If RBAC hides plans, pods or other objects
    that --fail-on needs, and the others have no such finding, the exit code is 3.

    \b
    Examples:
      kubectl convertor audit
      kubectl convertor audit -n konveyor-forklift --mode enforce -o wide
      kubectl convertor audit --fail-on missed
      kubectl convertor audit --fail-on limit
      kubectl convertor audit --plans plans/ -f pod.yaml -o json
    """  # noqa: D301 - click's mark for "do not wrap"
    if namespace and all_namespaces:
        raise click.UsageError("expected --namespace or --all-namespaces, found both")
    if filename and not plans:
        raise click.UsageError("--filename needs --plans: pods are checked against plans")
    from webhook.cli.audit import read, text  # noqa: PLC0415 - help and completion do not load them
    from webhook.reports.audit import build_report  # noqa: PLC0415

    installed: list[Release] | None = None
    unread: list[str] = []
    incomplete: set[str] = set()
    with _show_progress() as show_progress:
        if plans:
            audit_input = read.read_files(plans, filename, namespace, installation)
        else:
            with connected(context, kubeconfig) as client:
                installation, installed = with_installed_defaults(client, installation, unread)
                reader = read.ClusterReader(client, unread, show_progress)
                audit_input = reader.read_cluster(namespace, installation, installed)
                incomplete = reader.incomplete
        report = build_report(audit_input, installation, selected_cluster())
        if namespace:  # plans of other namespaces were not read, so their pods have none here
            report = msgspec.structs.replace(report, pods_without_plan=[])
    text.write_report(report, installed, unread, output)
    counts = msgspec.structs.asdict(report.findings)
    if any(counts[each] for each in fail_on):
        sys.exit(EXIT_FOUND)
    for each in fail_on:
        if hidden := " and ".join(sorted(FINDINGS[each] & incomplete)):
            raise ClusterError(f"--fail-on {each}: not all {hidden} could be read; see 'Not read'")


@contextmanager
def _show_progress() -> Iterator[Callable[[str], None]]:
    """Show the progress on a terminal only."""
    printer = console(stderr=True)
    if not printer.is_terminal:
        yield lambda _text: None
        return
    with printer.status("reading the cluster") as status:
        yield status.update
