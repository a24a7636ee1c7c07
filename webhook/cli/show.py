"""`kubectl convertor show`: plans and their convertor settings, one line each."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec
from click.core import ParameterSource

from kube.words import did_you_mean
from webhook import atleast, karl, settings
from webhook.cli import offline
from webhook.cli.cluster import cluster_flags, connected, namespace_option
from webhook.cli.fault import Fault
from webhook.cli.input import path_option
from webhook.cli.installation import installation_options
from webhook.cli.installed import Installed, adopted, is_certain
from webhook.cli.output import output_option, structured, table, write
from webhook.cli.plan import get_plan, plan_argument, plan_path
from webhook.mode import mode_of
from webhook.model import Installation, Json
from webhook.plans.index import key_of
from webhook.plans.objects import PATH, PlanObject
from webhook.summary import toleration

if TYPE_CHECKING:
    from kube.client import Client

_LONGEST = 40
"""Characters of a cell; `-o wide` has all."""

_COLUMNS = ("namespace", "name", "mode", "labels", "nodeSelector", "rules", "tolerations")
_WIDE = (*_COLUMNS[:2], "targetNamespace", *_COLUMNS[2:], "affinityPolicy")

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

    Settings are those of the plan over the defaults of the webhook that is installed; flags
    count instead. A rule is shown as KARL where the plan has it as text; `object` is an affinity
    that the plan's spec has compiled. A mode is only what it would be where it is followed by
    `(no webhook)`, or by `(not known)`: -o wide says why.

    \b
    Examples:
      kubectl convertor show
      kubectl convertor show -A -o wide
      kubectl convertor show plan db -n konveyor-forklift -o yaml
      kubectl convertor show --plans examples/plans
    """  # noqa: D301 - click's mark for "do not wrap"
    if name and all_namespaces:
        raise click.UsageError("expected a plan's name or --all-namespaces, found both")
    unread: list[str] = []
    doubt = ""
    if plans:
        found = _in_files(plans, namespace, name)
    else:
        with connected(context, kubeconfig) as client:
            found = _in_cluster(client, namespace, name, everywhere=all_namespaces)
            installation, installed = adopted(client, installation, unread)
            doubt = _doubt(installed)
    shown = [_shown(plan, installation) for plan in found]
    if output != "table":  # which has a word of it beside each mode
        _tell(doubt, unread)
    if output in ("yaml", "json"):
        write(structured(shown[0] if name and shown else shown, output))
    elif shown:
        write(_table(shown, doubt, wide=output == "wide"))
    else:
        click.echo("No plans found", err=True)


def _doubt(installed: list[Installed] | None) -> str:
    """Return why a mode may be another one, or in force nowhere; empty where it is known."""
    if installed == []:
        return _NO_WEBHOOK
    given = click.get_current_context().get_parameter_source("mode") is not ParameterSource.DEFAULT
    return "" if given or is_certain(installed) else _NOT_KNOWN


def _tell(doubt: str, unread: list[str]) -> None:
    if doubt == _NO_WEBHOOK:
        click.echo("Note: no webhook is installed: until one is, nothing of it counts", err=True)
    for text in unread:
        click.echo(f"Note: {text}", err=True)


def _in_files(path: Path, namespace: str, name: str) -> list[Json]:
    plans = [
        plan
        for plan in offline.read(path).plans
        if namespace in ("", plan["metadata"]["namespace"])
    ]
    if not name:
        return sorted(plans, key=key_of)
    names = [plan["metadata"]["name"] for plan in plans]
    if name not in names:
        raise Fault(f"'{path}' has no plan '{name}'{did_you_mean(name, names)}")
    return [plan for plan in plans if plan["metadata"]["name"] == name]


def _in_cluster(client: "Client", namespace: str, name: str, *, everywhere: bool) -> list[Json]:
    from kube.collection import Collection  # noqa: PLC0415 - see webhook.cli.cluster

    if name:
        return [get_plan(client, namespace, name)]
    path = f"{PATH}/plans" if everywhere else plan_path(client, namespace)
    pages = Collection(client, path, PlanObject).pages()
    return [plan.as_json() for page in pages for plan in page.items or ()]


def _shown(plan_object: Json, installation: Installation) -> Json:
    """Return a plan and its settings as JSON; the fields are those of a Plan and of a pod."""
    plan = settings.read(plan_object, installation)
    asked = plan.settings
    minimums = {each["key"]: _minimum(each) for each in asked.node_requirements}
    return {
        "namespace": plan.namespace,
        "name": plan.name,
        "targetNamespace": plan.target_namespace,
        "mode": mode_of(plan, plan.target_namespace, installation).value,
        "labels": asked.labels,
        "nodeSelector": asked.node_selector | minimums,
        "rules": list(_rules(plan_object, installation)),
        "affinity": atleast.expand(asked.affinity, {}),
        "affinityPolicy": asked.affinity_policy.value,
        "tolerations": asked.tolerations,
        "problems": msgspec.to_builtins(asked.problems),
    }


def _minimum(requirement: Json) -> str:
    """Return a node requirement as a node selector has it: `16+`."""
    (value,) = requirement["values"]
    return f"{int(value) + 1}+" if requirement["operator"] == "Gt" else f"{value}+"


def _rules(plan_object: Json, installation: Installation) -> Iterator[str]:
    """Return the rules that count as canonical KARL, and `object` for what is compiled."""
    metadata, spec = plan_object["metadata"], plan_object.get("spec") or {}
    annotations = metadata.get("annotations") or {}
    own = [spec.get("convertorAffinity"), annotations.get(f"{installation.prefix}/affinity")]
    given = [affinity for affinity in own if affinity is not None]
    for affinity in given or [installation.defaults.get("affinity")]:
        yield from _texts(affinity)


def _texts(affinity: Any) -> list[str]:
    if not isinstance(affinity, str):
        return ["object"] if affinity else []
    try:
        return [karl.to_text(rule) for rule in karl.parse(affinity)]
    except karl.KarlError:  # then none of them counts, which is among the problems
        return []


def _table(shown: Iterable[Json], doubt: str, *, wide: bool) -> str:
    columns = _WIDE if wide else _COLUMNS
    shown = [plan | {"mode": f"{plan['mode']} ({doubt})"} if doubt else plan for plan in shown]
    rows = [[*(_cell(plan[column]) for column in columns), _problems(plan, wide)] for plan in shown]
    if not wide:
        rows = [[_cut(cell) for cell in row] for row in rows]
    return table([*map(_heading, columns), "PROBLEMS"], rows)


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
            return ",".join(map(toleration, value))
        case _:
            return str(value)


def _problems(plan: Json, wide: bool) -> str:
    problems = plan["problems"]
    if not wide:
        return str(len(problems) or "")
    return "; ".join(f"{problem['where']}: {problem['message']}" for problem in problems)


def _cut(cell: str) -> str:
    return cell if len(cell) <= _LONGEST else f"{cell[: _LONGEST - 1]}…"
