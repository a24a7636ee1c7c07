"""An answer that is given again is the one that would be made anew, whatever the pods are."""

import asyncio
import json
from collections.abc import Coroutine
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import placement_worlds as worlds
from tests.support.fakes import FakePlans
from tests.support.paths import DATA
from webhook.admission import cache, review
from webhook.admission.cache import Answer, Answers, Sketch, sketch
from webhook.admission.mutate import decide, screen
from webhook.admission.review import BadReview
from webhook.forklift.owner import plan_ref
from webhook.kube.objects import Json
from webhook.model import (
    Installation,
    Mode,
    OnError,
    Plan,
    Reason,
)
from webhook.server.pod_reviews import Placing

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


def asked(pod: Any, uid: str = "u-1") -> Json:
    """Make the request of a review."""
    return {
        "uid": uid,
        "kind": {"group": "", "version": "v1", "kind": "Pod"},
        "operation": "CREATE",
        "namespace": "target",
        "userInfo": {"username": "forklift"},
        "object": pod,
        "oldObject": None,
    }


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


def answered(placing: Placing, content: bytes) -> tuple[bytes, str]:
    """Return the answer and the name of the pod, as it is told; or why there is none."""
    try:
        answer = at_once(placing(content, 0))
    except BadReview as bad:
        return bad.message.encode(), bad.uid
    return answer.body, answer.request.namespace


def at_once(answering: Coroutine[Any, Any, Answer]) -> Answer:
    """Run what never waits: an event loop for each answer would take most of the time."""
    try:
        answering.send(None)
    except StopIteration as end:
        answer: Answer = end.value
        return answer
    raise AssertionError("it waits")


def anew(content: bytes, plans: FakePlans, installation: Installation) -> tuple[bytes, str]:
    """Return the same, made by hand from the stages of a review."""
    try:
        request = review.decode(content)
    except BadReview as bad:
        return bad.message.encode(), bad.uid
    ref = plan_ref(request)
    plan = plans.found if ref else Reason.NO_PLAN_REFERENCE
    decision = screen(request, installation) or decide(
        request, ref, plan, installation, plans.node_values
    )
    return review.encode(request.uid, decision), request.namespace


@given(worlds.plans_with_pods(), st.lists(st.tuples(PLACES, ODD), max_size=4), INSTALLATIONS)
def test_it_answers_as_if_it_remembered_nothing(
    case: Case, changes: list[tuple[tuple[str, ...], Any]], installation: Installation
) -> None:
    plan, pod = case
    plans = FakePlans(plan)
    placing = Placing(plans, installation)
    request = asked(pod)
    requests = [request, *(put(request, *change) for change in changes)]
    contents = [body(each) for each in requests]
    for plans.node_values in (worlds.NODE_VALUES, {}):
        for content in contents + contents:
            assert answered(placing, content) == anew(content, plans, installation)


@given(worlds.plans_with_pods(), worlds.plans_with_pods())
def test_what_a_plan_said_before_is_forgotten(first: Case, second: Case) -> None:
    plans = FakePlans(first[0])
    placing = Placing(plans, Installation())
    for plans.found in (first[0], second[0], first[0]):
        for pod in (first[1], second[1]):
            content = body(asked(pod))
            assert answered(placing, content) == anew(content, plans, Installation())


@pytest.mark.parametrize("path", sorted(PODS.glob("*sphere*.json")), ids=lambda path: path.stem)
def test_pods_that_forklift_tells_apart_are_answered_from_one_decision(path: Path) -> None:
    pod = json.loads(path.read_text(encoding="utf-8"))
    placing = Placing(FakePlans(PLAN), Installation())
    answers = []
    for number in range(3):
        pod["metadata"] |= {"generateName": f"db-vm-{number}-"}
        pod["metadata"]["labels"] |= {"vmID": f"vm-{number}", "migration": f"m-{number}"}
        content = body(asked(pod, f"u-{number}"))
        answers.append(at_once(placing(content, 0)))
        assert answers[-1].body == anew(content, FakePlans(PLAN), Installation())[0]
        assert answers[-1].request.uid == f"u-{number}"
    assert all(answer.decision is answers[0].decision for answer in answers)


@pytest.mark.parametrize("uid", ["u-1", 'a"b\\', "é", "uid", "virt-v2v", "admission.k8s.io/v1"])
def test_the_uid_is_the_reviews_own_whatever_it_is(uid: str) -> None:
    pod = {"metadata": {"labels": worlds.SYSTEM}, "spec": {}}
    placing = Placing(FakePlans(PLAN), Installation())
    for each in (uid, "another", uid):
        content = body(asked(pod, each))
        assert answered(placing, content) == anew(content, FakePlans(PLAN), Installation())


def test_why_there_is_no_plan_is_not_remembered() -> None:
    plans = FakePlans(Reason.PLAN_NOT_FOUND)
    placing = Placing(plans, Installation())
    content = body(asked({"metadata": {"labels": worlds.SYSTEM}, "spec": {}}))
    for plans.found in (Reason.PLAN_NOT_FOUND, Reason.PLAN_AMBIGUOUS, PLAN, Reason.PLAN_NOT_FOUND):
        answer = asyncio.run(placing(content, 1))
        assert (answer.body, "target") == anew(content, plans, Installation())


def recognised(number: int = 0) -> tuple[Sketch, Answer]:
    pod = {"metadata": {"labels": worlds.SYSTEM | {"n": str(number)}}, "spec": {}}
    content = body(asked(pod))
    seen = sketch(content)
    assert seen is not None
    return seen, at_once(Placing(FakePlans(PLAN), Installation())(content, 0))


def test_an_answer_is_to_the_very_plan_and_the_very_nodes_that_it_was_made_from() -> None:
    answers, nodes = Answers(), dict(worlds.NODE_VALUES)
    seen, answer = recognised()
    answers.keep(seen, PLAN, nodes, answer)
    assert answers.find(seen, PLAN, nodes) == answer._replace(request=seen.request)
    assert answers.find(seen, deepcopy(PLAN), nodes) is None
    assert answers.find(seen, PLAN, dict(nodes)) is None


def test_it_never_remembers_more_than_its_limit() -> None:
    answers = Answers()
    for number in range(2 * cache.LIMIT):
        answers.keep(recognised(number)[0], PLAN, {}, recognised()[1])
        assert len(answers._kept) <= cache.LIMIT


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[]", b"null", b"[" * 100_000])
def test_what_is_no_review_is_not_recognised(content: bytes) -> None:
    assert sketch(content) is None
