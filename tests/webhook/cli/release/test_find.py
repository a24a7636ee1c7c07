"""What is learned of an installed webhook, and what is said where it does not tell."""

import json
from typing import Any

import pytest

from tests.support.builders import plan
from tests.support.commands import Run
from tests.support.fake_api import FakeApi
from tests.support.releases import CONFIGURATION, DEPLOYMENT, release
from webhook.kube.objects import Json

UNKNOWN = f"the mode of '{CONFIGURATION}' is not known"


def audited(run: Run, **options: Any) -> Json:
    result = run("audit", "-o", "json", **options)
    assert (result.exit_code, result.stderr) == (0, "")
    found: Json = json.loads(result.stdout)
    return found


def variable(name: str, value: str) -> Json:
    return {"name": f"CONVERTOR_WEBHOOK_{name}", "value": value}


@pytest.mark.parametrize(
    ("container", "mode"),
    [
        ({"args": ["serve"]}, "enforce"),
        ({"args": ["serve", "--mode=audit"]}, "audit"),
        ({"args": ["serve", "--listen", ":1", "--mode", "audit", "--defaults", "/x"]}, "audit"),
        ({"args": ["serve", "--defaults=/x/y.yaml", "--namespace-mode", "vms=off"]}, "off"),
        ({"command": ["convertor-webhook", "serve", "--mode=off"]}, "off"),
        ({"command": ["convertor-webhook"], "args": ["serve", "--mode=off"]}, "off"),
        ({"args": ["serve"], "env": [variable("MODE", "audit")]}, "audit"),
        ({"args": None, "env": [variable("MODE", "audit")]}, "audit"),
        ({"args": ["serve", "--mode=off"], "env": [variable("MODE", "audit")]}, "off"),
        ({"args": ["serve"], "env": [variable("NAMESPACE_MODE", "a=audit vms=off")]}, "off"),
        ({"args": ["serve"], "env": [variable("MODE", ""), {"name": "TZ"}]}, "enforce"),
        ({"args": ["serve"], "env": [variable("DEFAULTS", "/none")]}, "enforce"),
    ],
)
def test_the_mode_is_what_flags_and_variables_of_the_container_say(
    run: Run, cluster: FakeApi, container: Json, mode: str
) -> None:
    cluster.add(plan(), *release(**container))
    found = audited(run)
    assert ([each["mode"] for each in found["plans"]], found["unread"]) == ([mode], [])


def test_a_plans_own_mode_counts_unless_a_variable_forbids_it(run: Run, cluster: FakeApi) -> None:
    cluster.add(plan(mode="off"))
    for value, mode in (("true", "off"), ("false", "enforce")):
        cluster.add(*release(env=[variable("PLAN_MODES", value)]))
        assert audited(run)["plans"][0]["mode"] == mode


def test_variables_of_whoever_asks_are_flags_and_no_part_of_what_is_installed(
    run: Run, cluster: FakeApi
) -> None:
    cluster.add(plan(), *release())
    found = audited(run, env={"CONVERTOR_WEBHOOK_MODE": "audit"})
    assert found["plans"][0]["mode"] == "audit"
    assert found["installed"][0]["mode"] == "enforce"


@pytest.mark.parametrize(
    ("container", "said"),
    [
        ({"args": None}, "its container 'convertor-webhook' has no argument 'serve'"),
        ({"args": ["sleep"]}, "its container 'convertor-webhook' has no argument 'serve'"),
        ({"name": "nginx"}, "it has no container 'convertor-webhook'"),
        (
            {"args": ["serve", "--mode=later"]},
            "invalid value for '--mode': 'later' is not one of 'enforce', 'audit', 'off'",
        ),
        (
            {"env": [{"name": "CONVERTOR_WEBHOOK_MODE", "valueFrom": {"configMapKeyRef": {}}}]},
            "the value of its variable 'CONVERTOR_WEBHOOK_MODE' is not in it",
        ),
    ],
)
def test_a_deployment_that_does_not_tell_what_it_does_is_said(
    run: Run, cluster: FakeApi, container: Json, said: str
) -> None:
    cluster.add(plan(), *release(**container))
    found = audited(run)
    assert found["unread"] == [f"Deployment {DEPLOYMENT}: {said}; {UNKNOWN}"]
    assert "mode" not in found["installed"][0]


@pytest.mark.parametrize(
    ("defaults", "said"),
    [
        ("labels: {team: a\nnodeSelector: {disk: nvme}\n", "line 2 column 13: expected YAML: "),
        ("lables: {team: a}\n", "lables: unknown field: expected affinity, affinityPolicy, "),
        ("- a\n", "expected a map, found a list"),
        ("a: 1\n---\nb: 1\n", "expected one document, found 2"),
    ],
)
def test_defaults_that_are_wrong_are_said_and_the_rest_counts(
    run: Run, cluster: FakeApi, defaults: str, said: str
) -> None:
    cluster.add(plan(), *release(["serve", "--mode=audit"], defaults=defaults))
    found = audited(run)
    (told,) = found["unread"]
    assert told.startswith(f"ConfigMap {DEPLOYMENT}-defaults defaults.yaml: {said}")
    assert told.endswith("; plans are judged without defaults")
    assert (found["plans"][0]["mode"], found["plans"][0]["asks"]) == ("audit", "")


@pytest.mark.parametrize("defaults", ["", "{}", "# nothing\n"])
def test_defaults_may_be_empty(run: Run, cluster: FakeApi, defaults: str) -> None:
    cluster.add(plan(), *release(defaults=defaults))
    assert audited(run)["unread"] == []


def test_defaults_that_may_not_be_read_are_not_known_and_the_mode_is(
    run: Run, cluster: FakeApi
) -> None:
    cluster.add(plan(), *release(["serve", "--mode=audit"]))
    cluster.forbid("get", "configmaps")
    found = audited(run)
    assert found["plans"][0]["mode"] == "audit"
    (said,) = found["unread"]
    assert said.startswith("'jane' may not get configmaps in namespace 'convertor-webhook': ")
    assert said.endswith("; the defaults of plans are not known")


def test_the_apis_own_failure_to_answer_for_defaults_ends_it(run: Run, cluster: FakeApi) -> None:
    cluster.add(plan(), *release())
    cluster.fail("get", 500, "configmaps", message="etcd is away")
    assert run("audit").exit_code == 3
