"""An explanation for people: sections of lines, each with a style for terminals."""

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from webhook.cli.output import as_yaml, table
from webhook.reports.explain.model import Advice, Explanation, Matches, Node, Pod, Rule

ROWS = 40
"""Of a table; `-o json` has all."""

HEADING, GOOD, BAD, WARNING, FAINT, COMMAND = "bold", "green", "red", "yellow", "dim", "cyan"


class Line(NamedTuple):
    text: str
    style: str = ""


def lines(found: Explanation, *, is_installed: bool) -> Iterator[Line]:
    """Yield the lines of an explanation; sections that have nothing to say are left out."""
    yield Line(f"Plan {found.plan}", HEADING)
    target = f"namespace {found.target_namespace}" if found.target_namespace else "no namespace"
    yield Line(f"Its pods go to {target}. The mode is {found.mode}.")
    if not is_installed:
        yield Line(
            "No webhook is installed: until one is, pods are as Forklift makes them.", WARNING
        )
    for heading, section in (
        ("Settings in force", _settings(found)),
        ("Problems", _problems(found)),
        ("Rules in force", _rules(found)),
        ("Nodes", _nodes(found)),
        ("Convertor pods", _pods(found.pods)),
        ("What to change", _advice(found.advice)),
        ("Not judged", (Line(f"- {text}") for text in found.unjudged)),
        ("Not read", (Line(f"- {text}", WARNING) for text in found.unread)),
    ):
        said = list(section)
        if said:
            yield Line("")
            yield Line(heading, HEADING)
            yield from said


def _settings(found: Explanation) -> Iterator[Line]:
    rows = [
        [setting.name, setting.value, setting.source, ", ".join(setting.instead_of) or "-"]
        for setting in found.settings
    ]
    if all(row[-1] == "-" for row in rows):
        yield from _table(["SETTING", "VALUE", "FROM"], [row[:-1] for row in rows])
    else:
        yield from _table(["SETTING", "VALUE", "FROM", "INSTEAD OF"], rows)


def _problems(found: Explanation) -> Iterator[Line]:
    for problem in found.problems:
        yield Line(str(problem), BAD)
        yield from (Line(f"  {line}") for line in problem.detail.splitlines())


def _rules(found: Explanation) -> Iterator[Line]:
    nodes = len(found.nodes)
    for number, rule in enumerate(found.rules, 1):
        yield Line(f"{number}. {rule.text or 'an affinity that no rule can say'}", COMMAND)
        if rule.sentence:
            yield Line(f"   {rule.sentence}")
        now = f"Now: {_matched(rule, nodes)}. " if nodes else ""
        yield Line(f"   {now}From {rule.source}.")
        if rule.note:
            yield Line(f"   {rule.note}", WARNING)
        yield from (Line(f"     {line}", FAINT) for line in as_yaml(rule.affinity).splitlines())


def _matched(rule: Rule, nodes: int) -> str:
    met = _counted(rule.nodes, f"of {nodes} nodes")
    if rule.pods is None:
        return f"met by {met}"
    return f"matches {_counted(rule.pods, _plural('pod', rule.pods.count))}, near {met}"


def _counted(found: Matches | None, what: str) -> str:
    if found is None or not found.count:
        return f"no {what}" if what == "pods" else f"none {what}"
    more = ", …" if found.count > len(found.names) else ""
    return f"{found.count} {what} ({', '.join(found.names)}{more})"


def _nodes(found: Explanation) -> Iterator[Line]:
    if not found.nodes:
        return
    asks = ", ".join(f"{amount} {name}" for name, amount in found.asks.items())
    yield Line(f"For {found.judged}{f', which asks for {asks}' if asks else ''}:")
    fitting = [node for node in found.nodes if node.fits]
    header, *rows = _table(
        ["NODE", "FITS", "POINTS", "WHY NOT"], [_row(node) for node in found.nodes]
    )
    yield header
    for node, row in zip(found.nodes[:ROWS], rows[:ROWS], strict=True):
        yield Line(row.text, GOOD if node.fits else "")
    if len(rows) > ROWS:
        yield Line(f"… and {len(rows) - ROWS} more; -o json has all")
    yield Line(_verdict(found.nodes), GOOD if fitting else BAD)
    if any(node.points for node in fitting):
        yield Line("Points are the pod's own preferences; the scheduler scales them, and weighs")
        yield Line("free room, images and the wishes of other pods as well.")


def _row(node: Node) -> list[str]:
    why = "; ".join(node.reasons)
    if node.details and node.details != node.reasons:
        why = f"{why} ({'; '.join(node.details)})"
    return [node.name, *(("yes", str(node.points)) if node.fits else ("no", "-")), why or "-"]


def _verdict(nodes: list[Node]) -> str:
    """Return what kube-scheduler would say."""
    reasons = Counter(reason for node in nodes for reason in node.reasons)
    counts = ", ".join(sorted(f"{count} {reason}" for reason, count in reasons.items()))
    fitting = sum(node.fits for node in nodes)
    return f"{fitting}/{len(nodes)} nodes are available{f': {counts}' if counts else ''}."


def _pods(pods: list[Pod]) -> Iterator[Line]:
    if not pods:
        return
    rows = [[pod.name, pod.phase, pod.node, _fitting(pod), pod.placement or "-"] for pod in pods]
    yield from _table(["NAME", "PHASE", "NODE", "NODES THAT FIT", "PLACEMENT"], rows[:ROWS])
    if len(rows) > ROWS:
        yield Line(f"… and {len(rows) - ROWS} more; -o json has all")
    waiting = [pod for pod in pods if pod.message]
    for pod in waiting[:ROWS]:
        yield Line(f"{pod.name}: {pod.message}", WARNING)


def _fitting(pod: Pod) -> str:
    return "-" if pod.nodes is None else str(pod.nodes)


def _advice(advice: list[Advice]) -> Iterator[Line]:
    for each in advice:
        where = f" (on {_some(each.nodes)})" if each.nodes else ""
        yield Line(f"- {each.problem}{where}")
        if each.remedy:
            yield Line(f"  {each.remedy}{':' if each.command else ''}")
        if each.command:
            yield Line(f"    {each.command}", COMMAND)


def _some(names: list[str]) -> str:
    return (
        ", ".join(names) if len(names) <= 5 else f"{', '.join(names[:5])} and {len(names) - 5} more"
    )


def _table(header: list[str], rows: list[list[str]]) -> list[Line]:
    first, *others = table(header, rows).splitlines()
    return [Line(first, FAINT), *map(Line, others)]


def _plural(word: str, count: int) -> str:
    return word if count == 1 else f"{word}s"
