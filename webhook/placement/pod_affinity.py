"""The pod terms of a placed pod's affinity."""

from itertools import product

from webhook.forklift.labels import FORKLIFT_SPREADING_TERM
from webhook.kube.affinity import (
    PREFERRED,
    REQUIRED,
    default_term_to_all_namespaces,
    merge_affinities,
)
from webhook.kube.objects import Json, encode
from webhook.model import AffinityPolicy, Settings


def place_pod_affinity(present: Json, settings: Settings) -> Json:
    """Return the pod's affinity with the pod terms of the plan added, each once."""
    affinity = present
    if settings.copied:
        affinity = _widen_copied_terms(affinity, settings.copied, settings.affinity)
    has_rules = settings.affinity or settings.spread
    if has_rules and settings.affinity_policy is AffinityPolicy.REPLACE:
        affinity = _drop_spreading_term(affinity, settings.affinity)
    wanted = {kind: terms for kind, terms in settings.affinity.items() if kind != "nodeAffinity"}
    return merge_affinities(affinity, wanted)


def _widen_copied_terms(affinity: Json, copied: Json, wanted: Json) -> Json:
    """Widen the terms that Forklift copied from the plan as they are written there.

    Such a term selects pods of the pod's own namespace only, where storage or monitoring pods
    seldom run; the plan's affinity has the same term for all namespaces. It may also have it
    unchanged, from a rule with `in own namespace`. A term whose wide form is beyond the limits of
    the installation is not in the plan's affinity, and stays as it is.
    """
    for kind, field in product(("podAffinity", "podAntiAffinity"), (REQUIRED, PREFERRED)):
        terms, written, applied = (
            (each.get(kind) or {}).get(field) or [] for each in (affinity, copied, wanted)
        )
        forms = {*map(encode, applied)} if terms else set()
        narrow = {
            form
            for term in written
            if (form := encode(term)) not in forms and encode(_widen(term)) in forms
        }
        if narrow:
            affinity = affinity | {kind: affinity[kind] | {field: _widen_all(terms, narrow)}}
    return affinity


def _widen_all(terms: list[Json], narrow: set[bytes]) -> list[Json]:
    """Widen terms in place, except for those that are there in that form too."""
    forms = list(map(encode, terms))
    seen = {*forms}
    widened: list[Json] = []
    for term, form in zip(terms, forms, strict=True):
        if form not in narrow:
            widened.append(term)
        elif (wide := encode(each := _widen(term))) not in seen:
            seen.add(wide)
            widened.append(each)
    return widened


def _widen(term: Json) -> Json:
    if "podAffinityTerm" in term:
        return term | {"podAffinityTerm": default_term_to_all_namespaces(term["podAffinityTerm"])}
    return default_term_to_all_namespaces(term)


def _drop_spreading_term(affinity: Json, wanted: Json) -> Json:
    """Drop Forklift's own term, unless the plan has the same, and fields that are then empty."""
    kind = "podAntiAffinity"
    terms = (affinity.get(kind) or {}).get(PREFERRED) or []
    kept = (wanted.get(kind) or {}).get(PREFERRED) or []
    if FORKLIFT_SPREADING_TERM not in terms or FORKLIFT_SPREADING_TERM in kept:
        return affinity
    rest = [term for term in terms if term != FORKLIFT_SPREADING_TERM]
    return _drop_empty(affinity | {kind: _drop_empty(affinity[kind] | {PREFERRED: rest})})


def _drop_empty(parent: Json) -> Json:
    return {field: value for field, value in parent.items() if value}
