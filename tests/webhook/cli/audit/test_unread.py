"""A pipeline does not pass if RBAC hides objects that may have findings."""

import pytest

from tests.support.builders import plan
from tests.support.commands import Run
from tests.support.fake_api import FakeApi
from tests.support.releases import release

CLUSTER = ""
"""The scope of a request for all namespaces."""


@pytest.mark.parametrize(
    ("resource", "namespace", "fail_on"),
    [
        ("plans", CLUSTER, "problem"),
        ("plans", CLUSTER, "change"),
        ("plans", CLUSTER, "missed"),
        ("pods", CLUSTER, "change"),
        ("pods", CLUSTER, "missed"),
        ("pods", "vms", "change"),
        ("pods", "vms", "missed"),
    ],
)
def test_hidden_objects_fail_a_pipeline(
    run: Run, cluster: FakeApi, resource: str, namespace: str, fail_on: str
) -> None:
    words = ["-n", "konveyor-forklift"] if namespace else []
    cluster.add(plan(), *release())
    cluster.forbid("list", resource, namespace=namespace)
    result = run("audit", *words, "--fail-on", fail_on)
    assert result.exit_code == 3
    assert "Not read\n- 'jane' may not list " in result.stdout
    assert result.stderr == (
        f"Error: --fail-on {fail_on}: not all {resource} could be read; see 'Not read'\n"
    )
    assert run("audit", *words).exit_code == 0


def test_plans_that_are_not_served_count_as_hidden(run: Run, cluster: FakeApi) -> None:
    cluster.unserved.add("plans")
    assert run("audit", "--fail-on", "problem").exit_code == 3


def test_problems_are_found_without_pods(run: Run, cluster: FakeApi) -> None:
    cluster.add(plan())
    cluster.forbid("list", "pods", namespace=CLUSTER)
    assert run("audit", "--fail-on", "problem").exit_code == 0


@pytest.mark.parametrize("fail_on", ["problem", "change", "missed"])
def test_hidden_nodes_do_not_fail_a_pipeline(run: Run, cluster: FakeApi, fail_on: str) -> None:
    cluster.add(plan(), *release())
    cluster.forbid("list", "nodes")
    assert run("audit", "--fail-on", fail_on).exit_code == 0


def test_a_finding_precedes_hidden_objects_in_the_exit_code(run: Run, cluster: FakeApi) -> None:
    cluster.add(plan(labels="batch"))
    cluster.forbid("list", "pods", namespace=CLUSTER)
    result = run("audit", "--fail-on", "missed", "--fail-on", "problem")
    assert (result.exit_code, result.stderr) == (1, "")


@pytest.mark.parametrize("words", [[], ["--fail-on", "problem"]])
def test_there_is_no_report_of_a_namespace_whose_plans_are_hidden(
    run: Run, cluster: FakeApi, words: list[str]
) -> None:
    cluster.add(plan())
    cluster.forbid("list", "plans", namespace="konveyor-forklift")
    result = run("audit", "-n", "konveyor-forklift", *words)
    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr.startswith(
        "Error: 'jane' may not list plans in namespace 'konveyor-forklift': "
    )


def test_json_has_the_report_although_objects_are_hidden(run: Run, cluster: FakeApi) -> None:
    cluster.add(plan(), *release())
    cluster.forbid("list", "pods", namespace=CLUSTER)
    result = run("audit", "-o", "json", "--fail-on", "missed")
    assert result.exit_code == 3
    assert '"findings"' in result.stdout
