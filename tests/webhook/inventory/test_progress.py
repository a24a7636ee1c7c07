"""The progress of a migration as its Plan has it."""

import pytest

from tests.support.builders import plan
from tests.support.fake_api import FakeApi
from webhook.forklift.progress import Progress
from webhook.inventory.progress import read_progress
from webhook.kube.api.client import Client
from webhook.kube.api.errors import ApiError
from webhook.kube.objects import Json
from webhook.model import Plan

HISTORY: Json = {"migration": {"history": [{"migration": {"uid": "old"}}, {}]}}


def test_the_migrations_of_a_plan_are_read(api: FakeApi, client: Client) -> None:
    api.add(plan() | {"status": HISTORY})
    progress = read_progress(client, Plan("konveyor-forklift", "db"))
    assert [progress.has_ended(each, "vm-1") for each in ("old", "new")] == [True, False]


def test_a_plan_that_was_deleted_has_no_progress(client: Client) -> None:
    assert read_progress(client, Plan("konveyor-forklift", "db")) == Progress()


def test_a_name_that_no_plan_has_is_not_in_a_request(api: FakeApi, client: Client) -> None:
    assert read_progress(client, Plan("konveyor-forklift", "../db")) == Progress()
    assert not api.request_lines


def test_an_invalid_status_is_an_error_with_the_name_of_the_plan(
    api: FakeApi, client: Client
) -> None:
    api.add(plan() | {"status": {"migration": 7}})
    with pytest.raises(ApiError, match="sent an invalid Plan 'konveyor-forklift/db'"):
        read_progress(client, Plan("konveyor-forklift", "db"))
