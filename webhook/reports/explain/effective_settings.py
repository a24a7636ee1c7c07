"""The settings in force, and where each of them comes from."""

from collections.abc import Callable, Iterator

from webhook import karl
from webhook.admission.patch_summary import toleration as text_of_toleration
from webhook.reports.explain.context import Case
from webhook.reports.explain.model import Setting
from webhook.reports.explain.sources import affinity_places
from webhook.settings.raw import ABSENT
from webhook.settings.source import Source


def settings_in_force(case: Case) -> list[Setting]:
    """Return every setting in force, in the order of the documentation."""
    return [
        *_pairs("labels", case, lambda source: source.labels),
        *_pairs("node-selector", case, lambda source: source.node_selector),
        *_affinities(case),
        *_tolerations(case),
        *_words(case),
    ]


def _pairs(
    name: str, case: Case, pairs_of: Callable[[Source], dict[str, str]]
) -> Iterator[Setting]:
    for key in {key: None for place in case.sources for key in pairs_of(place.source)}:
        *others, winner = [
            (f"{key}={pairs_of(place.source)[key]}", place.where(name, case.plan))
            for place in case.sources
            if key in pairs_of(place.source)
        ]
        instead = [f"{value} ({where})" for value, where in others if value != winner[0]]
        yield Setting(name, *winner, instead_of=instead)


def _affinities(case: Case) -> Iterator[Setting]:
    for place in affinity_places(case.sources):
        written = place.given["affinity"].value
        is_text = isinstance(written, str)
        values = map(karl.to_text, karl.parse(written)) if is_text else ["an affinity object"]
        for value in values:
            yield Setting("affinity", value, place.where("affinity", case.plan))


def _tolerations(case: Case) -> Iterator[Setting]:
    for toleration in case.plan.settings.tolerations:
        having = [place for place in case.sources if toleration in place.source.tolerations]
        where = having[-1].where("tolerations", case.plan)
        yield Setting("tolerations", text_of_toleration(toleration), where)


def _words(case: Case) -> Iterator[Setting]:
    policy, annotated = case.plan.settings.affinity_policy, case.sources[-1]
    for place in [place for place in case.sources if place.source.affinity_policy][-1:]:
        yield Setting("affinity-policy", policy, place.where("affinity-policy", case.plan))
    for name, value in (("scope", case.scope), ("mode", case.mode)):
        own = (annotated.given.get(name, ABSENT).value or "").strip() == value
        yield Setting(name, value, annotated.where(name, case.plan) if own else "installation")
