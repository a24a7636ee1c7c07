"""A cached response equals an uncached one, for any pod."""

import asyncio
import json
import re
from copy import deepcopy
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import worlds
from tests.support.builders import admission_review
from tests.support.fake_plans import FakePlans
from tests.support.paths import DATA
from tests.support.reviews import run_at_once
from webhook.admission import review
from webhook.admission.cache import (
    MAX_BYTES,
    MAX_RESPONSES,
    Fingerprint,
    ResponseCache,
    fingerprint_of,
)
from webhook.admission.mutate import decide, identify
from webhook.admission.review import BadReview, ReviewResponse
from webhook.inventory import NO_PVCS
from webhook.karl import compile as compile_karl
from webhook.kube.objects import Json
from webhook.model import (
    ClusterState,
    Decision,
    Installation,
    Mode,
    OnError,
    Plan,
    Reason,
    Settings,
)
from webhook.server.pod_reviews import PodReviewHandler

Case = tuple[Plan, Json]

PODS = DATA / "pods"
CONVERTOR_POD: Json = {"metadata": {"labels": worlds.FORKLIFT_LABELS}, "spec": {}}
PLAN = Plan("forklift", "db", "0b1c", 1, "target")

UNUSUAL_VALUES = st.sampled_from([None, "", "x", 5, True, [], ["x"], {}, {"x": "y"}, {"x": 5}])
PATHS = st.sampled_from(
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
        ("object", "spec", "nodeName"),
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


def replace(request: Json, path: tuple[str, ...], value: Any) -> Json:
    """Return the request with another value at a path."""
    request = deepcopy(request)
    *parents, field = path
    node = request
    for parent in parents:
        node = node.setdefault(parent, {})
        if not isinstance(node, dict):
            return request
    node[field] = value
    return request


def encode(request: Json) -> bytes:
    return json.dumps(
        {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": request}
    ).encode()


def respond(handler: PodReviewHandler, body: bytes) -> tuple[bytes, str]:
    """Return the response and the namespace of the request, or the error and the UID."""
    try:
        response = run_at_once(handler(body, 0))
    except BadReview as bad:
        return bad.message.encode(), bad.uid
    return response.body, response.request.namespace


def respond_uncached(
    body: bytes, plans: FakePlans, installation: Installation
) -> tuple[bytes, str]:
    """Return the same without the cache."""
    try:
        request = review.decode(body)
    except BadReview as bad:
        return bad.message.encode(), bad.uid
    pod = identify(request, installation, NO_PVCS.find_disk)
    if isinstance(pod, Decision):
        return review.encode(request.uid, pod), request.namespace
    plan = plans.found if pod.ref else Reason.NO_PLAN_REFERENCE
    decision = decide(request, pod, plan, installation, ClusterState(plans.node_values))
    return review.encode(request.uid, decision), request.namespace


@given(
    worlds.plans_with_pods(), st.lists(st.tuples(PATHS, UNUSUAL_VALUES), max_size=4), INSTALLATIONS
)
def test_a_cached_response_equals_an_uncached_one(
    case: Case, changes: list[tuple[tuple[str, ...], Any]], installation: Installation
) -> None:
    plan, pod = case
    plans = FakePlans(plan)
    handler = PodReviewHandler(plans, installation)
    request = review_request(pod)
    requests = [request, *(replace(request, *change) for change in changes)]
    bodies = [encode(each) for each in requests]
    for plans.node_values in (worlds.NODE_VALUES, {}):
        for body in bodies + bodies:
            assert respond(handler, body) == respond_uncached(body, plans, installation)


FRAGMENTS = st.sampled_from(
    [
        *(b"{", b"}", b"[", b"]", b'"', b",", b":", b" ", b"0", b"-0", b"1e999", b"\x00", b"\xff"),
        *(b"\xed\xa0\x80", b'"\\ud800"', b'"\\u2028"', b"null", b"{}", b"[]", b'""', b"5"),
        *(b'"labels":{},', b'"labels":null,', b'"labels":{"forklift.app":"virt-v2v"},'),
        *(b'"metadata":{},', b'"metadata":null,', b'"spec":{},', b'"spec":5,', b'"object":{},'),
        *(b'"oldObject":5,', b'"oldObject":{"metadata":5},', b'"vmID":7,', b'"vmID":"\xff",'),
        *(b'"plan":"x",', b'"plan-name":"y",', b'"annotations":{"a":5},', b'"annotations":"\xff",'),
        *(b'"uid":"u-2",', b'"uid":5,', b'"dryRun":true,', b'"operation":"UPDATE",', b'"name":5,'),
        *(b'"namespace":"other",', b'"namespace":null,', b'"affinity":{"podAffinity":5},'),
        *(b'"affinity":1e999,', b'"tolerations":[{"key":"a","key":"b"}],', b'"ownerReferences":5,'),
    ]
)
"""Of JSON and of what is not JSON; members are also inserted where they repeat a key."""


@st.composite
def bodies(draw: st.DrawFn) -> tuple[Plan, list[bytes]]:
    """Return a plan, and a pod's review and the same with pieces inserted, replaced and removed."""
    plan, pod = draw(worlds.plans_with_pods())
    body = encode(review_request(pod))
    changed = [body]
    starts = [0, *(match.end() for match in re.finditer(rb"[{,\[:]\s*", body)), len(body)]
    for start in draw(st.lists(st.sampled_from(starts), max_size=6)):
        removed = draw(st.integers(0, 1))
        changed.append(body[:start] + draw(FRAGMENTS) + body[start + removed :])
    return plan, changed


@given(bodies(), INSTALLATIONS)
def test_a_warm_server_and_a_fresh_one_respond_the_same_to_any_bytes(
    case: tuple[Plan, list[bytes]], installation: Installation
) -> None:
    plan, sent = case
    plans = FakePlans(plan)
    warm = PodReviewHandler(plans, installation)
    for body in sent + sent[::-1]:
        fresh = PodReviewHandler(plans, installation)
        assert respond(warm, body) == respond(fresh, body)


RULES_ON_SYSTEM_LABELS = {
    "podAffinity": {
        "requiredDuringSchedulingIgnoredDuringExecution": [
            {"labelSelector": {"matchLabels": {"vmID": "vm-1"}}, "topologyKey": "zone"},
        ]
    }
}


def test_a_warning_does_not_depend_on_labels_in_which_the_pods_of_a_plan_differ() -> None:
    plan = msgspec.structs.replace(
        PLAN, settings=Settings(affinity=compile_karl("REQUIRE pods(app=a) on node"))
    )
    plans = FakePlans(plan)
    warm = PodReviewHandler(plans, Installation())
    for vm_id in ("vm-1", "vm-2", "vm-1"):
        labels = worlds.FORKLIFT_LABELS | {"vmID": vm_id, "app": "a"}
        pod = {"metadata": {"labels": labels}, "spec": {"affinity": RULES_ON_SYSTEM_LABELS}}
        body = encode(review_request(pod))
        assert respond(warm, body) == respond_uncached(body, plans, Installation())


def test_pods_that_name_a_plan_in_different_ways_get_their_own_warning() -> None:
    plans = FakePlans(PLAN)
    warm = PodReviewHandler(plans, Installation())
    for name in ("db", "other"):
        labels = {"forklift.app": "virt-v2v", "plan-name": name, "plan-namespace": "forklift"}
        request = review_request({"metadata": {"labels": labels}, "spec": {}})
        body = encode(request | {"namespace": "elsewhere"})
        response = respond(warm, body)
        assert response == respond_uncached(body, plans, Installation())
        assert f"forklift/{name}" in response[0].decode()


def test_a_pod_with_a_preset_node_does_not_get_the_response_of_one_without() -> None:
    plan = msgspec.structs.replace(PLAN, settings=Settings(node_selector={"disk": "nvme"}))
    plans = FakePlans(plan)
    warm = PodReviewHandler(plans, Installation())
    for node in ("", "n1", ""):
        pod = CONVERTOR_POD | {"spec": {"nodeName": node} if node else {}}
        body = encode(review_request(pod))
        assert respond(warm, body) == respond_uncached(body, plans, Installation())


@pytest.mark.parametrize("field", ["annotations", "affinity"])
def test_large_pods_and_responses_are_not_cached(field: str) -> None:
    large = {field: {"x": "y" * MAX_BYTES}}
    pod = CONVERTOR_POD | (
        {"spec": large} if field == "affinity" else {"metadata": CONVERTOR_POD["metadata"] | large}
    )
    assert fingerprint_of(review.read(encode(review_request(pod)))) is None

    cache = ResponseCache()
    fingerprint, response = take_fingerprint()
    cache.put(fingerprint, PLAN, {}, response._replace(body=b"x" * MAX_BYTES + b"x"))
    assert cache.get(fingerprint, PLAN, {}) is None


@given(worlds.plans_with_pods(), worlds.plans_with_pods())
def test_a_changed_plan_gets_a_new_response(first: Case, second: Case) -> None:
    plans = FakePlans(first[0])
    handler = PodReviewHandler(plans, Installation())
    for plans.found in (first[0], second[0], first[0]):
        for pod in (first[1], second[1]):
            body = encode(review_request(pod))
            assert respond(handler, body) == respond_uncached(body, plans, Installation())


@pytest.mark.parametrize("path", sorted(PODS.glob("*sphere*.json")), ids=lambda path: path.stem)
def test_pods_that_differ_in_system_labels_share_a_decision(path: Path) -> None:
    pod = json.loads(path.read_text(encoding="utf-8"))
    handler = PodReviewHandler(FakePlans(PLAN), Installation())
    responses = []
    for number in range(3):
        pod["metadata"] |= {"generateName": f"db-vm-{number}-"}
        pod["metadata"]["labels"] |= {"vmID": f"vm-{number}", "migration": f"m-{number}"}
        body = encode(review_request(pod, f"u-{number}"))
        responses.append(run_at_once(handler(body, 0)))
        assert responses[-1].body == respond_uncached(body, FakePlans(PLAN), Installation())[0]
        assert responses[-1].request.uid == f"u-{number}"
    assert all(response.decision is responses[0].decision for response in responses)


@pytest.mark.parametrize("uid", ["u-1", 'a"b\\', "é", "uid", "virt-v2v", "admission.k8s.io/v1"])
def test_a_cached_response_has_the_uid_of_its_own_review(uid: str) -> None:
    handler = PodReviewHandler(FakePlans(PLAN), Installation())
    for each in (uid, "another", uid):
        body = encode(review_request(CONVERTOR_POD, each))
        assert respond(handler, body) == respond_uncached(body, FakePlans(PLAN), Installation())


def test_responses_without_a_plan_are_not_cached() -> None:
    plans = FakePlans(Reason.PLAN_NOT_FOUND)
    handler = PodReviewHandler(plans, Installation())
    body = encode(review_request(CONVERTOR_POD))
    for plans.found in (Reason.PLAN_NOT_FOUND, Reason.PLAN_AMBIGUOUS, PLAN, Reason.PLAN_NOT_FOUND):
        response = asyncio.run(handler(body, 1))
        assert (response.body, "target") == respond_uncached(body, plans, Installation())


def take_fingerprint(number: int = 0) -> tuple[Fingerprint, ReviewResponse]:
    pod = {"metadata": {"labels": worlds.FORKLIFT_LABELS | {"n": str(number)}}, "spec": {}}
    body = encode(review_request(pod))
    fingerprint = fingerprint_of(review.read(body))
    assert fingerprint is not None
    return fingerprint, run_at_once(PodReviewHandler(FakePlans(PLAN), Installation())(body, 0))


def test_a_response_is_cached_for_the_same_plan_object_and_node_values_only() -> None:
    cache, nodes = ResponseCache(), dict(worlds.NODE_VALUES)
    fingerprint, response = take_fingerprint()
    cache.put(fingerprint, PLAN, nodes, response)
    assert cache.get(fingerprint, PLAN, nodes) == response._replace(request=fingerprint.request)
    assert cache.get(fingerprint, deepcopy(PLAN), nodes) is None
    assert cache.get(fingerprint, PLAN, dict(nodes)) is None


def test_the_cache_never_exceeds_its_limit_of_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    cache = ResponseCache()
    fingerprint, response = take_fingerprint()
    size = fingerprint.size + len(response.body)
    monkeypatch.setattr("webhook.admission.cache.MAX_TOTAL_BYTES", 3 * size + 20)
    for number in range(10):
        cache.put(take_fingerprint(number)[0], PLAN, {}, response)
        assert 0 < len(cache._entries) <= 3


def test_the_cache_never_exceeds_its_limit() -> None:
    cache = ResponseCache()
    for number in range(2 * MAX_RESPONSES):
        cache.put(take_fingerprint(number)[0], PLAN, {}, take_fingerprint()[1])
        assert len(cache._entries) <= MAX_RESPONSES


@pytest.mark.parametrize(
    "pod",
    [
        {"metadata": {"labels": {"app": "web"}}, "spec": {}},
        {"metadata": {"labels": worlds.FORKLIFT_LABELS | {"vmID": 5}}, "spec": {}},
        {"metadata": {"labels": None}, "spec": {}},
        {"metadata": None, "spec": {}},
        CONVERTOR_POD | {"spec": None},
    ],
)
def test_the_review_of_another_pod_has_no_fingerprint(pod: Json) -> None:
    assert fingerprint_of(review.read(encode(review_request(pod)))) is None
