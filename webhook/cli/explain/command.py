"""`kubectl convertor explain plan`: what its settings mean, and where its pods can go."""

from typing import TYPE_CHECKING

import click
import msgspec

from webhook.cli.options.cluster import cluster_options, namespace_option
from webhook.cli.options.installation import installation_options
from webhook.cli.options.plan import get_plan, plan_argument
from webhook.cli.output import console, output_option, structured, write
from webhook.cli.release.find import adopted, told
from webhook.model import Installation

if TYPE_CHECKING:
    from webhook.kube.api.client import Client


@click.command()
@plan_argument()
@output_option("text", "yaml", "json")
@namespace_option
@cluster_options
@installation_options
def explain(
    name: str, output: str, namespace: str, client: "Client", installation: Installation
) -> None:
    """Say where the convertor pods of a plan can run, and why they cannot elsewhere.

    Prints the settings in force and where each comes from; each rule in words, as YAML, and
    what it matches now; every node, and if a convertor pod cannot run there the first reason in
    kube-scheduler's words; the plan's pods; and what to change where there is no node. The pod
    that is judged is one that waits, else one as Forklift makes it. The mode and the defaults
    are those of the webhook that is installed, unless flags are given. Reading is all that it
    does.

    \b
    Examples:
      kubectl convertor explain plan db
      kubectl convertor explain plan db -n konveyor-forklift -o json
    """  # noqa: D301 - click's mark for "do not wrap"
    from webhook.cli.explain import read, text  # noqa: PLC0415
    from webhook.reports import explain as explanation  # noqa: PLC0415 - see webhook.cli.options.cluster

    plan = get_plan(client, namespace, name)
    target = (plan.get("spec") or {}).get("targetNamespace") or ""
    unread: list[str] = []
    installation, installed = adopted(client, installation, unread)
    cluster = read.read_cluster(client, target)
    cluster = cluster._replace(unread=[*unread, *cluster.unread])
    found = explanation.explain(plan, installation, cluster)
    if output != "text":
        write(structured(msgspec.to_builtins(found) | {"installed": told(installed)}, output))
        return
    printer = console()
    for line in text.lines(found, is_installed=installed != []):
        printer.print(line.text, style=line.style or None)
