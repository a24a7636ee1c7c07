"""Fields of a Plan in a file that are meant as settings, but are not read.

An API server prunes fields that the CRD does not have, and kubectl reports them; nothing does so
for a file. All other unknown fields may be those of a newer Forklift.
"""

from collections.abc import Iterator
from functools import lru_cache, partial
from itertools import islice

from webhook.kube.messages import correct_spelling, quote, suggest
from webhook.kube.objects import Json
from webhook.kube.sizes import MAX_ENTRIES
from webhook.model import Problem
from webhook.settings.names import SPEC
from webhook.settings.raw import Invalid, PlanName, report
from webhook.settings.vm_rules import VM_RULES

UNKNOWN_FIELDS = "unknownFields"
"""The field of a Plan from a file that has the paths that `find` has found."""

_PARENTS = {
    "metadata": "",
    "spec": "",
    "annotations": "metadata.",
    **dict.fromkeys((*SPEC, "targetNamespace", *VM_RULES), "spec."),
}
"""The fields that are read, and the beginning of their paths."""
_ANNOTATIONS = {
    "convertorTolerations": "tolerations",
    "convertorAffinityPolicy": "affinity-policy",
    "convertorMode": "mode",
    "convertorScope": "scope",
}
"""Names like those of Forklift's fields, and the annotations that have these settings."""
_MAX_PATH_CHARACTERS = 80
"""Longer names are not misspelt ones."""


def find(plan: Json) -> list[str]:
    """Return the paths of such fields, `spec.convertorLabel`; a null field sets nothing."""
    objects = {"": plan, "metadata.": plan.get("metadata"), "spec.": plan.get("spec")}
    return [path for parent, each in objects.items() for path in _find_in(parent, each)]


def describe(plan: Json, name: PlanName, prefix: str) -> list[Problem]:
    """Return the problems of the fields whose paths are in the Plan."""
    paths = plan.get(UNKNOWN_FIELDS)
    invalid = (
        Invalid(f"{name} {path}", "unknown field", partial(_suggest, path, prefix))
        for path in (paths if isinstance(paths, list) else ())
        if isinstance(path, str) and len(path) <= _MAX_PATH_CHARACTERS
    )
    return report(str(name), invalid)


def _suggest(path: str, prefix: str) -> str:
    meant = _correct(path.rpartition(".")[2]) or ""
    if annotation := _ANNOTATIONS.get(meant):
        return f": use the annotation {quote(f'{prefix}/{annotation}')}"
    return suggest(f"{_PARENTS.get(meant, '')}{meant}")


def _find_in(parent: str, fields: object) -> Iterator[str]:
    members = fields.items() if isinstance(fields, dict) else ()
    for field, value in islice(members, MAX_ENTRIES):
        if _PARENTS.get(field) != parent and value is not None and _correct(field):
            yield f"{parent}{field}"


@lru_cache(maxsize=256)
def _correct(field: str) -> str | None:
    """Return the field or setting that is meant, or None for a field of something else.

    All plans have the same few fields, and comparing one takes longer than reading most plans.
    """
    return correct_spelling(field, [*_PARENTS, *_ANNOTATIONS])
