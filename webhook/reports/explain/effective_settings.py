"""The effective settings, and the source of each."""

from collections.abc import Callable, Iterator

from webhook import karl
from webhook.admission.patch_summary import format_toleration
from webhook.reports.explain.context import Case
from webhook.reports.explain.model import Setting
from webhook.settings.raw import UNSET
from webhook.settings.source import Source


def effective_settings(case: Case) -> list[Setting]:
    """Return every effective setting, in the order of the documentation."""
    return [
        *_pairs("labels", case, lambda source: source.labels),
        *_pairs("node-selector", case, lambda source: source.node_selector),
        *_affinities(case),
        *_tolerations(case),
        *_policies(case),
    ]


def _pairs(
    name: str, case: Case, pairs_of: Callable[[Source], dict[str, str]]
) -> Iterator[Setting]:
    sources = case.reading.sources
    for key in {key: None for source in sources for key in pairs_of(source)}:
        *others, effective = [
            (f"{key}={pairs_of(source)[key]}", source.location(name, case.plan_name))
            for source in sources
            if key in pairs_of(source)
        ]
        instead = [f"{value} ({where})" for value, where in others if value != effective[0]]
        yield Setting(name, *effective, instead_of=instead)


def _affinities(case: Case) -> Iterator[Setting]:
    for source in case.reading.affinity_sources:
        written = source.raw["affinity"].value
        is_text = isinstance(written, str)
        values = map(karl.to_text, karl.parse(written)) if is_text else ["an affinity object"]
        for value in values:
            yield Setting("affinity", value, source.location("affinity", case.plan_name))


def _tolerations(case: Case) -> Iterator[Setting]:
    for toleration in case.plan.settings.tolerations:
        *_, source = [each for each in case.reading.sources if toleration in each.tolerations]
        where = source.location("tolerations", case.plan_name)
        yield Setting("tolerations", format_toleration(toleration), where)


def _policies(case: Case) -> Iterator[Setting]:
    policy, annotations = case.plan.settings.affinity_policy, case.reading.sources.annotations
    for source in [each for each in case.reading.sources if each.affinity_policy][-1:]:
        yield Setting("affinity-policy", policy, source.location("affinity-policy", case.plan_name))
    for name, value in (("scope", case.reading.scope), ("mode", case.mode)):
        own = (annotations.raw.get(name, UNSET).value or "").strip() == value
        where = annotations.location(name, case.plan_name) if own else "installation"
        yield Setting(name, value, where)
