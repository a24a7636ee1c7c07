"""The effects of settings besides where pods run are explained in plain English."""

from typing import Any

import pytest

from tests.support.builders import plan
from webhook.model import ConvertorProfile, Installation, Limits, ScratchVolume
from webhook.reports.explain import ClusterObjects, explain

ALL = Limits(priority_classes=("*",), pod_annotations=("*",))


def effects(classes: frozenset[str] | None = None, **settings: str) -> list[str]:
    cluster = ClusterObjects([], [], [], [], priority_classes=classes)
    found = plan(annotations={name.replace("_", "-"): text for name, text in settings.items()})
    return explain(found, Installation(limits=ALL), cluster).effects


def test_a_plan_without_such_settings_has_no_effects() -> None:
    assert effects(labels="a=b") == []


def test_consumers_request_as_much_as_convertors_and_have_no_limit() -> None:
    assert effects(resources="requests.cpu=2,requests.memory=4Gi,limits.memory=12Gi") == [
        (
            "Convertor pods: the main container requests 2 cpu and 4Gi memory, and may use up to "
            "12Gi memory."
        ),
        "First-consumer pods: the main container requests 2 cpu and 4Gi memory.",
    ]
    assert effects(resources="requests.cpu=2", pods="all") == [
        "Convertor and first-consumer pods: the main container requests 2 cpu."
    ]


@pytest.mark.parametrize("classes", [None, frozenset({"other"})])
def test_a_priority_class_that_is_not_known_has_no_effect(classes: frozenset[str] | None) -> None:
    assert effects(classes, priority_class="high") == []


def test_a_priority_class_may_evict_other_pods() -> None:
    assert effects(frozenset({"high"}), priority_class="high", pods="all") == [
        (
            "Convertor, importer and populator pods have the PriorityClass high: they are "
            "scheduled before pods of lower priority, and may evict those unless its "
            "preemptionPolicy is Never."
        )
    ]


@pytest.mark.parametrize(
    ("annotation", "effect"),
    [
        ("a/b=c", "."),
        (
            "cluster-autoscaler.kubernetes.io/safe-to-evict=false",
            ", so that the cluster-autoscaler does not evict them.",
        ),
        ("cluster-autoscaler.kubernetes.io/safe-to-evict=true", "."),
        ("karpenter.sh/do-not-disrupt=true", ", so that Karpenter does not evict them."),
    ],
)
def test_annotations_that_keep_a_pod_say_so(annotation: str, effect: str) -> None:
    assert effects(pod_annotations=annotation, pods="convertor") == [
        f"Convertor pods get the annotation {annotation}{effect}"
    ]


@pytest.mark.parametrize(
    ("profile", "sentence"),
    [
        ({"seccomp": {"type": "Unconfined"}}, "run with the seccomp profile Unconfined"),
        (
            {"app_armor": {"type": "Localhost", "localhostProfile": "v2v"}},
            "run with the AppArmor profile Localhost v2v",
        ),
        ({"env": {"A": "secret", "B": "b"}}, "have the environment variables A, B"),
        ({"runtime_class": "kata"}, "run in the runtime class kata"),
        (
            {"scratch_volume": ScratchVolume("9Gi", "fast")},
            (
                "get a volume of 9Gi of class fast at /var/tmp/virt-v2v, which is deleted with the "
                "pod: Forklift keeps pods unless spec.deleteGuestConversionPod of the plan is true"
            ),
        ),
    ],
)
def test_the_profile_of_convertor_pods(profile: dict[str, Any], sentence: str) -> None:
    installation = Installation(convertor=ConvertorProfile(**profile))
    found = explain(plan(), installation, ClusterObjects([], [], [], []))
    assert found.effects == [f"Convertor pods {sentence}."]
