"""The version of a cluster."""

from typing import Any

import pytest

from tests.support.fake_api import FakeApi
from webhook.kube.api.client import Client
from webhook.kube.api.version import read_minor_version


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ({"major": "1", "minor": "36"}, 36),
        ({"major": "1", "minor": "25+"}, 25),
        ({"major": "1", "minor": ""}, None),
        ({}, None),
    ],
)
def test_the_minor_version_is_a_number(
    api: FakeApi, client: Client, version: Any, expected: int | None
) -> None:
    api.server_version = version
    assert read_minor_version(client) == expected


def test_a_server_that_does_not_respond_has_no_known_version(api: FakeApi, client: Client) -> None:
    api.end()
    assert read_minor_version(client) is None
