"""The text output of an explanation: sections of lines, each with a style for terminals."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import msgspec

from webhook.cli.output import as_yaml, console, structured, table, write
from webhook.cli.release.find import Release, encode_releases
from webhook.kube.messages import escape, format_count
from webhook.reports.exclusions import describe_exclusion
from webhook.reports.explain.model import (
    Advice,
    DiskRow,
    Explanation,
    Matches,
    NodeRow,
    PodRow,
    Rule,
)

MAX_ROWS = 40
"""Rows of a table; `-o json` has all."""
_MAX_NAMES = 5

HEADING, GOOD, BAD, WARNING, FAINT, COMMAND = "bold", "green", "red", "yellow", "dim", "cyan"


class Line(NamedTuple):
    text: str
    style: str = ""


def print_lines(lines: Iterable[Line]) -> None:
    """Print lines, with their styles on a terminal."""
    printer = console()
    for line in lines:
        printer.print(escape(line.text), style=line.style or None)


def write_explanation(
    explanation: Explanation, installed: list[Release] | None, output: str
) -> None:
    """Print an explanation in one of the formats of `-o`."""
    if output == "text":
        print_lines(format_lines(explanation, is_installed=installed != []))
        return
    fields = msgspec.to_builtins(explanation)
    write(structured(fields | {"installed": encode_releases(installed)}, output))


def format_lines(explanation: Explanation, *, is_installed: bool) -> Iterator[Line]:
    """Yield the lines of an explanation; empty sections are left out."""
    yield Line(f"Plan {explanation.plan}", HEADING)
    target = explanation.target_namespace or "<none>"
    yield Line(f"Target namespace {target}, mode {explanation.mode}.")
    if not is_installed:
        yield Line("No webhook is installed: Forklift's pods are not placed.", WARNING)
    if explanation.excluded:
        excluded = describe_exclusion(explanation.target_namespace)
        yield Line(f"{excluded[0].upper()}{excluded[1:]}.", WARNING)
    for heading, section in (
        ("Effective settings", _settings(explanation)),
        ("Problems", _problems(explanation)),
        ("Warnings", (Line(f"- {text}", WARNING) for text in explanation.warnings)),
        ("Limits of the plan", _limits(explanation)),
        ("Effective rules", _rules(explanation)),
        ("Besides their place", (Line(f"- {text}") for text in explanation.effects)),
        ("Nodes", _nodes(explanation)),
        ("Pods of each role, and VMs", _roles(explanation)),
        ("Selected by", _selected(explanation)),
        ("Disks", _disks(explanation)),
        ("Conflicts", _conflicts(explanation)),
        ("Convertor pods", _pods(explanation.pods)),
        ("What to change", _advice(explanation.advice)),
        ("Not evaluated", (Line(f"- {text}") for text in explanation.limitations)),
        ("Not read", (Line(f"- {text}", WARNING) for text in explanation.unread)),
    ):
        lines = list(section)
        if lines:
            yield Line("")
            yield Line(heading, HEADING)
            yield from lines


def _settings(explanation: Explanation) -> Iterator[Line]:
    rows = [
        [setting.name, setting.value, setting.source, ", ".join(setting.overridden) or "-"]
        for setting in explanation.settings
    ]
    if all(row[-1] == "-" for row in rows):
        yield from _table(["SETTING", "VALUE", "SOURCE"], [row[:-1] for row in rows])
    else:
        yield from _table(["SETTING", "VALUE", "SOURCE", "OVERRIDES"], rows)


def _limits(explanation: Explanation) -> Iterator[Line]:
    rows = [[limit.name, limit.value, limit.source] for limit in explanation.limits]
    if rows:
        yield from _table(["LIMIT", "ALLOWED", "SOURCE"], rows)


def _problems(explanation: Explanation) -> Iterator[Line]:
    for problem in explanation.problems:
        yield Line(str(problem), BAD)
        yield from (Line(f"  {line}") for line in problem.detail.splitlines())


def _rules(explanation: Explanation) -> Iterator[Line]:
    nodes = len(explanation.nodes)
    for number, rule in enumerate(explanation.rules, 1):
        yield Line(f"{number}. {rule.text or 'an affinity term that KARL cannot express'}", COMMAND)
        if rule.sentence:
            yield Line(f"   {rule.sentence}")
        if nodes:
            yield Line(f"   Now: {_matched(rule, nodes)}.")
        yield Line(f"   Source: {rule.source}.")
        if rule.note:
            yield Line(f"   {rule.note}", WARNING)
        compiled = rule.spread or rule.affinity
        yield from (Line(f"     {line}", FAINT) for line in as_yaml(compiled).splitlines())


def _matched(rule: Rule, nodes: int) -> str:
    if rule.spread:
        return _format_domains(rule.domains)
    matching = _counted(rule.nodes, f"of {nodes} nodes")
    if rule.pods is None:
        return f"matches {matching}"
    pods = "pod" if rule.pods.count == 1 else "pods"
    return f"matches {_counted(rule.pods, pods)}, near {matching}"


def _format_domains(domains: dict[str, int]) -> str:
    """Return the number of pods that a SPREAD counts in each domain, those with most first."""
    if not domains:
        return "counts no node"
    pods = format_count(sum(domains.values()), "pod")
    by_count = sorted(domains.items(), key=lambda each: -each[1])
    listed = ", ".join(f"{count} in {name}" for name, count in by_count[:_MAX_NAMES])
    more = ", …" if len(by_count) > _MAX_NAMES else ""
    return f"counts {pods} ({listed}{more})"


def _counted(found: Matches | None, noun: str) -> str:
    if found is None or not found.count:
        return f"no {noun}" if noun == "pods" else f"none {noun}"
    more = ", …" if found.count > len(found.names) else ""
    return f"{found.count} {noun} ({', '.join(found.names)}{more})"


def _nodes(explanation: Explanation) -> Iterator[Line]:
    if not explanation.nodes:
        return
    requests = ", ".join(f"{amount} {name}" for name, amount in explanation.requests.items())
    yield Line(
        f"For {explanation.evaluated_pod}{f', which requests {requests}' if requests else ''}:"
    )
    fitting = [node for node in explanation.nodes if node.fits]
    header, *rows = _table(
        ["NODE", "FITS", "SCORE", "REASON"], [_row(node) for node in explanation.nodes]
    )
    yield header
    for node, row in zip(explanation.nodes[:MAX_ROWS], rows[:MAX_ROWS], strict=True):
        yield Line(row.text, GOOD if node.fits else "")
    yield from _more(len(rows))
    yield Line(_summarize(explanation.nodes), GOOD if fitting else BAD)
    if any(node.score for node in fitting):
        yield Line("The score is that of the pod's own preferences; kube-scheduler normalizes it,")
        yield Line(
            "and also scores free resources, images, spreading and the preferences of others."
        )


def _roles(explanation: Explanation) -> Iterator[Line]:
    """Yield the table of roles, unless the table of nodes says it all."""
    if not explanation.roles:
        return
    count = len(explanation.nodes)
    rows = [
        [row.role, f"{len(row.nodes)} of {count}", ", ".join(row.zones) or "-", row.settings or "-"]
        for row in explanation.roles
    ]
    yield from _table(["ROLE", "FITTING NODES", "ZONES", "SETTINGS"], rows)
    nodes, zones = explanation.common.nodes, explanation.common.zones
    if nodes:
        yield Line(f"All of them fit {_join(nodes)}.", GOOD)
    elif zones:
        yield Line(
            f"No node fits all of them, but zone {_join(zones)} has a node for each: they can use "
            "the volumes of a zone, but not those of a node.",
            WARNING,
        )
    else:
        yield Line("No node or zone fits all of them, but they use the same disks.", BAD)


def _selected(explanation: Explanation) -> Iterator[Line]:
    rows = [
        [f"{row.kind} {row.name}", ", ".join(row.pods), ", ".join(row.labels) or "-", row.effect]
        for row in explanation.selected_by
    ]
    if rows:
        header, *lines = _table(["OBJECT", "PODS", "BY LABELS", "EFFECT"], rows[:MAX_ROWS])
        yield header
        for line, row in zip(lines, explanation.selected_by, strict=False):
            yield Line(line.text, WARNING if row.labels else "")
        yield from _more(len(rows))


def _disks(explanation: Explanation) -> Iterator[Line]:
    rows = [
        [each.vm, each.disk, each.place or "not bound", _reached(each)]
        for each in explanation.disks
    ]
    if rows:
        yield from _table(["VM", "DISK", "PLACE", "NODES"], rows[:MAX_ROWS])
        yield from _more(len(rows))


def _conflicts(explanation: Explanation) -> Iterator[Line]:
    for each in explanation.conflicts[:MAX_ROWS]:
        yield Line(f"- {each.message}", BAD)
    yield from _more(len(explanation.conflicts))


def _reached(disk: DiskRow) -> str:
    return _join(disk.nodes) or "-"


def _row(node: NodeRow) -> list[str]:
    reason = "; ".join(node.reasons)
    if node.details and node.details != node.reasons:
        reason = f"{reason} ({'; '.join(node.details)})"
    return [node.name, *(("yes", str(node.score)) if node.fits else ("no", "-")), reason or "-"]


def _summarize(nodes: list[NodeRow]) -> str:
    """Return the message of kube-scheduler's event for the pod."""
    reasons = Counter(reason for node in nodes for reason in node.reasons)
    counts = ", ".join(sorted(f"{count} {reason}" for reason, count in reasons.items()))
    fitting = sum(node.fits for node in nodes)
    return f"{fitting}/{len(nodes)} nodes are available{f': {counts}' if counts else ''}."


def _pods(pods: list[PodRow]) -> Iterator[Line]:
    if not pods:
        return
    rows = [[pod.name, pod.phase, pod.node, _fitting(pod), pod.placement or "-"] for pod in pods]
    yield from _table(["NAME", "PHASE", "NODE", "FITTING NODES", "PLACEMENT"], rows[:MAX_ROWS])
    yield from _more(len(rows))
    for pod in [pod for pod in pods if pod.message][:MAX_ROWS]:
        yield Line(f"{pod.name}: {pod.message}", WARNING)


def _fitting(pod: PodRow) -> str:
    return "-" if pod.fitting_nodes is None else str(pod.fitting_nodes)


def _advice(advice: list[Advice]) -> Iterator[Line]:
    for each in advice:
        where = f" (on {_join(each.nodes)})" if each.nodes else ""
        yield Line(f"- {each.problem}{where}")
        if each.remedy:
            yield Line(f"  {each.remedy}{':' if each.command else ''}")
        if each.command:
            yield Line(f"    {each.command}", COMMAND)


def _join(names: list[str]) -> str:
    more = f" and {len(names) - _MAX_NAMES} more" if len(names) > _MAX_NAMES else ""
    return ", ".join(names[:_MAX_NAMES]) + more


def _more(row_count: int) -> Iterator[Line]:
    if row_count > MAX_ROWS:
        yield Line(f"… and {row_count - MAX_ROWS} more; -o json has all")


def _table(header: list[str], rows: list[list[str]]) -> list[Line]:
    first, *others = table(header, rows).splitlines()
    return [Line(first, FAINT), *map(Line, others)]
