"""`kubectl convertor show`: plans of a cluster and of files, with their settings."""

import json
from pathlib import Path

import pytest
import yaml

from tests.support import pvcs
from tests.support.builders import PREFIX, ZONE, node, plan
from tests.support.commands import Run
from tests.support.fake_api import FakeApi
from tests.support.golden import Golden
from tests.support.releases import CONFIGURATION, release
from webhook.kube.objects import Json

EXPECTED = Path(__file__).parent / "expected"

DB = plan(
    affinity="require pods(app==ceph-osd) on node; PREFER nodes(memory>=64Gi) weight=5",
    labels="workload=migration,batch=1",
    node_selector="disk=nvme,cpu-cores=16+,memory=64Gi+",
    tolerations="dedicated=migration:NoSchedule,spot",
    mode="audit",
)
WEB = plan(
    *("web", "shop"),
    spec={"convertorAffinity": {"podAffinity": {}}, "convertorLabels": {"team": "web"}},
    labels="batch,team=shop",
    affinity="REQIRE pods(a=b) on node",
)
WARM = plan(
    *("warm", "shop"),
    annotations={
        "labels.importer": "batch=2",
        "node-selector.importer": "disk=nvme,cpu-cores=16+",
        "affinity.importer": "prefer nodes(zone=b)",
        "affinity.first-consumer": "REQIRE",
        "tolerations.populator": "",
    },
    labels="batch=1",
    pods="all",
    disks="together",
)
PLAIN = plan("plain", spec={"targetNamespace": "elsewhere"})


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "b.json").write_text(json.dumps(DB), encoding="utf-8")
    (tmp_path / "a.yaml").write_text(yaml.safe_dump_all([WEB, PLAIN]), encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("output", ["table", "wide", "yaml", "json"])
def test_plans_are_shown_with_the_effective_settings(
    run: Run, cluster: FakeApi, files: Path, golden: Golden, output: str
) -> None:
    cluster.add(DB, PLAIN, WEB, WARM, *release())
    (files / "warm.yaml").write_text(yaml.safe_dump(WARM), encoding="utf-8")
    for where, calls in ((["--plans", str(files)], 0), (["-A"], 5)):
        result = run("show", *where, "-o", output)
        assert (result.exit_code, result.stderr) == (0, "")
        golden(EXPECTED / f"show.{output}", result.stdout)
        assert len(cluster.request_lines) == calls


def test_a_namespace_limits_the_plans(run: Run, cluster: FakeApi, files: Path) -> None:
    cluster.add(DB, WEB)
    for where, names in ([[], ["db"]], [["-n", "shop"], ["web"]], [["-A"], ["db", "web"]]):
        assert _names(run("show", *where).stdout) == names
    assert _names(run("show", "--plans", str(files), "-n", "shop").stdout) == ["web"]


@pytest.mark.parametrize("words", [["db"], ["plan", "db"], ["plan/db"]])
@pytest.mark.parametrize("source", ["cluster", "files"])
def test_a_plan_is_shown_by_name(
    run: Run, cluster: FakeApi, files: Path, words: list[str], source: str
) -> None:
    cluster.add(DB)
    where = [] if source == "cluster" else ["--plans", str(files)]
    assert _names(run("show", *words, *where).stdout) == ["db"]
    assert json.loads(run("show", *words, *where, "-o", "json").stdout)["name"] == "db"


@pytest.mark.parametrize("name", ["db", "d" * 64], ids=["short", "too long for a label"])
def test_the_pod_selector_has_the_uid_whatever_the_name_is(
    run: Run, cluster: FakeApi, name: str
) -> None:
    cluster.add(plan(name))
    described = json.loads(run("show", name, "-o", "json").stdout)
    assert described["podSelector"] == f"plan=uid-{name}"


@pytest.mark.parametrize("words", [[], ["plan"], ["plans"]])
def test_without_a_name_all_plans_are_shown(run: Run, cluster: FakeApi, words: list[str]) -> None:
    cluster.add(DB, PLAIN)
    assert _names(run("show", *words).stdout) == ["db", "plain"]


def test_many_plans_are_listed_in_pages(run: Run, cluster: FakeApi) -> None:
    cluster.add(*(plan(f"plan-{number:03}") for number in range(50)))
    assert len(_names(run("show").stdout)) == 50
    assert len(cluster.request_lines) > 1


def test_the_defaults_of_the_installation_apply(run: Run, cluster: FakeApi, tmp_path: Path) -> None:
    defaults = tmp_path / "defaults.yaml"
    defaults.write_text("labels: {a: b}\naffinity: avoid nodes(spot=true)\n", encoding="utf-8")
    cluster.add(PLAIN, DB)
    printed = json.loads(run("show", "--defaults", str(defaults), "-o", "json").stdout)
    assert [(each["labels"]["a"], each["rules"][-1]) for each in printed] == [
        ("b", "PREFER nodes(memory>=64Gi) weight=5"),
        ("b", "AVOID nodes(spot=true)"),
    ]


def test_a_plan_without_a_mode_has_that_of_the_installation(run: Run, cluster: FakeApi) -> None:
    cluster.add(PLAIN, DB)
    printed = json.loads(run("show", "--mode", "off", "-o", "json").stdout)
    assert [each["mode"] for each in printed] == ["audit", "off"]


DEFAULTS = {"labels": {"team": "a"}, "nodeSelector": {"disk": "nvme"}}


def test_the_mode_and_the_defaults_are_those_of_the_installation(
    run: Run, cluster: FakeApi
) -> None:
    cluster.add(PLAIN, *release(mode="audit", defaults=DEFAULTS))
    result = run("show", "plan", "plain", "-o", "json")
    printed = json.loads(result.stdout)
    assert (printed["mode"], printed["labels"], printed["nodeSelector"], result.stderr) == (
        *("audit", {"team": "a"}, {"disk": "nvme"}),
        "",
    )


def test_flags_override_the_installation(run: Run, cluster: FakeApi, tmp_path: Path) -> None:
    defaults = tmp_path / "defaults.yaml"
    defaults.write_text("labels: {team: b}\n", encoding="utf-8")
    cluster.add(PLAIN, *release(mode="audit", defaults=DEFAULTS))
    words = ("--mode", "enforce", "--defaults", str(defaults))
    (printed,) = json.loads(run("show", *words, "-o", "json").stdout)
    assert (printed["mode"], printed["labels"], printed["nodeSelector"]) == (
        *("enforce", {"team": "b"}),
        {},
    )


def test_a_missing_webhook_is_reported(run: Run, cluster: FakeApi) -> None:
    cluster.add(PLAIN, DB)
    result = run("show")
    assert [" ".join(line.split()[2:5]) for line in result.stdout.splitlines()[1:]] == [
        "audit (no webhook)",
        "enforce (no webhook)",
    ]
    assert result.stderr == ""
    for output in ("wide", "yaml", "json"):
        assert run("show", "-o", output).stderr == (
            "Note: no webhook is installed, so none of these settings is applied\n"
        )


@pytest.mark.parametrize("words", [[], ["--scope", "own"]])
def test_an_unreadable_installation_is_reported(
    run: Run, cluster: FakeApi, words: list[str]
) -> None:
    cluster.add(PLAIN, *release(mode="audit"))
    cluster.forbid("get", "configmaps")
    assert "   enforce (not known)   " in run("show", *words).stdout
    result = run("show", *words, "-o", "wide")
    assert "   enforce (not known)   " in result.stdout
    assert result.stderr.startswith("Note: 'jane' may not get configmaps in namespace ")
    assert result.stderr.endswith(f"; the settings of '{CONFIGURATION}' are not known\n")


def test_the_mode_of_a_flag_is_known(run: Run, cluster: FakeApi) -> None:
    cluster.add(PLAIN, *release(mode="later"))
    assert "   enforce   " in run("show", "--mode", "enforce").stdout


def test_none_of_several_webhooks_is_chosen(run: Run, cluster: FakeApi) -> None:
    cluster.add(PLAIN, *release(mode="audit"), *release(called="other"))
    result = run("show", "-o", "wide")
    assert "   enforce (not known)   " in result.stdout
    assert result.stderr == (
        "Note: several webhooks are installed: only the flags of this command are applied\n"
    )


def test_a_long_cell_is_truncated(run: Run, cluster: FakeApi) -> None:
    cluster.add(plan(labels=f"key={'x' * 60}"))
    result = run("show")
    assert f"key={'x' * 35}…   " in result.stdout


def test_a_namespace_without_plans_is_reported(run: Run, cluster: FakeApi) -> None:
    result = run("show")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "No plans found\n")
    assert run("show", "-o", "json").stdout == "[]\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["webb"], "'{files}' has no plan 'webb'; did you mean 'web'?"),
        ([""], "the name of the plan is empty"),
        (["plan", ""], "the name of the plan is empty"),
        (["plan/"], "the name of the plan is empty"),
        (["db", "-A"], "expected a plan's name or --all-namespaces, found both"),
        (["migration", "db"], "expected 'plan NAME' or 'plan/NAME', found 'migration db'"),
    ],
)
def test_invalid_arguments_are_rejected(
    run: Run, files: Path, words: list[str], message: str
) -> None:
    result = run("show", *words, "--plans", str(files))
    assert result.exit_code == 2
    assert result.stderr.endswith(f"Error: {message.format(files=files)}\n")


def test_a_missing_plan_is_an_error(run: Run, cluster: FakeApi) -> None:
    result = run("show", "db")
    assert result.stderr == "Error: no plan 'db' in namespace 'konveyor-forklift'\n"


def test_an_invalid_file_does_not_hide_the_others(run: Run, files: Path) -> None:
    (files / "c.yaml").write_text("a: [", encoding="utf-8")
    result = run("show", "--plans", str(files))
    assert _names(result.stdout) == ["db", "plain", "web"]
    assert result.stderr.startswith(f"Warning: '{files / 'c.yaml'}': line ")


def test_a_single_invalid_file_is_an_error(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text("{", encoding="utf-8")
    result = run("show", "--plans", str(path))
    assert result.exit_code == 2
    assert result.stderr.startswith(f"Error: '{path}': line 1 column 2: expected JSON")


def test_missing_files_are_an_error_with_a_hint(run: Run, files: Path) -> None:
    result = run("show", "--plans", f"{files}/b.jsn")
    assert result.exit_code == 2
    assert result.stderr.endswith(
        f"'{files}/b.jsn': no such file or directory; did you mean '{files}/b.json'?\n"
    )


def _names(output: str) -> list[str]:
    return [line.split()[1] for line in output.splitlines()[1:]]


def test_a_setting_for_a_role_has_its_source_in_the_plan_or_the_defaults(
    run: Run, tmp_path: Path
) -> None:
    defaults = {"pods": "all", "roles": {"importer": {"labels": {"team": "a"}}}}
    (tmp_path / "plan.yaml").write_text(yaml.safe_dump(WARM))
    (tmp_path / "defaults.yaml").write_text(yaml.safe_dump(defaults))
    words = ["--plans", str(tmp_path), "--defaults", str(tmp_path / "defaults.yaml")]

    importer = json.loads(run("show", "warm", *words, "-o", "json").stdout)["roles"]["importer"]

    assert importer["labels"] == {"team": "a", "batch": "2"}
    assert importer["sources"] == [
        "defaults roles.importer.labels",
        f"annotation {PREFIX}/labels.importer",
        f"annotation {PREFIX}/node-selector.importer",
        f"annotation {PREFIX}/affinity.importer",
    ]


ZONAL = plan(affinity=f"REQUIRE nodes({ZONE}=a)")
BOUND = pvcs.pvc(volume="pv-0")
IN_B = pvcs.volume("pv-0", pvcs.zone_terms("b"))


@pytest.mark.parametrize("output", ["table", "wide", "json"])
def test_a_disk_that_is_bound_in_another_zone_is_a_conflict(
    run: Run, cluster: FakeApi, output: str
) -> None:
    cluster.add(ZONAL, BOUND, IN_B, node("alpha", {ZONE: "a"}), node("beta", {ZONE: "b"}))
    cluster.add(*release())

    result = run("show", "-o", output)

    assert "Warning: konveyor-forklift/db: disk 'db-vm-1-disk-0'" in result.stderr
    if output == "json":
        (message,) = json.loads(result.stdout)[0]["conflicts"]
        assert f"Warning: konveyor-forklift/db: {message}" in " ".join(result.stderr.split())


@pytest.mark.parametrize("output", ["table", "json"])
def test_hidden_disks_are_a_note_except_in_the_table(
    run: Run, cluster: FakeApi, output: str
) -> None:
    cluster.add(ZONAL, *release())
    cluster.forbid("list", "persistentvolumeclaims", namespace="vms")

    result = run("show", "-o", output)

    assert result.exit_code == 0
    noted = "the disks of running migrations are not checked" in " ".join(result.stderr.split())
    assert noted is (output == "json")


BESIDES = plan(
    labels="team=a,tier=x",
    affinity="SPREAD pods(app=virt-v2v) on zone skew=2; AVOID pods(app=db) on zone",
    pods="all",
    annotations={
        "resources": "requests.memory=8Gi",
        "resources.first-consumer": "requests.cpu=1",
        "priority-class": "migration",
        "priority-class.importer": "",
        "pod-annotations": "karpenter.sh/do-not-disrupt=true",
        "pod-annotations.populator": "",
        "affinity.importer": "SPREAD pods(has forklift.app) on node hard",
    },
)
INSTALLATION: Json = {
    "limits": {
        "priorityClasses": ["migration"],
        "namespaces": {"konveyor-forklift": {"labels": ["team"]}},
    },
    "enforced": {
        "nodeSelector": {"migration": "allowed", "cores": "16+"},
        "affinity": "AVOID pods(app=db) in namespace payments on node",
        "tolerations": "spot:NoSchedule",
    },
    "convertor": {
        "env": {"LIBGUESTFS_BACKEND": "direct"},
        "namespaces": {"vms": {"runtimeClass": "kata"}},
    },
    "defaults": {"resources": {"limits": {"memory": "4Gi"}}},
}


@pytest.mark.parametrize("output", ["table", "wide", "yaml"])
def test_settings_that_are_not_about_nodes_are_shown_with_those_of_the_installation(
    run: Run, cluster: FakeApi, golden: Golden, output: str
) -> None:
    cluster.add(BESIDES, *release(**INSTALLATION))
    result = run("show", "-o", output)
    assert (result.exit_code, result.stderr) == (0, "")
    golden(EXPECTED / f"show-besides.{output}", result.stdout)
