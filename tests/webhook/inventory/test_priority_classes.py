"""PriorityClasses of a cluster and of files."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.fake_api import FakeApi
from tests.support.waiting import eventually
from webhook.inventory.directory_plans import DirectoryPlans
from webhook.inventory.priority_classes import ClusterPriorityClasses
from webhook.kube.api.client import Client
from webhook.kube.api.reflector import ReflectorTiming
from webhook.kube.objects import Json
from webhook.model import Installation


def priority_class(name: str) -> Json:
    return {
        "apiVersion": "scheduling.k8s.io/v1",
        "kind": "PriorityClass",
        "metadata": {"name": name},
        "value": 1,
    }


@pytest.fixture
def classes(api: FakeApi, client: Client) -> Iterator[ClusterPriorityClasses]:
    api.add(priority_class("first"))
    found = ClusterPriorityClasses(client, ReflectorTiming(0.005, 0.02, 5))
    assert found.names is None
    assert found.unready_reason() == "the PriorityClasses have not been read yet"
    found.start()
    yield found
    found.stop()


def test_the_names_are_kept_current(api: FakeApi, classes: ClusterPriorityClasses) -> None:
    eventually(lambda: classes.names == frozenset({"first"}))
    assert classes.unready_reason() == ""
    api.add(priority_class("second"))
    eventually(lambda: classes.names == frozenset({"first", "second"}))
    api.delete("priorityclasses", "", "first")
    eventually(lambda: classes.names == frozenset({"second"}))


def test_classes_in_files_are_known(tmp_path: Path) -> None:
    plans = DirectoryPlans(tmp_path, Installation())
    assert plans.priority_classes.names is None
    (tmp_path / "class.yaml").write_text(
        "apiVersion: scheduling.k8s.io/v1\nkind: PriorityClass\nmetadata: {name: migration}\n"
    )
    plans.scan()
    assert plans.priority_classes.names == frozenset({"migration"})


def test_a_watch_that_is_forbidden_does_not_keep_the_replica_unready(
    api: FakeApi, client: Client
) -> None:
    api.unserved.add("priorityclasses")
    found = ClusterPriorityClasses(client, ReflectorTiming(0.005, 0.02, 5))
    found.start()
    eventually(lambda: not found.unready_reason())
    assert found.names is None
    found.stop()
