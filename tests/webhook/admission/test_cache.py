"""A cached response equals the one that would be made without the cache, for any pod."""

import asyncio
import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import worlds
from tests.support.builders import admission_review
from tests.support.fake_plans import FakePlans
from tests.support.paths import DATA
from tests.support.reviews import run_at_once
from webhook.admission import review
from webhook.admission.cache import MAX_RESPONSES, Fingerprint, ResponseCache, fingerprint_of
from webhook.admission.mutate import decide, screen
from webhook.admission.review import BadReview, ReviewResponse
from webhook.forklift.owner import read_plan_ref
from webhook.kube.objects import Json
from webhook.model import (
    Installation,
    Mode,
    OnError,
    Plan,
    Reason,
)
from webhook.server.pod_reviews import PodReviewHandler

Case = tuple[Plan, Json]

PODS = DATA / "pods"
PLAN = Plan("forklift", "db", "0b1c", 1, "target")

ODD = st.sampled_from([None, "", "x", 5, True, [], ["x"], {}, {"x": "y"}, {"x": 5}])
PLACES = st.sampled_from(
    [
        ("uid",),
        ("namespace",),
        ("name",),
        ("operation",),
        ("subResource",),
        ("dryRun",),
        ("kind", "group"),
        ("object",),
        ("object", "metadata"),
        ("object", "metadata", "labels"),
        ("object", "metadata", "labels", "vmID"),
        ("object", "metadata", "labels", "forklift.app"),
        ("object", "metadata", "labels", "other"),
        ("object", "metadata", "annotations"),
        ("object", "metadata", "annotations", "kubernetes.io/config.mirror"),
        ("object", "metadata", "namespace"),
        ("object", "metadata", "name"),
        ("object", "metadata", "generateName"),
        ("object", "spec"),
        ("object", "spec", "nodeSelector"),
        ("object", "spec", "affinity"),
        ("object", "spec", "affinity", "nodeAffinity"),
        ("object", "spec", "tolerations"),
        ("object", "spec", "containers"),
    ]
)
INSTALLATIONS = st.builds(
    Installation,
    mode=st.sampled_from(Mode),
    on_error=st.sampled_from(OnError),
    identity_labels=st.booleans(),
)


def review_request(pod: Any, uid: str = "u-1") -> Json:
    """Return the request of a review."""
    client = {"userInfo": {"username": "forklift"}, "oldObject": None}
    request: Json = admission_review(pod, uid=uid, **client)["request"]
    return request


def put(request: Json, path: tuple[str, ...], value: Any) -> Json:
    """Return the request with a value in place of what is there."""
    request = deepcopy(request)
    *parents, field = path
    node = request
    for parent in parents:
        node = node.setdefault(parent, {})
        if not isinstance(node, dict):
            return request
    node[field] = value
    return request


def body(request: Json) -> bytes:
    return json.dumps(
        {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": request}
    ).encode()


def respond(handler: PodReviewHandler, content: bytes) -> tuple[bytes, str]:
    """Return the response and the namespace of its request; or the error."""
    try:
        answer = run_at_once(handler(content, 0))
    except BadReview as bad:
        return bad.message.encode(), bad.uid
    return answer.body, answer.request.namespace


def respond_uncached(
    content: bytes, plans: FakePlans, installation: Installation
) -> tuple[bytes, str]:
    """Return the same from the stages of a review, without the cache."""
    try:
        request = review.decode(content)
    except BadReview as bad:
        return bad.message.encode(), bad.uid
    ref = read_plan_ref(request)
    plan = plans.found if ref else Reason.NO_PLAN_REFERENCE
    decision = screen(request, installation) or decide(
        request, ref, plan, installation, plans.node_values
    )
    return review.encode(request.uid, decision), request.namespace


@given(worlds.plans_with_pods(), st.lists(st.tuples(PLACES, ODD), max_size=4), INSTALLATIONS)
def test_a_cached_response_equals_an_uncached_one(
    case: Case, changes: list[tuple[tuple[str, ...], Any]], installation: Installation
) -> None:
    plan, pod = case
    plans = FakePlans(plan)
    handler = PodReviewHandler(plans, installation)
    request = review_request(pod)
    requests = [request, *(put(request, *change) for change in changes)]
    contents = [body(each) for each in requests]
    for plans.node_values in (worlds.NODE_VALUES, {}):
        for content in contents + contents:
            assert respond(handler, content) == respond_uncached(content, plans, installation)


@given(worlds.plans_with_pods(), worlds.plans_with_pods())
def test_a_changed_plan_gets_a_new_response(first: Case, second: Case) -> None:
    plans = FakePlans(first[0])
    handler = PodReviewHandler(plans, Installation())
    for plans.found in (first[0], second[0], first[0]):
        for pod in (first[1], second[1]):
            content = body(review_request(pod))
            assert respond(handler, content) == respond_uncached(content, plans, Installation())


@pytest.mark.parametrize("path", sorted(PODS.glob("*sphere*.json")), ids=lambda path: path.stem)
def test_pods_that_differ_in_system_labels_share_one_decision(path: Path) -> None:
    pod = json.loads(path.read_text(encoding="utf-8"))
    handler = PodReviewHandler(FakePlans(PLAN), Installation())
    answers = []
    for number in range(3):
        pod["metadata"] |= {"generateName": f"db-vm-{number}-"}
        pod["metadata"]["labels"] |= {"vmID": f"vm-{number}", "migration": f"m-{number}"}
        content = body(review_request(pod, f"u-{number}"))
        answers.append(run_at_once(handler(content, 0)))
        assert answers[-1].body == respond_uncached(content, FakePlans(PLAN), Installation())[0]
        assert answers[-1].request.uid == f"u-{number}"
    assert all(answer.decision is answers[0].decision for answer in answers)


@pytest.mark.parametrize("uid", ["u-1", 'a"b\\', "é", "uid", "virt-v2v", "admission.k8s.io/v1"])
def test_a_cached_response_has_the_uid_of_its_own_review(uid: str) -> None:
    pod = {"metadata": {"labels": worlds.FORKLIFT_LABELS}, "spec": {}}
    handler = PodReviewHandler(FakePlans(PLAN), Installation())
    for each in (uid, "another", uid):
        content = body(review_request(pod, each))
        assert respond(handler, content) == respond_uncached(
            content, FakePlans(PLAN), Installation()
        )


def test_responses_without_a_plan_are_not_cached() -> None:
    plans = FakePlans(Reason.PLAN_NOT_FOUND)
    handler = PodReviewHandler(plans, Installation())
    content = body(review_request({"metadata": {"labels": worlds.FORKLIFT_LABELS}, "spec": {}}))
    for plans.found in (Reason.PLAN_NOT_FOUND, Reason.PLAN_AMBIGUOUS, PLAN, Reason.PLAN_NOT_FOUND):
        answer = asyncio.run(handler(content, 1))
        assert (answer.body, "target") == respond_uncached(content, plans, Installation())


def fingerprinted(number: int = 0) -> tuple[Fingerprint, ReviewResponse]:
    pod = {"metadata": {"labels": worlds.FORKLIFT_LABELS | {"n": str(number)}}, "spec": {}}
    content = body(review_request(pod))
    seen = fingerprint_of(content)
    assert seen is not None
    return seen, run_at_once(PodReviewHandler(FakePlans(PLAN), Installation())(content, 0))


def test_a_response_is_cached_for_one_plan_object_and_one_object_of_node_values() -> None:
    cache, nodes = ResponseCache(), dict(worlds.NODE_VALUES)
    seen, answer = fingerprinted()
    cache.put(seen, PLAN, nodes, answer)
    assert cache.get(seen, PLAN, nodes) == answer._replace(request=seen.request)
    assert cache.get(seen, deepcopy(PLAN), nodes) is None
    assert cache.get(seen, PLAN, dict(nodes)) is None


def test_the_cache_never_exceeds_its_limit() -> None:
    cache = ResponseCache()
    for number in range(2 * MAX_RESPONSES):
        cache.put(fingerprinted(number)[0], PLAN, {}, fingerprinted()[1])
        assert len(cache._entries) <= MAX_RESPONSES


ANOTHER_KIND = body(
    review_request({"metadata": {"labels": worlds.FORKLIFT_LABELS}, "spec": {}})
).replace(b"AdmissionReview", b"Review")


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff", b"[]", b"null", b"[" * 100_000, ANOTHER_KIND]
)
def test_what_is_not_a_review_has_no_fingerprint(content: bytes) -> None:
    assert fingerprint_of(content) is None
