"""The checks of reviews find nothing, and find what is planted in the webhook."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.system.fuzz import campaign
from tests.system.fuzz.campaign import LAWS, Breach, Campaign
from webhook.admission import mutate, review
from webhook.admission.cache import fingerprint_of
from webhook.admission.patch import diff
from webhook.kube.objects import Json
from webhook.server import pod_reviews

REVIEWS = 80


@pytest.fixture(autouse=True)
def _few_plans(monkeypatch: pytest.MonkeyPatch, discarded_logs: None) -> None:
    monkeypatch.setattr(campaign, "PLANS", 10)


def find_breaches(seed: str = "24") -> list[Breach]:
    return list(Campaign(seed).run(REVIEWS))


def plant_in_patch(monkeypatch: pytest.MonkeyPatch, make: Callable[[Json], list[Json]]) -> None:
    """Add operations to every patch."""

    def planted(before: Json, after: Json) -> list[Json]:
        operations = diff(before, after)
        return operations and [*operations, *make(before)]

    monkeypatch.setattr(mutate, "diff", planted)


def test_every_response_is_as_it_must_be() -> None:
    run = Campaign("24")

    assert list(run.run(REVIEWS)) == []
    assert run.counts["reviews"] == REVIEWS
    assert run.counts["patched"] > REVIEWS / 20
    assert run.counts["400"] > REVIEWS / 20


def test_a_seed_repeats_the_reviews() -> None:
    first, second, other = Campaign("1"), Campaign("1"), Campaign("2")
    for run in (first, second, other):
        list(run.run(REVIEWS))

    assert first.counts == second.counts != other.counts


def test_reviews_are_split_among_campaigns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(campaign, "REVIEWS_PER_CAMPAIGN", 10)

    assert campaign.split(7, 25) == [("7-0", 10), ("7-10", 10), ("7-20", 5)]


def test_an_internal_error_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pod_reviews, "decide", lambda *_: 1 / 0)

    breaches = find_breaches()

    assert {breach.law for breach in breaches} == {"exceptions"}
    assert "ZeroDivisionError" in breaches[0].message


def test_a_response_with_another_uid_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    encode = review.encode
    monkeypatch.setattr(review, "encode", lambda uid, decision: encode(f"{uid}x", decision))

    assert "malformed responses" in {breach.law for breach in find_breaches()}


@pytest.mark.parametrize(
    ("operation", "law"),
    [
        ({"op": "replace", "path": "/metadata/labels/vmID", "value": "x"}, "changed labels"),
        ({"op": "remove", "path": "/metadata/labels/vmID"}, "changed labels"),
        ({"op": "add", "path": "/spec/priority", "value": 1}, "other changes"),
        ({"op": "add", "path": "/metadata/annotations/a", "value": "b"}, "other changes"),
        ({"op": "remove", "path": "/spec/absent"}, "malformed responses"),
    ],
)
def test_a_wrong_operation_of_a_patch_is_found(
    operation: Json, law: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant_in_patch(monkeypatch, lambda _: [operation])

    assert law in {breach.law for breach in find_breaches()}


def test_a_patch_that_is_repeated_on_the_patched_pod_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    added = {"op": "add", "path": "/spec/nodeSelector", "value": {"a": "b"}}
    monkeypatch.setattr(mutate, "diff", lambda before, after: [*diff(before, after), added])
    monkeypatch.setattr(campaign, "IDEMPOTENCE_SHARE", 1.0)

    assert "placing the patched pod changes it again" in {
        breach.message for breach in find_breaches()
    }


def test_a_cached_response_to_another_pod_is_found_with_the_earlier_review(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def planted(raw: Any) -> Any:
        found = fingerprint_of(raw)
        return found and found._replace(key=found.key[:2])

    monkeypatch.setattr(pod_reviews, "fingerprint_of", planted)

    breach = next(breach for breach in find_breaches() if breach.law == "differences")

    assert len(breach.reviews) == 2
    written = json.loads(breach.write(tmp_path, "7").read_text())
    assert [path for path, _body in written["reviews"]] == ["/mutate", "/mutate"]
    assert {"installation", "plans", "law", "message"} <= written.keys()


def test_the_first_breaches_are_written_to_files(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(pod_reviews, "decide", lambda *_: 1 / 0)
    monkeypatch.setattr(campaign, "FOLDER", tmp_path)

    counts, breaches, files = campaign.send("1", REVIEWS)

    assert counts["reviews"] == REVIEWS
    assert breaches["exceptions"] > campaign.MAX_FILES == len(files)
    assert {*breaches} <= {*LAWS}
