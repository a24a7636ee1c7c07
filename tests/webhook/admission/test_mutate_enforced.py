"""Decisions on pods of plans whose own mode is not enforce, where the installation enforces."""

import pytest

from tests.support.builders import decoded_request
from tests.support.placements import OWNER, REF
from webhook.admission.mutate import decide
from webhook.kube.objects import Json
from webhook.model import (
    ConvertorProfile,
    Decision,
    Installation,
    MigrationPod,
    Mode,
    Outcome,
    Plan,
    Reason,
    Settings,
)

ALLOWED = {"op": "add", "path": "/spec/nodeSelector", "value": {"migration": "allowed"}}
INSTALLATION = Installation(enforced=Settings(node_selector={"migration": "allowed"}))


def decide_in(mode: Mode | None, installation: Installation = INSTALLATION) -> Decision:
    settings = Settings(mode=mode, labels={"team": "a"})
    plan = Plan("konveyor-forklift", "db", "b277", 3, "target", settings)
    return decide(decoded_request(), MigrationPod(ref=REF), plan, installation)


@pytest.mark.parametrize("mode", [Mode.OFF, Mode.AUDIT])
def test_a_plan_in_another_mode_only_gets_what_the_installation_enforces(mode: Mode) -> None:
    decision = decide_in(mode)

    assert (decision.outcome, decision.reason) == (Outcome.PATCHED, Reason.ENFORCED)
    assert (decision.mode, decision.plan) == (mode, OWNER)
    assert decision.patch == [ALLOWED]
    assert decision.message.endswith(
        "; the installation enforces nodeSelector migration=allowed in every mode of a plan"
    )


def test_in_audit_mode_of_a_plan_the_rest_is_still_predicted() -> None:
    (would, *_) = decide_in(Mode.AUDIT).warnings

    assert would.startswith(
        "mode audit of the plan, only what the installation enforces is changed: the pod would get"
    )
    assert "team=a" in would


def test_in_mode_enforce_both_are_one_patch() -> None:
    decision = decide_in(None)

    assert (decision.outcome, decision.reason) == (Outcome.PATCHED, Reason.PLACED)
    assert ALLOWED in decision.patch
    assert any("labels" in each["path"] for each in decision.patch)


@pytest.mark.parametrize(
    "changes",
    [{"mode": Mode.AUDIT}, {"mode": Mode.OFF}, {"namespace_modes": {"target": Mode.OFF}}],
)
@pytest.mark.parametrize("mode", [Mode.OFF, Mode.AUDIT])
def test_an_installation_in_another_mode_enforces_nothing(changes: Json, mode: Mode) -> None:
    installation = Installation(enforced=INSTALLATION.enforced, **changes)

    assert decide_in(mode, installation).outcome is not Outcome.PATCHED


@pytest.mark.parametrize(
    "changes",
    [{"mode": Mode.AUDIT}, {"mode": Mode.OFF}, {"namespace_modes": {"target": Mode.OFF}}],
)
def test_a_plan_that_alone_enforces_gets_only_its_own_settings(changes: Json) -> None:
    profile = ConvertorProfile(env={"LIBGUESTFS_BACKEND": "direct"})
    plain = Installation(**changes)
    installation = Installation(
        enforced=INSTALLATION.enforced,
        convertor=profile,
        namespace_convertors={"target": profile},
        **changes,
    )
    decision = decide_in(Mode.ENFORCE, installation)

    assert decision.outcome is Outcome.PATCHED
    assert decision.patch == decide_in(Mode.ENFORCE, plain).patch


def test_without_plan_modes_a_plan_is_placed_in_the_mode_of_the_installation() -> None:
    installation = Installation(enforced=INSTALLATION.enforced, plan_modes=False)

    assert decide_in(Mode.OFF, installation).reason is Reason.PLACED


@pytest.mark.parametrize("mode", [Mode.OFF, Mode.AUDIT])
def test_a_malformed_pod_of_a_plan_in_another_mode_stays_as_it_is(mode: Mode) -> None:
    plan = Plan("konveyor-forklift", "db", "b277", 3, "target", Settings(mode=mode))
    request = decoded_request()
    request.object["spec"]["nodeSelector"] = ["a"]

    assert not decide(request, MigrationPod(ref=REF), plan, INSTALLATION).patch


def test_a_placed_pod_is_not_patched_again() -> None:
    settings = Settings(mode=Mode.OFF)
    plan = Plan("konveyor-forklift", "db", "b277", 3, "target", settings)
    request = decoded_request()
    request.object["spec"]["nodeSelector"] = {"migration": "allowed"}
    decision = decide(request, MigrationPod(ref=REF), plan, INSTALLATION)

    assert (decision.outcome, decision.reason) == (Outcome.UNCHANGED, Reason.MODE_OFF)
