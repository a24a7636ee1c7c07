"""Lists of roles: those that settings apply to, and those that the installation allows."""

from collections.abc import Iterator, Sequence
from functools import partial

from webhook.kube.messages import describe_value, did_you_mean, join_with_or, quote
from webhook.model import Installation, Problem, Role
from webhook.settings.raw import Invalid, RawSetting, expected_text, report

ALL = "all"
WORDS = (ALL, *Role)
_EXPECTED = f"expected {join_with_or(WORDS)}"
_NODE_PRESET_ROLES = (Role.IMPORTER, Role.POPULATOR)
"""The roles of pods that may have a node before they are created."""


def read_roles(
    setting: RawSetting, problems: list[Problem], allowed: Sequence[Role] = tuple(Role)
) -> tuple[Role, ...] | None:
    """Read `convertor,importer`, `all`, or a list of roles, in the order of `Role`.

    Roles that are not allowed are left out. None if the setting is absent, or no role is valid.
    """
    if setting.value is None:
        return None
    invalid: list[Invalid] = []
    found: set[Role] = set()
    for where, word in _read_words(setting, invalid):
        if word == ALL:
            found.update(allowed)
        elif word not in WORDS:
            hint = partial(did_you_mean, word, WORDS)
            invalid.append(Invalid(where, f"{_EXPECTED}, found {quote(word)}", hint))
        else:
            found.add(Role(word))
            if word not in allowed:
                invalid.append(Invalid(where, _describe_limit(word, allowed)))
    problems.extend(report(setting.where, invalid))
    return tuple(role for role in Role if role in found and role in allowed) if found else None


def find_missing_roles(installation: Installation) -> list[Role]:
    """Return the roles of pods that may have a node already, but no webhook entry."""
    return [role for role in _NODE_PRESET_ROLES if role not in installation.roles]


def _read_words(setting: RawSetting, invalid: list[Invalid]) -> Iterator[tuple[str, str]]:
    """Yield location and text of each entry."""
    match setting.value:
        case str() as text if not text.strip():
            invalid.append(Invalid(setting.where, f"{_EXPECTED}, found an empty text"))
        case str() as text:
            for number, entry in enumerate(text.split(","), 1):
                yield f"{setting.where} entry {number}", entry.strip()
        case []:
            invalid.append(Invalid(setting.where, f"{_EXPECTED}, found an empty list"))
        case list() as entries:
            for number, entry in enumerate(entries):
                where = f"{setting.where}[{number}]"
                if isinstance(entry, str):
                    yield where, entry
                else:
                    invalid.append(Invalid(where, expected_text(entry)))
        case other:
            invalid.append(Invalid(setting.where, f"{_EXPECTED}, found {describe_value(other)}"))


def _describe_limit(word: str, allowed: Sequence[Role]) -> str:
    return (
        f"{word} is left out, because limits.roles of the installation has only "
        f"{' and '.join(allowed)}: remove it, or add it there"
    )
