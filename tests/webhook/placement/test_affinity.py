"""The affinity of a placed pod."""

import pytest

from tests.support.affinity_terms import CEPH, CEPH_ANYWHERE, at_least, both, is_in, node_terms
from tests.support.builders import CONVERTOR_LABELS, minimal_pod, parsed_plan
from tests.support.placements import BARE, MARK, place_pod
from webhook.forklift.labels import FORKLIFT_SPREADING_TERM
from webhook.kube.affinity import PREFERRED, REQUIRED
from webhook.kube.objects import Json
from webhook.model import AffinityPolicy, Problem
from webhook.settings import read


def test_minimums_and_node_terms_of_the_plan_are_anded_with_each_term_of_the_pod() -> None:
    before = minimal_pod(affinity=node_terms(is_in("zone", "a"), is_in("zone", "b")))
    plan = parsed_plan(
        node_requirements=[{"key": "cores", "operator": "Gt", "values": ["15"]}],
        affinity=node_terms(is_in("disk", "nvme")),
    )

    after = place_pod(before, plan)

    cores: Json = {"matchExpressions": plan.settings.node_requirements}
    assert after.pod["spec"]["affinity"] == node_terms(
        both(is_in("zone", "a"), cores, is_in("disk", "nvme")),
        both(is_in("zone", "b"), cores, is_in("disk", "nvme")),
    )


def test_an_in_of_sufficient_values_is_kept_for_a_minimum() -> None:
    before = minimal_pod(affinity=node_terms(is_in("memory", "64Gi", "128Gi")))

    after = place_pod(
        before,
        parsed_plan(affinity=node_terms(at_least("AtLeast", "64Gi"))),
        node_values={"memory": ["64Gi", "128Gi", "256Gi"]},
    )

    assert after.pod["spec"] == before["spec"]


@pytest.mark.parametrize("mark", [True, False])
def test_a_not_in_is_kept_for_a_negated_minimum_only_if_a_placement_wrote_it(mark: bool) -> None:
    before = minimal_pod(affinity=node_terms(at_least("NotIn", "64Gi")))
    before["metadata"]["annotations"] = dict(MARK) if mark else {}

    after = place_pod(
        before,
        parsed_plan(affinity=node_terms(at_least("NotAtLeast", "64Gi"))),
        node_values={"memory": ["64Gi", "128Gi"]},
    )

    term = at_least("NotIn", "64Gi")
    more = {"key": "memory", "operator": "NotIn", "values": ["64Gi", "128Gi"]}
    expected = term if mark else both(term, {"matchExpressions": [more]})
    assert after.pod["spec"]["affinity"] == node_terms(expected)


TOO_MANY = Problem(
    "Plan konveyor-forklift/db",
    "node affinity left as the pod has it: ANDed with the plan's it makes more than 64 required "
    "node terms; give the plan fewer alternatives",
)


def exists(key: str) -> Json:
    return {"matchExpressions": [{"key": key, "operator": "Exists"}]}


@pytest.mark.parametrize("wanted", [is_in("disk", "x"), at_least("AtLeast", "1Gi")])
def test_too_many_node_terms_are_a_problem_and_the_rest_is_applied(wanted: Json) -> None:
    pod_terms = [is_in("zone", str(number)) for number in range(13)]
    plan_terms = [both(wanted, is_in("row", str(number))) for number in range(5)]
    before = minimal_pod(nodeSelector={"cores": "16+"}, affinity=node_terms(*pod_terms))

    after = place_pod(before, parsed_plan(affinity=node_terms(*plan_terms), labels={"batch": "1"}))

    cores: Json = {"matchExpressions": [{"key": "cores", "operator": "Gt", "values": ["15"]}]}
    assert after.problems == [TOO_MANY]
    assert after.pod["spec"]["affinity"] == node_terms(*(both(term, cores) for term in pod_terms))
    assert after.pod["metadata"]["labels"] == CONVERTOR_LABELS | {"batch": "1"}


TOO_MANY_VALUES = Problem(
    TOO_MANY.where,
    "node affinity left as the pod has it: the plan's minimums have more than 32768 values of node "
    "labels",
)


@pytest.mark.parametrize("minimums", [6, 7])
def test_minimums_with_too_many_values_are_a_problem(minimums: int) -> None:
    """The API server would refuse the pod."""
    sizes = [f"{number}Mi" for number in range(70_000, 75_000)]
    terms = [at_least("AtLeast", "64Gi") for _ in range(minimums)]
    plan = parsed_plan(
        affinity={
            "nodeAffinity": {
                PREFERRED: [
                    {"weight": number + 1, "preference": term} for number, term in enumerate(terms)
                ]
            }
        }
    )

    after = place_pod(minimal_pod(), plan, node_values={"memory": sizes})

    assert bool(after.pod["spec"].get("affinity")) == (minimums == 6)
    assert after.problems == ([TOO_MANY_VALUES] if minimums == 7 else [])


def test_a_product_with_too_many_values_is_a_problem_and_the_pods_terms_stay() -> None:
    values = [f"v{number}" for number in range(1000)]
    before = minimal_pod(affinity=node_terms(is_in("zone", *values)))
    plan_terms = [is_in("row", str(number)) for number in range(40)]

    after = place_pod(before, parsed_plan(affinity=node_terms(*plan_terms)))

    assert after.pod["spec"] == before["spec"]
    assert "has more than 32768 values of node labels" in after.problems[0].message


def test_more_terms_than_the_maximum_are_not_multiplied() -> None:
    before = minimal_pod(affinity=node_terms(*(is_in("a", str(n)) for n in range(65))))
    after = place_pod(before, parsed_plan(affinity=node_terms(is_in("row", "1"))))

    assert after.pod["spec"] == before["spec"]
    assert after.problems == [TOO_MANY]


def test_pod_terms_are_added_once_each() -> None:
    present, added = CEPH_ANYWHERE, CEPH_ANYWHERE | {"topologyKey": "example.com/row"}
    shuffled = dict(reversed(present.items()))

    after = place_pod(
        minimal_pod(affinity={"podAffinity": {REQUIRED: [present]}}),
        parsed_plan(affinity={"podAffinity": {REQUIRED: [added, shuffled]}}),
    )

    assert after.pod["spec"]["affinity"] == {"podAffinity": {REQUIRED: [present, added]}}


def test_a_preference_of_the_pod_is_not_added_again_after_nodes_have_joined() -> None:
    weighted = {"weight": 10, "preference": is_in("memory", "64Gi", "128Gi")}
    before = minimal_pod(affinity={"nodeAffinity": {PREFERRED: [weighted]}})
    wanted = [
        {"weight": 10, "preference": at_least("AtLeast", "64Gi")},
        {"weight": 20, "preference": at_least("AtLeast", "64Gi")},
    ]

    after = place_pod(
        before,
        parsed_plan(affinity={"nodeAffinity": {PREFERRED: wanted}}),
        node_values={"memory": ["64Gi", "256Gi"]},
    )

    assert after.pod["spec"]["affinity"]["nodeAffinity"] == {
        PREFERRED: [weighted, {"weight": 20, "preference": is_in("memory", "64Gi", "256Gi")}]
    }


def spread(*others: Json) -> Json:
    return {"podAntiAffinity": {PREFERRED: [FORKLIFT_SPREADING_TERM, *others]}}


def repel(app: str) -> Json:
    term = CEPH_ANYWHERE | {"labelSelector": {"matchLabels": {"app": app}}}
    return {"weight": 100, "podAffinityTerm": term}


@pytest.mark.parametrize(
    ("present", "wanted", "expected"),
    [
        pytest.param(
            spread(),
            {"podAffinity": {REQUIRED: [CEPH_ANYWHERE]}},
            {"podAffinity": {REQUIRED: [CEPH_ANYWHERE]}},
            id="the kind that gets empty is removed",
        ),
        pytest.param(
            spread(repel("a")),
            {"podAntiAffinity": {PREFERRED: [repel("b")]}},
            {"podAntiAffinity": {PREFERRED: [repel("a"), repel("b")]}},
            id="terms of other clients are kept",
        ),
        pytest.param(
            {"podAntiAffinity": spread()["podAntiAffinity"] | {REQUIRED: [CEPH]}},
            {"podAntiAffinity": {PREFERRED: [repel("b")]}},
            {"podAntiAffinity": {REQUIRED: [CEPH], PREFERRED: [repel("b")]}},
            id="required terms are kept",
        ),
        pytest.param(spread(), spread(), spread(), id="the plan has the same term"),
        pytest.param(spread(), {}, spread(), id="the plan has no affinity"),
    ],
)
def test_replace_removes_only_the_spreading_term_of_forklift(
    present: Json, wanted: Json, expected: Json
) -> None:
    after = place_pod(
        minimal_pod(affinity=present),
        parsed_plan(affinity=wanted, affinity_policy=AffinityPolicy.REPLACE),
    )

    assert after.pod["spec"]["affinity"] == expected


def test_merge_keeps_the_spreading_term_of_forklift() -> None:
    after = place_pod(
        minimal_pod(affinity=spread()), parsed_plan(affinity={"podAffinity": {REQUIRED: [CEPH]}})
    )

    assert after.pod["spec"]["affinity"] == spread() | {"podAffinity": {REQUIRED: [CEPH]}}


@pytest.mark.parametrize(
    ("present", "expected"),
    [
        pytest.param([CEPH], [CEPH_ANYWHERE], id="widened in place"),
        pytest.param(
            [CEPH, {"x": 1}, CEPH], [CEPH_ANYWHERE, {"x": 1}], id="widened terms are equal"
        ),
        pytest.param([CEPH, CEPH_ANYWHERE], [CEPH_ANYWHERE], id="the widened term is present"),
    ],
)
def test_a_required_term_that_forklift_copied_is_widened_and_not_added_again(
    present: list[Json], expected: list[Json]
) -> None:
    plan = parsed_plan(
        affinity={"podAffinity": {REQUIRED: [CEPH_ANYWHERE]}},
        copied={"podAffinity": {REQUIRED: [CEPH]}},
    )

    after = place_pod(minimal_pod(affinity={"podAffinity": {REQUIRED: present}}), plan)

    assert after.pod["spec"]["affinity"] == {"podAffinity": {REQUIRED: expected}}


def test_a_preferred_term_that_forklift_copied_is_widened() -> None:
    narrow, wide = ({"weight": 5, "podAffinityTerm": term} for term in (CEPH, CEPH_ANYWHERE))
    plan = parsed_plan(
        affinity={"podAntiAffinity": {PREFERRED: [wide]}},
        copied={"podAntiAffinity": {PREFERRED: [narrow]}},
    )

    after = place_pod(minimal_pod(affinity={"podAntiAffinity": {PREFERRED: [narrow]}}), plan)

    assert after.pod["spec"]["affinity"] == {"podAntiAffinity": {PREFERRED: [wide]}}


def test_a_copied_term_that_is_also_a_rule_is_kept_beside_the_widened_one() -> None:
    plan = parsed_plan(
        affinity={"podAffinity": {REQUIRED: [CEPH_ANYWHERE, CEPH]}},
        copied={"podAffinity": {REQUIRED: [CEPH]}},
    )

    after = place_pod(minimal_pod(affinity={"podAffinity": {REQUIRED: [CEPH]}}), plan)

    assert after.pod["spec"]["affinity"] == {"podAffinity": {REQUIRED: [CEPH, CEPH_ANYWHERE]}}


def test_node_terms_that_forklift_copied_are_not_anded_again() -> None:
    written = [is_in("zone", "a"), is_in("zone", "b")]
    plan = parsed_plan(
        affinity=node_terms(*(both(term, is_in("disk", "nvme")) for term in written))
    )

    after = place_pod(minimal_pod(affinity=node_terms(*written)), plan)

    assert after.pod["spec"]["affinity"] == plan.settings.affinity


def test_a_copied_term_is_recognised_without_the_empty_fields_that_go_omits() -> None:
    selector = {"matchLabels": {"app": "ceph-osd"}, "matchExpressions": []}
    written = CEPH | {"labelSelector": selector, "namespaces": [], "namespaceSelector": None}
    chosen = CEPH | {"labelSelector": {"matchLabels": {}}, "namespaces": ["rook-ceph"]}
    in_pod = CEPH | {"labelSelector": {}, "namespaces": ["rook-ceph"]}
    spec = {"convertorAffinity": {"podAffinity": {REQUIRED: [written, chosen]}}}
    found = read({"metadata": {"namespace": "a", "name": "b"}, "spec": spec}, BARE)

    after = place_pod(minimal_pod(affinity={"podAffinity": {REQUIRED: [CEPH, in_pod]}}), found)

    assert found.settings.problems == []
    assert after.pod["spec"]["affinity"] == {"podAffinity": {REQUIRED: [CEPH_ANYWHERE, in_pod]}}


def test_terms_that_are_few_for_each_expansion_can_be_too_many_together() -> None:
    pod_terms = [exists(f"a{number}") for number in range(30)]
    pod_terms += [both(is_in("memory", "64Gi"), exists(f"b{number}")) for number in range(3)]
    plan_terms = [both(at_least("AtLeast", "64Gi"), exists("x")), exists("y")]

    after = place_pod(
        minimal_pod(affinity=node_terms(*pod_terms)),
        parsed_plan(affinity=node_terms(*plan_terms)),
        node_values={"memory": ["128Gi"]},
    )

    assert after.problems == [TOO_MANY]
