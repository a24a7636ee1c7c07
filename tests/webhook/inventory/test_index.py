import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from tests.support import builders
from tests.support.builders import PREFIX
from webhook import settings
from webhook.inventory.changes import log_changes
from webhook.inventory.index import PlanIndex
from webhook.kube.objects import Json
from webhook.model import Installation, Plan, PlanRef, Reason, VmRules
from webhook.settings.unknown_fields import UNKNOWN_FIELDS

A = "11111111-1111-4111-8111-111111111111"
B = "22222222-2222-4222-8222-222222222222"


def plan(name: str = "db", uid: str = A, *, namespace: str = "forklift", **more: Any) -> Json:
    """Return a Plan; `version` is its resourceVersion, the further fields are those of its spec."""
    metadata = {"uid": uid} | (
        {"resourceVersion": more.pop("version")} if "version" in more else {}
    )
    settings, others = more.pop("settings", {}), more.pop("annotations", {})
    built = builders.plan(name, namespace, metadata=metadata, spec=more, annotations=settings)
    built["metadata"]["annotations"] |= others
    return built


@pytest.fixture
def index() -> PlanIndex:
    return PlanIndex(Installation(), lambda: "2026-08-01T09:00:00Z")


def names(index: PlanIndex, **ref: str) -> str:
    found = index.find(PlanRef(**ref))
    return str(found)


def test_a_plan_is_found_as_it_was_read(index: PlanIndex) -> None:
    rule = "REQUIRE pods(app=ceph-osd) on node"
    plan_object = plan(settings={"labels": "a=b", "affinity": rule, "tolerations": "gpu:NoExecute"})
    index.put(plan_object)
    assert index.find(PlanRef(uid=A)) == settings.read(plan_object, Installation())


@pytest.mark.parametrize(
    ("ref", "found"),
    [
        ({"uid": A}, "forklift/db"),
        ({"uid": A, "namespace": "other", "name": "app"}, "forklift/db"),
        ({"namespace": "forklift", "name": "db"}, "forklift/db"),
        ({"namespace": "forklift", "name": "db", "uid": A}, "forklift/db"),
        ({"namespace": "forklift", "name": "db", "uid": "no-uuid"}, "forklift/db"),
        ({"namespace": "forklift", "name": "db", "uid": B}, "PlanNotFound"),
        ({"name": "db", "uid": B}, "PlanNotFound"),
        ({"name": "db"}, "forklift/db"),
        ({"name": "app"}, "PlanAmbiguous"),
        ({"name": "app", "uid": A[:-1] + "3"}, "one/app"),
        ({"name": "none"}, "PlanNotFound"),
        ({"namespace": "other", "name": "db"}, "PlanNotFound"),
        ({"uid": B}, "PlanNotFound"),
        ({}, "PlanNotFound"),
    ],
)
def test_the_reference_of_a_pod_finds_its_plan_and_no_other(
    index: PlanIndex, ref: dict[str, str], found: str
) -> None:
    index.put(plan())
    index.put(plan("app", A[:-1] + "3", namespace="one"))
    index.put(plan("app", A[:-1] + "4", namespace="two"))
    assert names(index, **ref) == found


def test_a_plan_without_uid_is_found_by_name_whatever_the_uid(index: PlanIndex) -> None:
    index.put(plan(uid=""))
    assert names(index, uid=B, namespace="forklift", name="db") == "forklift/db"
    assert names(index, uid="") == "PlanNotFound"


def test_a_plan_that_is_recreated_is_no_longer_found_by_its_old_uid(index: PlanIndex) -> None:
    index.put(plan())
    index.put(plan(uid=B))
    assert names(index, uid=A) == "PlanNotFound"
    assert names(index, uid=B) == "forklift/db"
    assert len(index) == 1


def test_a_deleted_plan_is_not_found_in_any_way(index: PlanIndex) -> None:
    index.put(plan(settings={"node-selector": "memory=64Gi+", "labels": "-"}))
    assert (index.invalid, index.node_keys) == (1, frozenset({"memory"}))
    index.discard("forklift", "db")
    index.discard("forklift", "db")
    for ref in ({"uid": A}, {"name": "db"}, {"namespace": "forklift", "name": "db"}):
        assert names(index, **ref) == "PlanNotFound"
    assert (len(index), index.invalid, index.node_keys) == (0, 0, frozenset())


def test_an_ambiguous_name_is_unique_once_the_other_plan_is_deleted(index: PlanIndex) -> None:
    index.put(plan(namespace="one"))
    index.put(plan(namespace="two", uid=B))
    index.discard("one", "db")
    assert names(index, name="db") == "two/db"


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that grows with each reading of a plan's settings."""
    read: list[str] = []

    def count(plan_object: Json, installation: Installation) -> Plan:
        read.append(plan_object["metadata"]["name"])
        return real(plan_object, installation)

    real = settings.read
    monkeypatch.setattr(settings, "read", count)
    return read


def test_settings_are_not_read_again_if_only_the_status_changes(
    index: PlanIndex, reads: list[str]
) -> None:
    assert index.put(plan(version="1"))
    later = plan(version="2", annotations={"kubectl.kubernetes.io/x": "y"}) | {"status": {"vms": 1}}
    later["spec"]["vms"] = [{"id": "vm-1"}]
    assert not index.put(later)
    assert reads == ["db"]


@pytest.mark.parametrize(
    "change",
    [
        {"settings": {"labels": "a=b"}},
        {"settings": {"affinity.importer": "PREFER nodes(a=b)"}},
        {"settings": {"pods": "all"}},
        {"settings": {"disks": "together"}},
        {"convertorLabels": {"a": "b"}},
        {"convertorNodeSelector": {"a": "b"}},
        {"convertorAffinity": {"nodeAffinity": {}}},
        {"targetNamespace": "elsewhere"},
        {"annotations": {"convertor.forklift.konveyer.io/labels": "a=b"}},
        {"annotations": {"convertor.forklift.konveyer.io/labels.populator": "a=b"}},
        {"uid": B},
    ],
)
def test_settings_are_read_again_if_their_fields_change(
    index: PlanIndex, reads: list[str], change: Any
) -> None:
    index.put(plan())
    assert index.put(plan(**change))
    assert not index.put(plan(**change))


def test_settings_are_read_again_if_a_file_has_another_unknown_field(
    index: PlanIndex, reads: list[str]
) -> None:
    index.put(plan())
    changed = plan() | {UNKNOWN_FIELDS: ["spec.convertorLabel"]}
    assert index.put(changed)
    assert not index.put(changed)
    assert reads == ["db", "db"]


def test_an_older_version_is_ignored(index: PlanIndex) -> None:
    index.put(plan(version="10", convertorLabels={"a": "new"}))
    assert not index.put(plan(version="9", convertorLabels={"a": "old"}))
    found = index.find(PlanRef(uid=A))
    assert isinstance(found, Plan)
    assert found.settings.labels == {"a": "new"}


def test_a_list_is_applied_whatever_its_versions(index: PlanIndex) -> None:
    index.put(plan(version="10", convertorLabels={"a": "new"}))
    index.replace_all([plan(version="9", convertorLabels={"a": "restored"})])
    found = index.find(PlanRef(uid=A))
    assert isinstance(found, Plan)
    assert found.settings.labels == {"a": "restored"}


def test_a_list_replaces_all_plans(index: PlanIndex, reads: list[str]) -> None:
    index.replace_all([plan("a", A), plan("b", B)])
    index.replace_all([plan("b", B), plan("c", "")])
    assert names(index, uid=A) == "PlanNotFound"
    assert names(index, uid=B) == "forklift/b"
    assert names(index, name="c") == "forklift/c"
    assert reads == ["a", "b", "c"]


def test_a_list_that_fails_removes_nothing(index: PlanIndex) -> None:
    def broken() -> Any:
        yield plan("b", B)
        raise TimeoutError

    index.put(plan("a", A))
    with pytest.raises(TimeoutError):
        index.replace_all(broken())
    assert {names(index, uid=A), names(index, uid=B)} == {"forklift/a", "forklift/b"}


def test_the_problems_of_a_changed_plan_are_returned_and_logged(index: PlanIndex) -> None:
    changes = [index.put(plan(settings={"labels": "a b"})) for _ in range(2)]
    assert changes[0]
    assert changes[0].plan == "forklift/db"
    assert f"Plan forklift/db annotation {PREFIX}/labels" in changes[0].problems[0]
    assert changes[1] is None
    with capture_logs() as logs:
        log_changes([changes[0]])
    assert [(line["plan"], line["problems"]) for line in logs] == [
        ("forklift/db", changes[0].problems)
    ]
    index.put(plan(settings={"labels": "a=b"}))
    assert index.invalid == 0


def test_node_keys_are_those_that_some_plan_compares(index: PlanIndex) -> None:
    index.put(plan("a", A, settings={"node-selector": "memory=64Gi+"}))
    index.put(plan("b", B, settings={"affinity": "REQUIRE nodes(disk>=1Ti)", "labels": "a=b"}))
    assert index.node_keys == {"memory", "disk"}
    index.put(plan("b", B, settings={"labels": "a=b"}))
    assert index.node_keys == {"memory"}


def test_target_namespaces_are_those_of_the_known_plans(index: PlanIndex) -> None:
    index.put(plan("a", A, targetNamespace="vms"))
    index.put(plan("b", B, targetNamespace="vms"))
    index.put(plan("b", B, targetNamespace="other"))
    assert index.target_namespaces == {"vms", "other"}
    index.discard("forklift", "a")
    assert index.target_namespaces == {"other"}


@pytest.fixture
def unreadable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the reading of a Plan with the label `unreadable` fail with an internal error."""

    def fail(plan_object: Json, installation: Installation) -> Plan:
        if "unreadable" in plan_object["spec"].get("convertorLabels", ()):
            raise TypeError("unhashable type")
        return real(plan_object, installation)

    real = settings.read
    monkeypatch.setattr(settings, "read", fail)


def test_a_plan_that_cannot_be_read_keeps_its_settings_and_the_others_are_read(
    index: PlanIndex, unreadable: None
) -> None:
    index.put(plan("a", A, convertorLabels={"a": "before"}))
    index.put(plan("gone", ""))
    bad = plan("a", A, convertorLabels={"unreadable": "x"})
    changes = index.replace_all([bad, plan("b", B)]) + index.replace_all([bad, plan("b", B)])
    assert index.put(bad) is None
    with capture_logs() as logs:
        log_changes(changes)
    assert [(line["event"], line["plan"]) for line in logs] == [
        ("plan cannot be read", "forklift/a")
    ]
    found = index.find(PlanRef(uid=A))
    assert isinstance(found, Plan)
    assert found.settings.labels == {"a": "before"}
    assert names(index, uid=B) == "forklift/b"
    assert names(index, name="gone") == "PlanNotFound"
    why = "cannot be read: internal error, see the webhook's log: TypeError('unhashable type')"
    assert (index.unread, index.invalid) == ({("forklift", "a"): why}, 1)
    index.put(plan("a", A, convertorLabels={"a": "before"}))
    assert (index.unread, index.invalid) == ({}, 0)


def test_a_plan_that_could_never_be_read_is_forgotten_when_it_is_deleted(
    index: PlanIndex, unreadable: None
) -> None:
    bad = plan(convertorLabels={"unreadable": "x"})
    index.put(bad)
    assert (len(index), index.invalid) == (0, 1)
    index.replace_all([])
    assert index.invalid == 0
    index.put(bad)
    index.discard("forklift", "db")
    assert index.invalid == 0


def test_an_unknown_plan_is_not_found(index: PlanIndex) -> None:
    assert index.find(PlanRef(uid=A)) is Reason.PLAN_NOT_FOUND


NAMES = st.tuples(st.sampled_from(["one", "two"]), st.sampled_from(["db", "app"]))
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), NAMES),
        st.tuples(st.just("recreate"), NAMES),
        st.tuples(st.just("discard"), NAMES),
        st.tuples(st.just("replace"), st.frozensets(NAMES)),
    ),
    max_size=12,
)


@given(steps=STEPS)
def test_all_references_to_a_plan_agree_after_any_changes(steps: list[tuple[str, Any]]) -> None:
    index = PlanIndex(Installation())
    known: dict[tuple[str, str], str] = {}
    uids = [f"{n:08x}-1111-4111-8111-111111111111" for n in range(99)]
    next_uid = 0

    def build(key: tuple[str, str], *, new: bool) -> Json:
        nonlocal next_uid
        if new or key not in known:
            known[key] = uids[next_uid]
            next_uid += 1
        return plan(key[1], known[key], namespace=key[0], settings={"node-selector": "memory=1Gi+"})

    for step, what in steps:
        if step == "discard":
            known.pop(what, None)
            index.discard(*what)
        elif step == "replace":
            known = {key: uid for key, uid in known.items() if key in what}
            index.replace_all([build(key, new=False) for key in sorted(what)])
        else:
            index.put(build(what, new=step == "recreate"))

    assert len(index) == len(known)
    assert index.node_keys == ({"memory"} if known else set())
    for uid in uids[:next_uid]:
        expected = next(("/".join(key) for key, own in known.items() if own == uid), "PlanNotFound")
        assert names(index, uid=uid) == expected
    for name in ("db", "app"):
        same = [f"{key[0]}/{name}" for key in known if key[1] == name]
        expected = same[0] if len(same) == 1 else "PlanAmbiguous" if same else "PlanNotFound"
        assert names(index, name=name) == expected


def test_a_plan_with_settings_takes_little_memory(index: PlanIndex) -> None:
    written = {
        "labels": "workload=migration,batch=1",
        "node-selector": "disk=nvme,memory=64Gi+",
        "affinity": "REQUIRE pods(app=ceph-osd) on node",
    }
    index.put(plan(settings=written))
    tracemalloc.start()
    try:
        for n in range(200):
            index.put(plan(f"plan-{n}", f"{n:08x}-1111-4111-8111-111111111111", settings=written))
        used, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert used / 200 < 1500  # bytes; 10,000 plans have 20 MB in all


def test_changed_settings_have_the_time_of_the_change(index: PlanIndex) -> None:
    plan_object = plan(settings={"mode": "audit"})
    plan_object["metadata"]["creationTimestamp"] = "2026-08-01T08:00:00Z"
    index.put(plan_object)
    before = index.find(PlanRef(uid=A))
    plan_object["metadata"]["annotations"] = {}
    index.put(plan_object)
    after = index.find(PlanRef(uid=A))

    assert isinstance(before, Plan)
    assert isinstance(after, Plan)
    assert before.settings_modified == "2026-08-01T08:00:00Z"
    assert after.settings_modified == "2026-08-01T09:00:00Z"


def test_what_the_event_loop_calls_does_not_wait_until_a_plan_has_been_read(
    index: PlanIndex,
) -> None:
    index.put(plan())
    with index._writing, ThreadPoolExecutor(1) as thread:
        state = thread.submit(
            lambda: (index.find(PlanRef(uid=A)), len(index), index.invalid, index.unread)
        )
        found, *others = state.result(timeout=5)
    assert isinstance(found, Plan)
    assert others == [1, 0, {}]


def test_a_changed_rule_of_the_vms_is_known(index: PlanIndex) -> None:
    index.put(plan(version="1"))
    found = index.find(PlanRef(A))
    assert isinstance(found, Plan)
    assert found.vm_rules is None
    index.put(plan(version="2", targetNodeSelector={"zone": "a"}))
    found = index.find(PlanRef(A))
    assert isinstance(found, Plan)
    assert found.vm_rules == VmRules(node_selector={"zone": "a"})
