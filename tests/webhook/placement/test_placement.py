"""The labels, node selector and tolerations of a placed pod, and its annotation."""

import pytest

from tests.support.affinity_terms import CEPH, at_least, both, is_in, node_terms
from tests.support.builders import CONVERTOR_LABELS, minimal_pod, parsed_plan
from tests.support.placements import KEPT, MARK, place_pod
from webhook.kube.affinity import REQUIRED
from webhook.kube.objects import Json
from webhook.model import Installation
from webhook.placement import MalformedPod, Placed


def test_a_plan_without_settings_changes_nothing() -> None:
    assert place_pod(minimal_pod(), parsed_plan()) == Placed(minimal_pod(), marked=False)


def test_the_placement_is_recorded_in_an_annotation() -> None:
    after = place_pod(minimal_pod(), parsed_plan(labels={"workload": "migration"}))

    assert after.marked
    assert after.pod["metadata"]["annotations"] == MARK


def test_the_placement_annotation_has_the_prefix_of_the_installation() -> None:
    installation = Installation(prefix="example.com")

    after = place_pod(minimal_pod(), parsed_plan(), installation)

    assert [*after.pod["metadata"]["annotations"]] == ["example.com/placement"]


def test_a_pod_that_has_all_settings_gets_the_placement_annotation() -> None:
    after = place_pod(
        minimal_pod({"workload": "migration"}), parsed_plan(labels={"workload": "migration"})
    )

    assert after == Placed(
        minimal_pod({"workload": "migration"}, metadata={"annotations": MARK}), marked=True
    )


def test_a_label_that_the_pod_has_with_another_value_is_kept_with_a_note() -> None:
    before = minimal_pod({"tier": "x", "team": "1", "same": "2"})

    after = place_pod(before, parsed_plan(labels={"tier": "y", "batch": "1", "same": "2"}))

    assert after.pod["metadata"]["labels"] == before["metadata"]["labels"] | {"batch": "1"}
    assert after.notes == [KEPT]


def test_a_label_of_the_pod_with_an_empty_value_is_kept() -> None:
    after = place_pod(minimal_pod({"batch": ""}), parsed_plan(labels={"batch": "1"}))

    assert after.pod["metadata"]["labels"] == CONVERTOR_LABELS | {"batch": ""}


@pytest.mark.parametrize("key", ["plan", "vmID", "conversion"])
def test_a_system_label_is_never_added(key: str) -> None:
    after = place_pod(minimal_pod(), parsed_plan(labels={key: "x"}))

    assert after.pod["metadata"]["labels"] == CONVERTOR_LABELS
    assert after.notes == []


def test_identity_labels_are_added() -> None:
    after = place_pod(minimal_pod(), parsed_plan(), Installation())

    assert after.pod["metadata"]["labels"] == CONVERTOR_LABELS | {
        "app": "virt-v2v",
        "forklift.app/plan": "db",
    }


def test_identity_labels_do_not_replace_labels_of_the_pod() -> None:
    labels = {"app": "x", "forklift.app/plan": "other"}

    after = place_pod(minimal_pod(labels), parsed_plan(labels={"app": "y"}), Installation())

    assert after.pod["metadata"]["labels"] == CONVERTOR_LABELS | labels


def test_an_identity_label_is_overridden_by_a_label_of_the_plan() -> None:
    own = parsed_plan(labels={"forklift.app/plan": "mine"})

    after = place_pod(minimal_pod(), own, Installation())

    assert after.pod["metadata"]["labels"] == CONVERTOR_LABELS | {
        "app": "virt-v2v",
        "forklift.app/plan": "mine",
    }


def test_a_reserved_label_is_not_added() -> None:
    reserved = {"app": "y", "pvcName": "x", "vmID": "1", "cdi.kubevirt.io": "importer"}

    assert (
        place_pod(minimal_pod(), parsed_plan(labels=reserved | {"a": "b"})).pod
        == place_pod(minimal_pod(), parsed_plan(labels={"a": "b"})).pod
    )


def test_a_plan_name_that_is_not_a_label_value_is_not_added() -> None:
    after = place_pod(minimal_pod(), parsed_plan("d" * 64), Installation())

    assert after.pod["metadata"]["labels"] == CONVERTOR_LABELS | {"app": "virt-v2v"}


def test_a_node_selector_value_of_the_plan_replaces_that_of_the_pod_with_a_note() -> None:
    before = minimal_pod(nodeSelector={"disk": "ssd", "kubevirt.io/schedulable": "true"})

    after = place_pod(before, parsed_plan(node_selector={"disk": "nvme", "zone": "a"}))

    assert after.pod["spec"] == {
        "nodeSelector": {"disk": "nvme", "kubevirt.io/schedulable": "true", "zone": "a"}
    }
    assert after.notes == ["node selector disk=ssd of the pod replaced by disk=nvme of the plan"]


def test_a_minimum_in_the_node_selector_of_the_pod_becomes_a_required_node_term() -> None:
    before = minimal_pod(nodeSelector={"cores": "16+", "memory": "64Gi+", "disk": "ssd+"})

    after = place_pod(before, parsed_plan(), node_values={"memory": ["32Gi", "128Gi"]})

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
def test_a_minimum_of_the_pod_is_replaced_by_the_setting_of_the_plan(
    settings: Json, selector: Json, requirements: Json | None, notes: list[str]
) -> None:
    after = place_pod(minimal_pod(nodeSelector={"memory": "64Gi+"}), parsed_plan(**settings))

    affinity = {"affinity": node_terms(requirements)} if requirements else {}
    assert after.pod["spec"] == {"nodeSelector": selector} | affinity
    assert after.notes == notes


def test_a_node_selector_value_of_the_pod_is_replaced_by_a_minimum_of_the_plan() -> None:
    requirement = {"key": "cores", "operator": "Gt", "values": ["15"]}

    after = place_pod(
        minimal_pod(nodeSelector={"cores": "8"}), parsed_plan(node_requirements=[requirement])
    )

    assert after.pod["spec"]["nodeSelector"] == {}
    assert after.notes == ["node selector cores=8 of the pod replaced by cores Gt 15 of the plan"]


def test_tolerations_are_added_if_the_pod_does_not_have_them() -> None:
    spot, gpu = {"key": "spot", "operator": "Exists"}, {"key": "gpu", "operator": "Exists"}

    after = place_pod(minimal_pod(tolerations=[spot]), parsed_plan(tolerations=[gpu, dict(spot)]))

    assert after.pod["spec"]["tolerations"] == [spot, gpu]


@pytest.mark.parametrize(
    "before",
    [
        {},
        {"metadata": None, "spec": None},
        {"metadata": {"labels": None, "annotations": None}, "spec": {"affinity": None}},
    ],
)
def test_a_null_field_is_treated_as_absent(before: Json) -> None:
    plan = parsed_plan(
        labels={"a": "b"},
        node_selector={"c": "d"},
        affinity={"podAffinity": {REQUIRED: [CEPH]}},
        tolerations=[{"key": "e"}],
    )

    after = place_pod(before, plan).pod

    assert after == {
        "metadata": {"labels": {"a": "b"}, "annotations": MARK},
        "spec": {
            "nodeSelector": {"c": "d"},
            "affinity": {"podAffinity": {REQUIRED: [CEPH]}},
            "tolerations": [{"key": "e"}],
        },
    }
    assert place_pod(before, parsed_plan()).pod == before


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
def test_a_malformed_pod_is_an_error_with_path_and_value(before: Json, message: str) -> None:
    with pytest.raises(MalformedPod) as malformed:
        place_pod(before, parsed_plan(labels={"a": "b"}))

    assert str(malformed.value) == message
