"""Rows about the installation: limits, the profile, and what is enforced."""

import pytest

from webhook import karl
from webhook.model import ConvertorProfile, Installation, Limits, Role, ScratchVolume, Settings
from webhook.reports.installation import (
    describe_enforced,
    describe_profile,
    list_enforced,
    list_limits,
    list_profile,
)
from webhook.reports.setting import Setting


def test_limits_that_are_built_in_are_not_listed() -> None:
    assert [*list_limits(Installation(), "mtv")] == []


def test_each_limit_has_its_key_and_what_it_allows() -> None:
    limits = Limits(
        settings=("labels",),
        roles=(Role.CONVERTOR, Role.FIRST_CONSUMER),
        labels=("team", "cost/*"),
        node_labels=(),
        priority_classes=("migration",),
        resources={"cpu": "8", "memory": "16Gi"},
    )
    where = "installation limits"
    assert [*list_limits(Installation(limits=limits), "mtv")] == [
        Setting("settings", "labels", where),
        Setting("roles", "convertor, first-consumer", where),
        Setting("labels", "team, cost/*", where),
        Setting("nodeLabels", "none", where),
        Setting("priorityClasses", "migration", where),
        Setting("resources", "cpu=8, memory=16Gi", where),
    ]


def test_limits_of_a_namespace_say_so() -> None:
    general = Limits(labels=("team",))
    own = Limits(labels=("team",), tolerations=("spot",))
    installation = Installation(limits=general, namespace_limits={"mtv": own})
    assert [*list_limits(installation, "mtv")] == [
        Setting("labels", "team", "installation limits"),
        Setting("tolerations", "spot", "installation limits.namespaces.mtv"),
    ]
    assert [*list_limits(installation, "other")] == [
        Setting("labels", "team", "installation limits")
    ]


@pytest.mark.parametrize(
    ("profile", "name", "value"),
    [
        (
            ConvertorProfile(seccomp={"type": "Localhost", "localhostProfile": "a/b"}),
            *("seccomp-profile", "Localhost a/b"),
        ),
        (ConvertorProfile(app_armor={"type": "Unconfined"}), "app-armor-profile", "Unconfined"),
        (ConvertorProfile(env={"A": "1", "B": "2"}), "env", "A, B"),
        (ConvertorProfile(runtime_class="kata"), "runtime-class", "kata"),
        (ConvertorProfile(scratch_volume=ScratchVolume("9Gi")), "scratch-volume", "9Gi"),
        (
            ConvertorProfile(scratch_volume=ScratchVolume("9Gi", "fast")),
            *("scratch-volume", "9Gi of class fast"),
        ),
    ],
)
def test_each_part_of_the_profile_is_listed(
    profile: ConvertorProfile, name: str, value: str
) -> None:
    installation = Installation(convertor=profile)
    (row,) = list_profile(installation, "vms")
    assert (row.name, row.value) == (name, value)
    assert describe_profile(installation, "vms") == {name: value}


def test_what_is_enforced_has_rules_and_objects_that_karl_cannot_express() -> None:
    rules = karl.compile_all("AVOID pods(app=db) in namespace x on node; SPREAD pods(a=b) on node")
    enforced = Settings(
        node_selector={"a": "b"},
        affinity=rules["affinity"],
        spread=rules["topologySpreadConstraints"],
        tolerations=[{"key": "gpu", "operator": "Exists"}],
    )
    installation = Installation(enforced=enforced)
    assert [row.value for row in list_enforced(installation)] == [
        "a=b",
        "AVOID pods(app=db) in namespace x on node",
        "SPREAD pods(a=b) on node",
        "gpu",
    ]
    assert describe_enforced(installation) == {
        "nodeSelector": {"a": "b"},
        "rules": ["AVOID pods(app=db) in namespace x on node", "SPREAD pods(a=b) on node"],
        "tolerations": [{"key": "gpu", "operator": "Exists"}],
    }
    either = [{"matchExpressions": [{"key": key, "operator": "Exists"}]} for key in "ab"]
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": either}}
    unexpressed = Installation(enforced=Settings(affinity={"nodeAffinity": required}))
    assert [row.value for row in list_enforced(unexpressed)] == ["an affinity object"]
    assert describe_enforced(Installation()) == {}
