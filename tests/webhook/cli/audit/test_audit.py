"""`kubectl convertor audit`: all findings, in every format, and with few permissions."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support import builders, pvcs
from tests.support.builders import PREFIX, ZONE, minimal_pod, node, plan
from tests.support.commands import Run
from tests.support.fake_api import FakeApi
from tests.support.golden import Golden
from tests.support.releases import release
from webhook.cli.audit.command import FINDINGS
from webhook.kube.objects import Json

EXPECTED = Path(__file__).parent / "expected"

BEFORE, WRITTEN, AFTER = (f"2026-08-01T0{hour}:00:00Z" for hour in (6, 7, 8))
PLACEMENT = f"{PREFIX}/placement"


def written(body: Json, at: str = WRITTEN) -> Json:
    body["metadata"]["creationTimestamp"] = at
    return body


DB = written(plan(labels="batch=1", affinity="REQUIRE pods(app=ceph) on node"))
WEB = written(plan("web", affinity="REQIRE pods(a=b) on node", node_selector="memory=64Gi+"))
LATER = written(plan("later", "shop", tolerations="gpu:NoExecute", mode="off"))


def pod(name: str, plan_name: str, *, placed: bool = False) -> Json:
    identity = {"app": "virt-v2v", "forklift.app/plan": plan_name}
    metadata = {"name": name, "namespace": "vms", "creationTimestamp": AFTER}
    return minimal_pod(
        {"plan": f"uid-{plan_name}"} | (identity if placed else {}),
        metadata=metadata | {"annotations": {PLACEMENT: "{}"} if placed else {}},
        nodeName="alpha",
    )


DISK = pvcs.pvc(plan="uid-db")
PRECOPY = written(plan("precopy", "shop", labels="batch=2", pods="all", disks="together"))


def importer(name: str, of: Json | None, **labels: str) -> Json:
    """Return an importer of CDI 1.62, which has no labels of its plan."""
    metadata = {"uid": name, "creationTimestamp": AFTER}
    owners = {"ownerReferences": [pvcs.owner_reference(of)]} if of else {}
    own = {"app": "containerized-data-importer", "cdi.kubevirt.io": "importer"} | labels
    return builders.pod(f"vms/{name}", labels=own, metadata=metadata | owners)


OF_OTHER_ROLES = [
    importer("importer-db-vm-1-disk-0", DISK),
    importer("importer-of-another-user", pvcs.pvc("other", plan="")),
    importer("importer-precopy", pvcs.pvc("gone"), plan="uid-precopy"),
    builders.pod("vms/db-vm-1-pvcinit", labels={"forklift.app": "consumer", "plan": "uid-db"}),
    builders.pod("vms/web", labels={"pvcName": "web"}),
]
PODS = [
    pod("db-vm-1", "db"),
    pod("db-vm-2", "db", placed=True),
    pod("web-vm-1", "web"),
    pod("stray", "gone"),
]
NODE = node("alpha", {"memory": "128Gi"})


@pytest.mark.parametrize("output", ["table", "wide", "json", "yaml"])
def test_the_report_in_each_format(run: Run, cluster: FakeApi, golden: Golden, output: str) -> None:
    cluster.add(DB, WEB, LATER, PRECOPY, *PODS, *OF_OTHER_ROLES, NODE, *release(), DISK)

    result = run("audit", "-o", output)

    assert (result.exit_code, result.stderr) == (0, "")
    golden(EXPECTED / f"audit.{output}", result.stdout)


@pytest.mark.parametrize(
    ("fail_on", "code"),
    [
        ([], 0),
        (["problem"], 1),
        (["change"], 1),
        (["missed"], 0),
        (["missed", "change"], 1),
    ],
)
def test_the_exit_code_depends_on_fail_on(
    run: Run, cluster: FakeApi, fail_on: list[str], code: int
) -> None:
    cluster.add(WEB)

    result = run("audit", *(word for each in fail_on for word in ("--fail-on", each)))

    assert result.exit_code == code
    assert result.stdout.splitlines()[-1] == "1 plan, 0 pods: 1 problem, 1 change, 0 missed"


@pytest.mark.parametrize("exists", [True, False])
def test_a_priority_class_has_to_exist(run: Run, cluster: FakeApi, exists: bool) -> None:
    cluster.add(plan(priority_class="migration"), pod("db-vm-1", "db"))
    cluster.add(*release(limits={"priorityClasses": ["migration"]}))
    if exists:
        cluster.add({"kind": "PriorityClass", "metadata": {"name": "migration"}})

    result = run("audit", "-o", "wide")

    assert ("priorityClassName migration" in result.stdout) is exists
    assert ("'migration' is not applied, because it does not exist" in result.stdout) is not exists


def test_plans_beyond_the_built_in_limits_are_found_before_the_upgrade(
    run: Run, cluster: FakeApi
) -> None:
    sidecar = "sidecar.istio.io/inject=false"
    cluster.add(plan(labels=f"{sidecar},a=b"), *release(mode="enforce"))

    result = run("audit", "--fail-on", "limit")

    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    beyond = lines.index("Beyond the limits")
    assert "'sidecar.istio.io/inject' is a label by which" in lines[beyond + 1]
    assert "A release that has none still applies such settings." in lines[beyond + 2]
    assert "Problems" not in lines
    assert lines[-1].endswith(": 1 problem, 0 changes, 0 missed, 1 beyond the limits")
    cluster.add(plan(labels="a=b"))
    assert run("audit", "--fail-on", "limit").exit_code == 0


def test_the_limits_of_the_installation_are_not_called_built_in(run: Run, cluster: FakeApi) -> None:
    cluster.add(plan(labels="a=b", tolerations="gpu:Never"), *release(limits={"labels": ["team"]}))

    lines = run("audit").stdout.splitlines()

    beyond, problems = lines.index("Beyond the limits"), lines.index("Problems")
    assert (
        "'a' is not applied: limits.labels of the installation has only team" in lines[beyond + 1]
    )
    assert lines[beyond + 2] == ""
    assert "found 'Never'" in lines[problems + 1]


def test_what_the_installation_gives_all_pods_is_a_section(run: Run, cluster: FakeApi) -> None:
    enforced = {"nodeSelector": {"migration": "allowed"}}
    convertor = {"env": {"TOKEN": "secret"}}
    cluster.add(plan(), *release(enforced=enforced, convertor=convertor))

    lines = run("audit").stdout.splitlines()

    start = lines.index("Given by the installation") + 1
    assert [line.split() for line in lines[start : start + 3]] == [
        ["SETTING", "VALUE", "SOURCE"],
        ["node-selector", "migration=allowed", "enforced.nodeSelector"],
        ["env", "TOKEN", "convertor.env"],
    ]


def test_a_missed_pod_can_fail_a_pipeline(run: Run, cluster: FakeApi) -> None:
    cluster.add(DB, *PODS[:2], *release())

    result = run("audit", "--fail-on", "missed")

    assert result.exit_code == 1
    assert (
        "Missed: pod 'vms/db-vm-1' was created without the placement of plan "
        "'konveyor-forklift/db': the webhook was not called, or its review failed\n"
    ) in result.stdout


def test_a_vm_with_several_convertor_pods_can_fail_a_pipeline(run: Run, cluster: FakeApi) -> None:
    several = [pod(f"db-vm-1-{end}", "db", placed=True) for end in ("a", "b")]
    for each in several:
        each["metadata"]["labels"] |= {"migration": "4b1e"}
    cluster.add(DB, *several, *release())

    result = run("audit", "--fail-on", "duplicate")

    assert result.exit_code == 1
    assert (
        "VMs with several convertor pods\n"
        "konveyor-forklift/db: VM 'vm-1' has 2 convertor pods on the same disks: "
        "vms/db-vm-1-a, vms/db-vm-1-b\n"
        "For each of them: cancel the VM's migration, and find the client that changes the labels "
        "of its pods\n"
    ) in result.stdout
    assert result.stdout.endswith(", 1 duplicate\n")
    assert findings(run)["duplicate"] == 1


NO_FINDINGS = dict.fromkeys(FINDINGS, 0)


def findings(run: Run, *flags: str) -> Any:
    return json.loads(run("audit", "-o", "json", *flags).stdout)["findings"]


def test_without_a_webhook_no_pod_is_missed_and_no_plan_enforced(
    run: Run, cluster: FakeApi
) -> None:
    cluster.add(DB, *PODS[:2], LATER)

    assert findings(run) == NO_FINDINGS | {"change": 3}


def test_pods_older_than_the_webhook_are_not_missed(run: Run, cluster: FakeApi) -> None:
    cluster.add(DB, PODS[0], *release(since="2026-08-01T09:00:00Z"))

    assert findings(run)["missed"] == 0


def test_pods_older_than_the_settings_are_not_missed(run: Run, cluster: FakeApi) -> None:
    installed = release()
    (config_map,) = (each for each in installed if each["kind"] == "ConfigMap")
    config_map["metadata"]["managedFields"] = [
        {
            "manager": "helm",
            "time": "2026-08-01T09:00:00Z",
            "fieldsV1": {"f:data": {".": {}, "f:config.yaml": {}}},
        },
        {
            "manager": "kubectl",
            "time": "2026-08-01T05:00:00Z",
            "fieldsV1": {"f:metadata": {"f:labels": {"f:team": {}}}},
        },
    ]
    cluster.add(DB, PODS[0], *installed)

    assert findings(run)["missed"] == 0


def test_mode_and_defaults_are_those_of_the_installed_webhook(run: Run, cluster: FakeApi) -> None:
    defaults = {"labels": {"team": "migration"}}
    cluster.add(DB, *PODS[:2], *release(mode="audit", defaults=defaults))

    report = json.loads(run("audit", "-o", "json").stdout)

    assert [each["mode"] for each in report["plans"]] == ["audit"]
    assert report["plans"][0]["asks"].startswith("labels team=migration,batch=1; ")
    assert report["findings"] == NO_FINDINGS | {"change": 2}
    assert report["installed"] == [
        {
            "configuration": "convertor-webhook-convertor-webhook",
            "failurePolicy": "Ignore",
            "since": WRITTEN,
            "deployment": "convertor-webhook/convertor-webhook",
            "configMap": "convertor-webhook/convertor-webhook-config",
            "mode": "audit",
        }
    ]


def test_flags_override_the_installed_mode(run: Run, cluster: FakeApi) -> None:
    cluster.add(DB, *PODS[:2], *release(mode="audit"))

    report = json.loads(run("audit", "-o", "json", "--mode", "enforce").stdout)

    assert [(each["mode"], each["modeFrom"]) for each in report["plans"]] == [
        ("enforce", "installation")
    ]


@pytest.mark.parametrize("flags", [["--mode", "enforce"], ["--namespace-mode", "vms=enforce"]])
def test_pods_are_not_missed_if_flags_change_the_mode(
    run: Run, cluster: FakeApi, flags: list[str]
) -> None:
    cluster.add(DB, *PODS[:2], *release(mode="audit"))

    assert findings(run, *flags)["missed"] == 0


def test_several_releases_are_listed_and_none_is_used(run: Run, cluster: FakeApi) -> None:
    other = release(called="other", mode="audit")
    cluster.add(DB, *release(), *other)

    result = run("audit")

    assert "mode audit (ConfigMap convertor-webhook/other-config), failurePolicy" in result.stdout
    assert (
        "- several webhooks are installed: only the flags of this command are applied\n"
        in result.stdout
    )


UNKNOWN = "whether a webhook is installed is not known"
ONLY_IN_SETTINGS = "for compared labels only the values in the settings are known"


@pytest.mark.parametrize(
    ("group", "resource", "consequence"),
    [
        ("admissionregistration.k8s.io", "mutatingwebhookconfigurations", UNKNOWN),
        ("", "nodes", ONLY_IN_SETTINGS),
        ("", "pods", "existing pods are not checked"),
        ("forklift.konveyor.io", "plans", "no plan is checked"),
    ],
)
def test_a_missing_permission_is_reported_with_its_consequence(
    run: Run, cluster: FakeApi, group: str, resource: str, consequence: str
) -> None:
    cluster.add(DB, WEB, *PODS, NODE, *release())
    cluster.forbid("list", resource)

    result = run("audit")

    assert result.exit_code == 0
    assert (
        f"Not read\n- 'jane' may not list {resource} at the cluster scope: it needs a ClusterRole "
        f'with apiGroups: ["{group}"], resources: ["{resource}"], verbs: ["list"]; '
        f"{consequence}\n" in result.stdout
    )
    assert ("vms/stray" if resource == "plans" else "konveyor-forklift/db") in result.stdout


def test_without_the_right_to_read_the_config_map_the_mode_is_unknown(
    run: Run, cluster: FakeApi
) -> None:
    cluster.add(DB, *release())
    cluster.forbid("get", "configmaps")

    result = run("audit")

    assert (
        "convertor-webhook-convertor-webhook: mode unknown, failurePolicy Ignore" in result.stdout
    )
    assert "; the settings of 'convertor-webhook-convertor-webhook' are not known" in result.stdout


def test_other_webhooks_are_ignored(run: Run, cluster: FakeApi) -> None:
    other = {"name": "other.example.com"}
    url = {"name": "pods.convertor.forklift.konveyor.io", "clientConfig": {"url": "https://x"}}
    for name, webhook in (("a", other), ("b", url)):
        metadata = {"name": name, "creationTimestamp": WRITTEN}
        kind = "MutatingWebhookConfiguration"
        cluster.add({"kind": kind, "metadata": metadata, "webhooks": [webhook]})

    result = run("audit")

    assert result.stdout.startswith("Installed\nb: mode unknown, failurePolicy Fail\n\n")


def test_without_any_permission_there_is_no_report(run: Run, cluster: FakeApi) -> None:
    cluster.forbid("*")

    result = run("audit")

    assert result.exit_code == 3
    assert "'jane' may not list plans" in result.stderr


@pytest.mark.parametrize(
    "resource", ["mutatingwebhookconfigurations", "configmaps", "plans", "pods", "nodes"]
)
def test_an_api_server_error_ends_the_audit(run: Run, cluster: FakeApi, resource: str) -> None:
    cluster.add(WEB, *release())
    cluster.fail("*", 500, resource, message="etcd is away")

    result = run("audit")

    assert (result.exit_code, result.stdout) == (3, "")
    assert "answered 500: etcd is away" in result.stderr


def test_a_namespace_limits_the_audit_to_its_plans_and_their_pods(
    run: Run, cluster: FakeApi
) -> None:
    cluster.add(DB, LATER, *PODS)

    report = json.loads(run("audit", "-n", "konveyor-forklift", "-o", "json").stdout)

    assert [each["plan"] for each in report["plans"]] == ["konveyor-forklift/db"]
    assert [each["name"] for each in report["plans"][0]["pods"]] == ["vms/db-vm-1", "vms/db-vm-2"]
    assert report["strays"] == []
    plans = "/apis/forklift.konveyor.io/v1beta1/namespaces/konveyor-forklift/plans"
    assert f"GET {plans}?limit=20" in cluster.request_lines


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-n", "a", "-A"], "expected --namespace or --all-namespaces, found both"),
        (["-f", "pods.yaml"], "--filename needs --plans: pods are checked against plans"),
        (["-n", "A!"], "'A!' is not a valid name of a namespace"),
    ],
)
def test_invalid_arguments_are_rejected(
    run: Run, cluster: FakeApi, words: list[str], message: str
) -> None:
    result = run("audit", *words)

    assert result.exit_code == 2
    assert message in result.stderr


def test_files_are_audited_without_a_cluster(run: Run, tmp_path: Path) -> None:
    (tmp_path / "plans.yaml").write_text(yaml.safe_dump_all([DB, WEB, LATER, NODE]))
    pods = tmp_path / "pods.json"
    pods.write_text(json.dumps({"kind": "List", "items": [*PODS[:3]]}))

    result = run("audit", "--plans", str(tmp_path / "plans.yaml"), "-f", str(pods), "-o", "json")

    report = json.loads(result.stdout)
    assert (result.exit_code, result.stderr) == (0, "")
    assert report["installed"] is None
    assert report["findings"] == NO_FINDINGS | {"problem": 1, "change": 4}
    web = next(each for each in report["plans"] if each["plan"].endswith("/web"))
    assert "128Gi" in json.dumps(web["pods"][0]["patch"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("kind: Plan\n", "line 1: expected pods, found 'Plan'"),
        ("- a\n", "line 1: expected pods, found something else"),
        ("{", "line 1 column 2: expected JSON: expecting property name enclosed in double quotes"),
    ],
)
def test_a_file_without_pods_is_rejected(run: Run, tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "plans.yaml").write_text(yaml.safe_dump(DB))
    path = tmp_path / "pods.yaml"
    path.write_text(text)

    result = run("audit", "--plans", str(tmp_path / "plans.yaml"), "-f", str(path))

    assert result.exit_code == 2
    assert f"'{path}': {message}" in result.stderr


IMMEDIATE = {
    "kind": "StorageClasse",  # the fake API server adds an s
    "metadata": {"name": "local"},
    "volumeBindingMode": "Immediate",
}
IMPORTER = importer("importer-db-vm-1-disk-0", DISK)


def test_an_importer_of_an_immediate_class_is_no_first_consumer(run: Run, cluster: FakeApi) -> None:
    cluster.add(DB, DISK, IMPORTER, IMMEDIATE)

    (found,) = json.loads(run("audit", "-o", "json").stdout)["plans"][0]["pods"]

    assert (found["role"], found["reason"]) == ("importer", "RoleNotSelected")


def test_without_the_right_to_list_pvcs_pods_without_labels_are_left_out_with_a_note(
    run: Run, cluster: FakeApi
) -> None:
    cluster.add(DB, DISK, IMPORTER)
    cluster.forbid("list", "persistentvolumeclaims")

    result = run("audit", "-o", "json", "--fail-on", "missed")
    report = json.loads(result.stdout)

    assert report["plans"][0]["hasPods"] is False
    (text,) = report["unread"]
    assert text.endswith(
        "; the disks of running migrations are not checked, nor importers and populators whose "
        "labels name no plan"
    )
    assert result.exit_code == 3


@pytest.mark.parametrize(("fail_on", "code"), [("missed", 0), ("change", 1), ("conflict", 3)])
def test_hidden_pvcs_do_not_matter_for_convertor_pods(
    run: Run, cluster: FakeApi, fail_on: str, code: int
) -> None:
    cluster.add(DB, DISK, pod("db-vm-1", "db"))
    cluster.forbid("list", "persistentvolumeclaims")

    assert run("audit", "--fail-on", fail_on).exit_code == code


ZONAL = written(plan(affinity=f"REQUIRE nodes({ZONE}=a)"))
BOUND = pvcs.pvc(volume="pv-0", plan="uid-db")
IN_B = pvcs.volume("pv-0", pvcs.zone_terms("b"))
NODES = [node("alpha", {ZONE: "a"}), node("beta", {ZONE: "b"})]


def ended(vm: str) -> Json:
    """Return the status of a plan whose migration of a VM has ended."""
    history = [{"migration": {"uid": pvcs.MIGRATION}}]
    vms = [{"id": vm, "completed": AFTER}]
    return {"status": {"migration": {"history": history, "vms": vms}}}


def conflicts_of(output: str) -> list[Json]:
    (of_plan,) = json.loads(output)["plans"]
    found: list[Json] = of_plan["conflicts"]
    return found


def test_disks_that_are_bound_where_the_convertor_pod_cannot_run_are_conflicts(
    run: Run, cluster: FakeApi
) -> None:
    cluster.add(ZONAL, BOUND, IN_B, *NODES, *release())
    result = run("audit", "-o", "json", "--fail-on", "conflict")

    (found,) = conflicts_of(result.stdout)
    assert (found["vm"], found["kind"]) == ("vm-1", "convertor")
    assert result.exit_code == 1
    table = run("audit").stdout
    assert f"Placement conflicts\nkonveyor-forklift/db: {found['message']}\n" in table
    assert table.endswith(", 1 conflict\n")


@pytest.mark.parametrize(
    "case", ["other plan", "other namespace", "ended", "mode off", "reachable", "not bound"]
)
def test_other_disks_are_no_conflicts(run: Run, cluster: FakeApi, case: str) -> None:
    plan_object = ZONAL | (ended("vm-1") if case == "ended" else {})
    if case == "mode off":
        plan_object = written(plan(affinity=f"REQUIRE nodes({ZONE}=a)", mode="off"))
    disk = {
        "other plan": pvcs.pvc(volume="pv-0", plan="uid-other"),
        "other namespace": pvcs.pvc(namespace="other", volume="pv-0"),
        "not bound": pvcs.pvc(),
    }.get(case, BOUND)
    volume = pvcs.volume("pv-0", pvcs.zone_terms("a")) if case == "reachable" else IN_B
    cluster.add(plan_object, disk, volume, *NODES, *release())

    assert conflicts_of(run("audit", "-o", "json").stdout) == []


def test_another_vm_that_has_ended_does_not_hide_a_conflict(run: Run, cluster: FakeApi) -> None:
    cluster.add(ZONAL | ended("vm-2"), BOUND, IN_B, *NODES, *release())

    assert len(conflicts_of(run("audit", "-o", "json").stdout)) == 1


@pytest.mark.parametrize("resource", ["persistentvolumes", "nodes"])
def test_hidden_volumes_and_nodes_fail_a_pipeline_on_conflicts(
    run: Run, cluster: FakeApi, resource: str
) -> None:
    fine = pvcs.volume("pv-0", pvcs.zone_terms("a"))
    cluster.add(ZONAL, BOUND, fine, *NODES, *release())
    cluster.forbid("list", resource)

    assert run("audit", "--fail-on", "conflict").exit_code == 3


def test_conflicts_in_files_are_found_by_the_rules_alone(run: Run, tmp_path: Path) -> None:
    (tmp_path / "plan.yaml").write_text(yaml.safe_dump_all([ZONAL, BOUND, IN_B]))

    result = run("audit", "--plans", str(tmp_path), "-o", "json", "--fail-on", "conflict")

    assert [each["kind"] for each in conflicts_of(result.stdout)] == ["convertor"]
    assert result.exit_code == 1


def test_importers_and_pvcs_may_be_in_files(run: Run, tmp_path: Path) -> None:
    (tmp_path / "plan.yaml").write_text(yaml.safe_dump_all([DB, DISK]))
    (tmp_path / "pods.yaml").write_text(yaml.safe_dump_all(OF_OTHER_ROLES))
    words = ("--plans", str(tmp_path / "plan.yaml"), "-f", str(tmp_path / "pods.yaml"))

    report = json.loads(run("audit", *words, "-o", "json").stdout)

    assert {pod["name"]: pod["role"] for pod in report["plans"][0]["pods"]} == {
        "vms/db-vm-1-pvcinit": "first-consumer",
        "vms/importer-db-vm-1-disk-0": "first-consumer",
    }


@pytest.mark.parametrize("pods", ["all", "convertor"])
def test_pods_beside_a_plan_are_read_if_it_places_inspections(
    run: Run, cluster: FakeApi, pods: str
) -> None:
    labels = {"forklift.app": "deep-inspection", "plan": "uid-db"}
    inspection = builders.pod("konveyor-forklift/db-deep", labels=labels)
    cluster.add(written(plan(labels="batch=1", pods=pods)), inspection)

    report = run("audit", "-n", "konveyor-forklift", "-o", "json").stdout
    (found,) = json.loads(report)["plans"]

    roles = [each["role"] for each in found["pods"]] if found["hasPods"] else []
    assert roles == (["inspection"] if pods == "all" else [])


def test_a_plan_whose_progress_is_hidden_counts_as_running(run: Run, cluster: FakeApi) -> None:
    cluster.add(ZONAL | ended("vm-1"), BOUND, IN_B, *NODES, *release())
    cluster.forbid("get", "plans", namespace="konveyor-forklift")

    assert len(conflicts_of(run("audit", "-o", "json").stdout)) == 1


def test_an_invalid_progress_is_an_error(run: Run, cluster: FakeApi) -> None:
    cluster.add(ZONAL | {"status": {"migration": []}}, BOUND, IN_B, *NODES, *release())
    result = run("audit")

    assert result.exit_code == 3
    assert "sent an invalid Plan 'konveyor-forklift/db'" in " ".join(result.stderr.split())
