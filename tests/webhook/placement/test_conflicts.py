"""Conflicts between the places of a VM's disks and what its convertor pod and the VM require."""

from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.affinity_terms import is_in
from tests.support.builders import HOST, ZONE, namespace, node, plan, pod
from tests.support.node_affinity import admits, matches_term
from webhook import settings
from webhook.kube.objects import Json, labels_of
from webhook.model import Disks, Installation, Mode, Plan, Role, SiblingDisk
from webhook.placement.conflicts import Conflict, ConflictKind, ConflictSearch
from webhook.placement.disk_users import build_disk_users, describe_surroundings

IN_A = SiblingDisk("db-0", bound=True, node_terms=[is_in(ZONE, "a")])
IN_B = SiblingDisk("db-1", bound=True, node_terms=[is_in(ZONE, "b")])
ANYWHERE = SiblingDisk("db-2", bound=True, node_terms=[])
UNREAD = SiblingDisk("db-3", bound=True)
UNBOUND = SiblingDisk("db-4", bound=False)

NODES = [
    node("a1", {ZONE: "a", "cores": "8"}),
    node("a2", {ZONE: "a", "cores": "8"}, taints=("gpu=x:NoSchedule",)),
    node("b1", {ZONE: "b", "cores": "32", "disk": "nvme"}),
]
RESTART = "or cancel the migration of the VM and start it again"


def parsed(plan_object: Json, **changes: object) -> Plan:
    """Return the plan of an object, with these fields of its settings."""
    found = settings.read(plan_object, Installation())
    changed = msgspec.structs.replace(found.settings, **changes)
    return msgspec.structs.replace(found, settings=changed)


def conflicts(
    plan_object: Json | Plan,
    *disks: SiblingDisk,
    nodes: Sequence[Json] = NODES,
    pods: Sequence[Json] | None = None,
    namespaces: Sequence[Json] | None = None,
    installation: Installation | None = None,
) -> list[Conflict]:
    given = installation or Installation()
    surroundings = describe_surroundings(nodes, pods, namespaces)
    plan = plan_object if isinstance(plan_object, Plan) else settings.read(plan_object, given)
    users = build_disk_users(plan, given, surroundings)
    return ConflictSearch(users, surroundings).find("vm-1", disks)


def kinds(*args: Json | Plan | SiblingDisk, **known: object) -> list[ConflictKind]:
    return [each.kind for each in conflicts(*args, **known)]  # type: ignore[arg-type]


def message(*args: Json | Plan | SiblingDisk, **known: object) -> str:
    (found,) = conflicts(*args, **known)  # type: ignore[arg-type]
    return found.message


@pytest.mark.parametrize(
    ("plan_object", "why"),
    [
        (plan(node_selector="disk=nvme"), "node-selector disk=nvme; change node-selector"),
        (plan(node_selector="cores=16+"), "node-selector nodes(cores>15); change node-selector"),
        (plan(affinity=f"REQUIRE nodes({ZONE}=b)"), f"affinity nodes({ZONE}=b); change affinity"),
        (
            plan(affinity="REQUIRE nodes(disk=nvme)", node_selector="cores=16+"),
            (
                "node-selector or affinity nodes(cores>15, disk=nvme); change node-selector or "
                "affinity"
            ),
        ),
    ],
)
def test_a_disk_where_no_node_meets_the_rules_of_the_convertor_names_the_setting(
    plan_object: Json, why: str
) -> None:
    assert message(plan_object, IN_A) == (
        "disk 'db-0' is bound where the convertor pod of VM 'vm-1' cannot run: the 2 nodes that "
        f"reach it (a1, a2) are excluded by {why} of the plan, {RESTART}"
    )


def test_settings_of_the_role_are_named() -> None:
    annotations = {"node-selector.convertor": "disk=nvme", "tolerations.convertor": "spot"}
    found = message(plan(annotations=annotations), IN_A, nodes=NODES[:1])
    assert "excluded by node-selector.convertor disk=nvme; change node-selector.convertor" in found
    (convertor, _) = conflicts(plan(annotations=annotations), IN_A, nodes=NODES[1:])
    assert "tolerate it in tolerations.convertor of the plan" in convertor.message


def test_a_disk_that_a_fitting_node_reaches_is_no_conflict() -> None:
    assert not conflicts(plan(node_selector="disk=nvme"), IN_B)


@pytest.mark.parametrize("disk", [ANYWHERE, UNREAD, UNBOUND])
def test_a_disk_without_a_known_place_is_no_conflict(disk: SiblingDisk) -> None:
    assert not conflicts(plan(node_selector="disk=floppy"), disk)
    assert not conflicts(plan(node_selector="disk=floppy"), disk, nodes=())


def test_a_taint_counts_unless_it_is_tolerated_or_passes_by_itself() -> None:
    a2 = NODES[1:]
    by_taint = conflicts(plan(labels="team=x"), IN_A, nodes=a2)
    assert [each.kind for each in by_taint] == [ConflictKind.CONVERTOR, ConflictKind.VM]
    assert "(a2) is excluded by taint gpu=x:NoSchedule; tolerate it in tol" in by_taint[0].message
    assert "remove it from a node, because a Plan cannot give its VMs tol" in by_taint[1].message
    assert kinds(plan(tolerations="gpu"), IN_A, nodes=a2) == [ConflictKind.VM]
    all_tainted = [*a2[:1], node("b2", {ZONE: "b"}, taints=("gpu=y:NoSchedule",))]
    assert kinds(plan(labels="team=x"), IN_A, nodes=all_tainted) == [ConflictKind.CONVERTOR]
    passing = node("a3", {ZONE: "a"}, taints=("node.kubernetes.io/not-ready:NoExecute",))
    assert not conflicts(plan(labels="team=x"), IN_A, nodes=[passing])
    assert not conflicts(
        plan(labels="team=x"), IN_A, nodes=[node("a4", {ZONE: "a"}, cordoned=True)]
    )


def test_nodes_that_are_excluded_for_different_reasons_are_explained_together() -> None:
    rule = plan(node_selector="cores=16+", affinity="REQUIRE nodes(has disk)")
    nodes = [
        node("a1", {ZONE: "a", "cores": "16", "disk": "x"}, taints=("gpu:NoSchedule",)),
        node("a2", {ZONE: "a", "cores": "8", "disk": "x"}),
    ]
    found = conflicts(rule, IN_A, nodes=nodes)[0].message
    assert (
        "(a1, a2) are excluded by one of taint gpu:NoSchedule, node-selector or affinity" in found
    )
    assert "; tolerate it in tolerations of the plan, change node-selector or affinity of" in found


def test_disks_that_no_node_reaches_together_are_a_conflict_of_every_plan() -> None:
    expected = (
        "disks 'db-0', 'db-1' are bound in places that exclude each other "
        f"('db-0' on nodes({ZONE}=a), 'db-1' on nodes({ZONE}=b)), so neither the convertor pod of "
        "VM 'vm-1' nor the VM itself can run: cancel the migration of the VM and start it again"
    )
    assert message(plan(), IN_A, IN_B) == f"{expected} with disks: together"
    assert message(plan(), IN_A, IN_B, nodes=()) == f"{expected} with disks: together"
    assert message(parsed(plan(), disks=Disks.TOGETHER), IN_A, IN_B) == expected
    assert kinds(plan(node_selector="disk=nvme"), IN_A, IN_B) == [ConflictKind.DISKS]


def test_disks_that_share_a_node_are_no_conflict_of_a_plan_without_settings() -> None:
    both = SiblingDisk("db-1", bound=True, node_terms=[is_in(ZONE, "b"), is_in(HOST, "a1")])
    assert not conflicts(plan(), IN_A, both)
    assert not conflicts(plan(), IN_A, both, nodes=())
    assert not conflicts(plan(spec={"targetNodeSelector": {ZONE: "b"}}), IN_A)


def test_a_disk_where_no_node_is_is_a_conflict_of_a_plan_with_settings() -> None:
    lost = SiblingDisk("db-0", bound=True, node_terms=[is_in(HOST, "gone")])
    assert not conflicts(plan(), lost)
    assert message(plan(labels="a=b"), lost).startswith(
        f"disk 'db-0' is bound where no node is ('db-0' on nodes({HOST}=gone)), so neither "
    )


@pytest.mark.parametrize(
    ("spec", "setting"),
    [
        ({"targetNodeSelector": {ZONE: "b"}}, f"targetNodeSelector {ZONE}=b"),
        ({"targetAffinity": None}, f"targetAffinity nodes({ZONE}=b)"),
    ],
)
def test_a_vm_that_cannot_run_where_its_disk_is_is_a_conflict(spec: Json, setting: str) -> None:
    if "targetAffinity" in spec:
        required = {"nodeSelectorTerms": [is_in(ZONE, "b")]}
        field = "requiredDuringSchedulingIgnoredDuringExecution"
        spec = {"targetAffinity": {"nodeAffinity": {field: required}}}
    name = setting.partition(" ")[0]
    assert message(plan(labels="a=b", spec=spec), IN_A) == (
        "disk 'db-0' is bound where VM 'vm-1' cannot run: the 2 nodes that reach it (a1, a2) are "
        f"excluded by {setting}; change {name} of the plan, {RESTART} with a rule for "
        "first-consumer that leads to where the VM can run"
    )
    assert not conflicts(plan(labels="a=b", spec=spec), IN_B)


def test_a_vm_runs_only_where_kubevirt_does() -> None:
    without = node("b2", {ZONE: "b", "kubevirt.io/schedulable": "false"})
    assert kinds(plan(labels="a=b"), IN_B, nodes=[NODES[0], without]) == [ConflictKind.VM]
    bare = node("b2", {ZONE: "b"})
    del bare["metadata"]["labels"]["kubevirt.io/schedulable"]
    assert not conflicts(plan(labels="a=b"), IN_B, nodes=[bare])


RULE = plan(affinity="REQUIRE pods(app=ceph-osd) on node")


def test_required_pods_count_if_they_are_known() -> None:
    osd = pod("rook-ceph/osd", "b1", {"app": "ceph-osd"})
    assert not conflicts(RULE, IN_A)
    assert not conflicts(RULE, IN_B, pods=[osd])
    assert (
        "(a1, a2) are excluded by affinity REQUIRE pods(app=ceph-osd) in all namespaces on node; "
        "change affinity of the plan"
    ) in message(RULE, IN_A, pods=[osd])
    avoid = plan(affinity="AVOID pods(app=ceph-osd) on node")
    assert "(b1) is excluded by affinity AVOID pods(app=ceph-osd)" in message(
        avoid, IN_B, pods=[osd]
    )
    own = plan(affinity="AVOID pods(app=db) in own namespace on zone")
    database = pod("vms/db", "b1", {"app": "db"})
    assert "excluded by affinity AVOID pods(app=db)" in message(own, IN_B, pods=[database])


def test_terms_that_select_namespaces_by_labels_count_if_these_are_known() -> None:
    rule = plan(affinity="REQUIRE pods(app=ceph-osd) in namespaces (team=storage) on node")
    osd = pod("rook-ceph/osd", "b1", {"app": "ceph-osd"})
    assert not conflicts(rule, IN_A, pods=[osd])
    spaces = [namespace("rook-ceph", team="storage")]
    assert kinds(rule, IN_A, pods=[osd], namespaces=spaces) == [ConflictKind.CONVERTOR]
    assert not conflicts(rule, IN_B, pods=[osd], namespaces=spaces)


def test_terms_about_the_pods_of_the_plan_or_the_vm_itself_do_not_count() -> None:
    assert not conflicts(plan(affinity="REQUIRE pods(app=virt-v2v) on zone"), IN_A, pods=[])
    term = {"labelSelector": {"matchLabels": {"app": "db"}}, "topologyKey": ZONE}
    near = {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    spec = {"targetLabels": {"app": "db"}, "targetAffinity": near}
    assert not conflicts(plan(labels="a=b", spec=spec), IN_A, pods=[])
    del spec["targetLabels"]
    assert kinds(plan(labels="a=b", spec=spec), IN_A, pods=[]) == [ConflictKind.VM]


def test_a_convertor_that_gets_no_settings_is_not_in_conflict_with_them() -> None:
    rule = plan(node_selector="disk=nvme")
    assert not conflicts(rule, IN_A, installation=Installation(mode=Mode.AUDIT))
    assert not conflicts(parsed(rule, pods=(Role.FIRST_CONSUMER,)), IN_A)


def test_first_consumers_without_the_rules_are_part_of_what_to_change() -> None:
    found = message(parsed(plan(node_selector="disk=nvme"), pods=(Role.CONVERTOR,)), IN_A)
    assert found.endswith("start it again with first-consumer among the pods of the plan")


def test_disks_in_the_same_places_have_the_same_result_at_every_search() -> None:
    given = Installation()
    surroundings = describe_surroundings(NODES)
    users = build_disk_users(parsed(plan(node_selector="disk=nvme")), given, surroundings)
    search = ConflictSearch(users, surroundings)
    for _ in range(2):
        for disks in ([IN_A], [IN_B], [IN_B, UNBOUND], [IN_A, IN_B], [IN_B._replace(bound=False)]):
            once = ConflictSearch(users, surroundings)
            assert search.find("vm-1", disks) == once.find("vm-1", disks)


def test_long_lists_are_cut() -> None:
    nodes = [node(f"a{number}", {ZONE: "a"}) for number in range(5)]
    found = message(plan(node_selector="disk=nvme"), IN_A, nodes=nodes)
    assert "the 5 nodes that reach it (a0, a1, a2 and 2 more) are excluded by" in found


@pytest.mark.parametrize(
    ("plan_object", "kind", "why"),
    [
        (
            plan(node_selector=f"{ZONE}=b"),
            ConflictKind.CONVERTOR,
            f"node-selector nodes({ZONE}=b); change node-selector",
        ),
        (
            plan(affinity=f"REQUIRE nodes({ZONE} in [b,c])", node_selector="memory=64Gi+"),
            ConflictKind.CONVERTOR,
            f"affinity nodes({ZONE} in [b, c]); change affinity",
        ),
        (
            plan(labels="a=b", spec={"targetNodeSelector": {ZONE: "b"}}),
            ConflictKind.VM,
            f"targetNodeSelector nodes({ZONE}=b); change targetNodeSelector",
        ),
    ],
)
def test_without_nodes_rules_are_compared_with_the_volumes(
    plan_object: Json, kind: ConflictKind, why: str
) -> None:
    (found,) = conflicts(plan_object, IN_A, nodes=())
    assert found.kind is kind
    assert f": only nodes({ZONE}=a) reach it, and no such node meets {why} of the plan" in (
        found.message
    )
    assert not conflicts(plan_object, IN_B, nodes=())


def test_without_nodes_all_rules_together_may_exclude_a_volume() -> None:
    disk = SiblingDisk("db-0", bound=True, node_terms=[is_in(ZONE, "a", "b")])
    rules = plan(affinity=f"REQUIRE nodes({ZONE} in [a,c])", node_selector=f"{ZONE}=b")
    found = message(rules, disk, nodes=())
    assert f"node-selector nodes({ZONE}=b), affinity nodes({ZONE} in [a, c]); change" in found


_LABELS = {"zone": ["a", "b"], "disk": ["ssd", "nvme"], "rack": ["r1", "r2"]}
_terms = st.lists(
    st.builds(
        is_in,
        st.sampled_from(sorted(_LABELS)),
        st.sampled_from([value for values in _LABELS.values() for value in values]),
    ),
    max_size=2,
)
_disks = st.lists(
    st.builds(lambda terms: SiblingDisk("d", bound=True, node_terms=terms), _terms), max_size=3
)
_selectors = st.fixed_dictionaries(
    {}, optional={key: st.sampled_from(values) for key, values in _LABELS.items()}
)
_taints = st.sampled_from(["", "gpu:NoSchedule", "spot:NoExecute", "soft:PreferNoSchedule"])
_nodes = st.lists(
    st.builds(
        lambda labels, taint: node("n", labels, taints=(taint,) if taint else ()),
        _selectors,
        _taints,
    ),
    min_size=1,
    max_size=4,
)


def _reaches(disks: list[SiblingDisk], labels: dict[str, str]) -> bool:
    return all(
        any(matches_term(term, labels) for term in disk.node_terms)
        for disk in disks
        if disk.node_terms
    )


def common_taint(nodes: list[Json]) -> str:
    """Return the key of the taint that all nodes have; each has at most one."""
    keys = {each["key"] for node in nodes for each in node["spec"]["taints"]}
    return keys.pop() if len(keys) == 1 and all(node["spec"]["taints"] for node in nodes) else ""


def _tolerates(node_object: Json, tolerated: str) -> bool:
    return all(
        taint["key"] in ("soft", tolerated) for taint in node_object["spec"].get("taints") or ()
    )


@given(_disks, _nodes, _selectors, _terms, _selectors)
def test_a_conflict_is_reported_exactly_if_no_node_passes(
    disks: list[SiblingDisk],
    nodes: list[Json],
    selector: dict[str, str],
    terms: list[Json],
    target: dict[str, str],
) -> None:
    pairs = ",".join(f"{key}={value}" for key, value in selector.items())
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
    affinity = {"nodeAffinity": required} if terms else {}
    spec = {"targetNodeSelector": target} | ({"convertorAffinity": affinity} if terms else {})
    found = kinds(
        plan(labels="a=b", node_selector=pairs, tolerations="gpu", spec=spec), *disks, nodes=nodes
    )
    reached = [each for each in nodes if _reaches(disks, labels_of(each))]
    can_convert = any(
        selector.items() <= labels_of(each).items()
        and admits(affinity, labels_of(each))
        and _tolerates(each, "gpu")
        for each in reached
    )
    can_run = any(
        target.items() <= labels_of(each).items() and _tolerates(each, common_taint(nodes))
        for each in reached
    )
    if not any(disk.node_terms for disk in disks):
        assert found == []
    elif not reached:
        assert found == [ConflictKind.DISKS]
    else:
        assert (ConflictKind.CONVERTOR in found) is not can_convert
        assert (ConflictKind.VM in found) is not can_run
    for kind in kinds(plan(labels="a=b", node_selector=pairs, spec=spec), *disks, nodes=()):
        assert kind in found or found == [ConflictKind.DISKS]
