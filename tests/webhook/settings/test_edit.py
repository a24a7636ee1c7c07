"""Edits of the settings in a Plan's annotations."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.settings.edit import EditError, edit_annotations


def edit(name: str, before: str | None, change: str) -> str | None:
    """Return the annotation after the change; None if it is removed or absent."""
    annotations = {} if before is None else {f"p.io/{name}": before}
    change_of = edit_annotations({"else.io/x": "y"} | annotations, {name: change}, "p.io")
    assert set(change_of) <= {f"p.io/{name}"}
    after: str | None = change_of.get(f"p.io/{name}", before)
    return after


@pytest.mark.parametrize(
    ("before", "change", "after"),
    [
        (None, "a=1", "a=1"),
        (None, " a=1 , b=2 ", "a=1,b=2"),
        ("a=1", "b=2", "a=1,b=2"),
        ("a=1,b=2,c=3", "b=9", "a=1,b=9,c=3"),
        ("a=1,b=2", "a-", "b=2"),
        ("a=1,b=2", "a-,c=3", "b=2,c=3"),
        ("a=1", "a-", None),
        ("a=1", "", None),
        ("a=1", " ", None),
        (None, "", None),
        (None, "a-", None),
        ("a=1, b=2", "a=1", "a=1, b=2"),
        ("a=1, b=2", "c-", "a=1, b=2"),
        ("a=1,a=2", "b=3", "a=1,b=3"),
        ("invalid,a=1", "a=2", "invalid,a=2"),
        (None, "a=-", "a=-"),
        (None, "a=v-", "a=v-"),
        (None, "invalid", "invalid"),
    ],
)
@pytest.mark.parametrize("name", ["labels", "node-selector", "labels.first-consumer"])
def test_an_entry_replaces_the_one_with_its_key_and_all_others_are_kept(
    name: str, before: str | None, change: str, after: str | None
) -> None:
    assert edit(name, before, change) == after


@pytest.mark.parametrize(
    ("before", "change", "after"),
    [
        ("gpu=a:NoSchedule", "gpu=b:NoSchedule", "gpu=a:NoSchedule,gpu=b:NoSchedule"),
        ("gpu=a:NoSchedule,gpu=b:NoSchedule", "spot", "gpu=a:NoSchedule,gpu=b:NoSchedule,spot"),
        ("gpu:NoSchedule", "gpu:NoExecute", "gpu:NoSchedule,gpu:NoExecute"),
        ("gpu:NoSchedule", "gpu=:NoSchedule", "gpu:NoSchedule,gpu=:NoSchedule"),
        ("gpu", "gpu=a:NoSchedule,gpu=b:NoSchedule", "gpu,gpu=a:NoSchedule,gpu=b:NoSchedule"),
        ("gpu=a:NoSchedule", "gpu = a : NoSchedule", "gpu = a : NoSchedule"),
        ("spot,spot", "gpu", "spot,gpu"),
    ],
)
def test_tolerations_with_another_value_or_effect_are_added(
    before: str, change: str, after: str
) -> None:
    assert edit("tolerations", before, change) == after
    assert edit("tolerations.importer", before, change) == after


@pytest.mark.parametrize(
    ("change", "after"),
    [
        ("gpu-", "spot"),
        ("gpu:NoExecute-", "gpu=a:NoSchedule,gpu=b:NoSchedule,spot"),
        ("gpu:NoSchedule-", "gpu=b:NoExecute,spot"),
        ("gpu=b-", "gpu=a:NoSchedule,spot"),
        ("gpu=b:NoSchedule-", "gpu=a:NoSchedule,gpu=b:NoExecute,spot"),
        ("gpu-,spot-", None),
        ("gpu=a-,gpu=c:NoSchedule", "gpu=b:NoSchedule,gpu=b:NoExecute,spot,gpu=c:NoSchedule"),
        ("spot:NoExecute-", "gpu=a:NoSchedule,gpu=b:NoSchedule,gpu=b:NoExecute,spot"),
        ("gp-", "gpu=a:NoSchedule,gpu=b:NoSchedule,gpu=b:NoExecute,spot"),
    ],
)
def test_all_tolerations_that_match_the_removed_one_are_removed(
    change: str, after: str | None
) -> None:
    before = "gpu=a:NoSchedule,gpu=b:NoSchedule,gpu=b:NoExecute,spot"
    assert edit("tolerations", before, change) == after
    assert edit("tolerations.importer", before, change) == after


@pytest.mark.parametrize(
    ("name", "change", "key"),
    [
        ("labels", "a=1,a=2", "a"),
        ("labels", "a=1,b=2,a-", "a"),
        ("node-selector", "a-,a-", "a"),
        ("tolerations", "gpu=a:NoSchedule,gpu=a:NoSchedule", "gpu=a:NoSchedule"),
        ("tolerations", "gpu=a:NoSchedule,gpu-", "gpu=a:NoSchedule"),
        ("tolerations", "gpu:NoExecute-,gpu=a:NoExecute", "gpu=a:NoExecute"),
        ("tolerations", "spot-,gpu,spot", "spot"),
    ],
)
def test_an_entry_that_is_set_or_removed_twice_is_an_error(
    name: str, change: str, key: str
) -> None:
    with pytest.raises(EditError, match=f"^{name}: '{key}' is set or removed twice$"):
        edit(name, "a=1", change)


@pytest.mark.parametrize("name", ["labels", "node-selector", "tolerations"])
@pytest.mark.parametrize(
    ("change", "entry"), [(",", 1), ("a=1,", 2), (",a=1", 1), ("a=1,,b=2", 2), ("a=1, ,", 2)]
)
def test_an_empty_entry_is_an_error(name: str, change: str, entry: int) -> None:
    with pytest.raises(EditError, match=f"^{name} entry {entry}: is empty; only an empty value"):
        edit(name, "a=1,b=2", change)


@pytest.mark.parametrize(
    ("name", "change", "found"),
    [
        ("labels", "-", "-"),
        ("node-selector", "- ", "-"),
        ("tolerations", "-", "-"),
        ("tolerations", ":NoExecute-", ":NoExecute-"),
        ("tolerations", "=a-", "=a-"),
        ("tolerations", "gpu:-", "gpu:-"),
    ],
)
def test_a_removal_without_a_key_is_an_error(name: str, change: str, found: str) -> None:
    message = f"^{name} entry 1: expected a key before '-', found '{found}'$"
    with pytest.raises(EditError, match=message):
        edit(name, "a=1,b=2", change)


@pytest.mark.parametrize("name", ["affinity", "mode", "scope", "affinity-policy"])
def test_a_setting_that_is_not_a_list_is_replaced_or_removed_as_a_whole(name: str) -> None:
    assert edit(name, None, " x ") == "x"
    assert edit(name, "x", "y") == "y"
    assert edit(name, "x", "") is None
    assert edit(name, "x", " ") is None
    assert edit(name, None, "") is None
    assert edit(name, "", "") is None


def test_only_changed_annotations_are_written() -> None:
    annotations = {"p.io/labels": "a=1", "p.io/mode": "audit"}
    changes = {"labels": "a=1", "mode": "off", "affinity": ""}
    assert edit_annotations(annotations, changes, "p.io") == {"p.io/mode": "off"}


_KEYS = st.sampled_from("abcd")
_PAIRS = st.dictionaries(_KEYS, st.sampled_from("123"))


@given(before=_PAIRS, sets=_PAIRS, removes=st.sets(_KEYS))
def test_a_list_is_edited_like_a_map(
    before: dict[str, str], sets: dict[str, str], removes: set[str]
) -> None:
    removes -= sets.keys()
    change = ",".join([*(f"{k}={v}" for k, v in sets.items()), *(f"{k}-" for k in sorted(removes))])
    text = ",".join(f"{k}={v}" for k, v in before.items())
    after = edit("labels", text or None, change)
    expected = {k: v for k, v in (before | sets).items() if k not in removes} if change else {}
    assert dict(entry.split("=") for entry in (after or "").split(",") if entry) == expected


_TOLERATIONS = st.lists(
    st.builds(
        "{}{}{}".format,
        st.sampled_from(["a", "b"]),
        st.sampled_from(["", "=", "=x", "=y"]),
        st.sampled_from(["", ":NoSchedule", ":NoExecute"]),
    ),
    unique=True,
)


@given(before=_TOLERATIONS, sets=_TOLERATIONS)
def test_setting_tolerations_removes_none(before: list[str], sets: list[str]) -> None:
    after = edit("tolerations", ",".join(before) or None, ",".join(sets)) if sets else None
    if sets:
        assert (after or "").split(",") == [*before, *(each for each in sets if each not in before)]
