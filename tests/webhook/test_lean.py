"""A pod that is read only as far as a placement looks is placed as if it had been read whole."""

import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.webhook import worlds
from webhook import lean, review
from webhook.decide import decide, screen
from webhook.model import Installation, Json, Plan, PlanRef, Request
from webhook.owner import plan_ref
from webhook.review import BadReview

PODS = Path(__file__).parents[1] / "data" / "pods"
UNSEEN: Json = {"containers": [{"name": "virt-v2v"}], "volumes": []}


def body(pod: Any, **fields: Any) -> bytes:
    asked = {
        "uid": "u-1",
        "kind": {"group": "", "version": "v1", "kind": "Pod"},
        "operation": "CREATE",
        "namespace": "target",
        "object": pod,
        "oldObject": None,
        "userInfo": {"username": "forklift"},
    }
    whole = {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1"}
    return json.dumps(whole | {"request": asked | fields}).encode()


def read(content: bytes) -> tuple[Request, Request]:
    """Read it both ways; BadReview when it is none, which both must say in the same words."""
    try:
        return review.decode(content), lean.decode(content)
    except BadReview:
        assert refusal(lean.decode, content) == refusal(review.decode, content)
        raise


def refusal(decode: Callable[[bytes], Request], content: bytes) -> tuple[int, str, str]:
    with pytest.raises(BadReview) as error:
        decode(content)
    return error.value.status, error.value.message, error.value.uid


@pytest.mark.parametrize("path", sorted(PODS.glob("*.json")), ids=lambda path: path.stem)
def test_forklifts_pods_mean_the_same_with_a_part_of_what_they_have(path: Path) -> None:
    whole, part = read(body(json.loads(path.read_text())))
    assert plan_ref(part) == plan_ref(whole)
    assert screen(part, Installation()) == screen(whole, Installation())
    assert "containers" in whole.object["spec"]
    assert "containers" not in part.object["spec"]
    assert part.object["spec"].items() <= whole.object["spec"].items()
    assert part.object["metadata"].items() <= whole.object["metadata"].items()


@given(worlds.plans_with_pods())
def test_a_pod_is_placed_as_if_it_had_been_read_whole(case: tuple[Plan, Json]) -> None:
    plan, pod = case
    pod = deepcopy(pod)
    pod["spec"] = (pod.get("spec") or {}) | UNSEEN
    ref = PlanRef(plan.uid, plan.namespace, plan.name)
    first, second = (
        decide(request, ref, plan, Installation(), worlds.NODE_VALUES)
        for request in read(body(pod))
    )
    assert first == second


ODD: st.SearchStrategy[Any] = st.sampled_from(
    [None, "", "x", 5, True, [], {}, {"x": "y"}, {"labels": None}]
)
FIELDS = ["uid", "kind", "operation", "namespace", "name", "subResource", "dryRun", "object"]


@given(st.dictionaries(st.sampled_from(FIELDS), ODD), ODD, ODD)
def test_whatever_else_it_is_is_read_as_ever(fields: Json, metadata: Any, spec: Any) -> None:
    pod = {"metadata": metadata, "spec": spec}
    try:
        whole, part = read(body(pod, **fields))
    except BadReview:
        return
    assert screen(part, Installation()) == screen(whole, Installation())
    assert plan_ref(part) == plan_ref(whole)
    assert (part.uid, part.operation, part.kind) == (whole.uid, whole.operation, whole.kind)
    assert (part.namespace, part.name, part.subresource, part.dry_run) == (
        *(whole.namespace, whole.name, whole.subresource),
        whole.dry_run,
    )


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[" * 100_000])
def test_what_is_no_json_is_refused_as_ever(content: bytes) -> None:
    with pytest.raises(BadReview):
        read(content)


def test_another_kind_is_read_whole() -> None:
    kind = {"group": "forklift.konveyor.io", "version": "v1beta1", "kind": "Plan"}
    whole, part = read(body({"metadata": {}, "spec": {"vms": []}}, kind=kind))
    assert part == whole
