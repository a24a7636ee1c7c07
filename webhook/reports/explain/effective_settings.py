"""The effective settings, and the source of each."""

from collections.abc import Callable, Iterator

from webhook import karl
from webhook.kube.tolerations import format_toleration
from webhook.reports.explain.context import ExplainContext
from webhook.reports.explain.model import Setting
from webhook.settings.raw import UNSET
from webhook.settings.source import Source


def list_effective_settings(context: ExplainContext) -> list[Setting]:
    """Return every effective setting, in the order of the documentation."""
    return [
        *_pairs("labels", context, lambda source: source.labels),
        *_pairs("node-selector", context, lambda source: source.node_selector),
        *_affinities(context),
        *_tolerations(context),
        *_policies(context),
    ]


def _pairs(
    name: str, context: ExplainContext, pairs_of: Callable[[Source], dict[str, str]]
) -> Iterator[Setting]:
    sources = context.reading.sources
    for key in {key: None for source in sources for key in pairs_of(source)}:
        *others, effective = [
            (f"{key}={pairs_of(source)[key]}", source.location(name, context.plan_name))
            for source in sources
            if key in pairs_of(source)
        ]
        overridden = [f"{value} ({where})" for value, where in others if value != effective[0]]
        yield Setting(name, *effective, overridden=overridden)


def _affinities(context: ExplainContext) -> Iterator[Setting]:
    for source in context.reading.affinity_sources:
        written = source.raw["affinity"].value
        is_text = isinstance(written, str)
        values = map(karl.to_text, karl.parse(written)) if is_text else ["an affinity object"]
        for value in values:
            yield Setting("affinity", value, source.location("affinity", context.plan_name))


def _tolerations(context: ExplainContext) -> Iterator[Setting]:
    for toleration in context.plan.settings.tolerations:
        *_, source = [each for each in context.reading.sources if toleration in each.tolerations]
        where = source.location("tolerations", context.plan_name)
        yield Setting("tolerations", format_toleration(toleration), where)


def _policies(context: ExplainContext) -> Iterator[Setting]:
    policy, annotations = context.plan.settings.affinity_policy, context.reading.sources.annotations
    for source in [each for each in context.reading.sources if each.affinity_policy][-1:]:
        yield Setting(
            "affinity-policy", policy, source.location("affinity-policy", context.plan_name)
        )
    for name, value in (("scope", context.reading.scope), ("mode", context.mode)):
        own = (annotations.raw.get(name, UNSET).value or "").strip() == value
        where = annotations.location(name, context.plan_name) if own else "installation"
        yield Setting(name, value, where)
