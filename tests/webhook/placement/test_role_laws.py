"""Laws that hold for the pods of every role, printed by Forklift and CDI, with any plan."""

from copy import deepcopy
from typing import Any, NamedTuple

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from tests.support import worlds
from tests.support.migration_pods import PLAN_UID, PODS, disk_of, kind_of, resolve_pod
from webhook.admission.patch import diff
from webhook.forklift.labels import is_reserved_label, role_label
from webhook.forklift.roles import decides_place
from webhook.kube.affinity import PREFERRED, REQUIRED
from webhook.kube.objects import Json
from webhook.kube.spread import is_hard
from webhook.kube.tolerations import covers_no_execute
from webhook.model import (
    ClusterState,
    Disk,
    Disks,
    Installation,
    MigrationPod,
    Plan,
    Role,
    RoleSettings,
    Settings,
    SiblingDisk,
)
from webhook.placement import Placed, place
from webhook.placement.disks import MAX_WAIT_SECONDS
from webhook.placement.missed import (
    EnforcementWindow,
    Finding,
    Observed,
    check_placement,
    read_metadata,
)
from webhook.placement.softening import split
from webhook.settings.own_pods import list_own_pods

INSTALLATION = Installation()
ROLE = role_label(INSTALLATION.prefix)
POD_KINDS = ("podAffinity", "podAntiAffinity")
ZONE_B = [{"matchExpressions": [{"key": "zone", "operator": "In", "values": ["b"]}]}]
OWN_TERM = {
    "labelSelector": {"matchLabels": {"forklift.app": "virt-v2v"}},
    "namespaceSelector": {},
    "topologyKey": "zone",
}


class Case(NamedTuple):
    plan: Plan
    pod: Json
    migration_pod: MigrationPod

    def place(self, pod: Json | None = None) -> Placed:
        return place(
            pod or self.pod,
            self.plan,
            INSTALLATION,
            ClusterState(worlds.NODE_VALUES),
            self.migration_pod,
        )


def _role_settings(settings: Settings) -> RoleSettings:
    return RoleSettings(
        labels=settings.labels,
        node_selector=settings.node_selector,
        node_requirements=settings.node_requirements,
        affinity=settings.affinity,
        spread=settings.spread or None,
        tolerations=settings.tolerations,
    )


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Draw a plan with general settings, which may select its own pods, and some by role."""
    settings = draw(worlds.settings())
    for kind in draw(st.lists(st.sampled_from(POD_KINDS), max_size=2, unique=True)):
        on_pods = settings.affinity.get(kind) or {}
        own = on_pods | {REQUIRED: [*(on_pods.get(REQUIRED) or []), OWN_TERM]}
        settings = msgspec.structs.replace(settings, affinity=settings.affinity | {kind: own})
    by_role = st.dictionaries(
        st.sampled_from(Role), worlds.settings().map(_role_settings), max_size=1
    )
    settings = msgspec.structs.replace(
        settings,
        pods=draw(st.sampled_from([tuple(Role), *((role,) for role in Role), ()])),
        disks=draw(st.sampled_from(Disks)),
        roles=draw(by_role),
    )
    return Plan("forklift", "db", PLAN_UID, 3, "target", settings)


SIBLINGS = st.lists(
    st.sampled_from(
        [
            SiblingDisk("a", bound=False),
            SiblingDisk("b", bound=True),
            SiblingDisk("c", bound=True, node_terms=[]),
            SiblingDisk("d", bound=True, node_terms=ZONE_B),
        ]
    ),
    max_size=2,
)


@st.composite
def disks(draw: st.DrawFn, pod: Json) -> Disk | None:
    """Draw the disk of a pod, in any state."""
    kind = kind_of(pod)
    if kind is None or kind.pvc is None:
        return None
    disk = disk_of(kind.pvc, bound=draw(st.booleans()), waits=draw(st.booleans()))
    return disk._replace(
        age_seconds=draw(st.sampled_from([1.0, 60.0, MAX_WAIT_SECONDS])),
        siblings=draw(SIBLINGS),
        is_first=draw(st.booleans()),
    )


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Draw a pod of a migration with its plan."""
    name = draw(st.sampled_from(sorted(name for name, pod in PODS.items() if kind_of(pod))))
    pod = PODS[name]
    migration_pod = resolve_pod(pod, draw(disks(pod)))
    if migration_pod is None:  # an importer whose PVC is not known, or without a plan
        kind = kind_of(pod)
        assert kind
        migration_pod = MigrationPod(kind.role, has_node=bool(pod["spec"].get("nodeName")))
    return Case(draw(plans()), deepcopy(pod), migration_pod)


def labels_of(pod: Json) -> dict[str, str]:
    found: dict[str, str] = pod["metadata"].get("labels") or {}
    return found


@given(cases())
def test_labels_are_only_added_and_no_reserved_ones(case: Case) -> None:
    before, after = labels_of(case.pod), labels_of(case.place().pod)
    own = {"app"} if case.migration_pod.role is Role.CONVERTOR else {ROLE}

    assert before.items() <= after.items()
    added = after.keys() - before.keys()
    assert [key for key in added - own if is_reserved_label(key, INSTALLATION.prefix)] == []


@given(cases())
def test_a_placed_pod_that_is_not_a_convertor_has_the_label_of_its_role(case: Case) -> None:
    after = case.place().pod
    role = case.migration_pod.role

    is_marked = after != case.pod and role is not Role.CONVERTOR
    assert labels_of(after).get(ROLE) == (role.value if is_marked else None)


@given(cases())
def test_only_the_fields_of_a_placement_change(case: Case) -> None:
    before, after = case.pod, case.place().pod

    def rest(pod: Json) -> Json:
        metadata = {k: v for k, v in pod["metadata"].items() if k not in {"labels", "annotations"}}
        fields = {"nodeSelector", "affinity", "tolerations", "topologySpreadConstraints"}
        spec = {k: v for k, v in pod["spec"].items() if k not in fields}
        return {**pod, "metadata": metadata, "spec": spec}

    assert rest(before) == rest(after)
    if case.migration_pod.has_node:
        fields = ("nodeSelector", "affinity", "topologySpreadConstraints")
        assert [before["spec"].get(field) for field in fields] == [
            after["spec"].get(field) for field in fields
        ]


@given(cases())
def test_a_second_placement_changes_nothing(case: Case) -> None:
    once = case.place()

    assert diff(once.pod, case.place(once.pod).pod) == []


@given(cases())
def test_a_role_that_is_not_selected_gets_nothing_but_tolerations_of_a_preset_node(
    case: Case,
) -> None:
    role, settings = case.migration_pod.role, case.plan.settings
    if role in settings.pods:
        return
    after = case.place().pod
    before = case.pod["spec"].get("tolerations") or []
    added = [each for each in after["spec"].get("tolerations") or [] if each not in before]

    assert case.migration_pod.has_node or after == case.pod
    assert all(map(covers_no_execute, added))
    assert labels_of(after).keys() - labels_of(case.pod).keys() <= {ROLE}


def added_terms(case: Case) -> list[tuple[str, str, Json]]:
    """Return kind, field and term of all terms that a placement adds."""
    before, after = (pod["spec"].get("affinity") or {} for pod in (case.pod, case.place().pod))
    found = []
    old: Any
    new: Any
    for kind in ("nodeAffinity", *POD_KINDS):
        for field in (REQUIRED, PREFERRED):
            old, new = ((each.get(kind) or {}).get(field) or [] for each in (before, after))
            if isinstance(new, dict):
                new, old = new["nodeSelectorTerms"], (old or {}).get("nodeSelectorTerms", [])
            found += [(kind, field, term) for term in new if term not in old]
    return found


def list_constraints(pod: Json) -> list[Json]:
    return pod["spec"].get("topologySpreadConstraints") or []


@given(cases())
def test_a_first_consumer_gets_no_preference_and_no_term_that_selects_own_pods(
    case: Case,
) -> None:
    settings = case.plan.settings
    plan = msgspec.structs.replace(
        case.plan, settings=msgspec.structs.replace(settings, disks=Disks.ANY, roles={})
    )
    case = case._replace(plan=plan)
    if case.migration_pod.role is not Role.FIRST_CONSUMER:
        return
    own_pods = list_own_pods(plan, INSTALLATION)

    assert list_constraints(case.place().pod) == list_constraints(case.pod)
    for kind, field, term in added_terms(case):
        assert field == REQUIRED
        assert kind == "nodeAffinity" or not own_pods.may_match(term)


@given(cases())
def test_general_settings_require_nothing_of_an_importer_or_populator(case: Case) -> None:
    role, settings = case.migration_pod.role, case.plan.settings
    if role not in {Role.IMPORTER, Role.POPULATOR} or role in settings.roles:
        return
    before, after = (pod["spec"].get("nodeSelector") or {} for pod in (case.pod, case.place().pod))

    assert before == after
    assert [term for _, field, term in added_terms(case) if field == REQUIRED] == []
    assert not any(map(is_hard, list_constraints(case.place().pod)))


@given(cases())
def test_no_role_but_the_convertor_gets_a_general_term_that_selects_own_pods(case: Case) -> None:
    role, settings = case.migration_pod.role, case.plan.settings
    if role is Role.CONVERTOR or role in settings.roles:
        return
    own_pods = list_own_pods(case.plan, INSTALLATION)
    general = split(settings.affinity).pod_terms

    for kind, _, term in added_terms(case):
        wanted = term.get("podAffinityTerm", term)
        if kind in POD_KINDS and wanted in general[kind]:
            assert not own_pods.may_match(wanted) or is_preferred(case, kind, wanted)


def is_preferred(case: Case, kind: str, term: Json) -> bool:
    """Return whether the plan itself prefers a term."""
    preferences = split(case.plan.settings.affinity).pod_preferences[kind]
    return term in [each["podAffinityTerm"] for each in preferences]


@given(cases())
def test_only_an_importer_waits_for_another_disk(case: Case) -> None:
    refusal = case.place().refusal
    if refusal:
        pod, settings = case.migration_pod, case.plan.settings
        assert pod.role is Role.FIRST_CONSUMER
        assert pod.disk
        assert settings.disks is Disks.TOGETHER
        assert pod.disk.age_seconds < MAX_WAIT_SECONDS


def finding(case: Case, pod: Json, observed: Observed) -> Finding | None:
    """Return the finding for a pod that exists, by its metadata."""
    created = {"creationTimestamp": "2026-08-01T08:00:00Z"}
    metadata = read_metadata(pod["metadata"] | created, INSTALLATION.prefix)
    assert metadata
    return check_placement(metadata, case.plan, INSTALLATION, EnforcementWindow(), observed)


@st.composite
def observations(draw: st.DrawFn, case: Case) -> Observed:
    """Draw a later state of the disk of a pod: it may be bound, and so may more siblings."""
    disk = case.migration_pod.disk
    if disk is None or draw(st.booleans()):
        return Observed()
    was_unbound = decides_place(disk) and draw(st.booleans())
    later = disk._replace(
        bound=disk.bound or draw(st.booleans()), siblings=disk.siblings + draw(SIBLINGS)
    )
    return Observed(later, was_unbound)


def without_settings(case: Case, *names: str) -> Case:
    """Return the case with empty settings of these names, so that some pods are not placed."""
    empty = {name: type(getattr(case.plan.settings, name))() for name in names}
    settings = msgspec.structs.replace(case.plan.settings, roles={}, **empty)
    return case._replace(plan=msgspec.structs.replace(case.plan, settings=settings))


SPARSE = st.sampled_from(
    [
        ("labels", "tolerations"),
        ("labels", "node_selector", "node_requirements"),
        ("affinity", "spread"),
    ]
)


@given(
    st.one_of(
        cases(), st.builds(lambda case, names: without_settings(case, *names), cases(), SPARSE)
    ),
    st.data(),
)
def test_a_pod_that_is_not_placed_is_not_missed(case: Case, data: st.DataObject) -> None:
    placed = case.place()
    found = finding(case, case.pod, data.draw(observations(case)))

    assert found is None or placed.refusal or diff(case.pod, placed.pod)


@given(cases(), st.data())
def test_a_placed_pod_has_no_finding(case: Case, data: st.DataObject) -> None:
    placed = case.place()
    found = finding(case, placed.pod, data.draw(observations(case)))

    assert found is None or placed.refusal or not diff(case.pod, placed.pod)
