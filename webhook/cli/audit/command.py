"""`kubectl convertor audit`: what is in force, would change, is wrong and was missed."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from webhook.cli.errors import EXIT_FOUND, ClusterError
from webhook.cli.options.cluster import cluster_flags, connected
from webhook.cli.options.files import filename_option, path_option
from webhook.cli.options.installation import installation_options
from webhook.cli.output import console, output_option, structured, unlogged, write
from webhook.cli.release.find import Installed, adopted, told
from webhook.model import Installation

if TYPE_CHECKING:
    from webhook.reports.audit import Report, World

FINDINGS = {
    "problem": {"plans"},
    "change": {"plans", "pods"},
    "missed": {"plans", "pods"},
}
"""What a pipeline may fail on, and what has to be read to say that there is none."""


@click.command()
@click.option("-n", "--namespace", default="", help="Only plans of this namespace.")
@click.option("-A", "--all-namespaces", is_flag=True, help="All plans; so it is without -n, too.")
@click.option(
    "--fail-on",
    type=click.Choice([*FINDINGS]),
    multiple=True,
    help="Exit with 1 when there is any of these; may be given several times.",
)
@path_option("--plans", help="Plans in files, without a cluster.")
@filename_option(help="With --plans: convertor pods in a file; - is standard input.")
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
    """Say what is in force, what enforce would change, what is wrong, and what was missed.

    Looks at every plan and every convertor pod of the cluster that has not ended. It changes
    nothing, needs no more than the right to read, and no webhook in the cluster: run it before
    you install one. Where one is installed, its mode and defaults are read from its Deployment;
    flags given here count instead, so that --mode enforce says what a switch would do.

    A change is a pod that enforce would have made differently. A plan that has no pods yet is
    judged by the next one, unless it is enforced already. A problem is a setting that cannot be
    carried out. A missed pod should have been placed and was not, or was changed back since.
    Where plans or pods may not be read that --fail-on is about, and nothing was found in the
    rest, the exit code is 3.

    \b
    Examples:
      kubectl convertor audit
      kubectl convertor audit -n konveyor-forklift --mode enforce -o wide
      kubectl convertor audit --fail-on missed
      kubectl convertor audit --plans plans/ -f pod.yaml -o json
    """  # noqa: D301 - click's mark for "do not wrap"
    if namespace and all_namespaces:
        raise click.UsageError("expected --namespace or --all-namespaces, found both")
    if filename and not plans:
        raise click.UsageError("--filename needs --plans: pods are judged by plans")
    from webhook.reports import audit as auditing  # noqa: PLC0415 - see webhook.cli.options.cluster

    installed: list[Installed] | None = None
    unread: list[str] = []
    missing: set[str] = set()
    with unlogged(), _progress() as progress:
        if plans:
            world = _in_files(plans, filename, namespace, installation)
        else:
            from webhook.cli.audit.read import Reader  # noqa: PLC0415 - see webhook.cli.options.cluster

            with connected(context, kubeconfig) as client:
                installation, installed = adopted(client, installation, unread)
                reader = Reader(client, unread, progress)
                world = reader.world(namespace, installation, installed)
                missing = reader.missing
        report = auditing.report(world, installation)
        if namespace:  # where pods of other plans are no strays
            report = msgspec.structs.replace(report, strays=[])
    _print(report, installed, unread, output)
    found = msgspec.structs.asdict(report.findings)
    if any(found[each] for each in fail_on):
        sys.exit(EXIT_FOUND)
    for each in fail_on:
        if lacking := " and ".join(sorted(FINDINGS[each] & missing)):
            raise ClusterError(f"--fail-on {each}: not all {lacking} could be read; see 'Not read'")


def _in_files(
    plans: Path, filename: str | None, namespace: str, installation: Installation
) -> "World":
    from webhook import settings  # noqa: PLC0415 - see webhook.cli.options.cluster
    from webhook.cli.files import plans as plan_files  # noqa: PLC0415
    from webhook.cli.files import pods as pod_files  # noqa: PLC0415
    from webhook.karl import minimums  # noqa: PLC0415 - see webhook.cli.options.cluster
    from webhook.reports.audit import World  # noqa: PLC0415

    contents = plan_files.read(plans)
    chosen = [plan for plan in contents.plans if namespace in ("", plan["metadata"]["namespace"])]
    keys = {
        key for plan in chosen for key in minimums.keys(settings.read(plan, installation).settings)
    }
    pods = pod_files.read_pods(filename) if filename else []
    return World(chosen, pods, minimums.label_values(contents.nodes, keys))


@contextmanager
def _progress() -> "Iterator[Callable[[str], None]]":
    """Say on a terminal how far it is; elsewhere nothing."""
    printer = console(stderr=True)
    if not printer.is_terminal:
        yield lambda _text: None
        return
    with printer.status("reading the cluster") as status:
        yield status.update


def _print(
    report: "Report", installed: list[Installed] | None, unread: list[str], output: str
) -> None:
    from webhook.cli.audit import text  # noqa: PLC0415 - see webhook.cli.options.cluster

    if output in ("table", "wide"):
        printer = console()
        for line in text.lines(report, installed, unread, wide=output == "wide"):
            printer.print(line.text, style=line.style or None)
        return
    found = msgspec.to_builtins(report)
    found["installed"] = told(installed)
    found["unread"] = unread
    found["findings"] = msgspec.to_builtins(report.findings)
    write(structured(found, output))
