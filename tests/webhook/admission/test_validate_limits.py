"""Plans that set more than the installation allows, when they are written."""

import pytest

from tests.support.builders import encode_review, plan
from webhook.admission.review import decode
from webhook.admission.validate import validate
from webhook.kube.objects import Json
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
