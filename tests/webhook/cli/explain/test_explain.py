"""`kubectl convertor explain plan`: the whole output, as text, YAML and JSON."""

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from tests.support.builders import ZONE, convertor_pod, namespace, node, plan, pod
from tests.support.commands import Run
from tests.support.fake_api import FakeApi
from tests.support.golden import Golden
from tests.support.pvcs import storage_class
from tests.support.releases import CONFIG_MAP, CONFIGURATION, DEPLOYMENT, SINCE, release
from webhook.kube.objects import Json

EXPECTED = Path(__file__).parent / "expected"

NODES = [
    node("alpha", {ZONE: "a", "disk": "nvme", "memory": "128Gi"}),
    node("beta", {ZONE: "a", "disk": "nvme", "memory": "64Gi"}, taints=("gpu:NoSchedule",)),
    node("delta", {ZONE: "b", "disk": "nvme", "memory": "256Gi"}, allocatable={"cpu": "1"}),
    node("epsilon", {ZONE: "b", "disk": "hdd", "memory": "32Gi"}, cordoned=True),
    node("gamma", {ZONE: "c", "disk": "nvme", "memory": "64Gi"}),
    node("theta", {ZONE: "a", "disk": "nvme", "memory": "64Gi"}, taints=("spot:PreferNoSchedule",)),
]
PODS = [
    *(
        pod(f"rook-ceph/osd-{i}", f"{name}", {"app": "ceph-osd"})
        for i, name in enumerate(["alpha", "beta", "delta", "theta"])
    ),
    pod("shop/web-1", "alpha", {"app": "web", "tier": "production"}),
    pod("shop/load", "delta", cpu="500m"),
    pod("shop/job", "delta", cpu="500m", status={"phase": "Succeeded"}),
]
NAMESPACES = [namespace("vms"), namespace("rook-ceph", team="storage"), namespace("shop")]

FITS = plan(
    spec={"convertorLabels": {"workload": "migration"}, "convertorNodeSelector": {"disk": "hdd"}},
    labels="batch=1",
    node_selector="memory=64Gi+,disk=nvme",
    tolerations="dedicated=migration:NoSchedule",
    affinity="REQUIRE pods(app=ceph-osd) in namespaces (team=storage) on zone\n"
    "REPEL pods(tier=production) on node weight=30; PREFER pods(app=proxy) on zone",
)
NOWHERE = plan(
    spec={
        "convertorLabels": {"batch": "1"},
        "convertorAffinity": {
            "podAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": [
                    {
                        "labelSelector": {"matchLabels": {"app": "ceph-osd"}},
                        "topologyKey": "kubernetes.io/hostname",
                    }
                ]
            }
        },
    },
    scope="own",
    node_selector="disk=nmve",
    tolerations="gpu:Sometimes",
    affinity="AVOID nodes(spot=true)\nREQIRE pods(a=b) on node",
    label="a=b",
    labels="team=a,batch=2",
)
WAITING = convertor_pod(
    "db-vm-1-x7k2p",
    message="0/6 nodes are available: 6 node(s) didn't match Pod's node affinity/selector.",
    nodeSelector={"disk": "nmve"},
    affinity=NOWHERE["spec"]["convertorAffinity"],
    volumes=[{"name": "disk", "persistentVolumeClaim": {"claimName": "db-vm-1-disk"}}],
)


@pytest.fixture
def cluster(cluster: FakeApi) -> FakeApi:
    cluster.add(*NODES, *PODS, *NAMESPACES, *release())
    return cluster


@pytest.mark.parametrize("output", ["text", "yaml", "json"])
def test_the_explanation_of_a_plan_in_each_format(
    run: Run, cluster: FakeApi, golden: Golden, output: str
) -> None:
    cluster.add(FITS, convertor_pod("db-vm-9-qqqqq", "alpha"))
    result = run("explain", "plan", "db", "-o", output)
    assert (result.exit_code, result.stderr) == (0, "")
    golden(EXPECTED / f"explain-fits.{output}", result.stdout)


@pytest.mark.parametrize("output", ["text", "json"])
def test_the_explanation_of_a_pod_that_fits_no_node_in_each_format(
    run: Run, cluster: FakeApi, golden: Golden, output: str
) -> None:
    cluster.add(NOWHERE, WAITING, convertor_pod("db-vm-9-qqqqq", "alpha"))
    result = run("explain", "plan", "db", "-o", output)
    assert (result.exit_code, result.stderr) == (0, "")
    golden(EXPECTED / f"explain-nowhere.{output}", result.stdout)


def test_a_pod_that_does_not_start_is_explained(run: Run, cluster: FakeApi) -> None:
    pod = convertor_pod("db-vm-1-x7k2p", "alpha")
    waiting = {"reason": "ImagePullBackOff", "message": "no such image"}
    pod["status"] = {
        "phase": "Pending",
        "containerStatuses": [{"name": "virt-v2v", "state": {"waiting": waiting}}],
    }
    cluster.add(FITS, pod)
    assert "ImagePullBackOff: no such image" in run("explain", "plan", "db").stdout


def test_rules_that_only_one_pod_can_meet_together_are_a_section_of_the_text(
    run: Run, cluster: FakeApi
) -> None:
    cluster.add(plan(affinity="REQUIRE pods(app=ceph-osd) on node; REQUIRE pods(team=x) on zone"))
    lines = run("explain", "plan", "db").stdout.splitlines()
    warning = lines[lines.index("Warnings") + 1]
    assert warning.startswith("- Plan konveyor-forklift/db: no node fits unless one pod matches ")


def explained(run: Run, *words: str) -> Json:
    result = run("explain", "plan", "db", *words, "-o", "json")
    assert (result.exit_code, result.stderr) == (0, "")
    found: Json = json.loads(result.stdout)
    return found


def test_the_mode_and_the_settings_are_those_of_the_installation(
    run: Run, cluster: FakeApi
) -> None:
    defaults = {"labels": {"team": "a"}, "nodeSelector": {"disk": "hdd"}}
    cluster.add(plan(tolerations="gpu"), *release(mode="audit", scope="own", defaults=defaults))
    found = explained(run)
    assert (found["mode"], found["unread"]) == ("audit", [])
    assert found["judged"] == "a new convertor pod, as Forklift creates it (the mode is audit)"
    assert [(each["name"], each["value"], each["source"]) for each in found["settings"]] == [
        ("labels", "team=a", "defaults labels"),
        ("node-selector", "disk=hdd", "defaults nodeSelector"),
        ("tolerations", "gpu", "annotation convertor.forklift.konveyor.io/tolerations"),
        ("scope", "own", "installation"),
        ("mode", "audit", "installation"),
    ]
    assert found["installed"] == [
        {
            "configuration": CONFIGURATION,
            "failurePolicy": "Ignore",
            "since": SINCE,
            "deployment": DEPLOYMENT,
            "configMap": CONFIG_MAP,
            "mode": "audit",
        }
    ]


def test_the_evaluated_pod_is_placed_with_the_installed_defaults(
    run: Run, cluster: FakeApi
) -> None:
    def fitting(*words: str) -> list[str]:
        return [each["name"] for each in explained(run, *words)["nodes"] if each["fits"]]

    cluster.add(plan(), *release(defaults={"nodeSelector": {"memory": "128Gi"}}))
    assert fitting() == ["alpha"]
    assert fitting("--mode", "audit") == ["alpha", "gamma", "theta"]


def test_a_missing_webhook_is_reported(run: Run, cluster: FakeApi) -> None:
    cluster.add(plan())
    warning = "No webhook is installed: Forklift's pods are not placed.\n"
    assert warning not in run("explain", "plan", "db").stdout
    cluster.delete("mutatingwebhookconfigurations", "", CONFIGURATION)
    assert warning in run("explain", "plan", "db").stdout
    assert explained(run)["installed"] == []


def test_an_unreadable_installation_is_reported(run: Run, cluster: FakeApi) -> None:
    cluster.add(plan(), *release(mode="later"))
    text = run("explain", "plan", "db").stdout
    assert f"Not read\n- ConfigMap {CONFIG_MAP} config.yaml mode: expected mode enforce, " in text
    cluster.forbid("list", "mutatingwebhookconfigurations")
    found = explained(run)
    assert found["installed"] is None
    assert found["unread"][0].endswith("; whether a webhook is installed is not known")
    text = run("explain", "plan", "db").stdout
    assert "No webhook" not in text


def test_the_advised_commands_help(run: Run, cluster: FakeApi) -> None:
    rules = "REQUIRE pods(app=ceph-osd) on node"
    cluster.add(plan(affinity=rules, node_selector="disk=nmve", scope="own"))
    for _ in range(2):
        found = json.loads(run("explain", "plan", "db", "-o", "json").stdout)
        if any(each["fits"] for each in found["nodes"]):
            return
        for each in found["advice"]:
            words = shlex.split(each["command"].removeprefix("kubectl convertor "))
            assert run(*words).exit_code == 0
    pytest.fail(f"no node fits: {found['nodes']}")


def test_long_tables_are_truncated_in_text_only(run: Run, cluster: FakeApi) -> None:
    cluster.add(plan())
    cluster.add(*(node(f"node-{i:03}") for i in range(60)))
    cluster.add(*(convertor_pod(f"db-{i:03}", "gamma") for i in range(50)))
    text = run("explain", "plan", "db").stdout
    assert text.count("… and ") == 2
    assert "… and 26 more; -o json has all\n62/66 nodes are available" in text
    assert "… and 10 more; -o json has all" in text
    found = json.loads(run("explain", "plan", "db", "-o", "json").stdout)
    assert (len(found["nodes"]), len(found["pods"])) == (66, 50)


def test_colours_are_used_on_terminals_only(run: Run, cluster: FakeApi) -> None:
    cluster.add(plan())
    forced = {"FORCE_COLOR": "1", "TERM": "xterm-256color"}
    assert "\x1b[32malpha" in run("explain", "plan", "db", env=forced).stdout
    for env in ({}, forced | {"NO_COLOR": "1"}):
        assert "\x1b[3" not in run("explain", "plan", "db", env=env).stdout


RIGHT = (
    "'eve' may not list {0} at the cluster scope: it needs a ClusterRole with "
    'apiGroups: [""], resources: ["{0}"], verbs: ["list"]'
)


def test_missing_permissions_are_reported_with_their_consequences(
    run: Run, cluster: FakeApi, golden: Golden
) -> None:
    cluster.add(FITS, convertor_pod("db-vm-9-qqqqq", "alpha"))
    for resource in ("nodes", "pods", "namespaces"):
        cluster.forbid("list", resource, namespace="", user="eve")
    result = run("explain", "plan", "db")
    assert (result.exit_code, result.stderr) == (0, "")
    golden(EXPECTED / "explain-rights.text", result.stdout)
    assert RIGHT.format("nodes") in result.stdout


def test_a_refused_convertor_profile_is_reported_with_what_to_change(
    run: Run, cluster: FakeApi
) -> None:
    cluster.add(plan(), *release(convertor={"runtimeClass": "kata"}))
    cluster.fail("create", 403, "pods", message='RuntimeClass "kata" not found')
    found = explained(run)

    assert found["advice"][0] == {
        "problem": "namespace 'vms' refuses convertor pods with the convertor profile: "
        f'{cluster.server} forbids it: RuntimeClass "kata" not found',
        "remedy": "change convertor in the installation, or convertor.namespaces.vms for this "
        "namespace only, or what refuses it",
    }
    assert [each.namespace for each in cluster.filter_requests("create")] == ["vms", "vms"]


def test_a_convertor_profile_that_is_accepted_is_no_problem(run: Run, cluster: FakeApi) -> None:
    cluster.add(plan(), *release(convertor={"runtimeClass": "kata"}))
    found = explained(run)

    assert len(cluster.filter_requests("create")) == 1
    assert "profile" not in json.dumps([found["advice"], found["unread"]])


def test_without_a_profile_no_pod_is_sent(run: Run, cluster: FakeApi) -> None:
    cluster.add(plan(), *release(convertor={"namespaces": {"other": {"runtimeClass": "kata"}}}))
    explained(run)
    assert not cluster.filter_requests("create")


def test_without_permission_to_create_pods_the_profile_is_not_checked(
    run: Run, cluster: FakeApi
) -> None:
    cluster.add(plan(), *release(convertor={"runtimeClass": "kata"}))
    cluster.forbid("create", "pods", user="eve")
    (unread,) = explained(run)["unread"]

    assert unread.startswith("'eve' may not create pods in namespace 'vms': it needs a Role")
    assert unread.endswith("; the convertor profile is not checked")


def test_without_permission_to_list_pods_none_is_listed(run: Run, cluster: FakeApi) -> None:
    cluster.add(plan(), convertor_pod("db-vm-9-qqqqq", "alpha"))
    cluster.forbid("list", "pods", user="eve")
    found = json.loads(run("explain", "plan", "db", "-o", "json").stdout)
    assert found["pods"] == []
    assert [each.partition(": it needs")[0] for each in found["unread"]] == [
        "'eve' may not list pods at the cluster scope",
        "'eve' may not list pods in namespace 'vms'",
    ]


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["explain"], 2, "expected 'plan NAME' or 'plan/NAME', found ''"),
        (["explain", "plan"], 2, "expected 'plan NAME' or 'plan/NAME', found 'plan'"),
        (["explain", "plan", ""], 2, "the name of the plan is empty"),
        (["explain", "plans/"], 2, "the name of the plan is empty"),
        (["explain", "db"], 2, "expected a plan's name, such as 'plan db'"),
        (
            *(["explain", "plan", "dbb"], 2),
            "no plan 'dbb' in namespace 'konveyor-forklift'; did you mean 'db'?",
        ),
        (["explain", "plan", "db", "-n", "UP"], 2, "'UP' is not a valid name of a namespace"),
    ],
)
def test_a_missing_plan_is_reported(
    run: Run, cluster: FakeApi, words: list[str], code: int, message: str
) -> None:
    cluster.add(plan())
    result = run(*words)
    assert result.exit_code == code
    assert result.stderr.endswith(f"Error: {message}\n")


def test_an_api_server_error_ends_the_explanation(run: Run, cluster: FakeApi) -> None:
    cluster.add(plan())
    cluster.fail("list", 500, "nodes", message="etcd is gone")
    result = run("explain", "plan", "db")
    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr == f"Error: {cluster.server} answered 500: etcd is gone\n"


def test_large_clusters_are_listed_in_pages(run: Run, cluster: FakeApi) -> None:
    cluster.add(plan())
    cluster.add(*(pod(f"shop/web-{i:04}", "alpha") for i in range(300)))
    assert run("explain", "plan", "db").exit_code == 0
    pages = [each for each in cluster.filter_requests("list") if each.resource == "pods"]
    assert len(pages) > 1
    assert all("limit" in page.query for page in pages)


def test_a_vm_with_several_convertor_pods_is_reported(
    run: Run, cluster: FakeApi, golden: Golden
) -> None:
    labels = {"forklift.app": "virt-v2v", "plan": "uid-db", "migration": "4b1e", "vmID": "vm-1"}
    deleted = {"deletionTimestamp": "2026-08-01T08:00:00Z"}
    cluster.add(
        plan(spec={"convertorLabels": {"workload": "migration"}}),
        pod("vms/db-vm-1-a", "alpha", labels | {"workload": "batch"}),
        pod("vms/db-vm-1-b", "gamma", labels | {"workload": "batch"}),
        pod("vms/db-vm-1-c", "gamma", labels, metadata=deleted),
    )
    text = run("explain", "plan", "db").stdout
    golden(EXPECTED / "explain-duplicates.text", text[text.index("Convertor pods") :])
    assert explained(run)["duplicates"] == [
        {
            "vm": "vm-1",
            "migration": "4b1e",
            "pods": ["vms/db-vm-1-a", "vms/db-vm-1-b"],
            "labels": [
                "label workload: expected 'migration' as in spec.convertorLabels, found 'batch'"
            ],
        }
    ]


def test_a_plan_without_a_target_namespace_is_explained(run: Run, cluster: FakeApi) -> None:
    cluster.add(plan(spec={"targetNamespace": None}))
    result = run("explain", "plan", "db")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith(
        "Plan konveyor-forklift/db\nTarget namespace <none>, mode enforce."
    )


SELECTING = [
    {
        "apiVersion": version,
        "kind": kind,
        "metadata": {"name": kind.lower()[:3], "namespace": "vms"},
        "spec": spec,
    }
    for version, kind, spec in (
        ("v1", "Service", {"selector": {"tier": "web"}}),
        ("apps/v1", "ReplicaSet", {"selector": {"matchLabels": {"tier": "web"}}, "replicas": 2}),
        ("policy/v1", "PodDisruptionBudget", {"selector": {"matchLabels": {"tier": "db"}}}),
        ("networking.k8s.io/v1", "NetworkPolicy", {"podSelector": {}, "policyTypes": ["Egress"]}),
    )
]
INSTALLATION: dict[str, Any] = {
    "limits": {
        "priorityClasses": ["migration"],
        "nodeLabels": ["disk", "kubernetes.io/hostname"],
        "namespaces": {"konveyor-forklift": {"labels": ["tier"]}},
    },
    "enforced": {
        "nodeSelector": {"disk": "nvme"},
        "affinity": "AVOID pods(app=web) in namespace shop on node",
    },
    "convertor": {
        "seccompProfile": {"type": "Localhost", "localhostProfile": "profiles/v2v.json"},
        "env": {"LIBGUESTFS_BACKEND": "direct"},
        "scratchVolume": {"size": "100Gi", "storageClass": "fast"},
    },
    "defaults": {"resources": {"limits": {"memory": "4Gi"}}},
}
BESIDES = plan(
    labels="tier=web,team=a",
    node_selector="disk=hdd,rack=1",
    affinity="SPREAD pods(app=virt-v2v) on node hard; REQUIRE nodes(has zone)",
    annotations={
        "resources": "requests.memory=8Gi",
        "priority-class": "migration",
        "pod-annotations": "karpenter.sh/do-not-disrupt=true",
    },
)
PRIORITY_CLASS = {
    "apiVersion": "scheduling.k8s.io/v1",
    "kind": "PriorityClass",
    "metadata": {"name": "migration"},
    "value": 1000,
}


@pytest.mark.parametrize("output", ["text", "json"])
def test_everything_besides_the_place_is_explained_in_each_format(
    run: Run, cluster: FakeApi, golden: Golden, output: str
) -> None:
    others = [convertor_pod(f"o-{i}", "theta", plan="other") for i in range(2)]
    cluster.add(*release(**INSTALLATION), BESIDES, PRIORITY_CLASS, storage_class("fast"))
    cluster.add(*SELECTING, *others)
    result = run("explain", "plan", "db", "-o", output)
    assert (result.exit_code, result.stderr) == (0, "")
    golden(EXPECTED / f"explain-besides.{output}", result.stdout)


def test_without_rights_the_objects_that_select_pods_are_not_known(
    run: Run, cluster: FakeApi
) -> None:
    cluster.add(plan(labels="tier=web"), *SELECTING)
    for resource in ("services", "replicasets", "poddisruptionbudgets", "networkpolicies"):
        cluster.forbid("list", resource)
    found = explained(run)
    assert found["selectedBy"] == []
    for each in SELECTING:
        (unread,) = [text for text in found["unread"] if f"a {each['kind']} that" in text]
        assert unread.endswith("that selects the pods of the plan is not reported")
