"""`kubectl convertor patch`: changes the settings of a plan."""

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeVar

import click

from webhook.cli.options.cluster import cluster_options, namespace_option
from webhook.cli.options.installation import prefix_options
from webhook.cli.options.plan import plan_argument
from webhook.model import AffinityPolicy, Disks, Installation, Mode, Role, Scope

if TYPE_CHECKING:
    from webhook.kube.api.client import Client

F = TypeVar("F", bound=Callable[..., Any])

_PODS = {
    Role.INSPECTION: "inspection pods",
    Role.FIRST_CONSUMER: "first consumers",
    Role.IMPORTER: "importers",
    Role.POPULATOR: "populators",
}
"""The roles that have flags; those of convertor pods are the general ones, as for kubectl mtv."""
_ROLES = ("all", *Role)
_ROLE_FLAGS = {
    "affinity": ("KARL", "\n", "Rules"),
    "labels": ("K=V,...", ",", "Labels"),
    "node-selector": ("K=V,...", ",", "Node selector"),
    "tolerations": ("K=V:EFFECT,...", ",", "Tolerations"),
    "resources": ("REQUESTS.R=Q,...", ",", "Resources"),
    "priority-class": ("NAME", ",", "PriorityClass"),
    "pod-annotations": ("K=V,...", ",", "Annotations"),
}
"""Metavariable, separator and help of the flags for one role."""
_ROLES_WITH = {
    "resources": (Role.FIRST_CONSUMER,),
    "priority-class": (Role.IMPORTER, Role.POPULATOR),
}
"""The roles that have flags for a setting, if not all: `webhook.settings.names` is slow to load."""
_RESOURCES = tuple(
    f"{part}.{name}="
    for part in ("requests", "limits")
    for name in ("cpu", "memory", "ephemeral-storage")
)
_SETTINGS = {
    **{f"convertor_{name.replace('-', '_')}": name for name in _ROLE_FLAGS},
    **{
        f"{role}_{name}".replace("-", "_"): f"{name}.{role}"
        for role in _PODS
        for name in _ROLE_FLAGS
        if role in _ROLES_WITH.get(name, _PODS)
    },
    "affinity_policy": "affinity-policy",
    "rule_scope": "scope",
    "mode": "mode",
    "pods": "pods",
    "disks": "disks",
}
"""The setting of each parameter, by the name that its annotation has."""


def _repeatable(
    flag: str,
    metavar: str,
    separator: str,
    *,
    help: str,  # noqa: A002
    words: Sequence[str] = (),
) -> Callable[[F], F]:
    """Add a flag whose values are joined, as for kubectl mtv; None if it is not given.

    `words` are the entries that a value may have, for completion.
    """

    def join(_ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]) -> str | None:
        empty = [not value.strip() for value in values]
        if any(empty) and not all(empty):
            raise click.UsageError(
                f"{flag}: an empty value removes the setting, so it must be alone"
            )
        if not values:
            return None
        return "" if all(empty) else separator.join(values)

    def complete(_ctx: click.Context, _param: click.Parameter, start: str) -> list[str]:
        before, comma, last = start.rpartition(",")
        return [f"{before}{comma}{word}" for word in words if word.startswith(last)]

    return click.option(
        flag,
        metavar=metavar,
        multiple=True,
        callback=join,
        help=help,
        shell_complete=complete if words else None,
    )


def _role_flags(command: F) -> F:
    """Add the flags for one role; those for convertor pods are the general ones."""
    for role, pods in reversed(_PODS.items()):
        for name, (metavar, separator, what) in reversed(_ROLE_FLAGS.items()):
            if role not in _ROLES_WITH.get(name, _PODS):
                continue
            text = f"{what} for {pods} only."
            command = _repeatable(f"--{role}-{name}", metavar, separator, help=text)(command)
    return command


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
@_repeatable(
    "--convertor-resources",
    "REQUESTS.R=Q,...",
    ",",
    help="Such as requests.memory=4Gi,limits.cpu=8.",
    words=_RESOURCES,
)
@_repeatable("--convertor-priority-class", "NAME", ",", help="An existing PriorityClass.")
@_repeatable("--convertor-pod-annotations", "K=V,...", ",", help="For the pods; k- removes one.")
@_word("--affinity-policy", AffinityPolicy, help="For Forklift's own term: merge or replace.")
@_word("--rule-scope", Scope, help="Namespaces of rules that name none: all or own.")
@_word("--mode", Mode, help="For this plan: enforce, audit or off.")
@_repeatable("--pods", "ROLE,...", ",", help="Roles that get the settings, or all.", words=_ROLES)
@_word("--disks", Disks, help="Of one VM: any place, or together.")
@_role_flags
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

    The --convertor flags are for the pods of all roles in --pods, convertor,first-consumer by
    default. A flag with another role replaces the setting for pods of that role.

    \b
    Examples:
      kubectl convertor patch plan db --convertor-affinity 'REQUIRE pods(app=ceph-osd) on node'
      kubectl convertor patch plan db --convertor-labels workload=migration,batch-
      kubectl convertor patch plan db --convertor-node-selector cpu-cores=16+,disk=nvme
      kubectl convertor patch plan db --convertor-tolerations dedicated=migration:NoSchedule
      kubectl convertor patch plan db --convertor-resources requests.memory=4Gi,limits.memory=12Gi
      kubectl convertor patch plan db --pods all --disks together
      kubectl convertor patch plan db --importer-affinity 'PREFER nodes(net=fast) weight=9'
      kubectl convertor patch plan db --convertor-affinity '' --dry-run=server -o yaml
    """  # noqa: D301 - click's mark for "do not wrap"
    changes = {_SETTINGS[flag]: value for flag, value in flags.items() if value is not None}
    if not changes:
        raise click.UsageError("nothing to change: give at least one flag with a setting")
    from webhook.cli.patch import plan  # noqa: PLC0415 - help and completion do not load it

    change = plan.read_change(client, namespace, name, changes, installation)._replace(
        dry_run=dry_run
    )
    plan.show(change, plan.patch_plan(client, change), output)
