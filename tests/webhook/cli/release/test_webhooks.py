"""`explain`, `show` and `audit` evaluate the selectors of the installed webhook."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.support.builders import PREFIX, minimal_pod, namespace, node, plan
from tests.support.commands import Run
from tests.support.fake_api import FakeApi
from tests.support.golden import Golden
from tests.support.releases import CONFIGURATION, release
from webhook.kube.objects import Json

EXPECTED = Path(__file__).parent / "expected"
WRITTEN, AFTER = "2026-08-01T07:00:00Z", "2026-08-01T08:00:00Z"
BY_NAME = {"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": ["kube-system"]}
OPT_IN: Json = {"namespaceSelector": {"matchLabels": {"convertor": "on"}}}
REQUIRES = f"the namespaceSelector of MutatingWebhookConfiguration '{CONFIGURATION}' requires"
EXCLUDED = (
    "namespace 'vms' is excluded from the webhook, so nothing is placed there: "
    f"{REQUIRES} convertor=on; label the namespace, or change the chart's value "
    "webhook.namespaceSelector: kubectl label namespace vms convertor=on"
)
NOT_KNOWN = "; whether the webhook is called in namespace 'vms' is not known"


def written(body: Json) -> Json:
    body["metadata"]["creationTimestamp"] = WRITTEN
    return body


DB = written(plan(labels="batch=1", tolerations="gpu:NoSchedule"))
UNSET = written(plan("unset"))
SYSTEM = written(plan("system", labels="batch=1", spec={"targetNamespace": "kube-system"}))


def pod(name: str, **labels: str) -> Json:
    metadata = {"name": name, "namespace": "vms", "creationTimestamp": AFTER}
    return minimal_pod({"plan": "uid-db"} | labels, metadata=metadata)


@pytest.fixture
def cluster(cluster: FakeApi) -> FakeApi:
    cluster.add(DB, UNSET, SYSTEM, namespace("vms"), node("alpha", taints=("gpu:NoSchedule",)))
    cluster.add(pod("db-vm-1"), *release(selectors=OPT_IN))
    return cluster


def audited(run: Run, *words: str) -> Any:
    return json.loads(run("audit", "-o", "json", *words).stdout)


def excluded(report: Any) -> dict[str, str]:
    return {each["plan"].rpartition("/")[2]: each["excluded"] for each in report["plans"]}


@pytest.mark.parametrize("output", ["table", "json"])
def test_the_audit_of_excluded_namespaces(
    run: Run, cluster: FakeApi, golden: Golden, output: str
) -> None:
    result = run("audit", "-o", output)
    assert (result.exit_code, result.stderr) == (0, "")
    golden(EXPECTED / f"audit-excluded.{output}", result.stdout)


def test_the_explanation_of_a_plan_whose_namespace_is_excluded(
    run: Run, cluster: FakeApi, golden: Golden
) -> None:
    result = run("explain", "plan", "db")
    assert (result.exit_code, result.stderr) == (0, "")
    golden(EXPECTED / "explain-excluded.text", result.stdout)
    assert json.loads(run("explain", "plan", "db", "-o", "json").stdout)["excluded"] == EXCLUDED


def test_show_marks_the_plans_whose_namespace_is_excluded(run: Run, cluster: FakeApi) -> None:
    cluster.add(namespace("shop", convertor="on"), plan("web", spec={"targetNamespace": "shop"}))
    rows = [re.split(" {3,}", line) for line in run("show").stdout.splitlines()[1:]]
    assert {name: mode for _, name, mode, *_ in rows} == {
        "db": "enforce (excluded)",
        "system": "enforce (excluded)",
        "unset": "enforce (excluded)",
        "web": "enforce",
    }
    wide = run("show", "-o", "wide").stderr
    assert wide.count(f"Note: {EXCLUDED}\n") == 1
    printed = json.loads(run("show", "-o", "json").stdout)
    assert [each.get("excluded") for each in printed if each["name"] in ("db", "web")] == [
        EXCLUDED,
        None,
    ]


def test_pods_of_an_excluded_namespace_are_not_missed(run: Run, cluster: FakeApi) -> None:
    assert audited(run)["findings"]["missed"] == 0
    cluster.add(namespace("vms", convertor="on"))
    report = audited(run)
    assert report["findings"]["missed"] == 1
    assert excluded(report)["db"] == ""


def test_pods_that_the_object_selector_excludes_are_not_missed(run: Run, cluster: FakeApi) -> None:
    cluster.add(*release(selectors={"objectSelector": {"matchLabels": {"team": "a"}}}))
    cluster.add(pod("db-vm-2", team="a"))
    report = audited(run)
    missed = [each["name"] for one in report["plans"] for each in one["pods"] if "missed" in each]
    assert missed == ["vms/db-vm-2"]
    assert excluded(report) == {"db": "", "unset": "", "system": ""}


@pytest.mark.parametrize(("fail_on", "code"), [("excluded", 1), ("change", 0), ("missed", 0)])
def test_settings_without_effect_can_fail_a_pipeline(
    run: Run, cluster: FakeApi, fail_on: str, code: int
) -> None:
    result = run("audit", "--fail-on", fail_on)
    assert result.exit_code == code
    assert result.stdout.splitlines()[-1] == (
        "3 plans, 1 pod: 0 problems, 0 changes, 0 missed, 2 excluded"
    )


def test_a_namespace_that_does_not_exist_has_no_labels(run: Run, cluster: FakeApi) -> None:
    cluster.delete("namespaces", "", "vms")
    assert excluded(audited(run))["db"] == EXCLUDED


def test_namespaces_are_not_read_if_their_names_are_enough(run: Run, cluster: FakeApi) -> None:
    cluster.add(*release(selectors={"namespaceSelector": {"matchExpressions": [BY_NAME]}}))
    cluster.forbid("get", "namespaces")
    report = audited(run)
    assert report["unread"] == []
    assert {name: bool(text) for name, text in excluded(report).items()} == {
        "db": False,
        "system": True,
        "unset": False,
    }


@pytest.mark.parametrize("command", [["audit"], ["explain", "plan", "db"], ["show"]])
def test_a_namespace_that_cannot_be_read_is_reported(
    run: Run, cluster: FakeApi, command: list[str]
) -> None:
    cluster.forbid("get", "namespaces")
    result = run(*command)
    assert result.exit_code == 0
    assert "'jane' may not get namespaces at the cluster scope: " in result.output
    assert f"{NOT_KNOWN}\n" in result.output
    assert "excluded" not in result.output


@pytest.mark.parametrize("fail_on", ["missed", "excluded"])
@pytest.mark.parametrize(
    ("verb", "resource"), [("get", "namespaces"), ("list", "mutatingwebhookconfigurations")]
)
def test_what_rbac_hides_fails_a_pipeline(
    run: Run, cluster: FakeApi, fail_on: str, verb: str, resource: str
) -> None:
    cluster.forbid(verb, resource)
    result = run("audit", "--fail-on", fail_on)
    assert result.exit_code == 3
    assert f"--fail-on {fail_on}: not all {resource} could be read" in result.stderr


def test_no_pod_is_missed_if_the_time_of_the_settings_is_not_known(
    run: Run, cluster: FakeApi
) -> None:
    cluster.add(*release())
    assert audited(run)["findings"]["missed"] == 1
    cluster.forbid("get", "configmaps")
    assert audited(run)["findings"]["missed"] == 0
    result = run("audit", "--fail-on", "missed")
    assert (result.exit_code, result.stderr) == (
        3,
        "Error: --fail-on missed: not all configmaps could be read; see 'Not read'\n",
    )


@pytest.mark.parametrize("command", [["audit"], ["explain", "plan", "db"], ["show"]])
def test_an_error_of_the_api_server_ends_the_command(
    run: Run, cluster: FakeApi, command: list[str]
) -> None:
    cluster.fail("get", 500, "namespaces", message="etcd is away")
    result = run(*command)
    assert (result.exit_code, result.stdout) == (3, "")


def test_an_invalid_name_is_not_requested(run: Run, cluster: FakeApi) -> None:
    cluster.add(plan("odd", spec={"targetNamespace": "../nodes"}))
    assert excluded(audited(run))["odd"] == ""
    assert not any("nodes" in request.path for request in cluster.filter_requests("get"))


def test_conditions_of_the_administrator_are_not_evaluated(run: Run, cluster: FakeApi) -> None:
    conditions = [{"name": "from-forklift", "expression": "true"}]
    cluster.add(*release(selectors={"matchConditions": conditions}))
    assert (
        f"- the matchConditions of MutatingWebhookConfiguration '{CONFIGURATION}': from-forklift\n"
    ) in run("explain", "plan", "db").stdout


def test_placed_pods_are_compared_in_excluded_namespaces(run: Run, cluster: FakeApi) -> None:
    placed = pod("db-vm-2")
    placed["metadata"]["annotations"] = {f"{PREFIX}/placement": "{}"}
    cluster.add(placed)
    found = json.loads(run("explain", "plan", "db", "-o", "json").stdout)
    assert [each.get("placement") for each in found["pods"]] == [
        "not placed, namespace 'vms' is excluded from the webhook",
        "placed with other settings",
    ]
