"""The report for people: sections of lines, each with a style for terminals."""

from collections.abc import Iterable, Iterator, Sequence

from webhook.cli.explain.text import BAD, FAINT, HEADING, WARNING, Line
from webhook.cli.output import table
from webhook.cli.release.find import Installed
from webhook.model import Outcome, Problem
from webhook.reports.audit import Findings, Pod, Report

_LONGEST = 80
"""Characters of a cell; `-o wide` has all."""
NEW = "<next pod>"


def lines(
    report: Report, installed: list[Installed] | None, unread: Iterable[str], *, wide: bool
) -> Iterator[Line]:
    """Yield the lines of a report; sections that have nothing to say are left out."""
    for heading, section in (
        ("Installed", _installed(installed)),
        ("Plans", _plans(report, wide=wide)),
        ("What enforce would change", _changes(report, wide=wide)),
        ("What was missed", _missed(report)),
        ("Problems", _problems(report)),
        ("Convertor pods without a plan", _strays(report)),
        ("Not read", (Line(f"- {text}", WARNING) for text in unread)),
    ):
        said = list(section)
        if said:
            yield Line(heading, HEADING)
            yield from said
            yield Line("")
    yield Line(_total(report), BAD if any(counts(report.findings)) else HEADING)


def counts(findings: Findings) -> tuple[int, int, int]:
    return findings.problem, findings.change, findings.missed


def _installed(installed: list[Installed] | None) -> Iterator[Line]:
    if installed == []:
        yield Line("no webhook: pods are created as Forklift makes them")
    for each in installed or ():
        mode = f"mode {each.mode} (Deployment {each.deployment})" if each.mode else "mode unknown"
        yield Line(f"{each.configuration}: {mode}, failurePolicy {each.failure_policy}")


def _plans(report: Report, *, wide: bool) -> Iterator[Line]:
    header = ["PLAN", "MODE", "PODS", "CHANGES", "MISSED", "PROBLEMS", "ASKS"]
    rows = [
        [
            plan.plan,
            f"{plan.mode} ({plan.mode_from})",
            str(len(plan.pods) if plan.has_pods else 0),
            str(plan.changes),
            str(plan.missed),
            str(len(plan.problems)),
            _cut(plan.asks or "-", wide=wide),
        ]
        for plan in report.plans
    ]
    if wide:
        header[1:1] = ["TARGET", "GENERATION"]
        for row, plan in zip(rows, report.plans, strict=True):
            row[1:1] = [plan.target_namespace, str(plan.generation)]
    yield from _table(header, rows)


def _changes(report: Report, *, wide: bool) -> Iterator[Line]:
    header = ["PLAN", "POD", "GETS"]
    rows = [
        [plan.plan, pod.name if plan.has_pods else NEW, _cut(_gets(pod), wide=wide), pod.node]
        for plan in report.plans
        if plan.changes
        for pod in plan.pods
        if pod.differs
    ]
    if wide:
        yield from _table([*header, "NODE"], rows)
    else:
        yield from _table(header, [row[:-1] for row in rows])


def _gets(pod: Pod) -> str:
    return "a denial, see its problems" if pod.outcome is Outcome.DENIED else pod.gets


def _missed(report: Report) -> Iterator[Line]:
    for plan in report.plans:
        for pod in plan.pods:
            if pod.missed:
                yield Line(f"{pod.missed}: {pod.missed_message}", BAD)


def _problems(report: Report) -> Iterator[Line]:
    for plan in report.plans:
        for problem in plan.problems:
            yield from _problem(problem)


def _problem(problem: Problem) -> Iterator[Line]:
    yield Line(str(problem), BAD)
    yield from (Line(f"  {line}") for line in problem.detail.splitlines())


def _strays(report: Report) -> Iterator[Line]:
    for pod in report.strays:
        yield Line(f"{pod.name}: {pod.reason}: {pod.message}", FAINT)


def _total(report: Report) -> str:
    pods = sum(len(plan.pods) for plan in report.plans if plan.has_pods) + len(report.strays)
    problems, changes, missed = counts(report.findings)
    return (
        f"{_number(len(report.plans), 'plan')}, {_number(pods, 'pod')}: "
        f"{_number(problems, 'problem')}, {_number(changes, 'change')}, {missed} missed"
    )


def _number(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[Line]:
    if rows:
        yield from map(Line, table(header, rows).splitlines())


def _cut(cell: str, *, wide: bool) -> str:
    return cell if wide or len(cell) <= _LONGEST else f"{cell[: _LONGEST - 1]}…"
