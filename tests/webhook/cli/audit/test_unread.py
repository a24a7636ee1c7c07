"""A pipeline is never told that all is well of what could not be read."""

import pytest

from tests.support.fake_cluster import PLANS, FakeCluster, Run, plan
from tests.support.releases import release

PODS = "/api/v1/pods"
ALL_PLANS = f"{PLANS}/plans"
IN_NAMESPACE = f"{PLANS}/namespaces/konveyor-forklift/plans"
IN_TARGET = "/api/v1/namespaces/vms/pods"
FORBIDDEN = (403, "Forbidden", 'it is forbidden: User "jane" cannot list resource')


@pytest.mark.parametrize(
    ("path", "fail_on", "lacking"),
    [
        (ALL_PLANS, "problem", "plans"),
        (ALL_PLANS, "change", "plans"),
        (ALL_PLANS, "missed", "plans"),
        (PODS, "change", "pods"),
        (PODS, "missed", "pods"),
        (IN_TARGET, "change", "pods"),
        (IN_TARGET, "missed", "pods"),
    ],
)
def test_what_could_not_be_read_is_no_reason_to_pass(
    run: Run, cluster: FakeCluster, path: str, fail_on: str, lacking: str
) -> None:
    words = ["-n", "konveyor-forklift"] if path == IN_TARGET else []
    cluster.add(plan(), *release())
    cluster.refusals[f"GET {path}"] = FORBIDDEN
    result = run("audit", *words, "--fail-on", fail_on)
    assert result.exit_code == 3
    assert "Not read\n- 'jane' may not list " in result.stdout
    assert result.stderr == (
        f"Error: --fail-on {fail_on}: not all {lacking} could be read; see 'Not read'\n"
    )
    assert run("audit", *words).exit_code == 0


def test_plans_that_are_not_served_are_not_read(run: Run, cluster: FakeCluster) -> None:
    cluster.served.discard("plans")
    assert run("audit", "--fail-on", "problem").exit_code == 3


def test_problems_are_told_without_pods(run: Run, cluster: FakeCluster) -> None:
    cluster.add(plan())
    cluster.refusals[f"GET {PODS}"] = FORBIDDEN
    assert run("audit", "--fail-on", "problem").exit_code == 0


@pytest.mark.parametrize("fail_on", ["problem", "change", "missed"])
def test_what_nothing_depends_on_need_not_be_read(
    run: Run, cluster: FakeCluster, fail_on: str
) -> None:
    cluster.add(plan(), *release())
    cluster.refusals["GET /api/v1/nodes"] = FORBIDDEN
    assert run("audit", "--fail-on", fail_on).exit_code == 0


def test_what_was_found_is_found_whatever_else_could_not_be_read(
    run: Run, cluster: FakeCluster
) -> None:
    cluster.add(plan(annotations={"labels": "batch"}))
    cluster.refusals[f"GET {PODS}"] = FORBIDDEN
    result = run("audit", "--fail-on", "missed", "--fail-on", "problem")
    assert (result.exit_code, result.stderr) == (1, "")


@pytest.mark.parametrize("words", [[], ["--fail-on", "problem"]])
def test_of_a_namespace_whose_plans_may_not_be_read_there_is_no_report(
    run: Run, cluster: FakeCluster, words: list[str]
) -> None:
    cluster.add(plan())
    cluster.refusals[f"GET {IN_NAMESPACE}"] = FORBIDDEN
    result = run("audit", "-n", "konveyor-forklift", *words)
    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr.startswith(
        "Error: 'jane' may not list plans in namespace 'konveyor-forklift': "
    )


def test_the_whole_report_is_there_for_programs_too(run: Run, cluster: FakeCluster) -> None:
    cluster.add(plan(), *release())
    cluster.refusals[f"GET {PODS}"] = FORBIDDEN
    result = run("audit", "-o", "json", "--fail-on", "missed")
    assert result.exit_code == 3
    assert '"findings"' in result.stdout
