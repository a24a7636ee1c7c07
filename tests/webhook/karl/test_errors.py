"""Faults can be read by people: on any terminal, for any text, however long."""

import pytest

from webhook import karl
from webhook.karl.parse import MAX_LENGTH, MAX_MISTAKES


def refused(text: str) -> karl.KarlError:
    with pytest.raises(karl.KarlError) as raised:
        karl.compile(text)
    return raised.value


def test_a_fault_says_where_what_and_what_to_try() -> None:
    assert str(refused("REQUIRE pods(app=ceph-osd) on nodes")) == (
        "karl: 1:31: unknown topology 'nodes'\n"
        "  REQUIRE pods(app=ceph-osd) on nodes\n"
        "                                ^^^^^\n"
        "  expected node, zone, region, rack or a label key; did you mean 'node'?"
    )


def test_the_parts_of_a_fault_can_be_asked_for() -> None:
    (fault,) = refused("\nAVOID pods(app=web) on zoen").errors
    assert (fault.line, fault.column) == (2, 24)
    assert fault.message == "unknown topology 'zoen'"
    assert fault.hint == "expected node, zone, region, rack or a label key; did you mean 'zone'?"
    assert fault.source == "AVOID pods(app=web) on zoen"
    assert fault.underline == "                       ^^^^"


def test_faults_come_in_the_order_of_the_text() -> None:
    text = "REQUIRE pods(a=b,a=c,a=*) on nodes; x\r\ny\rREQUIRE pods(a=b) on node\nz"
    places = [(fault.line, fault.column) for fault in refused(text).errors]
    assert places == [(1, 18), (1, 24), (1, 30), (1, 37), (2, 1), (4, 1)]


def test_the_caret_is_below_the_place_behind_tabs_and_wide_and_combining_characters() -> None:
    (fault,) = refused("REQUIRE\tpods(a=b) on 宮e\u0301宮 nodes").errors
    assert fault.source == "REQUIRE pods(a=b) on 宮e\u0301宮 nodes"
    assert fault.underline == " " * (21 + 6) + "^^^^^"


def test_characters_that_cannot_be_seen_are_shown() -> None:
    assert str(refused("REQUIRE pods(a=w\u200bb\0) on node")) == (
        "karl: 1:16: label value 'w\\u200bb\\x00' must consist of alphanumeric characters, '-', "
        "'_' or '.', and must start and end with an alphanumeric character\n"
        "  REQUIRE pods(a=w\ufffdb\ufffd) on node\n"
        "                 ^^^^\n"
        "  expected a value such as web"
    )


def test_a_lone_surrogate_does_not_get_into_the_message() -> None:
    assert str(refused("\ud800")).encode()


@pytest.mark.parametrize(("before", "behind"), [(0, 300), (300, 0), (300, 300), (70, 20)])
def test_of_a_long_line_the_part_around_the_fault_is_shown(before: int, behind: int) -> None:
    text = f"REQUIRE pods(a=b{',' * before}) on nodes # {'x' * behind}"
    (fault,) = refused(text).errors
    start = fault.underline.index("^")
    assert fault.source[start : len(fault.underline)] == "nodes"
    assert fault.source.startswith("…") == (before > 50)
    assert fault.source.endswith("…") == (behind > 100)
    assert fault.source.strip("…") in text
    assert len(fault.source.strip("…")) == 100


def test_a_long_word_is_cut_in_the_message_and_in_the_line() -> None:
    (fault,) = refused("x" * 1000).errors
    assert fault.message == f"unknown rule '{'x' * 79}…'"
    assert fault.source == "x" * 100 + "…"
    assert fault.underline == "^" * 100


def test_a_mistake_over_several_lines_is_underlined_to_the_end_of_its_first() -> None:
    (fault,) = refused("REQUIRE nodes(k=a)\nREQUIRE nodes(\n  k=b)").errors
    assert fault.message == "no node meets this rule and the ones before it"
    assert fault.source == "REQUIRE nodes("
    assert fault.underline == "^^^^^^^^^^^^^^"


def test_a_text_may_be_long_but_not_endless() -> None:
    rule = "REQUIRE pods(app=web) on node"
    assert karl.compile(rule.ljust(MAX_LENGTH))
    (fault,) = refused(rule.ljust(MAX_LENGTH + 1)).errors
    assert fault.message == "the text is 16385 characters long"
    assert fault.hint == "expected at most 16384"


def test_a_text_that_is_no_karl_at_all_is_not_read_to_its_end() -> None:
    faults = refused("what is this\n" * 1000).errors
    assert len(faults) == MAX_MISTAKES + 1
    assert (faults[-1].line, faults[-1].message) == (51, "too many errors")


def test_one_rule_with_many_mistakes_does_not_flood_either() -> None:
    faults = refused(f"REQUIRE pods({'a=*,' * 1000}) on node").errors
    assert len(faults) == MAX_MISTAKES + 1


@pytest.mark.parametrize("sign", ["(", ")", "[", ",", "!", "=", ";x", "\n", "#", '"', "x "])
@pytest.mark.parametrize(
    "start", ["", "REQUIRE pods(", "REQUIRE pods(a in [", "REQUIRE pods(a=b) "]
)
def test_deep_repetition_is_an_error_like_any_other(start: str, sign: str) -> None:
    assert refused(start + sign * (MAX_LENGTH // 2)).errors


@pytest.mark.parametrize(
    "rule",
    [
        "REPEL nodes({})".format(", ".join(f"k{i}=1" for i in range(65))),
        "REPEL nodes({})".format(", ".join(f"k{i}>1" for i in range(33))),
        "AVOID nodes({})".format(", ".join(f"k{i}=1" for i in range(65))),
    ],
)
def test_a_rule_on_nodes_has_at_most_64_terms(rule: str) -> None:
    (fault,) = refused(rule).errors
    assert fault.message == "the rules on nodes come to more than 64 terms"
    assert karl.compile(rule.replace(", k64=1", "").replace(", k32>1", ""))
