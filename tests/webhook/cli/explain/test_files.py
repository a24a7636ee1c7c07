"""`kubectl convertor explain plan --plans`: plan, nodes, pods and disks in files."""

import json
from pathlib import Path

import pytest
import yaml

from tests.support import pvcs
from tests.support.builders import ZONE, namespace, node, plan, pod
from tests.support.commands import Run
from webhook.kube.objects import Json

RULES = "REQUIRE pods(app=ceph-osd) in namespaces (team=storage) on node"
NO_KVM = {"devices.kubevirt.io/kvm": "0"}
OBJECTS = [
    plan(affinity=RULES),
    node("a1", {ZONE: "a"}),
    node("b1", {ZONE: "b"}),
    pod("rook-ceph/osd", "b1", {"app": "ceph-osd"}),
    namespace("rook-ceph", team="storage"),
    pvcs.pvc(volume="pv-0"),
    pvcs.volume("pv-0", pvcs.zone_terms("a")),
]


def write(path: Path, *objects: Json) -> Path:
    path.write_text(yaml.safe_dump_all(objects), encoding="utf-8")
    return path


def explained(run: Run, path: Path) -> Json:
    result = run("explain", "plan", "db", "--plans", str(path), "-o", "json")
    assert (result.exit_code, result.stderr) == (0, "")
    found: Json = json.loads(result.stdout)
    return found


@pytest.mark.parametrize("in_folder", [False, True])
def test_everything_is_read_from_files(run: Run, tmp_path: Path, *, in_folder: bool) -> None:
    path = write(tmp_path / "a.yaml", *OBJECTS)
    if in_folder:
        write(tmp_path / "a.yaml", *OBJECTS[:3])
        write(tmp_path / "b.yaml", *OBJECTS[3:], {"apiVersion": "apps/v1", "kind": "Pod"})
        path = tmp_path
    found = explained(run, path)
    assert [each["name"] for each in found["nodes"] if each["fits"]] == ["b1"]
    assert (found["unread"], found["installed"]) == ([], None)
    assert [each["nodes"] for each in found["disks"]] == [["a1"]]
    (conflict,) = found["conflicts"]
    assert "(a1) is excluded by affinity REQUIRE pods(app=ceph-osd)" in conflict["message"]


def test_without_nodes_conflicts_are_found_by_the_rules_alone(run: Run, tmp_path: Path) -> None:
    rule = plan(affinity=f"REQUIRE nodes({ZONE}=b)")
    path = write(tmp_path / "a.yaml", rule, *OBJECTS[5:])
    found = explained(run, path)
    assert found["unread"] == [f"'{path}' has no Node; nodes are not evaluated"]
    assert (found["nodes"], found["roles"]) == ([], [])
    assert f"only nodes({ZONE}=a) reach it" in found["conflicts"][0]["message"]


@pytest.mark.parametrize(
    ("labels", "is_its"),
    [
        ({"plan": "uid-db"}, True),
        ({"plan": "uid-other", "plan-name": "db", "plan-namespace": "konveyor-forklift"}, False),
        ({"plan": "", "plan-name": "db", "plan-namespace": "konveyor-forklift"}, True),
        ({"plan": "", "plan-name": "db", "plan-namespace": "shop"}, False),
    ],
)
def test_the_disks_are_those_of_the_plan(
    run: Run, tmp_path: Path, labels: dict[str, str], *, is_its: bool
) -> None:
    disk = pvcs.pvc()
    disk["metadata"]["labels"] |= labels
    path = write(tmp_path / "a.yaml", plan(), disk)
    assert bool(explained(run, path)["disks"]) is is_its


@pytest.mark.parametrize(
    ("objects", "message"),
    [
        ([plan("web")], "has no plan 'db'"),
        ([plan(), plan(namespace="shop")], "in konveyor-forklift and shop; try --namespace"),
        (
            [plan(), node("a1") | {"spec": {"taints": "gpu"}}],
            "line 12: Node: 'spec.taints': expected a list, found text",
        ),
        (
            [plan(), node("a1", allocatable={"cpu": "many"})],
            "line 12: Node: an amount of its resources must be a quantity",
        ),
        (
            [plan(), pod("vms/p", affinity={"podAffinity": []})],
            "line 12: Pod: 'spec.affinity.podAffinity': expected a map, found a list",
        ),
    ],
    ids=["no plan", "two plans", "not a node", "not an amount", "not an affinity"],
)
def test_errors_name_the_file(run: Run, tmp_path: Path, objects: list[Json], message: str) -> None:
    path = write(tmp_path / "a.yaml", *objects)
    result = run("explain", "plan", "db", "--plans", str(path))
    assert result.exit_code == 2
    assert result.stderr.startswith(f"Error: '{path}'")
    assert message in result.stderr


def test_a_namespace_selects_the_plan(run: Run, tmp_path: Path) -> None:
    path = write(tmp_path / "a.yaml", plan(), plan(namespace="shop"))
    result = run("explain", "plan", "db", "-n", "shop", "--plans", str(path))
    assert result.stdout.startswith("Plan shop/db\n")


def test_files_of_a_folder_that_are_not_valid_are_skipped_with_a_warning(
    run: Run, tmp_path: Path
) -> None:
    write(tmp_path / "a.yaml", *OBJECTS)
    (tmp_path / "b.yaml").write_text("kind: [", encoding="utf-8")
    result = run("explain", "plan", "db", "--plans", str(tmp_path))
    assert result.exit_code == 0
    assert result.stderr.startswith(f"Warning: '{tmp_path / 'b.yaml'}': line 2 column 1: ")
    assert result.stderr.count("Warning") == 1
    assert "1/2 nodes are available" in result.stdout


@pytest.mark.parametrize("spec", [{}, {"warm": True}, {"type": "warm"}])
def test_the_first_consumer_of_a_warm_plan_needs_no_hardware_virtualization(
    run: Run, tmp_path: Path, spec: Json
) -> None:
    found = plan(affinity=f"REQUIRE nodes({ZONE}=b)", spec={"targetNamespace": "vms"} | spec)
    path = write(tmp_path / "a.yaml", found, node("b1", {ZONE: "b"}, allocatable=NO_KVM))
    rows = {row["role"]: row["nodes"] for row in explained(run, path)["roles"]}
    assert rows["first-consumer"] == (["b1"] if spec else [])


def test_objects_in_the_target_namespace_that_select_the_pods_are_read(
    run: Run, tmp_path: Path
) -> None:
    def service(namespace: str) -> Json:
        metadata = {"name": f"web-{namespace}", "namespace": namespace}
        spec = {"selector": {"tier": "web"}}
        return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}

    path = write(tmp_path / "a.yaml", plan(labels="tier=web"), service("vms"), service("shop"))
    assert [each["name"] for each in explained(run, path)["selectedBy"]] == ["web-vms"]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"metadata": {"name": 1}}, "PodDisruptionBudget: 'metadata.name': expected text"),
        (
            {"spec": {"selector": {"matchExpressions": [{"operator": "In"}]}}},
            "PodDisruptionBudget: its selector.matchExpressions[0].key: is missing",
        ),
        (
            {"spec": {"selector": {"matchLabels": {"a": 1}}}},
            "PodDisruptionBudget: its selector.matchLabels['a']: expected text, found",
        ),
    ],
)
def test_an_object_that_selects_pods_may_be_invalid(
    run: Run, tmp_path: Path, changed: Json, message: str
) -> None:
    budget = {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "x"}}
    path = write(tmp_path / "a.yaml", plan(), budget | changed)
    result = run("explain", "plan", "db", "--plans", str(path))
    assert result.exit_code == 2
    assert message in result.stderr


def test_a_spread_constraint_of_a_pod_may_be_invalid(run: Run, tmp_path: Path) -> None:
    spread = [{"topologyKey": "zone", "maxSkew": 0, "whenUnsatisfiable": "Never"}]
    path = write(tmp_path / "a.yaml", plan(), pod("vms/a", topologySpreadConstraints=spread))
    result = run("explain", "plan", "db", "--plans", str(path))
    assert result.exit_code == 2
    assert "Pod: 'spec.topologySpreadConstraints[0].maxSkew': expected a number" in result.stderr
