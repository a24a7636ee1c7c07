"""`kubectl convertor patch`: the settings of a plan, checked before they are written."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click
import msgspec

from webhook.cli.errors import UserError
from webhook.cli.options.cluster import cluster_options, namespace_option
from webhook.cli.options.installation import prefix_option
from webhook.cli.options.plan import RESOURCE, get_plan, plan_argument, plan_path
from webhook.cli.output import structured, write
from webhook.kube.api.errors import ApiError
from webhook.kube.objects import Json
from webhook.model import (
    AffinityPolicy,
    Installation,
    Mode,
    Problem,
    Scope,
)

if TYPE_CHECKING:
    from webhook.kube.api.client import Client

F = TypeVar("F", bound=Callable[..., Any])

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
    "labels": ("convertorLabels", "is applied as well"),
    "node-selector": ("convertorNodeSelector", "is applied for other keys"),
    "affinity": ("convertorAffinity", "is applied together with the rules"),
}
"""What else a plan may say of a setting, and what that does."""

_DRY_RUNS = {"none": "", "client": " (dry run)", "server": " (server dry run)"}


def _many(flag: str, metavar: str, between: str, *, help: str) -> Callable[[F], F]:  # noqa: A002
    """Add a flag that counts each time it is given, as for kubectl mtv; None where it is not."""

    def joined(_ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]) -> str | None:
        blank = [not value.strip() for value in values]
        if any(blank) and not all(blank):
            raise click.UsageError(f"{flag}: an empty value removes the setting, and stands alone")
        if not values:
            return None
        return "" if all(blank) else between.join(values)

    return click.option(flag, metavar=metavar, multiple=True, callback=joined, help=help)


def _word(flag: str, words: type[StrEnum], *, help: str) -> Callable[[F], F]:  # noqa: A002
    """Add a flag that takes a word; what is none is told as for the annotation."""

    def complete(_ctx: click.Context, _param: click.Parameter, start: str) -> list[str]:
        return [word for word in words if word.startswith(start)]

    return click.option(flag, metavar="WORD", shell_complete=complete, help=help)


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
@_many("--convertor-affinity", "KARL", "\n", help="Rules; '' removes them.")
@_many("--convertor-labels", "K=V,...", ",", help="For the pods; k- removes one.")
@_many("--convertor-node-selector", "K=V,...", ",", help="Or k=16+ for at least 16.")
@_many("--convertor-tolerations", "K=V:EFFECT,...", ",", help="As for kubectl taint.")
@_word("--affinity-policy", AffinityPolicy, help="Forklift's own term: merge or replace.")
@_word("--rule-scope", Scope, help="Where rules look by themselves: all or own.")
@_word("--mode", Mode, help="For this plan: enforce, audit or off.")
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
    whole setting. A label of spec.convertorLabels keeps its value, because Forklift finds its pods
    by it. Tolerations of one key stand together, so - removes all of its values and
    effects, or those that it names. A flag for a list or for rules may be given several times.

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
    before = get_plan(client, asked.namespace, asked.name)
    amended = _amended(before, asked)
    after = _merged(before, amended)
    problems = _old_problems(before, after, asked)
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
    from webhook.settings import edit  # noqa: PLC0415 - help and completion do without

    try:
        return edit.edit_annotations(_annotations(before), asked.changes, asked.installation.prefix)
    except edit.EditError as error:
        raise UserError(f"nothing is written: {error}") from None


def _merged(before: Json, amended: Json) -> Json:
    """Return the plan as it will be."""
    annotations = _annotations(before) | amended
    return _with(before, {key: text for key, text in annotations.items() if text is not None})


def _with(plan: Json, annotations: Json) -> Json:
    return plan | {"metadata": plan["metadata"] | {"annotations": annotations}}


def _annotations(plan: Json) -> Json:
    return plan["metadata"].get("annotations") or {}


def _old_problems(before: Json, after: Json, asked: _Asked) -> list[Problem]:
    """Return the problems that were there already.

    Raises:
        UserError: the change brings new ones, or what is asked for was as wrong before.

    """
    from webhook import settings  # noqa: PLC0415 - help and completion do without
    from webhook.admission.validate import new_problems  # noqa: PLC0415

    plan = settings.read(after, asked.installation)
    new = new_problems(settings.read(before, asked.installation), plan)
    asked_for = {problem.message for problem in _problems_of(before, asked)}
    refused = [each for each in plan.settings.problems if each in new or each.message in asked_for]
    if refused:
        raise UserError("\n".join(["nothing is written:", *(each.in_full() for each in refused)]))
    return plan.settings.problems


def _problems_of(before: Json, asked: _Asked) -> list[Problem]:
    """Return what is wrong with the settings that are asked for, whatever else the plan has."""
    from webhook import settings  # noqa: PLC0415 - help and completion do without
    from webhook.admission.validate import new_problems  # noqa: PLC0415
    from webhook.settings import edit  # noqa: PLC0415

    typed = edit.edit_annotations({}, asked.changes, asked.installation.prefix)
    without, alone = (
        settings.read(_with(before, annotations), asked.installation) for annotations in ({}, typed)
    )
    return new_problems(without, alone)


def _tell_of_spec(spec: Json, changes: Mapping[str, str]) -> None:
    """Show what the plan's spec says of the settings that were changed: it is not overwritten."""
    for name, (field, effect) in _SPEC.items():
        if name in changes and spec.get(field):
            value = msgspec.json.encode(spec[field]).decode()
            click.echo(f"Note: spec.{field} stays, and {effect}: {value}", err=True)
