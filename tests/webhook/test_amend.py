"""What becomes of a Plan's annotations when somebody changes a setting."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.amend import AmendError, amend


def amended(name: str, before: str | None, change: str) -> str | None:
    """Return the annotation after the change; None where there is none."""
    annotations = {} if before is None else {f"p.io/{name}": before}
    change_of = amend({"else.io/x": "y"} | annotations, {name: change}, "p.io")
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
        ("a=1", " , ", None),
        (None, "", None),
        (None, "a-", None),
        ("a=1, b=2", "a=1", "a=1, b=2"),
        ("a=1, b=2", "c-", "a=1, b=2"),
        ("a=1,a=2", "b=3", "a=1,b=3"),
        ("oops,a=1", "a=2", "oops,a=2"),
        (None, "a=-", "a=-"),
        (None, "a=v-", "a=v-"),
        (None, "oops", "oops"),
    ],
)
@pytest.mark.parametrize("name", ["labels", "node-selector"])
def test_entries_replace_those_with_their_key_and_all_others_stay(
    name: str, before: str | None, change: str, after: str | None
) -> None:
    assert amended(name, before, change) == after


@pytest.mark.parametrize(
    ("before", "change", "after"),
    [
        ("gpu=a:NoSchedule", "gpu=b:NoSchedule", "gpu=b:NoSchedule"),
        ("gpu:NoSchedule", "gpu:NoExecute", "gpu:NoSchedule,gpu:NoExecute"),
        ("gpu:NoSchedule,gpu:NoExecute,spot", "gpu-", "spot"),
        ("gpu:NoSchedule,gpu:NoExecute", "gpu:NoExecute-", "gpu:NoSchedule"),
        ("gpu=a:NoSchedule", "gpu=a:NoSchedule-", None),
        ("spot", "spot-", None),
        ("spot", "spot:NoExecute-", "spot"),
    ],
)
def test_tolerations_are_told_apart_as_taints_are(
    before: str, change: str, after: str | None
) -> None:
    assert amended("tolerations", before, change) == after


@pytest.mark.parametrize(
    ("name", "change", "key"),
    [
        ("labels", "a=1,a=2", "a"),
        ("labels", "a=1,b=2,a-", "a"),
        ("node-selector", "a-,a-", "a"),
        ("tolerations", "gpu=a:NoSchedule,gpu=b:NoSchedule", "gpu"),
    ],
)
def test_a_change_that_says_two_things_at_once_is_none(name: str, change: str, key: str) -> None:
    with pytest.raises(AmendError, match=f"^what becomes of '{key}' is said twice$"):
        amended(name, "a=1", change)


@pytest.mark.parametrize("name", ["affinity", "mode", "scope", "affinity-policy"])
def test_what_is_no_list_is_replaced_or_removed_as_a_whole(name: str) -> None:
    assert amended(name, None, " x ") == "x"
    assert amended(name, "x", "y") == "y"
    assert amended(name, "x", "") is None
    assert amended(name, "x", " ") is None
    assert amended(name, None, "") is None
    assert amended(name, "", "") is None


def test_only_what_changes_is_written() -> None:
    annotations = {"p.io/labels": "a=1", "p.io/mode": "audit"}
    changes = {"labels": "a=1", "mode": "off", "affinity": ""}
    assert amend(annotations, changes, "p.io") == {"p.io/mode": "off"}


_KEYS = st.sampled_from("abcd")
_PAIRS = st.dictionaries(_KEYS, st.sampled_from("123"))


@given(before=_PAIRS, sets=_PAIRS, removes=st.sets(_KEYS))
def test_a_list_is_changed_as_a_map_is(
    before: dict[str, str], sets: dict[str, str], removes: set[str]
) -> None:
    removes -= sets.keys()
    change = ",".join([*(f"{k}={v}" for k, v in sets.items()), *(f"{k}-" for k in sorted(removes))])
    text = ",".join(f"{k}={v}" for k, v in before.items())
    after = amended("labels", text or None, change)
    expected = {k: v for k, v in (before | sets).items() if k not in removes} if change else {}
    assert dict(entry.split("=") for entry in (after or "").split(",") if entry) == expected
