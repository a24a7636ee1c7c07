import asyncio
import os
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.support.waiting import eventually
from webhook import settings
from webhook.inventory import plan_files
from webhook.inventory.directory_plans import DirectoryPlans
from webhook.kube.objects import Json
from webhook.model import Installation, Plan, PlanRef, Reason

A = "11111111-1111-4111-8111-111111111111"


def plan(name: str, labels: str = "a=b", uid: str = "", more: str = "") -> str:
    return f"""\
apiVersion: forklift.konveyor.io/v1beta1
kind: Plan
metadata:
  namespace: forklift
  name: {name}
  {f"uid: {uid}" if uid else ""}
  annotations:
    convertor.forklift.konveyor.io/labels: {labels}
{more}
"""


@pytest.fixture
def plans(tmp_path: Path) -> DirectoryPlans:
    return DirectoryPlans(tmp_path, Installation())


def labels(plans: DirectoryPlans, name: str) -> Any:
    found = plans.find(PlanRef(namespace="forklift", name=name))
    return found.settings.labels if isinstance(found, Plan) else found


def test_before_the_first_scan_no_plan_is_known(plans: DirectoryPlans) -> None:
    assert labels(plans, "db") is Reason.PLANS_NOT_SYNCED
    status = plans.status()
    assert (status.synced, status.age_seconds, status.count) == (False, float("inf"), 0)


def test_plans_of_all_files_and_folders_are_found(plans: DirectoryPlans, tmp_path: Path) -> None:
    (tmp_path / "team").mkdir()
    (tmp_path / "team" / "1.yml").write_text(plan("one", uid=A) + "---\n" + plan("two", "c=d"))
    (tmp_path / "notes.txt").write_text("no plan")
    (tmp_path / ".hidden.yaml").write_text(plan("hidden"))
    plans.scan()
    assert labels(plans, "two") == {"c": "d"}
    assert isinstance(plans.find(PlanRef(uid=A)), Plan)
    assert labels(plans, "hidden") is Reason.PLAN_NOT_FOUND
    status = plans.status()
    assert (status.synced, status.count, status.invalid, status.message) == (True, 2, 0, "")
    assert status.age_seconds < 10


def test_changed_and_removed_files_are_applied(plans: DirectoryPlans, tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    for value in ("a=b", "a=c", "a=d"):  # of the same size, and within a tick of the clock
        path.write_text(plan("db", value))
        plans.scan()
        assert labels(plans, "db") == {"a": value[-1]}
    path.unlink()
    plans.scan()
    assert labels(plans, "db") is Reason.PLAN_NOT_FOUND


def test_a_file_that_has_not_changed_is_not_read_again(
    plans: DirectoryPlans, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(plan("db"))
    os.utime(path, (1, 1))
    plans.scan()
    monkeypatch.setattr("webhook.inventory.plan_files.read_file", None)
    plans.scan()
    assert labels(plans, "db") == {"a": "b"}


def test_an_invalid_file_keeps_its_last_contents_and_is_reported_once(
    plans: DirectoryPlans, tmp_path: Path
) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(plan("db"))
    (tmp_path / "y.yaml").write_text(plan("other"))
    plans.scan()
    path.write_text("kind: [")
    (tmp_path / "y.yaml").write_text(plan("other", "a=c"))
    with capture_logs() as logs:
        plans.scan()
        plans.scan()
    error = (
        f"{path}: line 2 column 1: expected YAML: did not find expected node content while "
        "parsing a flow node"
    )
    assert [line["fault"] for line in logs] == [error]
    assert plans.status().message == error
    assert (labels(plans, "db"), labels(plans, "other")) == ({"a": "b"}, {"a": "c"})
    path.write_text(plan("db", "a=repaired"))
    plans.scan()
    assert labels(plans, "db") == {"a": "repaired"}
    assert plans.status().message == ""


def test_the_errors_of_many_files_are_summarized(plans: DirectoryPlans, tmp_path: Path) -> None:
    for n in range(5):
        (tmp_path / f"{n}.yaml").write_text("- a")
    plans.scan()
    parts = plans.status().message.split("; ")
    assert len(parts) == 4
    assert parts[3] == "and 2 more"


@pytest.mark.parametrize(
    ("first", "second"), [(("db", ""), ("db", "")), (("db", A), ("app", A))], ids=["name", "uid"]
)
def test_a_plan_in_two_files_is_reported_and_the_first_is_used(
    plans: DirectoryPlans, tmp_path: Path, first: Any, second: Any
) -> None:
    (tmp_path / "1.yaml").write_text(plan(first[0], "n=1", first[1]))
    (tmp_path / "2.yaml").write_text(plan(second[0], "n=2", second[1]))
    plans.scan()
    assert plans.status().message == (
        f"{tmp_path}/2.yaml: Plan forklift/{second[0]} is in '{tmp_path}/1.yaml' too, which is used"
    )
    assert labels(plans, first[0]) == {"n": "1"}
    assert plans.status().count == 1


def test_a_directory_without_plans_is_reported_with_what_was_expected(
    plans: DirectoryPlans, tmp_path: Path
) -> None:
    plans.scan()
    assert plans.status().message == (
        f"no Plan in '{tmp_path}': expected kind 'Plan' of 'forklift.konveyor.io/v1beta1' in "
        "files named *.yaml, *.yml, *.json"
    )
    assert plans.status().synced


def test_a_directory_that_goes_away_and_comes_back(tmp_path: Path) -> None:
    folder = tmp_path / "plans"
    plans = DirectoryPlans(folder, Installation())
    plans.scan()
    assert not plans.status().synced
    assert plans.status().message == f"'{folder}' cannot be read: no such file or directory"
    folder.mkdir()
    (folder / "x.yaml").write_text(plan("db"))
    plans.scan()
    assert plans.status().message == ""
    folder.rename(tmp_path / "away")
    plans.scan()
    assert labels(plans, "db") == {"a": "b"}
    assert "cannot be read" in plans.status().message
    (tmp_path / "away").rename(folder)
    plans.scan()
    assert (labels(plans, "db"), plans.status().message) == ({"a": "b"}, "")


def test_a_mounted_config_map_is_read_and_swapped_whole(
    plans: DirectoryPlans, tmp_path: Path
) -> None:
    def mount(version: str, text: str) -> None:
        (tmp_path / version / "team").mkdir(parents=True)
        (tmp_path / version / "x.yaml").write_text(text)
        (tmp_path / version / "team" / "y.yaml").write_text(plan("z"))
        (tmp_path / "..new").symlink_to(version)
        (tmp_path / "..new").rename(tmp_path / "..data")

    mount("..1", plan("db"))
    (tmp_path / "x.yaml").symlink_to("..data/x.yaml")
    (tmp_path / "team").symlink_to("..data/team")
    plans.scan()
    assert (plans.status().count, plans.status().message) == (2, "")
    mount("..2", plan("db", "a=new"))
    plans.scan()
    assert labels(plans, "db") == {"a": "new"}
    assert plans.status().count == 2


def test_circular_and_broken_symlinks_do_no_harm(plans: DirectoryPlans, tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(plan("db"))
    (tmp_path / "circle").symlink_to(tmp_path)
    (tmp_path / "lost.yaml").symlink_to("nowhere.yaml")
    plans.scan()
    assert labels(plans, "db") == {"a": "b"}
    assert plans.status().message == (
        f"{tmp_path}/lost.yaml: cannot be read: no such file or directory"
    )


def test_the_name_of_a_file_need_not_be_utf_8(plans: DirectoryPlans, tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"a\xff.yaml")).write_text(plan("one"))
    (tmp_path / os.fsdecode(b"b\xff.yaml")).write_text("a: [")
    plans.scan()
    assert labels(plans, "one") == {"a": "b"}
    assert plans.status().message.startswith(rf"{tmp_path}/b\udcff.yaml: ")


def test_a_named_pipe_is_not_read(plans: DirectoryPlans, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    plans.scan()
    assert plans.status().message == f"{tmp_path / 'pipe.yaml'}: expected a regular file"


def test_nodes_in_the_directory_provide_the_node_values(
    plans: DirectoryPlans, tmp_path: Path
) -> None:
    node = "apiVersion: v1\nkind: Node\nmetadata: {{name: {0}, labels: {{memory: {0}, x: z}}}}\n"
    (tmp_path / "nodes.yaml").write_text("---\n".join(node.format(v) for v in ("32Gi", "64Gi")))
    plans.scan()
    assert plans.node_values == {}
    more = "    convertor.forklift.konveyor.io/node-selector: memory=64Gi+"
    (tmp_path / "x.yaml").write_text(plan("db", more=more))
    plans.scan()
    assert plans.node_values == {"memory": {"32Gi", "64Gi"}}


def test_fetch_scans_the_files_at_once(plans: DirectoryPlans, tmp_path: Path) -> None:
    plans.scan()
    (tmp_path / "x.yaml").write_text(plan("db"))
    found = asyncio.run(plans.fetch(PlanRef(namespace="forklift", name="db"), 5))
    assert str(found) == "forklift/db"
    assert asyncio.run(plans.fetch(PlanRef(name="none"), 5)) is Reason.PLAN_NOT_FOUND
    assert plans.status().fetches == 2


def test_changes_are_found_in_the_background(
    plans: DirectoryPlans, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webhook.inventory.directory_plans.SCAN_INTERVAL_SECONDS", 0.005)
    path = tmp_path / "x.yaml"
    path.write_text(plan("db"))
    plans.start()
    assert labels(plans, "db") == {"a": "b"}
    path.write_text(plan("db", "a=c"))
    eventually(lambda: labels(plans, "db") == {"a": "c"})
    plans.stop()


def test_a_plan_that_cannot_be_read_is_reported_with_its_file_and_the_others_are_used(
    plans: DirectoryPlans, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(plan_object: Json, installation: Installation) -> Plan:
        if plan_object["metadata"]["name"] == "bad":
            raise TypeError("x")
        return real(plan_object, installation)

    real = settings.read
    monkeypatch.setattr(settings, "read", fail)
    (tmp_path / "1.yaml").write_text(plan("bad"))
    (tmp_path / "2.yaml").write_text(plan("gone"))
    (tmp_path / "3.yaml").write_text(plan("db"))
    plans.scan()
    (tmp_path / "2.yaml").unlink()
    (tmp_path / "3.yaml").write_text(plan("db", "a=c"))
    plans.scan()
    assert labels(plans, "db") == {"a": "c"}
    assert labels(plans, "gone") is Reason.PLAN_NOT_FOUND
    assert plans.status().message == (
        f"{tmp_path}/1.yaml: Plan forklift/bad cannot be read: internal error, see the webhook's "
        "log: TypeError('x')"
    )
    assert plans.status().invalid == 1


def test_a_file_that_causes_an_internal_error_is_reported_and_the_others_are_used(
    plans: DirectoryPlans, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: Path) -> plan_files.Contents:
        if path.name == "1.yaml":
            raise KeyError("x")
        return real(path)

    real = plan_files.read_file
    monkeypatch.setattr(plan_files, "read_file", fail)
    (tmp_path / "1.yaml").write_text(plan("bad"))
    (tmp_path / "2.yaml").write_text(plan("db"))
    plans.scan()
    assert labels(plans, "db") == {"a": "b"}
    assert plans.status().message == (
        f"{tmp_path}/1.yaml: internal error, see the webhook's log: KeyError('x')"
    )


def test_a_scan_that_fails_with_an_internal_error_is_repeated_and_logged_once(
    plans: DirectoryPlans, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "x.yaml").write_text(plan("db"))
    os.utime(tmp_path / "x.yaml", (1, 1))
    with capture_logs() as logs, monkeypatch.context() as patched:
        patched.setattr("webhook.karl.minimums.label_values", None)
        plans.scan()
        plans.scan()
    assert [line["event"] for line in logs if line["log_level"] == "error"] == [
        "scan of the plans failed"
    ]
    assert "internal error, see the webhook's log: TypeError(" in plans.status().message
    assert not plans.status().synced
    plans.scan()
    assert labels(plans, "db") == {"a": "b"}
    assert (plans.status().synced, plans.status().message) == (True, "")


def test_an_internal_error_does_not_stop_the_scans(
    plans: DirectoryPlans, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webhook.inventory.directory_plans.SCAN_INTERVAL_SECONDS", 0.005)
    plans.start()
    with capture_logs() as logs:
        monkeypatch.setattr("webhook.inventory.directory_plans.find_files", None)
        eventually(lambda: logs)
        monkeypatch.undo()
    monkeypatch.setattr("webhook.inventory.directory_plans.SCAN_INTERVAL_SECONDS", 0.005)
    (tmp_path / "x.yaml").write_text(plan("db"))
    eventually(lambda: labels(plans, "db") == {"a": "b"})
    plans.stop()
