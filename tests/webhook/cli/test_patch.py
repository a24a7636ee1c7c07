"""`kubectl convertor patch`: settings that are written or refused, and the messages."""

import json

import pytest
import yaml

from tests.support.builders import PREFIX, plan
from tests.support.commands import Run
from tests.support.fake_api import FakeApi
from webhook.kube.objects import Json
from webhook.model import Role
from webhook.settings.names import ROLE_SETTINGS, roles_of

PATH = "/apis/forklift.konveyor.io/v1beta1/namespaces/konveyor-forklift/plans/db"
READ_RELEASE = "GET /apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations?limit=100"
RULE = "REQUIRE pods(app=ceph-osd) on node"
AFFINITY = ("--convertor-affinity", RULE)


def annotations(body: Json) -> dict[str, str]:
    """Return the annotations of the webhook, without their prefix."""
    found: dict[str, str] = body["metadata"].get("annotations", {})
    return {key.removeprefix(f"{PREFIX}/"): text for key, text in found.items()}


def test_the_flags_of_the_guide_become_annotations(run: Run, cluster: FakeApi) -> None:
    cluster.add(plan(spec={"vms": [{"name": "vm1"}]}))
    before = cluster.get("plans", "konveyor-forklift", "db")
    result = run(
        *("patch", "plan", "db", *AFFINITY),
        *("--convertor-labels", "performance=high,workload=conversion"),
        *("--convertor-node-selector", "disk=ssd,cpu-cores=16+"),
        *("--convertor-tolerations", "dedicated=migration:NoSchedule"),
        *("--mode", "audit", "--rule-scope", "own", "--affinity-policy", "replace"),
    )
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == "plan.forklift.konveyor.io/db patched\n"
    assert annotations(cluster.get("plans", "konveyor-forklift", "db")) == {
        "affinity": RULE,
        "labels": "performance=high,workload=conversion",
        "node-selector": "disk=ssd,cpu-cores=16+",
        "tolerations": "dedicated=migration:NoSchedule",
        "mode": "audit",
        "scope": "own",
        "affinity-policy": "replace",
    }
    assert cluster.get("plans", "konveyor-forklift", "db")["spec"] == before["spec"]
    assert cluster.request_lines == [
        READ_RELEASE,
        f"GET {PATH}",
        f"PATCH {PATH}?fieldManager=kubectl-convertor",
    ]


@pytest.mark.parametrize(
    "words",
    [
        ["plan", "db"],
        ["plans", "db"],
        ["plan/db"],
        ["plan.forklift.konveyor.io/db"],
        ["plans.forklift.konveyor.io", "db"],
    ],
)
def test_a_plan_is_named_as_in_kubectl(run: Run, cluster: FakeApi, words: list[str]) -> None:
    cluster.add(plan())
    assert run("patch", *words, *AFFINITY).exit_code == 0
    assert annotations(cluster.get("plans", "konveyor-forklift", "db")) == {"affinity": RULE}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "expected 'plan NAME' or 'plan/NAME', found ''"),
        (["plan"], "expected 'plan NAME' or 'plan/NAME', found 'plan'"),
        (["db"], "expected a plan's name, such as 'plan db'"),
        (["migration", "db"], "expected 'plan NAME' or 'plan/NAME', found 'migration db'"),
        (["plan", "db", "web"], "expected 'plan NAME' or 'plan/NAME', found 'plan db web'"),
        (
            ["plan", "db", "\u2014mode", "off"],
            (
                "expected 'plan NAME' or 'plan/NAME', found 'plan db \u2014mode off'; did you mean "
                "'plan db --mode off'?"
            ),
        ),
        (["plan", ""], "the name of the plan is empty"),
        (["plan/"], "the name of the plan is empty"),
        ([""], "the name of the plan is empty"),
        (["plan", "../x"], "'../x' is not a valid name of a plan"),
        (["plan", "db", "-n", "A"], "'A' is not a valid name of a namespace"),
    ],
)
def test_an_invalid_plan_name_is_an_error_before_any_request(
    run: Run, cluster: FakeApi, words: list[str], message: str
) -> None:
    result = run("patch", *words, *AFFINITY)
    assert result.exit_code == 2
    assert result.stderr == (
        "Usage: kubectl convertor patch [OPTIONS] plan NAME\n"
        f"Try 'kubectl convertor patch --help' for help.\n\nError: {message}\n"
    )
    assert cluster.request_lines == []


@pytest.mark.parametrize("role", ["inspection", "first-consumer", "importer", "populator"])
def test_a_flag_with_a_role_sets_what_pods_of_that_role_get(
    run: Run, cluster: FakeApi, role: str
) -> None:
    cluster.add(plan(annotations={f"labels.{role}": "a=1,b=2", "labels": "a=5"}))
    result = run(
        *("patch", "plan", "db", "--pods", "convertor", "--pods", role, "--disks", "any"),
        *(
            f"--{role}-affinity",
            "PREFER nodes(disk=ssd)",
            f"--{role}-affinity",
            "PREFER nodes(a=b)",
        ),
        *(f"--{role}-labels", "b=3", f"--{role}-labels", "a-"),
        *(f"--{role}-node-selector", "", f"--{role}-tolerations", "gpu:NoExecute"),
    )
    assert (result.exit_code, result.stderr) == (0, "")
    assert annotations(cluster.get("plans", "konveyor-forklift", "db")) == {
        "pods": f"convertor,{role}",
        "disks": "any",
        f"affinity.{role}": "PREFER nodes(disk=ssd)\nPREFER nodes(a=b)",
        f"labels.{role}": "b=3",
        f"tolerations.{role}": "gpu:NoExecute",
        "labels": "a=5",
    }


def test_the_convertor_flags_are_for_all_roles_and_no_other_flag_is_for_convertor_pods(
    run: Run, cluster: FakeApi
) -> None:
    cluster.add(plan())
    run("patch", "plan", "db", *AFFINITY, "--convertor-labels", "a=1")
    changed = annotations(cluster.get("plans", "konveyor-forklift", "db"))
    assert changed == {"affinity": RULE, "labels": "a=1"}
    flags = {word for word in run("patch", "--help").stdout.split() if word.startswith("--conv")}
    assert flags == {
        *("--convertor", "--convertor-affinity", "--convertor-labels"),
        *("--convertor-node-selector", "--convertor-tolerations", "--convertor-resources"),
        *("--convertor-priority-class", "--convertor-pod-annotations"),
    }


def test_each_role_has_flags_for_the_settings_that_have_an_effect_on_it(run: Run) -> None:
    words = set(run("patch", "--help").stdout.split())
    for role in set(Role) - {Role.CONVERTOR}:
        flags = {f"--{role}-{name}" for name in ROLE_SETTINGS if role in roles_of(name)}
        assert {word for word in words if word.startswith(f"--{role}-")} == flags


def test_an_invalid_setting_for_a_role_is_refused(run: Run, cluster: FakeApi) -> None:
    cluster.add(plan())
    result = run(
        *("patch", "plan", "db", "--pods", "importr", "--importer-node-selector", "cpu=16Gb+"),
        *("--first-consumer-affinity", "REQUIRE pods(app=virt-v2v) on zone"),
    )
    assert (result.exit_code, result.stdout) == (2, "")
    lines = result.stderr.splitlines()
    where = f"Plan konveyor-forklift/db annotation {PREFIX}"
    assert lines[0] == "Error: nothing is written:"
    assert [line.split(":")[0] for line in lines[1:4]] == [
        f"{where}/node-selector.importer entry 1",
        f"{where}/pods entry 1",
        f"{where}/affinity.first-consumer line 1 column 1",
    ]


def test_a_setting_for_a_role_that_is_not_selected_is_written_with_a_warning(
    run: Run, cluster: FakeApi
) -> None:
    cluster.add(plan())
    result = run("patch", "plan", "db", "--importer-labels", "a=1")
    assert result.exit_code == 0
    assert result.stderr == (
        "Warning: Plan konveyor-forklift/db: labels.importer: no effect, because pods selects "
        f"convertor and first-consumer; add importer to the annotation {PREFIX}/pods\n"
    )


def test_without_a_setting_it_is_an_error(run: Run, cluster: FakeApi) -> None:
    result = run("patch", "plan", "db")
    assert result.exit_code == 2
    assert result.stderr.endswith(
        "Error: nothing to change: give at least one flag with a setting\n"
    )
    assert cluster.request_lines == []


def test_invalid_settings_are_all_reported_and_none_is_written(run: Run, cluster: FakeApi) -> None:
    cluster.add(plan())
    result = run(
        *("patch", "plan", "db", "--convertor-affinity", f"{RULE}s"),
        *("--convertor-labels", "batch", "--mode", "of"),
    )
    where = f"Plan konveyor-forklift/db annotation {PREFIX}"
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (
        "Error: nothing is written:\n"
        f"{where}/mode: expected mode enforce, audit or off, found 'of'; did you mean 'off'?\n"
        f"{where}/labels entry 1: expected key=value, found 'batch'\n"
        f"{where}/affinity line 1 column 31: unknown topology 'nodes': expected node, zone, "
        "region, rack or a label key; did you mean 'node'?\n"
        f"  {RULE}s\n"
        "                                ^^^^^\n"
    )
    assert cluster.request_lines == [READ_RELEASE, f"GET {PATH}"]


def test_a_problem_that_the_plan_had_before_is_a_warning(run: Run, cluster: FakeApi) -> None:
    cluster.add(plan(labels="batch"))
    result = run("patch", "plan", "db", *AFFINITY)
    assert result.exit_code == 0
    assert result.stderr == (
        f"Warning: Plan konveyor-forklift/db annotation {PREFIX}/labels entry 1: "
        "expected key=value, found 'batch'\n"
    )


def test_rules_that_only_one_pod_can_meet_together_are_written_with_a_warning(
    run: Run, cluster: FakeApi
) -> None:
    cluster.add(plan())
    rules = f"{RULE}\nREQUIRE pods(team=x) on zone"
    result = run("patch", "plan", "db", "--convertor-affinity", rules)
    assert (result.exit_code, annotations(cluster.get("plans", "konveyor-forklift", "db"))) == (
        0,
        {"affinity": rules},
    )
    assert result.stderr.startswith(
        "Warning: Plan konveyor-forklift/db: no node fits unless one pod matches 'REQUIRE "
    )


@pytest.mark.parametrize("before", [None, RULE, f"{RULE}s", "AVOID pods(tier=production) on nodes"])
def test_an_invalid_rule_is_refused_although_the_plan_had_a_problem_before(
    run: Run, cluster: FakeApi, before: str | None
) -> None:
    cluster.add(plan(annotations={"affinity": before} if before else {}))
    rule = "AVOID pods(tier=production) on nodes"
    result = run("patch", "plan", "db", "--convertor-affinity", rule)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (
        "Error: nothing is written:\n"
        f"Plan konveyor-forklift/db annotation {PREFIX}/affinity line 1 column 32: unknown "
        "topology 'nodes': expected node, zone, region, rack or a label key; did you mean 'node'?\n"
        f"  {rule}\n"
        "                                 ^^^^^\n"
    )
    assert cluster.request_lines == [READ_RELEASE, f"GET {PATH}"]


@pytest.mark.parametrize("change", ["x=b c", "y=b c", "z=1,y=b c"])
def test_an_invalid_entry_is_refused_although_the_plan_had_it_before(
    run: Run, cluster: FakeApi, change: str
) -> None:
    cluster.add(plan(labels="x=b c"))
    result = run("patch", "plan", "db", "--convertor-labels", change)
    assert result.exit_code == 2
    assert "entry 1: value 'b c' must consist of" in result.stderr


def test_an_invalid_entry_can_be_removed(run: Run, cluster: FakeApi) -> None:
    cluster.add(plan(labels="batch,a=1"))
    result = run("patch", "plan", "db", "--convertor-labels", "batch-")
    assert (result.exit_code, result.stderr) == (0, "")
    assert annotations(cluster.get("plans", "konveyor-forklift", "db")) == {"labels": "a=1"}


def test_rules_that_exceed_the_limit_with_those_of_the_spec_are_refused(
    run: Run, cluster: FakeApi
) -> None:
    rules = "; ".join(f"AVOID nodes(x{i}=1,y{i}=2)" for i in range(6))
    terms = [{"matchExpressions": [{"key": key, "operator": "Exists"}]} for key in "ab"]
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
    cluster.add(plan(spec={"convertorAffinity": {"nodeAffinity": required}}, affinity=rules))
    result = run("patch", "plan", "db", "--convertor-affinity", rules)
    assert result.exit_code == 2
    assert "together with spec.convertorAffinity: the rules are not applied" in result.stderr


def test_a_repeated_flag_adds_its_values(run: Run, cluster: FakeApi) -> None:
    cluster.add(plan())
    result = run(
        *("patch", "plan", "db", *AFFINITY, "--convertor-affinity", "AVOID nodes(spot=true)"),
        *("--convertor-labels", "a=1,b=2", "--convertor-labels", "c=3"),
        *("--convertor-node-selector", "disk=nvme", "--convertor-node-selector", "cpu=16+"),
        *("--convertor-tolerations", "spot", "--convertor-tolerations", "gpu:NoExecute"),
    )
    assert (result.exit_code, result.stderr) == (0, "")
    assert annotations(cluster.get("plans", "konveyor-forklift", "db")) == {
        "affinity": f"{RULE}\nAVOID nodes(spot=true)",
        "labels": "a=1,b=2,c=3",
        "node-selector": "disk=nvme,cpu=16+",
        "tolerations": "spot,gpu:NoExecute",
    }


@pytest.mark.parametrize(
    "flag",
    [
        "--convertor-affinity",
        "--convertor-labels",
        "--convertor-node-selector",
        "--convertor-tolerations",
    ],
)
def test_an_empty_value_with_others_is_refused(run: Run, cluster: FakeApi, flag: str) -> None:
    cluster.add(plan(annotations={flag.removeprefix("--convertor-"): RULE}))
    for values in (["", "a=1"], ["a=1", " "]):
        result = run("patch", "plan", "db", *(word for each in values for word in (flag, each)))
        assert result.exit_code == 2
        assert result.stderr.endswith(
            f"Error: {flag}: an empty value removes the setting, so it must be alone\n"
        )
    assert cluster.request_lines == []
    assert run("patch", "plan", "db", flag, "", flag, "").exit_code == 0
    assert annotations(cluster.get("plans", "konveyor-forklift", "db")) == {}


def test_unset_variables_of_a_script_remove_nothing(run: Run, cluster: FakeApi) -> None:
    cluster.add(plan(labels="a=1"))
    for change, error in (
        (",", "is empty; only an empty value removes the whole setting"),
        ("-", "expected a key before '-', found '-'"),
    ):
        result = run("patch", "plan", "db", "--convertor-labels", change)
        assert result.exit_code == 2
        assert result.stderr == f"Error: nothing is written: labels entry 1: {error}\n"
    assert annotations(cluster.get("plans", "konveyor-forklift", "db")) == {"labels": "a=1"}


def test_tolerations_with_the_same_key_are_all_kept(run: Run, cluster: FakeApi) -> None:
    both = "dedicated=a:NoSchedule,dedicated=b:NoSchedule"
    cluster.add(plan())
    run("patch", "plan", "db", "--convertor-tolerations", both)
    run("patch", "plan", "db", "--convertor-tolerations", "gpu:NoExecute")
    assert annotations(cluster.get("plans", "konveyor-forklift", "db")) == {
        "tolerations": f"{both},gpu:NoExecute"
    }
    run("patch", "plan", "db", "--convertor-tolerations", "dedicated=a-")
    assert annotations(cluster.get("plans", "konveyor-forklift", "db")) == {
        "tolerations": "dedicated=b:NoSchedule,gpu:NoExecute"
    }


def test_entries_are_added_replaced_and_removed(run: Run, cluster: FakeApi) -> None:
    cluster.add(plan(labels="a=1,b=2", affinity=RULE, mode="off"))
    run("patch", "plan", "db", "--convertor-labels", "b=3,a-,c=4", "--convertor-affinity", "")
    assert annotations(cluster.get("plans", "konveyor-forklift", "db")) == {
        "labels": "b=3,c=4",
        "mode": "off",
    }


def test_a_contradictory_change_is_refused(run: Run, cluster: FakeApi) -> None:
    cluster.add(plan())
    result = run("patch", "plan", "db", "--convertor-labels", "a=1,a-")
    assert result.exit_code == 2
    assert result.stderr == ("Error: nothing is written: labels: 'a' is set or removed twice\n")


def test_an_unchanged_plan_is_not_written(run: Run, cluster: FakeApi) -> None:
    cluster.add(plan(affinity=RULE))
    result = run("patch", "plan", "db", *AFFINITY)
    assert result.stdout == "plan.forklift.konveyor.io/db patched (no change)\n"
    assert cluster.request_lines == [READ_RELEASE, f"GET {PATH}"]


def test_a_client_dry_run_writes_nothing(run: Run, cluster: FakeApi) -> None:
    cluster.add(plan())
    result = run("patch", "plan", "db", *AFFINITY, "--dry-run", "client")
    assert result.stdout == "plan.forklift.konveyor.io/db patched (dry run)\n"
    assert cluster.request_lines == [READ_RELEASE, f"GET {PATH}"]


def test_a_server_dry_run_is_a_request_with_dry_run(run: Run, cluster: FakeApi) -> None:
    cluster.add(plan())
    result = run("patch", "plan", "db", *AFFINITY, "--dry-run=server")
    assert result.stdout == "plan.forklift.konveyor.io/db patched (server dry run)\n"
    assert cluster.request_lines[-1] == f"PATCH {PATH}?fieldManager=kubectl-convertor&dryRun=All"
    assert annotations(cluster.get("plans", "konveyor-forklift", "db")) == {}


@pytest.mark.parametrize("dry_run", ["none", "client", "server"])
def test_the_patched_plan_is_printed(run: Run, cluster: FakeApi, dry_run: str) -> None:
    body = plan()
    body["metadata"]["managedFields"] = [{"manager": "forklift"}]
    cluster.add(body)
    words = ("patch", "plan", "db", *AFFINITY, "--dry-run", dry_run)
    printed = yaml.safe_load(run(*words, "-o", "yaml").stdout)
    assert annotations(printed) == {"affinity": RULE}
    assert printed["spec"] == body["spec"]
    assert "managedFields" not in printed["metadata"]
    assert json.loads(run(*words, "-o", "json").stdout)["spec"] == body["spec"]
    assert run(*words, "-o", "name").stdout == "plan.forklift.konveyor.io/db\n"


def test_the_fields_of_the_spec_are_kept_and_noted(run: Run, cluster: FakeApi) -> None:
    cluster.add(
        plan(spec={"convertorLabels": {"a": "1"}, "convertorAffinity": {"podAffinity": {}}})
    )
    result = run("patch", "plan", "db", "--convertor-labels", "b=2", *AFFINITY)
    assert result.stderr == (
        'Note: spec.convertorLabels stays, and is applied as well: {"a":"1"}\n'
        "Note: spec.convertorAffinity stays, and is applied together with the rules: "
        '{"podAffinity":{}}\n'
    )
    assert cluster.get("plans", "konveyor-forklift", "db")["spec"]["convertorLabels"] == {"a": "1"}


@pytest.mark.parametrize("before", [{}, {"labels": "a=2"}, {"labels": "b=1"}])
def test_a_label_that_contradicts_the_spec_is_refused_with_the_command_that_changes_it(
    run: Run, cluster: FakeApi, before: dict[str, str]
) -> None:
    cluster.add(plan(spec={"convertorLabels": {"a": "1"}}, annotations=before))
    result = run("patch", "plan", "db", "--convertor-labels", "a=2", "--mode", "audit")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (
        f"Error: nothing is written:\nPlan konveyor-forklift/db annotation {PREFIX}/labels entry "
        f"{2 if 'b=1' in before.values() else 1}: expected 'a=1' as in spec.convertorLabels, by "
        "which Forklift finds its pods, found 'a=2'; remove the entry, or change "
        "the field: kubectl patch plans.forklift.konveyor.io db "
        "-n konveyor-forklift --type merge -p "
        """'{"spec":{"convertorLabels":{"a":"2"}}}'\n"""
    )
    assert cluster.request_lines == [READ_RELEASE, f"GET {PATH}"]


def test_a_concurrent_write_is_not_lost(run: Run, cluster: FakeApi) -> None:
    cluster.add(plan(labels="a=1"))

    def write() -> None:
        cluster.add(plan(labels="a=1,b=2"))

    cluster.before_write = [write, write]
    result = run("patch", "plan", "db", "--convertor-labels", "c=3")
    assert result.exit_code == 0
    assert annotations(cluster.get("plans", "konveyor-forklift", "db")) == {"labels": "a=1,b=2,c=3"}


def test_patch_gives_up_after_several_conflicts(run: Run, cluster: FakeApi) -> None:
    cluster.add(plan())
    cluster.before_write = [lambda: cluster.add(plan())] * 5
    result = run("patch", "plan", "db", *AFFINITY)
    assert (result.exit_code, len(cluster.before_write)) == (3, 0)
    assert result.stderr == (
        f'Error: {cluster.server} answered 409: Operation cannot be fulfilled on plans "db": the '
        "object has been modified; please apply your changes to the latest version and try again\n"
    )


@pytest.mark.parametrize(
    ("name", "words", "message"),
    [
        ("dbs", (), "no plan 'dbs' in namespace 'konveyor-forklift'; did you mean 'db'?"),
        ("web", (), "no plan 'web' in namespace 'konveyor-forklift'; try --namespace shop"),
        (
            "db",
            ("-n", "demo"),
            "no plan 'db' in namespace 'demo'; try --namespace konveyor-forklift",
        ),
        ("nothing-like-it", (), "no plan 'nothing-like-it' in namespace 'konveyor-forklift'"),
    ],
)
def test_a_missing_plan_is_an_error_with_a_hint(
    run: Run, cluster: FakeApi, name: str, words: tuple[str, ...], message: str
) -> None:
    cluster.add(plan(), plan("web", "shop"))
    result = run("patch", "plan", name, *words, *AFFINITY)
    assert (result.exit_code, result.stderr) == (2, f"Error: {message}\n")


def test_a_forbidden_list_only_costs_the_hint(run: Run, cluster: FakeApi) -> None:
    cluster.forbid("list", "plans")
    result = run("patch", "plan", "db", *AFFINITY)
    assert result.stderr == "Error: no plan 'db' in namespace 'konveyor-forklift'\n"


def test_an_error_of_the_api_server_is_reported(run: Run, cluster: FakeApi) -> None:
    cluster.add(plan())
    cluster.fail("patch", 403, message="admission webhook denied the request: no")
    result = run("patch", "plan", "db", *AFFINITY)
    assert result.exit_code == 3
    assert result.stderr == (
        f"Error: {cluster.server} forbids it: admission webhook denied the request: no\n"
    )


def test_the_annotations_have_the_prefix_of_the_installation(run: Run, cluster: FakeApi) -> None:
    cluster.add(plan())
    environment = {"CONVERTOR_WEBHOOK_ANNOTATION_PREFIX": "v2v.example.com"}
    run("patch", "plan", "db", *AFFINITY, env=environment)
    assert cluster.get("plans", "konveyor-forklift", "db")["metadata"]["annotations"] == {
        "v2v.example.com/affinity": RULE
    }
