"""What becomes of a pod's labels, node selector and tolerations."""

import pytest

from tests.support.affinity_terms import CEPH, at_least, both, is_in, node_terms
from tests.support.builders import CONVERTOR_LABELS, minimal_pod, parsed_plan
from tests.support.placements import KEPT, MARK, placed
from webhook.kube.affinity import REQUIRED
from webhook.kube.objects import Json
from webhook.model import Installation
from webhook.placement import MalformedPod, Placed


def test_a_plan_that_asks_nothing_changes_nothing() -> None:
    assert placed(minimal_pod(), parsed_plan()) == Placed(minimal_pod(), marked=False)


def test_what_was_placed_is_written_on_the_pod() -> None:
    after = placed(minimal_pod(), parsed_plan(labels={"workload": "migration"}))

    assert after.marked
    assert after.pod["metadata"]["annotations"] == MARK


def test_the_annotation_has_the_prefix_of_the_installation() -> None:
    installation = Installation(prefix="example.com")

    after = placed(minimal_pod(), parsed_plan(), installation)

    assert [*after.pod["metadata"]["annotations"]] == ["example.com/placement"]


def test_a_pod_that_has_all_that_is_asked_is_marked_all_the_same() -> None:
    after = placed(
        minimal_pod({"workload": "migration"}), parsed_plan(labels={"workload": "migration"})
    )

    assert after == Placed(
        minimal_pod({"workload": "migration"}, metadata={"annotations": MARK}), marked=True
    )


def test_labels_are_only_added_and_one_that_is_kept_is_a_note() -> None:
    before = minimal_pod({"app": "x", "mine": "1", "same": "2"})

    after = placed(before, parsed_plan(labels={"app": "y", "batch": "1", "same": "2"}))

    assert after.pod["metadata"]["labels"] == before["metadata"]["labels"] | {"batch": "1"}
    assert after.notes == [KEPT]


def test_a_label_that_is_present_without_a_value_is_kept() -> None:
    after = placed(minimal_pod({"batch": ""}), parsed_plan(labels={"batch": "1"}))

    assert after.pod["metadata"]["labels"] == CONVERTOR_LABELS | {"batch": ""}


@pytest.mark.parametrize("key", ["plan", "vmID", "conversion"])
def test_a_system_label_is_never_set(key: str) -> None:
    after = placed(minimal_pod(), parsed_plan(labels={key: "mine"}))

    assert after.pod["metadata"]["labels"] == CONVERTOR_LABELS
    assert after.notes == []


def test_identity_labels_fill_gaps() -> None:
    after = placed(minimal_pod(), parsed_plan(), Installation())

    assert after.pod["metadata"]["labels"] == CONVERTOR_LABELS | {
        "app": "virt-v2v",
        "forklift.app/plan": "db",
    }


def test_identity_labels_overwrite_nothing() -> None:
    theirs = {"app": "mine", "forklift.app/plan": "other"}

    after = placed(minimal_pod(theirs), parsed_plan(labels={"app": "yours"}), Installation())

    assert after.pod["metadata"]["labels"] == CONVERTOR_LABELS | theirs


def test_a_label_of_the_plan_takes_the_place_of_an_identity_label() -> None:
    after = placed(minimal_pod(), parsed_plan(labels={"app": "yours"}), Installation())

    assert after.pod["metadata"]["labels"] == CONVERTOR_LABELS | {
        "app": "yours",
        "forklift.app/plan": "db",
    }


def test_a_plan_name_that_is_no_label_value_is_left_out() -> None:
    after = placed(minimal_pod(), parsed_plan("d" * 64), Installation())

    assert after.pod["metadata"]["labels"] == CONVERTOR_LABELS | {"app": "virt-v2v"}


def test_node_selector_keys_of_the_plan_win_and_say_so() -> None:
    before = minimal_pod(nodeSelector={"disk": "ssd", "kubevirt.io/schedulable": "true"})

    after = placed(before, parsed_plan(node_selector={"disk": "nvme", "zone": "a"}))

    assert after.pod["spec"] == {
        "nodeSelector": {"disk": "nvme", "kubevirt.io/schedulable": "true", "zone": "a"}
    }
    assert after.notes == ["node selector disk=ssd of the pod replaced by disk=nvme of the plan"]


def test_a_minimum_in_the_selector_becomes_a_requirement_though_the_plan_has_none() -> None:
    before = minimal_pod(nodeSelector={"cores": "16+", "memory": "64Gi+", "disk": "ssd+"})

    after = placed(before, parsed_plan(), node_values={"memory": ["32Gi", "128Gi"]})

    assert after.pod["spec"] == {
        "nodeSelector": {"disk": "ssd+"},
        "affinity": node_terms(
            both(
                {"matchExpressions": [{"key": "cores", "operator": "Gt", "values": ["15"]}]},
                is_in("memory", "64Gi", "128Gi"),
            )
        ),
    }
    assert after.notes == []


@pytest.mark.parametrize(
    ("settings", "selector", "requirements", "notes"),
    [
        pytest.param(
            {"node_requirements": at_least("AtLeast", "64Gi")["matchExpressions"]},
            {},
            is_in("memory", "64Gi"),
            [],
            id="the same minimum",
        ),
        pytest.param(
            {"node_requirements": at_least("AtLeast", "96Gi")["matchExpressions"]},
            {},
            is_in("memory", "96Gi"),
            ["node selector memory=64Gi+ of the pod replaced by memory AtLeast 96Gi of the plan"],
            id="another minimum",
        ),
        pytest.param(
            {"node_selector": {"memory": "large"}},
            {"memory": "large"},
            None,
            ["node selector memory=64Gi+ of the pod replaced by memory=large of the plan"],
            id="a value",
        ),
    ],
)
def test_the_plan_has_the_last_word_on_a_minimum(
    settings: Json, selector: Json, requirements: Json | None, notes: list[str]
) -> None:
    after = placed(minimal_pod(nodeSelector={"memory": "64Gi+"}), parsed_plan(**settings))

    affinity = {"affinity": node_terms(requirements)} if requirements else {}
    assert after.pod["spec"] == {"nodeSelector": selector} | affinity
    assert after.notes == notes


def test_a_requirement_of_the_plan_takes_the_place_of_a_value_of_the_pod() -> None:
    requirement = {"key": "cores", "operator": "Gt", "values": ["15"]}

    after = placed(
        minimal_pod(nodeSelector={"cores": "8"}), parsed_plan(node_requirements=[requirement])
    )

    assert after.pod["spec"]["nodeSelector"] == {}
    assert after.notes == ["node selector cores=8 of the pod replaced by cores Gt 15 of the plan"]


def test_tolerations_are_added_when_absent() -> None:
    spot, gpu = {"key": "spot", "operator": "Exists"}, {"key": "gpu", "operator": "Exists"}

    after = placed(minimal_pod(tolerations=[spot]), parsed_plan(tolerations=[gpu, dict(spot)]))

    assert after.pod["spec"]["tolerations"] == [spot, gpu]


@pytest.mark.parametrize(
    "before",
    [
        {},
        {"metadata": None, "spec": None},
        {"metadata": {"labels": None, "annotations": None}, "spec": {"affinity": None}},
    ],
)
def test_what_is_null_is_as_good_as_absent(before: Json) -> None:
    asks = parsed_plan(
        labels={"a": "b"},
        node_selector={"c": "d"},
        affinity={"podAffinity": {REQUIRED: [CEPH]}},
        tolerations=[{"key": "e"}],
    )

    after = placed(before, asks).pod

    assert after == {
        "metadata": {"labels": {"a": "b"}, "annotations": MARK},
        "spec": {
            "nodeSelector": {"c": "d"},
            "affinity": {"podAffinity": {REQUIRED: [CEPH]}},
            "tolerations": [{"key": "e"}],
        },
    }
    assert placed(before, parsed_plan()).pod == before


@pytest.mark.parametrize(
    ("before", "message"),
    [
        ({"metadata": []}, "'metadata': expected a map, found a list"),
        (
            {"metadata": {"labels": ["a"]}},
            "'metadata.labels': expected a map, found a list",
        ),
        (
            {"metadata": {"labels": {"a": 1}}},
            "'metadata.labels[...]': expected text, found a whole number",
        ),
        ({"spec": "x"}, "'spec': expected a map, found text"),
        (
            {"spec": {"nodeSelector": []}},
            "'spec.nodeSelector': expected a map, found a list",
        ),
        (
            {"spec": {"affinity": {"podAffinity": {REQUIRED: {}}}}},
            f"'spec.affinity.podAffinity.{REQUIRED}': expected a list, found a map",
        ),
        (
            {"spec": {"affinity": node_terms({"matchExpressions": [{"key": "a"}]})}},
            (
                f"'spec.affinity.nodeAffinity.{REQUIRED}.nodeSelectorTerms[0]"
                ".matchExpressions[0].operator' is missing"
            ),
        ),
        (
            {"spec": {"tolerations": [1]}},
            "'spec.tolerations[0]': expected a map, found a whole number",
        ),
    ],
)
def test_a_malformed_pod_is_said_to_be_one(before: Json, message: str) -> None:
    with pytest.raises(MalformedPod) as malformed:
        placed(before, parsed_plan(labels={"a": "b"}))

    assert str(malformed.value) == message
