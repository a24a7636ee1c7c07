"""The topology spread constraints of placed pods: by role, and together with those of others."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.builders import minimal_pod
from webhook import karl
from webhook.admission.patch import diff
from webhook.forklift.labels import FORKLIFT_SPREADING_TERM
from webhook.kube.affinity import PREFERRED
from webhook.kube.objects import Json
from webhook.kube.spread import spread_key
from webhook.model import (
    AffinityPolicy,
    Installation,
    MigrationPod,
    Plan,
    PvcRef,
    Role,
    RoleSettings,
    Settings,
)
from webhook.placement import MalformedPod, Placed, place, place_enforced

CONVERTOR, INSPECTION = MigrationPod(), MigrationPod(Role.INSPECTION)
IMPORTER, POPULATOR = MigrationPod(Role.IMPORTER), MigrationPod(Role.POPULATOR)
CONSUMER = MigrationPod(Role.FIRST_CONSUMER)
FIRST_IMPORTER = MigrationPod(Role.FIRST_CONSUMER, pvc=PvcRef("vms", "disk-0", "u"))


def compile_spread(*rules: str) -> list[Json]:
    found: list[Json] = karl.compile_all("\n".join(rules))["topologySpreadConstraints"]
    return found


HARD, SOFT, WIDE, ON_NODE = compile_spread(
    "SPREAD pods(app=virt-v2v) on zone hard",
    "SPREAD pods(app=virt-v2v) on zone",
    "SPREAD pods(app=virt-v2v) on rack skew=3",
    "SPREAD pods(team=x) on node hard",
)
OTHER = HARD | {"maxSkew": 5}


def place_with(
    *present: Json,
    migration_pod: MigrationPod = CONVERTOR,
    enforced: list[Json] | None = None,
    kubernetes: int | None = None,
    **settings: Any,
) -> Placed:
    """Place a pod with the constraints `present`; a second placement changes nothing."""
    plan = Plan("mtv", "db", settings=Settings(pods=tuple(Role), **settings))
    installation = Installation(enforced=Settings(spread=enforced or []), kubernetes=kubernetes)
    before = minimal_pod(topologySpreadConstraints=[*present]) if present else minimal_pod()
    placed = place(before, plan, installation, migration_pod=migration_pod)
    again = place(placed.pod, plan, installation, migration_pod=migration_pod)
    assert diff(placed.pod, again.pod) == []
    return placed


def constraints(placed: Placed) -> list[Json]:
    found: list[Json] = placed.pod["spec"].get("topologySpreadConstraints", [])
    return found


@pytest.mark.parametrize(
    ("pod", "expected"),
    [
        (CONVERTOR, [HARD, WIDE]),
        (INSPECTION, [HARD, WIDE]),
        (IMPORTER, [SOFT, WIDE]),
        (POPULATOR, [SOFT, WIDE]),
        (CONSUMER, []),
        (FIRST_IMPORTER, []),
        (MigrationPod(has_node=True), []),
    ],
)
@pytest.mark.parametrize("source", ["spread", "enforced"])
def test_constraints_by_role(pod: MigrationPod, expected: list[Json], source: str) -> None:
    placed = place_with(migration_pod=pod, **{source: [HARD, WIDE]})  # type: ignore[arg-type]

    assert constraints(placed) == expected
    assert not placed.notes


@pytest.mark.parametrize("order", [[SOFT | {"maxSkew": 3}, HARD], [HARD, SOFT | {"maxSkew": 3}]])
def test_of_a_hard_and_a_soft_constraint_on_one_topology_the_hard_one_is_left_as_a_soft_one(
    order: list[Json],
) -> None:
    placed = place_with(migration_pod=IMPORTER, spread=[*order, WIDE])

    assert constraints(placed) == [SOFT, WIDE]


def test_rules_written_for_importers_stay_as_written() -> None:
    own = {Role.IMPORTER: RoleSettings(affinity={}, spread=[HARD])}

    assert constraints(place_with(migration_pod=IMPORTER, spread=[SOFT], roles=own)) == [HARD]


def test_the_affinity_of_a_role_replaces_constraints_too() -> None:
    own = {Role.CONVERTOR: RoleSettings(affinity={})}

    assert constraints(place_with(spread=[HARD], roles=own)) == []


def test_the_constraints_of_the_pod_are_kept() -> None:
    placed = place_with(OTHER, spread=[HARD, SOFT])

    assert constraints(placed) == [OTHER, SOFT]
    assert placed.notes == [
        (
            "'SPREAD pods(app=virt-v2v) on zone hard' is not applied, because the pod has another "
            "hard constraint on zone"
        )
    ]


def test_a_constraint_of_the_pod_that_the_plan_has_too_is_there_once() -> None:
    placed = place_with(HARD, spread=[HARD])

    assert constraints(placed) == [HARD]
    assert not placed.notes


def test_constraints_that_the_installation_enforces_override_those_of_the_plan() -> None:
    placed = place_with(spread=[OTHER, WIDE, SOFT], enforced=[HARD, ON_NODE])

    assert constraints(placed) == [HARD, WIDE, SOFT, ON_NODE]
    assert placed.notes == [
        (
            "'SPREAD pods(app=virt-v2v) on zone skew=5 hard' is not applied, because the "
            "installation enforces another hard constraint on zone"
        )
    ]
    assert not place_with(spread=[HARD], enforced=[HARD]).notes


def test_a_plan_in_another_mode_gets_the_constraints_that_the_installation_enforces() -> None:
    plan = Plan("mtv", "db", settings=Settings(spread=[WIDE]))
    placed = place_enforced(minimal_pod(), plan, Installation(enforced=Settings(spread=[HARD])))

    assert constraints(placed) == [HARD]


@pytest.mark.parametrize(("kubernetes", "applied"), [(25, False), (26, True), (None, True)])
def test_an_enforced_hard_constraint_needs_a_cluster_that_skips_cordoned_nodes(
    kubernetes: int | None, *, applied: bool
) -> None:
    placed = place_with(enforced=[HARD, WIDE], kubernetes=kubernetes)

    assert constraints(placed) == [*([HARD] if applied else []), WIDE]
    assert placed.notes == (
        []
        if applied
        else [
            (
                "'SPREAD pods(app=virt-v2v) on zone hard': a hard SPREAD is not applied on "
                "Kubernetes 1.25, which counts cordoned nodes: one of them would keep all later "
                "pods pending; remove hard"
            )
        ]
    )


def test_replace_removes_the_spreading_term_of_forklift_for_a_plan_with_spread_alone() -> None:
    spreading = {"podAntiAffinity": {PREFERRED: [FORKLIFT_SPREADING_TERM]}}
    before = minimal_pod(affinity=spreading)

    def place_by(policy: AffinityPolicy, enforced: list[Json], *spread: Json) -> Any:
        settings = Settings(spread=[*spread], affinity_policy=policy)
        installation = Installation(enforced=Settings(spread=enforced))
        placed = place(before, Plan("mtv", "db", settings=settings), installation)
        return placed.pod["spec"]["affinity"]

    assert place_by(AffinityPolicy.REPLACE, [], HARD) == {}
    assert place_by(AffinityPolicy.REPLACE, [WIDE], HARD) == {}
    assert place_by(AffinityPolicy.MERGE, [], HARD) == spreading
    assert place_by(AffinityPolicy.REPLACE, [HARD]) == spreading


@pytest.mark.parametrize("field", ["topologyKey", "whenUnsatisfiable"])
@pytest.mark.parametrize("value", [1, ["zone"], {}])
def test_a_constraint_of_another_type_is_malformed(field: str, value: object) -> None:
    with pytest.raises(MalformedPod, match=field):
        place_with(HARD | {field: value}, spread=[HARD])


def test_a_constraint_without_its_fields_is_kept() -> None:
    assert constraints(place_with({"maxSkew": 1}, spread=[HARD])) == [{"maxSkew": 1}, HARD]


CONSTRAINTS = [HARD, SOFT, OTHER, WIDE, ON_NODE, ON_NODE | {"labelSelector": {}}]
DISTINCT = st.lists(st.sampled_from(CONSTRAINTS), max_size=4, unique_by=spread_key)
PODS = [CONVERTOR, INSPECTION, IMPORTER, POPULATOR, CONSUMER, FIRST_IMPORTER]


CASES = st.fixed_dictionaries(dict.fromkeys(("present", "spread", "of_role", "enforced"), DISTINCT))


@given(CASES, st.sampled_from(PODS), st.sampled_from([25, 30]))
def test_no_pod_has_two_constraints_of_a_topology_and_kind(
    case: dict[str, list[Json]], pod: MigrationPod, kubernetes: int
) -> None:
    of_role, enforced = case["of_role"], case["enforced"]
    placed = place_with(
        *case["present"],
        migration_pod=pod,
        spread=case["spread"],
        roles={pod.role: RoleSettings(affinity={}, spread=of_role)} if of_role else {},
        enforced=enforced,
        kubernetes=kubernetes,
    )
    found = constraints(placed)

    keys = [spread_key(each) for each in found]
    assert len(keys) == len({*keys})
    assert found[: len(case["present"])] == case["present"]
    if pod in (CONVERTOR, INSPECTION):
        wanted = {spread_key(each) for each in (*(of_role or case["spread"]), *enforced)}
        lost = wanted - {*keys}
        assert not lost or kubernetes == 25
        assert all(kind == "DoNotSchedule" for _, kind in lost)
