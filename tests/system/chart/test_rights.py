"""docs/security.md has exactly the rights that the chart renders, in each certificate mode."""

import pytest

from tests.system.chart import cases
from tests.system.chart.documented_rights import EVERYWHERE, Right, rights_of
from tests.system.chart.rendering import NAMESPACE, Json, merge, objects

pytestmark = pytest.mark.chart

COLUMNS = {
    mode: mode.replace("provided-ca-bundle", "provided with caBundle") for mode in cases.MODES
}

VARIANTS: dict[str, Json] = {
    "default": {},
    "no-pods": {"watchPods": False},
    "some-pods": {"watchPodsNamespaces": ["vms-a", "vms-b"]},
    "selected": {"webhook": {"namespaceSelector": {"matchLabels": {"convertor": "on"}}}},
    "selected-some-pods": {
        "webhook": {"namespaceSelector": {"matchLabels": {"convertor": "on"}}},
        "watchPodsNamespaces": ["vms-a"],
    },
    "selected-no-pods": {
        "webhook": {"namespaceSelector": {"matchLabels": {"convertor": "on"}}},
        "watchPods": False,
    },
    "hub": {"hubKubeconfig": {"secretName": "hub"}},
    "convertors": {"limits": {"roles": ["convertor", "inspection"]}},
    "populators": {"limits": {"roles": ["populator"]}},
    "allowed-class": {"limits": {"priorityClasses": ["migration"]}},
    "default-class": {"defaults": {"roles": {"convertor": {"priorityClass": "migration"}}}},
    "profile": {"convertor": {"runtimeClass": "kata"}, "limits": {"roles": ["convertor"]}},
    "profile-of-a-namespace": {"convertor": {"namespaces": {"vms-a": {"runtimeClass": "kata"}}}},
    "unchecked-profile": {
        "convertor": {"runtimeClass": "kata"},
        "checkConvertorProfile": False,
    },
}

CLUSTER_SCOPED = {
    "nodes",
    "namespaces",
    "persistentvolumes",
    "priorityclasses.scheduling.k8s.io",
    "storageclasses.storage.k8s.io",
    "mutatingwebhookconfigurations.admissionregistration.k8s.io",
    "validatingwebhookconfigurations.admissionregistration.k8s.io",
}


def rendered(values: Json) -> set[Right]:
    found = set()
    for role in objects(values):
        everywhere = (
            EVERYWHERE if role["kind"] == "ClusterRole" else role["metadata"].get("namespace")
        )
        for rule in role["rules"] if role["kind"] in ("ClusterRole", "Role") else []:
            (group,) = rule["apiGroups"]
            for resource in rule["resources"]:
                full = f"{resource}.{group}".rstrip(".")
                where = "" if full in CLUSTER_SCOPED else everywhere
                for verb in rule["verbs"]:
                    names = rule.get("resourceNames", [""])
                    found |= {Right(verb, full, where, name) for name in names}
    return found


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("mode", cases.MODES)
def test_the_documented_rights_are_those_of_the_roles(mode: str, variant: str) -> None:
    values = merge(cases.MODES[mode], VARIANTS[variant])

    assert rights_of(COLUMNS[mode], values, NAMESPACE) == rendered(values)
