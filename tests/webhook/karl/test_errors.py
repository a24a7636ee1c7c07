"""Error messages are readable on any terminal and for any text, however long."""

import pytest

from webhook import karl
from webhook.kube.sizes import MAX_ENTRIES, MAX_REPORTED, MAX_RULES_CHARACTERS


def error_of(text: str) -> karl.KarlError:
    with pytest.raises(karl.KarlError) as raised:
        karl.compile(text)
    return raised.value


def test_an_error_has_position_source_caret_and_hint() -> None:
    assert str(error_of("REQUIRE pods(app=ceph-osd) on nodes")) == (
        "karl: 1:31: unknown topology 'nodes'\n"
        "  REQUIRE pods(app=ceph-osd) on nodes\n"
        "                                ^^^^^\n"
        "  expected node, zone, region, rack or a label key; did you mean 'node'?"
    )


def test_the_parts_of_an_error_are_attributes() -> None:
    (error,) = error_of("\nAVOID pods(app=web) on zoen").errors
    assert (error.line, error.column) == (2, 24)
    assert error.message == "unknown topology 'zoen'"
    assert error.hint == "expected node, zone, region, rack or a label key; did you mean 'zone'?"
    assert error.source == "AVOID pods(app=web) on zoen"
    assert error.underline == "                       ^^^^"


def test_errors_are_in_the_order_of_the_text() -> None:
    text = "REQUIRE pods(a=b,a=c,a=*) on nodes; x\r\ny\rREQUIRE pods(a=b) on node\nz"
    positions = [(error.line, error.column) for error in error_of(text).errors]
    assert positions == [(1, 18), (1, 24), (1, 30), (1, 37), (2, 1), (4, 1)]


def test_the_caret_is_aligned_after_tabs_wide_and_combining_characters() -> None:
    (error,) = error_of("REQUIRE\tpods(a=b) on 宮e\u0301宮 nodes").errors
    assert error.source == "REQUIRE pods(a=b) on 宮e\u0301宮 nodes"
    assert error.underline == " " * (21 + 6) + "^^^^^"


def test_invisible_characters_are_escaped() -> None:
    assert str(error_of("REQUIRE pods(a=w\x01b\0) on node")) == (
        "karl: 1:16: label value 'w\\u0001b\\u0000' must consist of alphanumeric characters, '-', "
        "'_' or '.', and must start and end with an alphanumeric character\n"
        "  REQUIRE pods(a=w\ufffdb\ufffd) on node\n"
        "                 ^^^^\n"
        "  expected a value such as web"
    )


def test_a_message_with_a_lone_surrogate_can_be_encoded() -> None:
    assert str(error_of("\ud800")).encode()


@pytest.mark.parametrize(("before", "after"), [(0, 300), (300, 0), (300, 300), (70, 20)])
def test_a_long_line_is_truncated_around_the_error(before: int, after: int) -> None:
    text = f"REQUIRE pods(a=b{',' * before}) on nodes # {'x' * after}"
    (error,) = error_of(text).errors
    start = error.underline.index("^")
    assert error.source[start : len(error.underline)] == "nodes"
    assert error.source.startswith("…") == (before > 50)
    assert error.source.endswith("…") == (after > 100)
    assert error.source.strip("…") in text
    assert len(error.source.strip("…")) == 100


def test_a_long_word_is_truncated_in_the_message_and_in_the_line() -> None:
    (error,) = error_of("x" * 1000).errors
    assert error.message == f"unknown rule '{'x' * 79}…'"
    assert error.source == "x" * 100 + "…"
    assert error.underline == "^" * 100


def test_an_error_over_several_lines_is_underlined_on_its_first_line() -> None:
    (error,) = error_of("REQUIRE nodes(k=a)\nREQUIRE nodes(\n  k=b)").errors
    assert error.message == "no node meets this rule and the ones before it"
    assert error.source == "REQUIRE nodes("
    assert error.underline == "^^^^^^^^^^^^^^"


def test_the_length_of_a_text_is_limited() -> None:
    rule = "REQUIRE pods(app=web) on node"
    assert karl.compile(rule.ljust(MAX_RULES_CHARACTERS))
    (error,) = error_of(rule.ljust(MAX_RULES_CHARACTERS + 1)).errors
    assert error.message == "the text is 16385 characters long"
    assert error.hint == "expected at most 16384"


def test_the_number_of_errors_is_limited() -> None:
    errors = error_of("what is this\n" * MAX_ENTRIES).errors
    assert len(errors) == MAX_REPORTED + 1
    assert (errors[-1].line, errors[-1].message) == (MAX_REPORTED + 1, "too many errors")


def test_the_number_of_errors_in_one_rule_is_limited() -> None:
    errors = error_of(f"REQUIRE pods({'a=*,' * 100}) on node").errors
    assert len(errors) == MAX_REPORTED + 1


@pytest.mark.parametrize(
    "rule",
    ["PREFER nodes(!a)\n", "AVOID pods(app=db) on node\n", "REQUIRE pods(a in [b,c]) on zone;"],
)
def test_a_text_may_have_as_many_rules_as_fit(rule: str) -> None:
    assert karl.compile(rule * (MAX_RULES_CHARACTERS // len(rule)))


@pytest.mark.parametrize("sign", ["(", ")", "[", ",", "!", "=", ";x", "\n", "#", '"', "x "])
@pytest.mark.parametrize(
    "start", ["", "REQUIRE pods(", "REQUIRE pods(a in [", "REQUIRE pods(a=b) "]
)
def test_deeply_repeated_signs_are_an_error(start: str, sign: str) -> None:
    assert error_of(start + sign * (MAX_RULES_CHARACTERS // 2)).errors


@pytest.mark.parametrize(
    "rule",
    [
        "REPEL nodes({})".format(", ".join(f"k{i}=1" for i in range(65))),
        "REPEL nodes({})".format(", ".join(f"k{i}>1" for i in range(33))),
        "AVOID nodes({})".format(", ".join(f"k{i}=1" for i in range(65))),
    ],
)
def test_a_rule_on_nodes_has_at_most_64_terms(rule: str) -> None:
    (error,) = error_of(rule).errors
    assert error.message == "the rules on nodes compile to more than 64 terms"
    assert karl.compile(rule.replace(", k64=1", "").replace(", k32>1", ""))
