"""Plans that set more than the installation allows, when they are written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.builders import encode_review, plan
from webhook import karl
from webhook.admission.review import decode
from webhook.admission.validate import validate
from webhook.kube.affinity import REQUIRED
from webhook.kube.objects import Json
from webhook.kube.sizes import MAX_ENTRIES, MAX_REPORTED
from webhook.model import Decision, Installation, Limits, Mode, Outcome, Reason

SERVICE = {"k8s-app": "kube-dns"}


def write(
    after: Json, before: Json | None = None, installation: Installation | None = None
) -> Decision:
    change = {"operation": "UPDATE", "oldObject": before} if before else {"operation": "CREATE"}
    request = decode(encode_review(after, **change))
    return validate(request, installation or Installation())


def with_labels(labels: Json, **annotations: str) -> Json:
    return plan(annotations=annotations, spec={"convertorLabels": labels})


def test_a_setting_beyond_the_limits_is_denied_with_its_place() -> None:
    decision = write(with_labels(SERVICE | {"team": "a"}))

    assert (decision.outcome, decision.reason) == (Outcome.DENIED, Reason.SETTINGS_INVALID)
    (problem,) = decision.problems
    assert problem.where == "Plan konveyor-forklift/db spec.convertorLabels['k8s-app']"
    assert problem.message.startswith("'k8s-app' is a label by which controllers, Services or ")
    assert problem.beyond_limits


def test_limits_that_are_narrowed_later_do_not_prevent_writing_the_plan() -> None:
    installation = Installation(limits=Limits(labels=("batch",)))
    before = with_labels({"team": "a"})
    assert write(before, before, installation).outcome is Outcome.UNCHANGED
    assert write(with_labels({"team": "a", "tier": "b"}), before, installation).outcome is (
        Outcome.DENIED
    )


@pytest.mark.parametrize("mode", [Mode.OFF, Mode.AUDIT])
def test_the_mode_of_a_plan_does_not_lift_the_limits(mode: Mode) -> None:
    decision = write(with_labels(SERVICE, mode=mode))

    assert (decision.outcome, decision.mode) == (Outcome.DENIED, mode)


@pytest.mark.parametrize("mode", [Mode.OFF, Mode.AUDIT])
def test_other_problems_are_admitted_in_these_modes(mode: Mode) -> None:
    assert write(with_labels({"team": "a b"}, mode=mode)).outcome is not Outcome.DENIED
    decision = write(with_labels(SERVICE | {"team": "a b"}, mode=mode))
    assert "k8s-app" in decision.message
    assert "a b" not in decision.message


@pytest.mark.parametrize("mode", [Mode.OFF, Mode.AUDIT])
def test_an_installation_in_another_mode_denies_nothing(mode: Mode) -> None:
    decision = write(with_labels(SERVICE), installation=Installation(mode=mode))

    assert decision.outcome is not Outcome.DENIED


def test_limits_are_those_of_the_namespace_of_the_plan() -> None:
    narrow = Limits(labels=("batch",))
    installation = Installation(namespace_limits={"konveyor-forklift": narrow})
    assert write(with_labels({"team": "a"}), installation=installation).outcome is Outcome.DENIED
    elsewhere = Installation(namespace_limits={"other": narrow})
    assert write(with_labels({"team": "a"}), installation=elsewhere).outcome is Outcome.UNCHANGED


EVERY_POD = "AVOID pods(has app) on kubernetes.io/os"


def with_rules(*rules: str, **annotations: str) -> Json:
    affinity = karl.compile("; ".join(rules))
    return plan(annotations=annotations, spec={"convertorAffinity": affinity})


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (with_labels(SERVICE), with_labels({"app.kubernetes.io/name": "payments"})),
        (with_labels({"k8s-app": "own"}), with_labels(SERVICE)),
        (with_labels({"bad key": "x"}), with_labels(SERVICE)),
        (with_labels({"bad key": "x"}, mode="off"), with_labels(SERVICE, mode="off")),
        (with_rules(EVERY_POD), with_rules(EVERY_POD.replace("app", "team"))),
        (with_rules(EVERY_POD), with_rules(EVERY_POD, "AVOID pods(a=b) on zone")),
    ],
)
def test_what_was_beyond_the_limits_does_not_become_another_such_value(
    before: Json, after: Json
) -> None:
    assert write(before, before).outcome is not Outcome.DENIED
    assert write(after, before).outcome is Outcome.DENIED


@pytest.mark.parametrize(
    ("limits", "field"),
    [
        (Limits(target_namespaces=("migrated-*",)), "convertorLabels"),
        (Limits(settings=("affinity",)), "convertorLabels"),
        (Limits(settings=("affinity",)), "convertorNodeSelector"),
        (Limits(node_labels=("disk",)), "convertorNodeSelector"),
    ],
)
def test_a_field_that_the_limits_refuse_is_not_changed(limits: Limits, field: str) -> None:
    installation = Installation(limits=limits)
    before, after = (plan(spec={field: {"zone": value}}) for value in "ab")
    assert write(before, before, installation).outcome is Outcome.UNCHANGED
    assert write(after, before, installation).outcome is Outcome.DENIED
    assert write(plan(), before, installation).outcome is Outcome.UNCHANGED


@pytest.mark.parametrize(
    "labels",
    [
        {"app": "payments"},
        dict.fromkeys((f"a{number}" for number in range(MAX_REPORTED)), "a b") | SERVICE,
        dict.fromkeys((f"a{number}" for number in range(MAX_ENTRIES)), "b") | SERVICE,
        dict.fromkeys((f"a{number}" for number in range(40)), "b" * 4000) | SERVICE,
    ],
    ids=["reserved", "beside invalid ones", "too many", "too large"],
)
def test_in_mode_off_no_other_problem_hides_a_label_beyond_the_limits(labels: Json) -> None:
    assert write(with_labels(labels, mode="off")).outcome is Outcome.DENIED


def test_in_mode_off_no_invalid_term_hides_one_beyond_the_limits() -> None:
    body = with_rules(EVERY_POD, "REQUIRE pods(a=b) on node", mode="off")
    (term,) = body["spec"]["convertorAffinity"]["podAffinity"][REQUIRED]
    del term["labelSelector"]
    decision = write(body)
    assert decision.outcome is Outcome.DENIED
    assert EVERY_POD.split(" on ", maxsplit=1)[0] in decision.message


def test_counted_values_beyond_the_limits_do_not_change_either() -> None:
    many = {f"a{number}.k8s.io/x": "a" for number in range(MAX_REPORTED + 2)}
    before, after = with_labels(many), with_labels(many | {[*many][-1]: "b"})
    assert write(before, before).outcome is Outcome.UNCHANGED
    assert write(after, before).outcome is Outcome.DENIED


def test_a_field_that_is_too_large_does_not_become_another_one_of_its_size() -> None:
    values = ["a" * 4000, "b" * 4000]
    before, after = (
        with_labels(dict.fromkeys((f"a{number}" for number in range(40)), value) | SERVICE)
        for value in values
    )
    assert write(before, before).outcome is Outcome.UNCHANGED
    assert write(after, before).outcome is Outcome.DENIED


LABELS = st.dictionaries(
    st.sampled_from(["team", "k8s-app", "job-name", "app", "bad key", "x.istio.io/y"]),
    st.sampled_from(["a", "b", "a b"]),
)
LIMITED = ("k8s-app", "job-name", "app", "x.istio.io/y")


@given(LABELS, LABELS, st.sampled_from(["", *Mode]))
def test_no_edit_adds_a_label_beyond_the_limits(before: Json, after: Json, mode: str) -> None:
    annotations = {"mode": mode} if mode else {}
    decision = write(with_labels(after, **annotations), with_labels(before, **annotations))
    added = {key for key, value in after.items() - before.items() if key in LIMITED}
    if added:
        assert decision.outcome is Outcome.DENIED
        assert all(repr(key) in decision.message for key in added)
    elif mode in (Mode.OFF, Mode.AUDIT):
        assert decision.outcome is not Outcome.DENIED
