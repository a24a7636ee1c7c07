"""Messages with problems have a limit, whatever a Plan has."""

from tests.support.builders import plan
from webhook.admission.problem_text import join_problems
from webhook.admission.review import PLAN, respond
from webhook.admission.validate import validate
from webhook.model import Installation, Outcome, Request

INSTALLATION = Installation()


def test_problems_are_joined() -> None:
    assert join_problems([], "; ") == ""
    assert join_problems(["a", "b"], "; ") == "a; b"


def request(before: str, after: str) -> Request:
    old, new = (plan("db", "mtv", annotations={"labels": each}) for each in (before, after))
    return Request("u", operation="UPDATE", kind=PLAN, object=new, old_object=old)


def test_the_response_to_a_plan_with_thousands_of_problems_has_some_kilobytes() -> None:
    lists = {name: ",".join(["\u201cx\u201d"] * 256) for name in ("labels", "node-selector")}
    fields = {"convertorLabels": dict.fromkeys(map(str, range(256)), "-" * 300)}
    many = plan("db", "mtv", annotations=lists | {"affinity": "x\n" * 250}, spec=fields)
    reviewed = Request("u", operation="CREATE", kind=PLAN, object=many)
    decision = validate(reviewed, INSTALLATION)
    assert decision.outcome is Outcome.DENIED
    assert decision.message.endswith(" more")
    assert len(respond(reviewed, decision).body) < 20_000


def test_one_more_invalid_entry_among_counted_ones_is_denied() -> None:
    """The message has all problems that are reported, because any may be the new one."""
    decision = validate(request("x," * 99, "x," * 100), INSTALLATION)
    assert decision.outcome is Outcome.DENIED
    assert "entry 1: expected key=value" in decision.message
    assert "and 85 more invalid entries" in decision.message


def test_counted_invalid_entries_that_were_there_before_only_warn() -> None:
    for before in ("x," * 100, "x," * 101):
        decision = validate(request(before, "y=1," + "x," * 100), INSTALLATION)
        assert decision.outcome is Outcome.UNCHANGED
        assert decision.warnings
