"""Plans from files or a cluster, with their effective settings, as JSON or as a table."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from webhook import karl, settings
from webhook.cli.errors import UserError
from webhook.cli.files import plans as plan_files
from webhook.cli.options.plan import get_plan, plan_path
from webhook.cli.output import table
from webhook.forklift.plan import API_PATH, NAME_PATTERN, PlanObject
from webhook.inventory.index import key_of
from webhook.karl import minimums
from webhook.kube.commands import KubectlFlags
from webhook.kube.messages import did_you_mean, truncate
from webhook.kube.objects import Json
from webhook.kube.tolerations import format_toleration
from webhook.model import Installation, Plan, Problem, Role, RoleSettings
from webhook.reports.exclusions import InstalledWebhooks
from webhook.reports.installation import describe_enforced, describe_profile, list_limits
from webhook.settings.mode import mode_of
from webhook.settings.names import ROLE_SETTINGS
from webhook.settings.raw import PlanName
from webhook.settings.source import RoleSource, Sources

if TYPE_CHECKING:
    from webhook.kube.api.client import Client

_MAX_CELL_LENGTH = 40
"""Characters; `-o wide` has all."""

_COLUMNS = ("namespace", "name", "mode", "pods", "labels", "nodeSelector", "rules", "tolerations")
_BESIDES = ("resources", "priorityClass", "podAnnotations")
_WIDE = (
    *_COLUMNS[:2],
    "targetNamespace",
    "podSelector",
    *_COLUMNS[2:],
    *_BESIDES,
    "affinityPolicy",
    "disks",
    "roles",
)


def read_files(path: Path, namespace: str, name: str) -> list[Json]:
    """Return the plans of files, only those of a namespace and a name that are not empty.

    Raises:
        UserError: there is none of that name, or the one file cannot be read.

    """
    plans = [
        plan
        for plan in plan_files.read_contents(path).plans
        if namespace in ("", plan["metadata"]["namespace"])
    ]
    if not name:
        return sorted(plans, key=key_of)
    names = [plan["metadata"]["name"] for plan in plans]
    if name not in names:
        raise UserError(f"'{path}' has no plan '{name}'{did_you_mean(name, names)}")
    return [plan for plan in plans if plan["metadata"]["name"] == name]


def read_cluster(client: "Client", namespace: str, name: str, *, everywhere: bool) -> list[Json]:
    """Return the plans of a cluster, only that of a name that is not empty.

    Raises:
        UserError: there is none of that name.
        ApiError: the server refused, or did not respond.

    """
    from webhook.kube.api.collection import ListWatch  # noqa: PLC0415 - commands without a cluster do not load it

    if name:
        return [get_plan(client, namespace, name)]
    path = f"{API_PATH}/plans" if everywhere else plan_path(client, namespace)
    return [plan.to_json() for plan in ListWatch(client, path, PlanObject).list_items()]


def read_disks_in_conflict(
    client: "Client", plans: list[Json], installation: Installation, unread: list[str]
) -> dict[tuple[str, str], list[str]]:
    """Return the conflicts of the plans that have any, each as a sentence.

    What RBAC hides is added to `unread`.
    """
    from webhook.cli.disks import read_conflicts, read_pvcs  # noqa: PLC0415 - files do not need them
    from webhook.kube.api.errors import ApiError  # noqa: PLC0415

    def read(
        resource: str,  # noqa: ARG001 - the error names it
        found: Iterable[Any],
        consequence: str,
    ) -> list[Any] | None:
        try:
            return list(found)
        except ApiError as error:
            if error.status not in (403, 404):
                raise
            unread.append(f"{error}; {consequence}")
            return None

    known = [settings.read(plan, installation) for plan in plans]
    targets = sorted({plan.target_namespace for plan in known})
    namespaces = [each for each in targets if NAME_PATTERN.fullmatch(each)]
    consequence = "the disks of running migrations are not checked"
    index = read_pvcs(client, namespaces, read, consequence)
    found = read_conflicts(client, index, known, installation, read)
    return {key: [row.message for row in rows] for key, rows in found.items()}


def describe_plan(
    plan_object: Json,
    installation: Installation,
    webhooks: InstalledWebhooks,
    flags: KubectlFlags,
) -> Json:
    """Return a plan and its effective settings as JSON, with the fields of a Plan and a pod.

    It has the field `excluded` only if the webhook is not called for the pods of the plan, and
    `limits`, `enforced` and `convertor` only if the installation has any. `flags` select the
    cluster in commands.
    """
    plan, sources, affinity_sources, _ = settings.read_plan(plan_object, installation)
    effective = plan.settings
    exclusions = webhooks.list_exclusions(plan.target_namespace, flags)
    return {
        "namespace": plan.namespace,
        "name": plan.name,
        "targetNamespace": plan.target_namespace,
        "podSelector": f"plan={plan.uid}" if plan.uid else "",
        "mode": mode_of(plan, plan.target_namespace, installation).value,
        "pods": [role.value for role in effective.pods],
        "disks": effective.disks.value,
        "labels": effective.labels,
        "nodeSelector": minimums.join_selector(
            effective.node_selector, effective.node_requirements
        ),
        "rules": [rule for source in affinity_sources for rule in _rules(source)],
        "affinity": minimums.expand(effective.affinity, {}),
        "topologySpreadConstraints": effective.spread,
        "affinityPolicy": effective.affinity_policy.value,
        "tolerations": effective.tolerations,
        "resources": effective.resources,
        "priorityClass": effective.priority_class,
        "podAnnotations": effective.pod_annotations,
        "roles": {
            role.value: _describe_role(own, _list_sources(sources, role), plan)
            for role, own in effective.roles.items()
        },
        "problems": [msgspec.to_builtins(each.for_cluster(flags)) for each in effective.problems],
        **_describe_installation(plan, installation),
    } | ({"excluded": "; ".join(map(str, exclusions))} if exclusions else {})


def _describe_installation(plan: Plan, installation: Installation) -> Json:
    """Return what the installation allows and gives to the plan's pods, without empty fields."""
    found = {
        "limits": {row.name: row.value for row in list_limits(installation, plan.namespace)},
        "enforced": describe_enforced(installation),
        "convertor": describe_profile(installation, plan.target_namespace),
    }
    return {name: value for name, value in found.items() if value}


def _describe_role(own: RoleSettings, sources: list[RoleSource], plan: Plan) -> Json:
    """Return the settings for one role, of those that it has, and where each of them is set."""
    found: Json = {}
    if own.labels is not None:
        found["labels"] = own.labels
    if own.node_selector is not None:
        found["nodeSelector"] = minimums.join_selector(
            own.node_selector, own.node_requirements or []
        )
    if own.affinity is not None:
        effective = [each for each in sources if each.affinity is not None][-1]
        found["rules"] = _rules(effective) if own.affinity or own.spread else []
        found["affinity"] = minimums.expand(own.affinity, {})
        found["topologySpreadConstraints"] = own.spread or []
    if own.tolerations is not None:
        found["tolerations"] = own.tolerations
    others = (own.resources, own.priority_class, own.pod_annotations)
    found |= {
        name: value for name, value in zip(_BESIDES, others, strict=True) if value is not None
    }
    name = PlanName(plan.namespace, plan.name)
    locations = [each.location(setting, name) for each in sources for setting in ROLE_SETTINGS]
    return found | {"sources": [each for each in locations if each]}


def _list_sources(sources: Sources, role: Role) -> list[RoleSource]:
    return [each.roles[role] for each in sources if role in each.roles]


def _rules(source: RoleSource) -> list[str]:
    """Return the rules of a source as canonical KARL, or `object` for a compiled affinity."""
    if source.rules:
        return [karl.to_text(rule) for rule in source.rules]
    return ["object"] if source.affinity else []


def format_table(plans: Iterable[Json], mode_note: str, *, wide: bool) -> str:
    """Return one row for each described plan.

    `mode_note` is added to each mode, except that of a plan whose namespace is excluded.
    """
    columns = _WIDE if wide else _COLUMNS
    plans = [plan | _format_fields(plan, mode_note) for plan in plans]
    rows = [[*(_cell(plan[column]) for column in columns), _problems(plan, wide)] for plan in plans]
    if not wide:
        rows = [[truncate(cell, _MAX_CELL_LENGTH) for cell in row] for row in rows]
    return table([*map(_heading, columns), "PROBLEMS"], rows)


def _format_fields(plan: Json, mode_note: str) -> dict[str, str]:
    """Return the cells of the fields that have their own form in a table."""
    roles = (f"{role}: {_role_cell(own)}" for role, own in plan["roles"].items())
    return {
        "mode": _format_mode(plan, mode_note),
        "pods": ",".join(plan["pods"]),
        "roles": "; ".join(roles),
    }


def _format_mode(plan: Json, mode_note: str) -> str:
    note = "excluded" if "excluded" in plan else mode_note
    return f"{plan['mode']} ({note})" if note else str(plan["mode"])


def _heading(column: str) -> str:
    """Return `NODE-SELECTOR` for `nodeSelector`."""
    return re.sub("([A-Z])", r"-\1", column).upper()


def _cell(value: Any) -> str:
    match value:
        case dict():
            return ",".join(f"{key}={text}" for key, text in value.items())
        case [str(), *_]:
            return "; ".join(value)
        case list():
            return ",".join(map(format_toleration, value))
        case _:
            return str(value)


def _role_cell(own: Json) -> str:
    columns = ("labels", "nodeSelector", "rules", "tolerations", *_BESIDES)
    cells = [
        f"{_heading(each).lower()} {_cell(own[each]) or '-'}" for each in columns if each in own
    ]
    return ", ".join(cells)


def _problems(plan: Json, wide: bool) -> str:
    problems = plan["problems"]
    if not wide:
        return str(len(problems) or "")
    return "; ".join(str(msgspec.convert(problem, Problem)) for problem in problems)
