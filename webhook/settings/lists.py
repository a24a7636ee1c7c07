"""Labels, node selectors and tolerations: lists whose valid entries are applied."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import msgspec

from webhook.forklift.labels import describe_reserved_label
from webhook.forklift.plan import GROUP
from webhook.karl import minimums
from webhook.kube import labels
from webhook.kube.affinity_fields import describe_unknown_field
from webhook.kube.commands import join_words
from webhook.kube.lookalikes import to_plain_entry
from webhook.kube.messages import describe_value, quote, suggest
from webhook.kube.objects import Json, unite
from webhook.kube.sizes import MAX_ENTRY_CHARACTERS
from webhook.kube.tolerations import (
    TOLERATION_FIELDS,
    covers_no_execute,
    format_toleration,
    parse_tolerations,
    suggest_toleration,
    validate_toleration,
    without_no_execute,
)
from webhook.model import Problem, Role
from webhook.settings.limits import PlanLimits
from webhook.settings.raw import Invalid, PlanName, RawSetting, digest, expected_text, report
from webhook.settings.structured import (
    describe_pairs,
    describe_tolerations,
    suggest_pair,
    suggest_pairs,
)


class EntryError(NamedTuple):
    """The error of an entry; see the fields of `Problem`."""

    message: str
    command: str = ""
    beyond_limits: bool = False
    digest: str = ""


def join_errors(
    error: EntryError | None, beyond: str | None, entry: tuple[str, str]
) -> EntryError | None:
    """Return the error of an entry that is invalid, beyond the limits, or both.

    An invalid entry is not applied here, but Forklift may apply the field that it is in.
    """
    if beyond is None:
        return error
    return (error or EntryError(beyond, beyond_limits=True))._replace(digest=digest(entry))


EntryCheck = Callable[[str, str], EntryError | None]
"""Takes key and value of an entry."""


class FieldLabels(NamedTuple):
    """Labels of `spec.convertorLabels`, which Forklift 2.10+ adds to the pods of a plan itself."""

    plan: PlanName
    labels: Mapping[str, str]
    """Invalid ones included: no other source may change their value either."""


def read_labels(
    setting: RawSetting,
    prefix: str,
    problems: list[Problem],
    limits: PlanLimits | None,
    field: FieldLabels | None = None,
) -> dict[str, str]:
    """Read labels for pods, a map or `k=v,k2=v2`; none may contradict those of the field.

    `prefix` is that of the annotations.
    """

    def check(key: str, value: str) -> EntryError | None:
        error = _check_label(key, value, prefix)
        error = error or (_contradiction(field, key, value) if field else None)
        return join_errors(error, limits.check_label(key) if limits else None, (key, value))

    return read_pairs(setting, check, problems)


def read_node_selector(
    setting: RawSetting, problems: list[Problem], limits: PlanLimits | None
) -> dict[str, str]:
    """Read a node selector, a map or `k=v,k2=16+`; minimums are checked and stay text."""

    def check(key: str, value: str) -> EntryError | None:
        error = _check_selector(key, value)
        return join_errors(error, limits.check_node_label(key) if limits else None, (key, value))

    return read_pairs(setting, check, problems)


def read_tolerations(
    setting: RawSetting,
    problems: list[Problem],
    limits: PlanLimits | None,
    no_entry: Sequence[Role] = (),
) -> list[Json]:
    """Read taints as `kubectl taint` has them, or a list of those and of core/v1 Tolerations.

    `no_entry` has the roles whose pods may have a node already, but are not sent to the webhook.
    If there are any, no toleration covers NoExecute: the node would evict these pods, and they
    would be created again without end.
    """
    if setting.value is None:
        return []
    parts = [setting]
    if isinstance(setting.value, list):
        parts = [
            setting._replace(where=f"{setting.where}[{i}]", value=part)
            for i, part in enumerate(setting.value)
        ]
    invalid: list[Invalid] = []
    tolerations: list[Json] = []
    for part in parts:
        found = _read_toleration(part, invalid)
        if limits and any(map(limits.check_toleration, found)):
            invalid.extend(_find_beyond(part, limits))
            found = [each for each in found if not limits.check_toleration(each)]
        if found and no_entry:
            invalid.extend(_find_no_execute(part, no_entry))
            found = without_no_execute(found)
        tolerations += found
    problems.extend(report(setting.where, invalid))
    return unite([], tolerations)


def _list_tolerations(setting: RawSetting) -> Iterator[tuple[str, Json]]:
    """Yield the location of each valid entry, and its toleration."""
    if isinstance(text := setting.value, str):
        for number, entry in enumerate(text.split(","), 1):
            for toleration in parse_tolerations(entry)[0]:
                yield f"{setting.where} entry {number}", toleration
    else:
        for toleration in _read_toleration(setting, []):
            yield setting.where, toleration


def _find_beyond(setting: RawSetting, limits: PlanLimits) -> Iterator[Invalid]:
    """Yield the valid entries beyond the limits."""
    for where, each in _list_tolerations(setting):
        if message := limits.check_toleration(each):
            yield Invalid(where, message, beyond_limits=True, digest=digest(each))


def _find_no_execute(setting: RawSetting, no_entry: Sequence[Role]) -> Iterator[Invalid]:
    """Yield the valid entries that cover NoExecute."""
    for where, each in _list_tolerations(setting):
        if covers_no_execute(each):
            yield Invalid(
                where,
                f"{quote(format_toleration(each))} tolerates NoExecute, which is not applied: "
                f"limits.roles of the installation lacks {' and '.join(no_entry)}, whose pods "
                "would be evicted and created again without end; add them there, or write "
                "another effect",
            )


def _read_toleration(setting: RawSetting, invalid: list[Invalid]) -> list[Json]:
    wrong: str | None
    match setting.value:
        case None:
            return []
        case str() as text:
            tolerations, errors = parse_tolerations(text)
            if errors and (wrong := describe_tolerations(text)):
                invalid.append(Invalid(setting.where, wrong))
                return []
            invalid.extend(
                Invalid(
                    f"{setting.where} entry {each.entry}",
                    each.message,
                    partial(suggest_toleration, each.text),
                )
                for each in errors
            )
            return tolerations
        case dict() as toleration:
            unknown = [field for field in toleration if field not in TOLERATION_FIELDS]
            if setting.reject_unknown_fields and unknown:
                wrong = describe_unknown_field(str(unknown[0]), dict.fromkeys(TOLERATION_FIELDS))
            elif not (wrong := validate_toleration(toleration)):
                return [{name: value for name, value in toleration.items() if value is not None}]
        case other:
            wrong = f"expected key=value:effect or a toleration, found {describe_value(other)}"
    invalid.append(Invalid(setting.where, wrong))
    return []


def read_pairs(setting: RawSetting, check: EntryCheck, problems: list[Problem]) -> dict[str, str]:
    """Read a map or `k=v,k2=v2`; entries that `check` has an error for are left out."""
    if setting.value is None:
        return {}
    pairs: dict[str, str] = {}
    invalid: list[Invalid] = []
    for where, key, value in _read_entries(setting, check, invalid):
        if error := check(key, value):
            suggest_valid = partial(_suggest_entry, f"{key}={value}", check)
            hint = str if error.beyond_limits else suggest_valid
            message, command, beyond_limits, identity = error
            invalid.append(Invalid(where, message, hint, command, beyond_limits, identity))
        elif (first := pairs.setdefault(key, value)) != value:
            wrong = (
                f"{quote(key)} is specified twice: {quote(first)} is applied, {quote(value)} is not"
            )
            invalid.append(Invalid(where, wrong))
    problems.extend(report(setting.where, invalid))
    return pairs


def _read_entries(
    setting: RawSetting, check: EntryCheck, invalid: list[Invalid]
) -> Iterator[tuple[str, str, str]]:
    """Yield location, key and value of each well-formed entry."""
    match setting.value:
        case str() as text if message := describe_pairs(text):
            invalid.append(Invalid(setting.where, message))
        case str() as text:
            entries = text.split(",") if text.strip() else []
            for number, entry in enumerate(entries, 1):
                where = f"{setting.where} entry {number}"
                key, equals, value = (part.strip() for part in entry.partition("="))
                if equals:
                    yield where, key, value
                else:
                    message = f"expected key=value, found {quote(key)}"
                    invalid.append(Invalid(where, message, partial(_suggest_pair, key, check)))
        case dict() as pairs:
            for key, value in pairs.items():
                where = f"{setting.where}[{describe_value(key)}]"
                if isinstance(key, str) and isinstance(value, str):
                    yield where, key, value
                else:
                    wrong = value if isinstance(key, str) else key
                    invalid.append(Invalid(where, expected_text(wrong)))
        case other:
            hint = suggest_pairs(other) if isinstance(other, list) else ""
            message = f"expected key=value,key=value or a map, found {describe_value(other)}{hint}"
            invalid.append(Invalid(setting.where, message))


def _suggest_pair(entry: str, check: EntryCheck) -> str:
    """Return a suggestion for an entry without `=`."""
    return _suggest_entry(entry, check) or suggest_pair(entry)


def _suggest_entry(entry: str, check: EntryCheck) -> str:
    """Return a suggestion if an invalid entry is valid in ASCII, without quotes, as a minimum."""
    if len(entry) > MAX_ENTRY_CHARACTERS:
        return ""
    plain = to_plain_entry(entry)
    key, _, minimum = (part.strip() for part in plain.partition(">="))
    for meant in (plain, f"{key}={minimum}+"):
        pairs = [part.strip().partition("=") for part in meant.split(",")]
        if meant != entry and all(equals and not check(k, value) for k, equals, value in pairs):
            return suggest(meant)
    return ""


def _check_label(key: str, value: str, prefix: str) -> EntryError | None:
    if wrong := labels.check_key(key):
        return EntryError(f"key {quote(key)} {wrong}")
    if purpose := describe_reserved_label(key, prefix):
        return EntryError(f"{quote(key)} is {purpose}: give the label another name")
    if wrong := labels.check_value(value):
        return EntryError(f"value {quote(value)} {wrong}")
    return None


def _contradiction(field: FieldLabels, key: str, value: str) -> EntryError | None:
    """Return the problem of a label that has another value in `spec.convertorLabels`, or None.

    Forklift 2.12 looks for its pod by all of these labels. If one has another value, it finds no
    pod and creates another one every 3 seconds, on the same disks.
    """
    in_field = field.labels.get(key, value)
    if in_field == value:
        return None
    return EntryError(
        f"expected {quote(f'{key}={in_field}')} as in spec.convertorLabels, by which Forklift "
        f"finds its pods, found {quote(f'{key}={value}')}; remove the entry, or change the field",
        _patch_command(field.plan, key, value),
    )


def _patch_command(plan: PlanName, key: str, value: str) -> str:
    """Return the command that gives a label of `spec.convertorLabels` another value."""
    patch = msgspec.json.encode({"spec": {"convertorLabels": {key: value}}}).decode()
    options = ["-n", plan.namespace, "--type", "merge", "-p", patch]
    return join_words("kubectl", ["patch", f"plans.{GROUP}", plan.name, *options])


def _check_selector(key: str, value: str) -> EntryError | None:
    if wrong := labels.check_key(key):
        return EntryError(f"key {quote(key)} {wrong}")
    if value.endswith("+"):
        try:
            minimums.to_expression(key, value[:-1])
        except ValueError as error:
            return EntryError(f"minimum {quote(value[:-1])} {error}")
    elif wrong := labels.check_value(value):
        return EntryError(f"value {quote(value)} {wrong}")
    return None
