"""Labels that a pod was created with are never changed or removed.

Forklift 2.12 looks for its convertor pod by all labels that it created it with. If one of them has
another value, it finds no pod and creates another one on the same disks.
"""

import json
from copy import deepcopy
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.builders import PREFIX, encode_review, plan
from tests.support.fake_plans import FakePlans
from tests.support.paths import DATA
from tests.support.reviews import apply_patch, run_at_once
from webhook.forklift.labels import CONVERTOR_VALUE, SYSTEM_LABELS, is_reserved_label
from webhook.kube.objects import Json
from webhook.model import Installation
from webhook.server.pod_reviews import PodReviewHandler
from webhook.settings import read

PODS = {
    path.stem: {"apiVersion": "v1", "kind": "Pod", **json.loads(path.read_text(encoding="utf-8"))}
    for folder in ("pods", "migration-pods")
    for path in sorted((DATA / folder).glob("*.json"))
}
CONVERTOR_PODS = sorted(
    name
    for name, pod in PODS.items()
    if pod["metadata"]["labels"].get("forklift.app") == CONVERTOR_VALUE
)

KEYS = [
    *("batch", "team", "workload", "io-intensive", "new"),
    *("app", "forklift.app/plan", "pvcName", "cdi.kubevirt.io", "cost-unit"),
    *sorted(SYSTEM_LABELS),
]
"""Among them those that Forklift, CDI and Jobs use."""
LABELS = st.dictionaries(
    st.sampled_from(KEYS),
    st.sampled_from(["1", "2", "storage", "migration", "importer", "virt-v2v"]),
    max_size=6,
)


class Setting(NamedTuple):
    """Everything that the labels of a plan's pods depend on."""

    defaults: dict[str, str]
    field: dict[str, str]
    annotation: dict[str, str]
    created_with: dict[str, str]
    """The field when Forklift created the pod."""
    identity_labels: bool


SETTINGS = st.builds(Setting, LABELS, LABELS, LABELS, LABELS, st.booleans())


def create_pod(name: str, setting: Setting, vm: str = "vm-1630") -> Json:
    """Return a pod of a file, created while its Plan had the labels `created_with`.

    They override Forklift's own labels except `forklift.app`, as in Forklift 2.12.
    """
    pod: Json = deepcopy(PODS[name])
    labels = pod["metadata"]["labels"]
    labels_of_field = {k: v for k, v in setting.created_with.items() if k != "forklift.app"}
    pod["metadata"]["labels"] = (
        labels | labels_of_field | ({"vmID": vm} if "vmID" in labels else {})
    )
    return pod


def plan_of(pod: Json, setting: Setting) -> Json:
    """Return the present Plan of a pod, with a node selector."""
    metadata, labels = pod["metadata"], setting.annotation
    return plan(
        metadata={"uid": metadata["labels"].get("plan", "b277")},
        spec={"targetNamespace": metadata["namespace"], "convertorLabels": setting.field},
        labels=",".join(f"{key}={value}" for key, value in labels.items()),
        node_selector="disk=nvme",
    )


def admit(pods: list[Json], setting: Setting) -> list[Json]:
    """Return the pods of one plan as the API server stores them after their reviews."""
    installation = Installation(
        identity_labels=setting.identity_labels, defaults={"labels": setting.defaults}
    )
    plans = FakePlans(read(plan_of(pods[0], setting), installation))
    handler = PodReviewHandler(plans, installation)
    after = []
    for pod in pods:
        body = encode_review(pod, namespace=pod["metadata"]["namespace"])
        response = json.loads(run_at_once(handler(body, 0)).body)["response"]
        after.append(apply_patch(pod, response))
    return after


def assert_only_added(name: str, setting: Setting) -> None:
    """Review two pods of a plan, the first of which was created before the field was changed."""
    later = setting._replace(created_with=setting.field)
    pods = [create_pod(name, setting, "vm-1630"), create_pod(name, later, "vm-1631")]

    for before, after in zip(pods, admit(pods, setting), strict=True):
        had, has = before["metadata"]["labels"], after["metadata"]["labels"]
        assert had.items() <= has.items()
        added = has.keys() - had.keys() - {"app", f"{PREFIX}/role"}
        assert not [key for key in added if is_reserved_label(key, PREFIX)]


@pytest.mark.parametrize("name", CONVERTOR_PODS)
@given(setting=SETTINGS)
def test_no_label_of_a_convertor_pod_changes(name: str, setting: Setting) -> None:
    assert_only_added(name, setting)


@given(st.sampled_from(sorted(PODS.keys() - set(CONVERTOR_PODS))), SETTINGS)
def test_no_label_of_another_pod_of_a_migration_changes(name: str, setting: Setting) -> None:
    assert_only_added(name, setting)


@given(st.sampled_from(CONVERTOR_PODS), SETTINGS)
def test_all_other_settings_are_applied_if_a_label_is_not(name: str, setting: Setting) -> None:
    before = create_pod(name, setting)
    (after,) = admit([before], setting)

    had, has = before["metadata"]["labels"], after["metadata"]["labels"]
    assert after["spec"]["nodeSelector"]["disk"] == "nvme"
    assert f"{PREFIX}/placement" in after["metadata"]["annotations"]
    for source in (setting.annotation, setting.field, setting.defaults):
        assert has.keys() >= {key for key in source if not is_reserved_label(key, PREFIX)}
    if setting.identity_labels:
        assert has.keys() - had.keys() >= {"app", "forklift.app/plan"} - had.keys()


@pytest.mark.parametrize("release", ["2.12", "main"])
@given(annotation=LABELS)
def test_the_selector_of_forklift_matches_the_placed_pod(
    release: str, annotation: dict[str, str]
) -> None:
    # The selector of GetPod in pkg/controller/conversion/ensurer.go, recorded with the pod.
    lookup = json.loads((DATA / f"lookup-forklift-{release}.json").read_text(encoding="utf-8"))
    name = f"forklift-{release}-virt-v2v-cold-remote-convertor-labels"
    field = {"batch": "2", "team": "storage"}
    setting = Setting({}, field, annotation, {}, identity_labels=True)

    (after,) = admit([PODS[name]], setting)

    assert lookup["matchLabels"].items() <= after["metadata"]["labels"].items()


@given(setting=SETTINGS)
def test_every_contradiction_of_the_field_is_a_problem(setting: Setting) -> None:
    found = read(plan_of(PODS[CONVERTOR_PODS[0]], setting), Installation()).settings

    contradictions = {
        key
        for key, value in setting.annotation.items()
        if not is_reserved_label(key, PREFIX) and setting.field.get(key, value) != value
    }
    reported = [each for each in found.problems if "as in spec.convertorLabels" in each.message]
    assert len(reported) == len(contradictions)
    for key in contradictions:
        assert found.labels[key] == setting.field[key]
