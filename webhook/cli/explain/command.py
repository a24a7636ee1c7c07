"""`kubectl convertor explain plan`: a plan's settings, and the nodes that its pods fit."""

from pathlib import Path

import click

from webhook.cli.options.cluster import cluster_flags, connected, namespace_option, selected_cluster
from webhook.cli.options.files import path_option
from webhook.cli.options.installation import installation_options
from webhook.cli.options.plan import get_plan, plan_argument
from webhook.cli.output import output_option
from webhook.cli.release.find import Release, with_installed_defaults
from webhook.cli.release.webhooks import read_webhooks
from webhook.kube.objects import metadata_of, spec_of
from webhook.model import Installation


@click.command()
@plan_argument()
@path_option("--plans", help="Plans, nodes, pods and disks in files, without a cluster.")
@output_option("text", "yaml", "json")
@namespace_option
@cluster_flags
@installation_options
def explain(  # noqa: PLR0913, PLR0917 - one for each option
    name: str,
    plans: Path | None,
    output: str,
    namespace: str,
    context: str,
    kubeconfig: Path | None,
    installation: Installation,
) -> None:
    """Explain which nodes the pods of a plan fit, and why not the others.

    Prints the effective settings and the source of each, with those that the installation
    enforces; the limits of the plan; each rule in plain English, compiled, and with what it matches
    now; what pods get besides a place, such as resources or a convertor profile; every node, with
    kube-scheduler's first reason if a convertor pod does not fit; how many nodes the other pods
    that the plan places fit, and its VMs, and which of them fit all; the Services, ReplicaSets,
    PodDisruptionBudgets and NetworkPolicies that select the pods; the bound disks of running
    migrations, and if a convertor pod or VM cannot run where they are; the plan's pods; and what to
    change if no node fits, if the webhook is not called in the target namespace, if a label of the
    plan makes another workload select its pods, or if a VM has several pods. The evaluated pod is a
    pending one, or one as Forklift would create it. Mode and defaults are those of the installed
    webhook, unless --config or flags are given. The command writes nothing; if the installation
    has a convertor profile, a pod with it is sent as a dry run.

    \b
    Examples:
      kubectl convertor explain plan db
      kubectl convertor explain plan db -n konveyor-forklift -o json
      kubectl convertor explain plan high-io-migration --plans examples/plans
    """  # noqa: D301 - click's mark for "do not wrap"
    from webhook.cli.explain import text  # noqa: PLC0415 - help and completion do not load them
    from webhook.reports.explain import explain as explain_plan  # noqa: PLC0415

    installed: list[Release] | None = None
    if plans:
        from webhook.cli.explain import files  # noqa: PLC0415

        plan, cluster = files.read_files(plans, namespace, name)
    else:
        from webhook.cli.explain import read  # noqa: PLC0415 - files need no client

        with connected(context, kubeconfig) as client:
            plan = get_plan(client, namespace, name)
            target = spec_of(plan).get("targetNamespace") or ""
            unread: list[str] = []
            installation, installed = with_installed_defaults(client, installation, unread)
            uid = metadata_of(plan).get("uid") or ""
            cluster = read.read_cluster(
                client, target, uid, priority_classes=installation.has_priority_classes
            )
            webhooks = read_webhooks(client, installed, [target], unread)
            refusal = read.read_profile_refusal(client, target, installation, unread)
            cluster = cluster._replace(
                unread=[*unread, *cluster.unread], webhooks=webhooks, profile_refusal=refusal
            )
    explanation = explain_plan(plan, installation, cluster, selected_cluster())
    text.write_explanation(explanation, installed, output)
