"""Labels that no setting adds to a pod."""

import pytest

from tests.support.builders import PREFIX
from webhook.forklift.labels import describe_reserved_label, is_reserved_label, role_label


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("vmID", "a system label, by which Forklift finds its pods"),
        ("conversion-type", "a system label, by which Forklift finds its pods"),
        (
            "app",
            (
                "a label by which Forklift finds importers, and app=virt-v2v is the identity label "
                "of convertor pods"
            ),
        ),
        ("pvcName", "a label by which Forklift finds and counts populators"),
        ("sourceHost", "a label by which Forklift finds and counts populators"),
        ("cdi.kubevirt.io", "a label of KubeVirt and CDI, which select pods by it"),
        ("prometheus.cdi.kubevirt.io", "a label of KubeVirt and CDI, which select pods by it"),
        ("cdi.kubevirt.io/storage.x", "a label of KubeVirt and CDI, which select pods by it"),
        ("a.kubevirt.io/b", "a label of KubeVirt and CDI, which select pods by it"),
        ("kubevirt.io/schedulable", "a label of KubeVirt and CDI, which select pods by it"),
        (f"{PREFIX}/role", "the label that the webhook itself adds"),
    ],
)
def test_a_reserved_label_is_described(key: str, reason: str) -> None:
    assert describe_reserved_label(key, PREFIX) == reason
    assert is_reserved_label(key, PREFIX)


@pytest.mark.parametrize(
    "key",
    [
        "team",
        "App",
        "app.kubernetes.io/name",
        "forklift.app/plan",
        "mykubevirt.io/a",
        "kubevirt.io.example.com/a",
        "example.com/kubevirt.io",
        "convertor.example.com/role",
        f"{PREFIX}/team",
    ],
)
def test_other_labels_are_not_reserved(key: str) -> None:
    assert not is_reserved_label(key, PREFIX)


def test_the_label_of_the_webhook_has_the_prefix_of_the_installation() -> None:
    assert is_reserved_label(role_label("convertor.example.com"), "convertor.example.com")
