"""Validates and writes a change of a plan's annotations."""

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from webhook import settings
from webhook.admission.validate import new_problems
from webhook.cli.errors import UserError
from webhook.cli.options.cluster import selected_cluster
from webhook.cli.options.installation import is_given
from webhook.cli.options.plan import RESOURCE, get_plan, plan_path
from webhook.cli.output import notify, structured, write
from webhook.cli.release.find import is_only_release_known, with_installed_defaults
from webhook.kube.api.client import Client
from webhook.kube.api.errors import ApiError
from webhook.kube.objects import Json, annotations_of, spec_of
from webhook.model import Installation, Plan, Problem
from webhook.placement.warnings import find_plan_warnings
from webhook.settings.edit import EditError, edit_annotations

FIELD_MANAGER = "kubectl-convertor"
_ATTEMPTS = 5
"""To write a Plan that another client writes at the same time, as Forklift does continually."""

_SPEC = {
    "labels": ("convertorLabels", "is applied as well"),
    "node-selector": ("convertorNodeSelector", "is applied for other keys"),
    "affinity": ("convertorAffinity", "is applied together with the rules"),
}
"""The field of a plan's spec with the same setting, and its effect."""

_DRY_RUNS = {"none": "", "client": " (dry run)", "server": " (server dry run)"}


class PlanChange(NamedTuple):
    """The requested change of a plan."""

    namespace: str
    name: str
    settings: Mapping[str, str]
    """Texts, by the names that annotations have; an empty one removes the setting."""
    installation: Installation
    dry_run: str = "none"
    limits_known: bool = True
    """False if the limits of the installed webhook could not be read: it decides on them."""

    def read(self, plan_object: Json) -> Plan:
        return settings.read(plan_object, self.installation)


def read_change(
    client: Client,
    namespace: str,
    name: str,
    changes: Mapping[str, str],
    installation: Installation,
) -> PlanChange:
    """Return the change, with the installation of the one release if it can be read.

    Raises:
        click.UsageError: the name or the namespace is invalid.
        ApiError: the server did not respond.

    """
    plan_path(client, namespace, name)
    installed, releases = with_installed_defaults(client, installation, [])
    known = is_given("config") or is_only_release_known(releases)
    return PlanChange(namespace, name, changes, installed, limits_known=known)


class PatchedPlan(NamedTuple):
    """The result of a change."""

    before: Json
    after: Json
    changed: bool
    warnings: list[str]
    """Invalid settings from before the change, and warnings about the settings after it."""


def patch_plan(client: Client, change: PlanChange, attempts: int = _ATTEMPTS) -> PatchedPlan:
    """Validate and write the change; try again if another client writes at the same time.

    Raises:
        UserError: there is no such plan, or the change is invalid.
        ApiError: the server refused, or did not respond.

    """
    before = get_plan(client, change.namespace, change.name)
    changed = _change_annotations(before, change)
    after = _merge(before, changed)
    warnings = _validate(before, after, change)
    if not changed or change.dry_run == "client":
        return PatchedPlan(before, after, bool(changed), warnings)
    path = plan_path(client, change.namespace, change.name)
    # The version that was read makes a concurrent change a conflict, so that none is lost.
    version = before["metadata"].get("resourceVersion")
    body = {"metadata": {"annotations": changed, "resourceVersion": version}}
    dry_run = {"dryRun": "All"} if change.dry_run == "server" else {}
    try:
        after = client.send("PATCH", path, body, {"fieldManager": FIELD_MANAGER} | dry_run)
    except ApiError as error:
        if error.status == 409 and attempts > 1:
            return patch_plan(client, change, attempts - 1)
        raise
    return PatchedPlan(before, after, True, warnings)


def show(change: PlanChange, patched: PatchedPlan, output: str | None) -> None:
    """Print the patched plan, with warnings on standard error."""
    for warning in patched.warnings:
        notify(f"Warning: {warning}")
    _note_spec(spec_of(patched.before), change.settings)
    if output in ("yaml", "json"):
        patched.after["metadata"].pop("managedFields", None)
        write(structured(patched.after, output))
    elif output == "name":
        write(f"{RESOURCE}/{change.name}")
    else:
        result = "patched" if patched.changed else "patched (no change)"
        write(f"{RESOURCE}/{change.name} {result}{_DRY_RUNS[change.dry_run]}")


def _change_annotations(before: Json, change: PlanChange) -> Json:
    """Return the annotations that change; None for those to remove."""
    try:
        return edit_annotations(annotations_of(before), change.settings, change.installation.prefix)
    except EditError as error:
        raise UserError(f"nothing is written: {error}") from None


def _merge(before: Json, changed: Json) -> Json:
    """Return the plan after the change."""
    annotations: Json = annotations_of(before) | changed
    return _with(before, {key: text for key, text in annotations.items() if text is not None})


def _with(plan: Json, annotations: Json) -> Json:
    return plan | {"metadata": plan["metadata"] | {"annotations": annotations}}


def _validate(before: Json, after: Json, change: PlanChange) -> list[str]:
    """Return the warnings about the plan after the change, with the problems from before it.

    Raises:
        UserError: the change adds problems, or repeats a setting that is invalid already.

    """
    plan = change.read(after)
    new = new_problems(change.read(before), plan)
    repeated = {problem.message for problem in _problems_of(before, change)}
    refused = [
        each
        for each in plan.settings.problems
        if (each in new or each.message in repeated)
        and (change.limits_known or not each.beyond_limits)
    ]
    flags = selected_cluster()
    if refused:
        lines = [each.for_cluster(flags).in_full() for each in refused]
        raise UserError("\n".join(["nothing is written:", *lines]))
    problems = [str(each.for_cluster(flags)) for each in plan.settings.problems]
    return [*problems, *find_plan_warnings(plan, change.installation)]


def _problems_of(before: Json, change: PlanChange) -> list[Problem]:
    """Return the problems of the requested settings alone, without the plan's annotations."""
    requested = edit_annotations({}, change.settings, change.installation.prefix)
    without, alone = (change.read(_with(before, annotations)) for annotations in ({}, requested))
    return new_problems(without, alone)


def _note_spec(spec: Json, changes: Mapping[str, str]) -> None:
    """Print the fields of the spec with the same settings: they are not overwritten."""
    for name, (field, effect) in _SPEC.items():
        if name in changes and spec.get(field):
            value = msgspec.json.encode(spec[field]).decode()
            notify(f"Note: spec.{field} stays, and {effect}: {value}")
