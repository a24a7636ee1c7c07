"""`kubectl convertor patch`: changes the settings of a plan."""

from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeVar

import click

from webhook.cli.options.cluster import cluster_options, namespace_option
from webhook.cli.options.installation import prefix_options
from webhook.cli.options.plan import plan_argument
from webhook.model import AffinityPolicy, Installation, Mode, Scope

if TYPE_CHECKING:
    from webhook.kube.api.client import Client

F = TypeVar("F", bound=Callable[..., Any])

_SETTINGS = {
    "convertor_affinity": "affinity",
    "convertor_labels": "labels",
    "convertor_node_selector": "node-selector",
    "convertor_tolerations": "tolerations",
    "affinity_policy": "affinity-policy",
    "rule_scope": "scope",
    "mode": "mode",
}
"""The setting of each parameter, by the name that its annotation has."""


def _repeatable(flag: str, metavar: str, separator: str, *, help: str) -> Callable[[F], F]:  # noqa: A002
    """Add a flag whose values are joined, as for kubectl mtv; None if it is not given."""

    def join(_ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]) -> str | None:
        empty = [not value.strip() for value in values]
        if any(empty) and not all(empty):
            raise click.UsageError(
                f"{flag}: an empty value removes the setting, so it must be alone"
            )
        if not values:
            return None
        return "" if all(empty) else separator.join(values)

    return click.option(flag, metavar=metavar, multiple=True, callback=join, help=help)


def _word(flag: str, words: type[StrEnum], *, help: str) -> Callable[[F], F]:  # noqa: A002
    """Add a flag that takes a word. An unknown one gets the error of the annotation's reader."""

    def complete(_ctx: click.Context, _param: click.Parameter, start: str) -> list[str]:
        return [word for word in words if word.startswith(start)]

    return click.option(flag, metavar="WORD", shell_complete=complete, help=help)


@click.command()
@plan_argument()
@_repeatable("--convertor-affinity", "KARL", "\n", help="Rules; '' removes them.")
@_repeatable("--convertor-labels", "K=V,...", ",", help="For the pods; k- removes one.")
@_repeatable("--convertor-node-selector", "K=V,...", ",", help="Or k=16+ for at least 16.")
@_repeatable("--convertor-tolerations", "K=V:EFFECT,...", ",", help="As for kubectl taint.")
@_word("--affinity-policy", AffinityPolicy, help="For Forklift's own term: merge or replace.")
@_word("--rule-scope", Scope, help="Namespaces of rules that name none: all or own.")
@_word("--mode", Mode, help="For this plan: enforce, audit or off.")
@click.option(
    "--dry-run",
    type=click.Choice(["none", "client", "server"]),
    default="none",
    help="Validate without writing.",
)
@click.option("-o", "--output", type=click.Choice(["name", "yaml", "json"]), help="The plan.")
@namespace_option
@cluster_options
@prefix_options
def patch(  # noqa: PLR0913, PLR0917 - one for each option
    name: str,
    dry_run: str,
    output: str | None,
    namespace: str,
    client: "Client",
    installation: Installation,
    **flags: str | None,
) -> None:
    """Change the convertor settings of a plan.

    The settings are written as annotations, which every release of Forklift keeps. They are
    validated first: nothing is written if one of them is invalid. An entry of a list
    replaces the one with its key; a trailing - on a key removes it, an empty value removes the
    whole setting. A label of spec.convertorLabels keeps its value, because Forklift finds its pods
    by it. A list may have several tolerations of one key; - removes all of them, or those with
    the given value and effect. A flag for a list or for rules may be repeated.

    \b
    Examples:
      kubectl convertor patch plan db --convertor-affinity 'REQUIRE pods(app=ceph-osd) on node'
      kubectl convertor patch plan db --convertor-labels workload=migration,batch-
      kubectl convertor patch plan db --convertor-node-selector cpu-cores=16+,disk=nvme
      kubectl convertor patch plan db --convertor-tolerations dedicated=migration:NoSchedule
      kubectl convertor patch plan db --convertor-affinity '' --dry-run=server -o yaml
    """  # noqa: D301 - click's mark for "do not wrap"
    changes = {_SETTINGS[flag]: value for flag, value in flags.items() if value is not None}
    if not changes:
        raise click.UsageError("nothing to change: give at least one flag with a setting")
    from webhook.cli.patch import plan  # noqa: PLC0415 - help and completion do not load it

    change = plan.PlanChange(namespace, name, changes, installation, dry_run)
    plan.show(change, plan.patch_plan(client, change), output)
