"""The table of rights in docs/security.md, as rights that a test can compare."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from tests.support.paths import ROOT
from tests.system.chart.rendering import Json
from webhook.kube.messages import join_with_or

PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")

EVERYWHERE = "*"
_DISK_ROLES = ("first-consumer", "importer", "populator")
"""The roles whose pods are placed by their disks."""


class Right(NamedTuple):
    """A verb on a resource, `plans.forklift.konveyor.io`."""

    verb: str
    resource: str
    namespace: str
    """The namespace, EVERYWHERE, or empty for a resource of the cluster."""
    name: str = ""
    """The only object; empty for all."""


def rights_of(mode: str, values: Json, namespace: str) -> set[Right]:
    """Return the documented rights of a release `convertor-webhook` in a namespace.

    `mode` is the heading of a column; `values` are those of the chart.
    """
    return {right for row in _rows() for right in _rights(row, mode, values, namespace)}


def _rows() -> Iterator[dict[str, str]]:
    section = PAGE.partition("## The rights of the server")[2]
    lines = re.findall(r"^\|(.*)\|$", section.partition("\nBeyond")[0], re.MULTILINE)
    heading, _, *rows = ([cell.strip() for cell in line.split("|")] for line in lines)
    for row in rows:
        yield dict(zip(heading, row, strict=True))


def _rights(row: dict[str, str], mode: str, values: Json, namespace: str) -> Iterator[Right]:
    assert row[mode] in ("yes", "no")
    if row[mode] == "no" or not _is_met(row["if"], values):
        return
    resource = row["resources"]
    limited: list[str] = values.get("watchPodsNamespaces", [])
    own = {"secrets": "convertor-webhook-ca"}.get(resource, f"convertor-webhook-{namespace}")
    is_cluster_scoped = resource == "namespaces" or "webhookconfigurations" in resource
    places = {
        "cluster": [("", "")],
        "every namespace": [("" if is_cluster_scoped else EVERYWHERE, "")],
        "its own": [("" if is_cluster_scoped else namespace, own)],
        "those namespaces": [("", name) if is_cluster_scoped else (name, "") for name in limited],
    }
    for verb in row["verbs"].split(", "):
        for where, name in places[row["where"]]:
            yield Right(verb, resource, where, name)


def _is_met(condition: str, values: Json) -> bool:
    roles = values.get("limits", {}).get("roles", [*_DISK_ROLES])
    condition = condition.replace(f"{join_with_or(_DISK_ROLES)} in `limits.roles`", "`disks`")
    condition = condition.replace(
        "`priorityClasses` in `limits`, or a class in `defaults`", "`priorityClasses`"
    )
    facts = {
        "priorityClasses": "priorityClass" in str(values),
        "convertor": bool(values.get("convertor")),
        "checkConvertorProfile": values.get("checkConvertorProfile", True),
        "disks": not {*_DISK_ROLES}.isdisjoint(roles),
        "watchPods": values.get("watchPods", True),
        "watchPodsNamespaces": bool(values.get("watchPodsNamespaces")),
        "webhook.namespaceSelector": bool(values.get("webhook", {}).get("namespaceSelector")),
        "hubKubeconfig": bool(values.get("hubKubeconfig", {}).get("secretName")),
    }
    found = re.findall(r"(no |without )?`([\w.]+)`", condition)
    assert re.sub(r"(no |without |with |and )?`[\w.]+`,?", "", condition).strip() == "", condition
    return all(facts[name] is (not negated) for negated, name in found)
