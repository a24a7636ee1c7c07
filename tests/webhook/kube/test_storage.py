from typing import Any

import msgspec
import pytest

from tests.support import pvcs
from webhook.kube.storage import StorageClassObject, VolumeObject


@pytest.mark.parametrize(
    "spec",
    [
        None,
        {},
        {"nodeAffinity": None},
        {"nodeAffinity": {}},
        {"nodeAffinity": {"required": None}},
        {"nodeAffinity": {"required": {"nodeSelectorTerms": None}}},
    ],
)
def test_a_volume_without_terms_is_reachable_from_all_nodes(spec: Any) -> None:
    volume = msgspec.convert({"metadata": {"name": "pv"}, "spec": spec}, VolumeObject)
    assert volume.node_terms == []


def test_the_terms_of_a_volume_are_read() -> None:
    terms = pvcs.zone_terms("a", "b")
    assert msgspec.convert(pvcs.volume("pv", terms), VolumeObject).node_terms == terms


@pytest.mark.parametrize(
    ("mode", "waits"), [("WaitForFirstConsumer", True), ("Immediate", False), (None, False)]
)
def test_volumes_of_a_class_wait_only_by_its_binding_mode(mode: str | None, *, waits: bool) -> None:
    storage_class = pvcs.storage_class() | {"volumeBindingMode": mode}
    found = msgspec.convert(storage_class, StorageClassObject)
    assert found.waits_for_first_consumer is waits
