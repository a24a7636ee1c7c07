"""`kubectl convertor review` has the decision of the server."""

import base64
import errno
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonpatch
import pytest
import yaml

from tests.support import pvcs
from tests.support.builders import admission_review, minimal_pod, node, plan
from tests.support.commands import Run
from tests.support.golden import Golden
from tests.support.paths import ROOT
from webhook.inventory.clock import format_time
from webhook.kube.objects import Json

EXAMPLES = ROOT / "examples"
EXPECTED = Path(__file__).parent / "expected"

RULE = "REQUIRE pods(app=ceph-osd) on node"
PLAN = plan(affinity=RULE, labels="batch=1")


def pod(namespace: str | None = "vms", **labels: str) -> Json:
    metadata: Json = {"labels": {"forklift.app": "virt-v2v", **labels}}
    if namespace:
        metadata["namespace"] = namespace
    return minimal_pod(metadata=metadata, containers=[])


OWNED = pod(plan="uid-db")


class Files:
    """Files in a folder; what is not text is written as YAML or JSON."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, name: str, *documents: Any) -> str:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        texts = [self._text(each, path.suffix) for each in documents]
        path.write_text("---\n".join(texts), encoding="utf-8")
        return str(path)

    def _text(self, document: Any, suffix: str) -> str:
        if isinstance(document, str):
            return document
        return (
            json.dumps(document) if suffix == ".json" else yaml.safe_dump(document, sort_keys=False)
        )


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def response(output: str) -> Json:
    answer: Json = json.loads(output)
    assert (answer["apiVersion"], answer["kind"]) == ("admission.k8s.io/v1", "AdmissionReview")
    found: Json = answer["response"]
    return found


def test_the_default_output_is_a_diff_of_the_pod(run: Run, files: Files) -> None:
    result = run("review", "-f", files("pod.yaml", OWNED), "--plan", files("plan.yaml", PLAN))
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == (
        "patched (Placed, mode enforce, plan konveyor-forklift/db)\n"
        "placed by plan 'konveyor-forklift/db'\n"
        "@@ -5,5 +5,18 @@\n"
        "     forklift.app: virt-v2v\n"
        "     plan: uid-db\n"
        "+    app: virt-v2v\n"
        "+    forklift.app/plan: db\n"
        "+    batch: '1'\n"
        "   namespace: vms\n"
        "+  annotations:\n"
        "+    convertor.forklift.konveyor.io/placement: "
        """'{"plan":"konveyor-forklift/db","generation":3,"mode":"enforce"}'\n"""
        " spec:\n"
        "   containers: []\n"
        "+  affinity:\n"
        "+    podAffinity:\n"
        "+      requiredDuringSchedulingIgnoredDuringExecution:\n"
        "+      - labelSelector:\n"
        "+          matchLabels:\n"
        "+            app: ceph-osd\n"
        "+        topologyKey: kubernetes.io/hostname\n"
        "+        namespaceSelector: {}\n"
    )


@pytest.mark.parametrize(("environment", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_colours_are_used_on_terminals_without_no_color(
    run: Run, files: Files, environment: dict[str, str], coloured: bool
) -> None:
    words = ("review", "-f", files("pod.yaml", OWNED), "--plan", files("plan.yaml", PLAN))
    plain = run(*words).stdout
    printed = run(*words, env={"FORCE_COLOR": "1", "TERM": "xterm", **environment}).stdout
    green, end = ("\x1b[32m", "\x1b[0m") if coloured else ("", "")
    assert f"{green}+    batch: '1'{end}\n" in printed
    assert printed.startswith(f"{green}patched{end} (Placed")
    assert (printed == plain) is not coloured


@pytest.mark.parametrize("output", ["diff", "yaml", "json", "patch"])
def test_the_example_review_has_the_response_of_the_server(
    run: Run, golden: Golden, output: str
) -> None:
    files = ("-f", str(EXAMPLES / "review.json"), "--plan", str(EXAMPLES / "plans"))
    result = run("review", *files, "-o", output)
    assert result.exit_code == 0
    golden(EXPECTED / f"review.{output}", result.stdout)


def test_all_output_formats_agree(run: Run, files: Files) -> None:
    words = ("review", "-f", files("pod.yaml", OWNED), "--plan", files("plan.yaml", PLAN))
    after = yaml.safe_load(run(*words, "-o", "yaml").stdout)
    patch = json.loads(run(*words, "-o", "patch").stdout)
    review_response = response(run(*words, "-o", "json").stdout)
    assert json.loads(base64.b64decode(review_response["patch"])) == patch
    assert jsonpatch.apply_patch(OWNED, patch) == after
    assert after["metadata"]["labels"]["batch"] == "1"
    assert review_response["uid"] == "kubectl-convertor"


@pytest.mark.parametrize("name", ["pod.yaml", "pod.json"])
def test_a_pod_is_read_from_standard_input_in_yaml_and_json(
    run: Run, files: Files, name: str
) -> None:
    text = Path(files(name, OWNED)).read_text(encoding="utf-8")
    plans = files("plan.yaml", PLAN)
    result = run("review", "-f", "-", "--plan", plans, "-o", "patch", input=text)
    assert json.loads(result.stdout)


def test_the_decision_is_not_in_piped_output(run: Run, files: Files) -> None:
    words = ("review", "-f", files("pod.yaml", OWNED), "--plan", files("plan.yaml", PLAN))
    decision = (
        "patched (Placed, mode enforce, plan konveyor-forklift/db)\n"
        "placed by plan 'konveyor-forklift/db'\n"
    )
    assert run(*words, "-o", "yaml").stderr == decision
    assert run(*words, "-o", "patch").stderr == decision
    assert run(*words, "-o", "json").stderr == ""


def test_the_owning_plan_is_found_in_a_directory(run: Run, files: Files) -> None:
    files("plans/web.yaml", plan("web", labels="web=1"))
    files("plans/db.json", PLAN)
    pod_file = files("pod.yaml", OWNED)
    result = run("review", "-f", pod_file, "--plan", str(files.folder / "plans"), "-o", "yaml")
    assert yaml.safe_load(result.stdout)["metadata"]["labels"] | {"batch": "1"}
    assert "plan konveyor-forklift/db" in result.stderr


def test_the_first_of_two_plans_with_the_same_name_is_used_as_by_the_server(
    run: Run, files: Files
) -> None:
    plans = files("plans.yaml", PLAN, plan(labels="batch=2"))
    result = run("review", "-f", files("pod.yaml", OWNED), "--plan", plans, "-o", "yaml")
    assert yaml.safe_load(result.stdout)["metadata"]["labels"]["batch"] == "1"


def test_a_pod_without_its_plan_in_a_directory_is_not_placed(run: Run, files: Files) -> None:
    plans = files("plans.yaml", PLAN, plan("web"))
    result = run("review", "-f", files("pod.yaml", pod(plan="uid-x")), "--plan", plans)
    assert result.exit_code == 1
    assert result.stdout.startswith("failed (PlanNotFound, mode enforce, plan uid-x)\n")


@pytest.mark.parametrize(
    ("labels", "names"), [({"plan": "uid-x"}, "names plan 'uid-x'"), ({}, "names no plan")]
)
def test_a_single_plan_is_used_and_the_missing_reference_is_reported(
    run: Run, files: Files, labels: dict[str, str], names: str
) -> None:
    words = ("-f", files("pod.yaml", pod(**labels)), "--plan", files("plan.yaml", PLAN))
    result = run("review", *words)
    assert result.exit_code == 0
    assert result.stderr == (
        f"Note: the pod {names}; it is reviewed as if 'konveyor-forklift/db' were it\n"
    )
    assert result.stdout.startswith("patched (Placed")


def test_problems_are_reported_with_their_carets(run: Run, files: Files) -> None:
    wrong = plan(affinity=f"{RULE}s", labels="batch=1")
    result = run("review", "-f", files("pod.yaml", OWNED), "--plan", files("plan.yaml", wrong))
    assert result.exit_code == 0
    assert result.stdout.startswith(
        "patched (SettingsInvalid, mode enforce, plan konveyor-forklift/db)\n"
        "Plan konveyor-forklift/db annotation convertor.forklift.konveyor.io/affinity line 1 "
        "column 31: unknown topology 'nodes': expected node, zone, region, rack or a label key; "
        "did you mean 'node'?\n"
        f"  {RULE}s\n"
        "                                ^^^^^\n"
        "@@ "
    )


def test_the_flags_of_the_installation_apply(run: Run, files: Files) -> None:
    wrong = plan(labels="batch")
    words = ("review", "-f", files("pod.yaml", OWNED), "--plan", files("plan.yaml", wrong))
    denied = run(*words, "--on-error", "deny")
    assert (denied.exit_code, denied.stderr) == (1, "")
    assert denied.stdout == (
        "denied (SettingsInvalid, mode enforce, plan konveyor-forklift/db)\n"
        "Plan konveyor-forklift/db annotation convertor.forklift.konveyor.io/labels entry 1: "
        "expected key=value, found 'batch'\n"
    )
    unnamed = run(*words, "-o", "patch", env={"CONVERTOR_WEBHOOK_IDENTITY_LABELS": "false"})
    assert json.loads(unnamed.stdout) == []
    off = run(*words, env={"CONVERTOR_WEBHOOK_NAMESPACE_MODE": "vms=off"})
    assert off.stdout.startswith("unchanged (ModeOff, mode off, plan konveyor-forklift/db)\n")


def test_audit_mode_prints_the_patch_and_keeps_the_pod(run: Run, files: Files) -> None:
    words = ("-f", files("pod.yaml", OWNED), "--plan", files("plan.yaml", PLAN), "--mode", "audit")
    printed = run("review", *words).stdout
    assert printed.startswith("would-patch (WouldPlace, mode audit, plan konveyor-forklift/db)\n")
    assert "+    batch: '1'\n" in printed
    assert yaml.safe_load(run("review", *words, "-o", "yaml").stdout) == OWNED
    assert json.loads(run("review", *words, "-o", "patch").stdout)
    assert "patch" not in response(run("review", *words, "-o", "json").stdout)


def test_minimums_use_the_label_values_of_the_given_nodes(run: Run, files: Files) -> None:
    with_minimum = plan(node_selector="memory=64Gi+")
    nodes = [node(size, {"memory": size}) for size in ("32Gi", "128Gi")]
    words = (
        "-f",
        files("pod.yaml", OWNED),
        "--plan",
        files("plan.yaml", with_minimum),
        "-o",
        "yaml",
    )
    for more, values in ([], ["64Gi"]), (["--nodes", files("n.yaml", *nodes)], ["64Gi", "128Gi"]):
        after = yaml.safe_load(run("review", *words, *more).stdout)
        required = after["spec"]["affinity"]["nodeAffinity"].popitem()[1]
        (term,) = required["nodeSelectorTerms"]
        assert term["matchExpressions"] == [{"key": "memory", "operator": "In", "values": values}]


def test_another_pod_needs_no_plan(run: Run, files: Files) -> None:
    other = OWNED | {"metadata": {"name": "web", "labels": {"app": "web"}}}
    result = run("review", "-f", files("pod.yaml", other))
    assert result.stdout == (
        "skipped (NotAConvertorPod, mode enforce)\n"
        "not a migration pod, by its labels, its name and its owner\n"
    )


@pytest.mark.parametrize("labels", [{"plan": "uid-db"}, {}])
def test_a_pod_without_a_namespace_is_in_the_target_namespace_of_its_plan(
    run: Run, files: Files, labels: dict[str, str]
) -> None:
    words = ("-f", files("pod.yaml", pod(None, **labels)), "--plan", files("p.yaml", PLAN))
    result = run("review", *words, "--namespace-mode", "vms=audit")
    assert result.exit_code == 0
    assert result.stdout.startswith("would-patch (WouldPlace, mode audit, plan konveyor-forklift/")
    assert result.stderr.endswith(
        "Note: the pod names no namespace; it is reviewed as if it were in 'vms'\n"
    )


def test_the_target_namespace_is_that_of_the_owning_plan(run: Run, files: Files) -> None:
    plans = files("plans.yaml", plan("web", spec={"targetNamespace": "shop"}), PLAN)
    words = ("-f", files("pod.yaml", pod(None, plan="uid-web")), "--plan", plans)
    assert "as if it were in 'shop'" in run("review", *words).stderr


def test_without_the_owning_plan_the_pod_has_no_namespace(run: Run, files: Files) -> None:
    plans = files("plans.yaml", plan("web"), PLAN)
    words = ("-f", files("pod.yaml", pod(None, plan="uid-x")), "--plan", plans)
    result = run("review", *words)
    assert (result.exit_code, result.stderr) == (1, "")
    assert result.stdout.startswith("failed (PlanNotFound")


@pytest.mark.parametrize("mode", ["enforce", "audit"])
def test_a_pod_outside_the_target_namespace_is_not_placed(
    run: Run, files: Files, mode: str
) -> None:
    body = pod("default", plan="uid-db")
    words = ("-f", files("pod.yaml", body), "--plan", files("p.yaml", PLAN), "--mode", mode)
    result = run("review", *words)
    assert (result.exit_code, result.stderr) == (1, "")
    assert result.stdout.startswith(f"unchanged (NotTargetNamespace, mode {mode}, plan ")
    assert "this pod in 'default' is not one of its pods and is not placed\n" in result.stdout


def test_without_a_target_namespace_no_pod_is_placed(run: Run, files: Files) -> None:
    nowhere = plan(spec={"targetNamespace": None})
    words = ("-f", files("pod.yaml", pod(None, plan="uid-db")), "--plan", files("p.yaml", nowhere))
    result = run("review", *words)
    assert result.exit_code == 1
    assert (
        "migrates into no namespace: spec.targetNamespace is missing, so this pod in 'default' "
        in (result.stdout)
    )


def test_a_plan_without_settings_is_no_failure(run: Run, files: Files) -> None:
    words = ("-f", files("pod.yaml", OWNED), "--plan", files("p.yaml", plan()))
    assert run("review", *words, "--no-identity-labels").exit_code == 0


def test_the_review_of_a_plan_is_decided_too(run: Run, files: Files) -> None:
    wrong = run("review", "-f", files("wrong.json", admission_review(plan(affinity="REQUIRE"))))
    assert wrong.exit_code == 1
    assert wrong.stdout.startswith("denied (SettingsInvalid, mode enforce")
    fine = run(
        "review", "-f", files("fine.json", admission_review(plan(affinity=RULE))), "-o", "json"
    )
    assert (fine.exit_code, response(fine.stdout)["allowed"]) == (0, True)


@pytest.mark.parametrize(
    ("documents", "message"),
    [
        ([], "expected one pod or one AdmissionReview, found 0 documents"),
        ([OWNED, OWNED], "expected one pod or one AdmissionReview, found 2 documents"),
        (["- a"], "expected one pod or one AdmissionReview, found something else"),
        ([PLAN], "expected a Pod or an AdmissionReview, found 'Plan'"),
        ([{"kind": "AdmissionReview"}], "expected kind 'AdmissionReview' of 'admission.k8s.io/v1'"),
        (["a: [}"], "line 1 column 5: expected YAML: "),
        (["{"], "line 1 column 2: expected JSON: "),
        ([OWNED | {"spec": float("nan")}], "the body is not JSON: "),
        ([OWNED | {"metadata": {"namespace": 5}}], "'request.namespace'"),
    ],
)
def test_input_that_is_neither_a_pod_nor_a_review_is_an_error(
    run: Run, files: Files, documents: list[Any], message: str
) -> None:
    path = files("pod.yaml", *documents)
    result = run("review", "-f", path, "--plan", files("plan.yaml", PLAN))
    assert result.exit_code == 2
    assert result.stderr.startswith(f"Error: '{path}': {message}")
    assert result.stderr.count("\n") == 1


def test_a_file_without_a_plan_is_an_error(run: Run, files: Files) -> None:
    pod_file = files("pod.yaml", OWNED)
    result = run("review", "-f", pod_file, "--plan", pod_file)
    assert (result.exit_code, result.stderr) == (
        2,
        f"Error: '{pod_file}': expected a Plan, found Pod\n",
    )


def test_an_unreadable_directory_is_an_error(
    run: Run, files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(tmp_path / "team"))

    pod_file = files("pod.yaml", OWNED)
    monkeypatch.setattr("os.walk", refuse)
    result = run("review", "-f", pod_file, "--plan", str(tmp_path))
    assert (result.exit_code, result.stderr) == (
        2,
        f"Error: '{tmp_path}/team': permission denied\n",
    )


def test_a_convertor_pod_needs_a_plan(run: Run, files: Files) -> None:
    result = run("review", "-f", files("pod.yaml", OWNED))
    assert result.exit_code == 2
    assert result.stderr.endswith(
        "Error: a pod needs its plan: give --plan FILE or --plan DIRECTORY\n"
    )


DISK = pvcs.pvc()
SETTINGS = plan(affinity="REQUIRE nodes(disk=nvme)", labels="batch=1", pods="all")


def importer(of: Json = DISK, **labels: str) -> Json:
    metadata = {
        "name": "importer-disk-0",
        "namespace": "vms",
        "labels": {"app": "containerized-data-importer", "cdi.kubevirt.io": "importer"} | labels,
        "ownerReferences": [pvcs.owner_reference(of)],
    }
    spec = {"containers": [{"name": "importer"}]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def test_the_pvc_of_an_importer_may_be_beside_the_pod_or_the_plan(run: Run, files: Files) -> None:
    plan_ = files("plan.yaml", SETTINGS)
    with_plan = files("plans.yaml", SETTINGS, DISK)
    pod_only, with_pvc = files("pod.yaml", importer()), files("pods.yaml", DISK, importer())
    as_list = files("list.yaml", {"kind": "List", "items": [importer(), DISK]})

    for filename, plans in ((with_pvc, plan_), (pod_only, with_plan), (as_list, plan_)):
        result = run("review", "-f", filename, "--plan", plans)
        assert (result.exit_code, result.stderr) == (0, "")
        assert result.stdout.startswith(
            "patched (Placed, mode enforce, plan konveyor-forklift/db, role first-consumer)\n"
        )
        assert "requiredDuringScheduling" in result.stdout


def test_an_importer_whose_disk_is_bound_gets_preferences(run: Run, files: Files) -> None:
    pods = files("pods.yaml", importer(), pvcs.pvc(volume="pv-0"))
    result = run("review", "-f", pods, "--plan", files("plan.yaml", SETTINGS))

    assert ", role importer)\n" in result.stdout
    assert "preferredDuringScheduling" in result.stdout
    assert "requiredDuringScheduling" not in result.stdout


def test_without_its_pvc_an_importer_is_a_first_consumer_with_a_note(
    run: Run, files: Files
) -> None:
    pods = files("pods.yaml", importer(plan="uid-db"))
    result = run("review", "-f", pods, "--plan", files("plan.yaml", SETTINGS))

    assert ", role first-consumer)\n" in result.stdout
    assert result.stderr == (
        "Note: PVC 'vms/db-vm-1-disk-0' is not in the files, so it counts as not bound and names "
        "no plan; add it to -f or --plan\n"
    )


def test_an_importer_without_labels_and_pvc_has_no_plan(run: Run, files: Files) -> None:
    pods = files("pods.yaml", importer())
    result = run("review", "-f", pods, "--plan", files("plan.yaml", SETTINGS))

    assert result.stdout.startswith("skipped (NotAConvertorPod, mode enforce)\nneither its labels")
    assert "PVC 'vms/db-vm-1-disk-0' is not in the files" in result.stderr


def test_an_importer_without_namespace_has_the_pvc_of_any(run: Run, files: Files) -> None:
    pod_ = importer()
    del pod_["metadata"]["namespace"]
    pods = files("pods.yaml", pod_, DISK)
    result = run("review", "-f", pods, "--plan", files("plan.yaml", SETTINGS))

    assert ", role first-consumer)\n" in result.stdout
    assert "reviewed as if it were in 'vms'" in result.stderr


def test_a_refused_importer_fails(run: Run, files: Files) -> None:
    created = format_time(datetime.now(UTC) - timedelta(seconds=60))
    disks = [pvcs.pvc(created=created), pvcs.pvc("a-disk", created=created)]
    together = plan(disks="together")
    pods = files("pods.yaml", importer(), *disks)
    result = run("review", "-f", pods, "--plan", files("plan.yaml", together))

    assert result.exit_code == 1
    assert result.stdout.startswith(
        "refused (WaitingForDisk, mode enforce, plan konveyor-forklift/db, role first-consumer)\n"
    )


def test_an_invalid_pvc_has_its_place(run: Run, files: Files) -> None:
    invalid = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": 7}}
    pods = files("pods.yaml", importer(), invalid)
    result = run("review", "-f", pods, "--plan", files("plan.yaml", SETTINGS))

    assert result.exit_code == 2
    assert "pods.yaml': line" in result.stderr
    assert "PersistentVolumeClaim" in result.stderr


INSTALLATION: Json = {
    "limits": {"priorityClasses": ["migration"], "labels": ["team"]},
    "enforced": {"nodeSelector": {"migration": "allowed"}},
    "convertor": {"runtimeClass": "kata", "env": {"LIBGUESTFS_BACKEND": "direct"}},
}
BESIDES = plan(
    labels="team=a,tier=x",
    annotations={
        "resources": "limits.memory=8Gi",
        "priority-class": "migration",
        "pod-annotations": "karpenter.sh/do-not-disrupt=true",
    },
)
CLASS: Json = {
    "apiVersion": "scheduling.k8s.io/v1",
    "kind": "PriorityClass",
    "metadata": {"name": "migration"},
}


def with_container() -> Json:
    created = pod(plan="uid-db")
    created["spec"] = {"containers": [{"name": "virt-v2v"}], "priority": 0}
    return created


def reviewed(run: Run, files: Files, plans: str, *words: str) -> Json:
    config = files("config.yaml", INSTALLATION)
    words = ("-f", files("pod.yaml", with_container()), "--plan", plans, "--config", config, *words)
    result = run("review", *words, "-o", "yaml")
    assert result.exit_code == 0
    found: Json = yaml.safe_load(result.stdout)
    return found | {"stderr": result.stderr}


def test_a_pod_gets_settings_that_are_not_about_nodes_and_those_of_the_installation(
    run: Run, files: Files
) -> None:
    found = reviewed(run, files, files("plan.yaml", BESIDES, CLASS))
    metadata, spec = found["metadata"], found["spec"]
    assert (metadata["labels"]["team"], "tier" in metadata["labels"]) == ("a", False)
    assert metadata["annotations"]["karpenter.sh/do-not-disrupt"] == "true"
    assert spec == {
        "containers": [
            {
                "name": "virt-v2v",
                "resources": {"limits": {"memory": "8Gi"}},
                "env": [{"name": "LIBGUESTFS_BACKEND", "value": "direct"}],
            }
        ],
        "nodeSelector": {"migration": "allowed"},
        "priorityClassName": "migration",
        "runtimeClassName": "kata",
    }
    assert "'tier' is not applied: limits.labels of the installation has only" in found["stderr"]


def test_a_priority_class_that_is_not_in_the_files_is_not_applied(run: Run, files: Files) -> None:
    found = reviewed(run, files, files("plan.yaml", BESIDES))
    assert "priorityClassName" not in found["spec"]
    assert "priority class 'migration' is not applied" in found["stderr"]


def test_a_pod_of_a_plan_in_mode_off_gets_what_the_installation_enforces(
    run: Run, files: Files
) -> None:
    found = reviewed(run, files, files("plan.yaml", plan(labels="team=a", mode="off")))
    assert "patched (Enforced, mode off, plan konveyor-forklift/db)" in found["stderr"]
    assert found["spec"]["nodeSelector"] == {"migration": "allowed"}
    assert found["spec"]["runtimeClassName"] == "kata"
    assert found["metadata"]["labels"] == with_container()["metadata"]["labels"]


def test_a_plan_beyond_the_limits_is_denied(run: Run, files: Files) -> None:
    review = files("review.json", admission_review(BESIDES))
    config = files("config.yaml", INSTALLATION)
    result = run("review", "-f", review, "--config", config, "-o", "json")
    assert result.exit_code == 1
    found = response(result.stdout)
    assert not found["allowed"]
    assert "'tier' is not applied: limits.labels" in found["status"]["message"]
