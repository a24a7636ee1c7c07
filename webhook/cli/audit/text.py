"""The text output of the audit: sections of lines, each with a style for terminals."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from webhook.cli.explain.text import BAD, FAINT, HEADING, WARNING, Line, print_lines
from webhook.cli.output import structured, table, write
from webhook.cli.release.find import Release, encode_releases
from webhook.kube.messages import format_count, truncate
from webhook.model import Outcome
from webhook.reports.audit import AuditedPod, AuditReport
from webhook.reports.duplicates import REMEDY

_MAX_CELL_LENGTH = 80
"""Characters; `-o wide` has all."""
NEXT_POD = "<next pod>"


def write_report(
    report: AuditReport, installed: list[Release] | None, unread: list[str], output: str
) -> None:
    """Print a report in one of the formats of `-o`."""
    if output in ("table", "wide"):
        print_lines(format_lines(report, installed, unread, wide=output == "wide"))
        return
    fields = msgspec.to_builtins(report)
    fields["installed"] = encode_releases(installed)
    fields["unread"] = unread
    fields["findings"] = msgspec.to_builtins(report.findings)
    write(structured(fields, output))


def format_lines(
    report: AuditReport, installed: list[Release] | None, unread: Iterable[str], *, wide: bool
) -> Iterator[Line]:
    """Yield the lines of a report; empty sections are left out."""
    for heading, section in (
        ("Installed", _installed(installed)),
        ("Given by the installation", _given(report)),
        ("Plans", _plans(report, wide=wide)),
        ("Changes in mode enforce", _changes(report, wide=wide)),
        ("Missed pods", _missed(report)),
        ("VMs with several convertor pods", _duplicates(report)),
        ("Placement conflicts", _conflicts(report)),
        ("Excluded from the webhook", _excluded(report, wide=wide)),
        ("Beyond the limits", _beyond_limits(report)),
        ("Problems", _problems(report)),
        ("Migration pods without a plan", _pods_without_plan(report)),
        ("Not read", (Line(f"- {text}", WARNING) for text in unread)),
    ):
        lines = list(section)
        if lines:
            yield Line(heading, HEADING)
            yield from lines
            yield Line("")
    has_findings = any(msgspec.structs.astuple(report.findings))
    yield Line(_total(report), BAD if has_findings else HEADING)


def _installed(installed: list[Release] | None) -> Iterator[Line]:
    if installed == []:
        yield Line("no webhook: Forklift's pods are not placed")
    for each in installed or ():
        mode = f"mode {each.mode} (ConfigMap {each.config_map})" if each.mode else "mode unknown"
        yield Line(f"{each.configuration}: {mode}, failurePolicy {each.failure_policy}")


def _given(report: AuditReport) -> Iterator[Line]:
    rows = [[row.name, row.value, row.source.removeprefix("installation ")] for row in report.given]
    yield from _table(["SETTING", "VALUE", "SOURCE"], rows)


def _plans(report: AuditReport, *, wide: bool) -> Iterator[Line]:
    header = ["PLAN", "MODE", "PODS", "CHANGES", "MISSED", "PROBLEMS", "SETTINGS"]
    rows = [
        [
            plan.plan,
            f"{plan.mode} ({plan.mode_origin})",
            str(len(plan.pods) if plan.has_pods else 0),
            str(plan.change_count),
            str(plan.missed_count),
            str(len(plan.problems)),
            _truncate(plan.settings or "-", wide=wide),
        ]
        for plan in report.plans
    ]
    if wide:
        header[1:1] = ["TARGET", "GENERATION"]
        for row, plan in zip(rows, report.plans, strict=True):
            row[1:1] = [plan.target_namespace, str(plan.generation)]
    yield from _table(header, rows)


def _changes(report: AuditReport, *, wide: bool) -> Iterator[Line]:
    header = ["PLAN", "POD", "ROLE", "CHANGE"]
    rows = [
        [
            plan.plan,
            pod.name if plan.has_pods else NEXT_POD,
            pod.role or "",
            _truncate(_describe_change(pod), wide=wide),
            pod.node,
        ]
        for plan in report.plans
        if plan.change_count
        for pod in plan.pods
        if pod.differs
    ]
    if wide:
        yield from _table([*header, "NODE"], rows)
    else:
        yield from _table(header, [row[:-1] for row in rows])


def _describe_change(pod: AuditedPod) -> str:
    return "denied, see Problems" if pod.outcome is Outcome.DENIED else pod.changes


def _missed(report: AuditReport) -> Iterator[Line]:
    for plan in report.plans:
        for pod in plan.pods:
            if pod.missed:
                yield Line(f"{pod.missed}: {pod.missed_message}", BAD)


def _duplicates(report: AuditReport) -> Iterator[Line]:
    for plan in report.plans:
        for each in plan.duplicates:
            yield Line(f"{plan.plan}: {each}", BAD)
    if report.findings.duplicate:
        yield Line(f"For each of them: {REMEDY}")


def _conflicts(report: AuditReport) -> Iterator[Line]:
    for plan in report.plans:
        for each in plan.conflicts:
            yield Line(f"{plan.plan}: {each.message}", BAD)


def _excluded(report: AuditReport, *, wide: bool) -> Iterator[Line]:
    plans_by_text: dict[str, list[str]] = defaultdict(list)
    for plan in report.plans:
        if plan.excluded:
            note = "" if plan.settings else " (no settings)"
            plans_by_text[plan.excluded].append(f"{plan.plan}{note}")
    for text, plans in plans_by_text.items():
        yield Line(text, BAD)
        yield Line(_truncate(f"  {', '.join(plans)}", wide=wide))


def _beyond_limits(report: AuditReport) -> Iterator[Line]:
    yield from _list_problems(report, beyond_limits=True)
    if report.findings.limit and report.has_built_in_limits:
        yield Line(
            "These limits are built in. A release that has none still applies such settings."
        )
        yield Line("Before its upgrade change the plans, or allow the settings in its limits.")


def _problems(report: AuditReport) -> Iterator[Line]:
    yield from _list_problems(report, beyond_limits=False)


def _list_problems(report: AuditReport, *, beyond_limits: bool) -> Iterator[Line]:
    for plan in report.plans:
        for problem in plan.problems:
            if problem.beyond_limits is beyond_limits:
                yield Line(str(problem), BAD)
                yield from (Line(f"  {line}") for line in problem.detail.splitlines())


def _pods_without_plan(report: AuditReport) -> Iterator[Line]:
    for pod in report.pods_without_plan:
        yield Line(f"{pod.name}: {pod.reason}: {pod.message}", FAINT)


def _total(report: AuditReport) -> str:
    pods = sum(len(plan.pods) for plan in report.plans if plan.has_pods)
    findings = report.findings
    return (
        f"{format_count(len(report.plans), 'plan')}, "
        f"{format_count(pods + len(report.pods_without_plan), 'pod')}: "
        f"{format_count(findings.problem, 'problem')}, "
        f"{format_count(findings.change, 'change')}, {findings.missed} missed"
        + (f", {findings.limit} beyond the limits" if findings.limit else "")
        + (f", {findings.excluded} excluded" if findings.excluded else "")
        + (f", {format_count(findings.duplicate, 'duplicate')}" if findings.duplicate else "")
        + (f", {format_count(findings.conflict, 'conflict')}" if findings.conflict else "")
    )


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[Line]:
    if rows:
        yield from map(Line, table(header, rows).splitlines())


def _truncate(cell: str, *, wide: bool) -> str:
    return cell if wide else truncate(cell, _MAX_CELL_LENGTH)
