"""`limits`, `enforced` and `convertor` of the installation's file."""

from typing import Any

import pytest

from webhook import karl
from webhook.kube.manifests import parse_document
from webhook.model import ConvertorProfile, Installation, Limits, Role, ScratchVolume, Settings
from webhook.settings.installation import read_installation

FILE = "config.yaml"
SECCOMP = {"type": "Localhost", "localhostProfile": "profiles/unshare.json"}


def read(text: str) -> Installation:
    found, problems = read_installation(parse_document(text), FILE)
    assert problems == []
    return found


def problems(text: str) -> list[str]:
    return [str(each) for each in read_installation(parse_document(text), FILE)[1]]


def test_every_limit_is_read() -> None:
    found = read("""
        limits:
          settings: [labels, affinity]
          roles: [importer, convertor]
          labels: [team, cost.example.com/*]
          nodeLabels: [disk]
          tolerations: ["dedicated=migration:NoSchedule", spot, "gpu=team-*", "example.com/*"]
          ruleNamespaces: [rook-ceph, monitoring-*]
          targetNamespaces: [migrated-*]
          avoidTopologies: [kubernetes.io/hostname]
          priorityClasses: [migration]
          podAnnotations: ["*"]
          resources: {cpu: 8, memory: 16Gi, ephemeral-storage: null}
    """)
    assert found.limits == Limits(
        settings=("labels", "affinity"),
        roles=(Role.CONVERTOR, Role.IMPORTER),
        labels=("team", "cost.example.com/*"),
        node_labels=("disk",),
        tolerations=("dedicated=migration:NoSchedule", "spot", "gpu=team-*", "example.com/*"),
        rule_namespaces=("rook-ceph", "monitoring-*"),
        target_namespaces=("migrated-*",),
        avoid_topologies=("kubernetes.io/hostname",),
        priority_classes=("migration",),
        pod_annotations=("*",),
        resources={"cpu": "8", "memory": "16Gi"},
    )
    assert found.has_priority_classes


def test_the_limits_of_a_namespace_replace_the_general_ones_key_by_key() -> None:
    found = read("""
        limits:
          labels: [team]
          tolerations: []
          namespaces: {mtv: {labels: [batch], roles: [convertor]}, other: null}
    """)
    assert found.limits_for("mtv") == Limits(
        labels=("batch",), tolerations=(), roles=(Role.CONVERTOR,)
    )
    assert found.limits_for("other") == found.limits_for("x") == found.limits


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("labels: team", " labels: expected a list, found 'team'"),
        ("labels: [5]", " labels[0]: expected text, found 5: put it in quotes"),
        ("labels: [a b]", " labels[0]: 'a b' must consist of alphanumeric characters"),
        ("labels: ['a b*']", " labels[0]: 'a b*' must be a prefix such as cost.example.com/*"),
        ("settings: [label]", " settings[0]: 'label' must be affinity, affinity-policy, disks"),
        ("tolerations: [':x']", " tolerations[0]: ':x' must be a taint such as dedicated=migr"),
        ("tolerations: ['a:Never']", " tolerations[0]: 'a:Never' must be a taint such as dedi"),
        ("ruleNamespaces: [A]", " ruleNamespaces[0]: 'A' must consist of lower case alphan"),
        ("priorityClasses: [A]", " priorityClasses[0]: 'A' must consist of lower case alphan"),
        ("resources: {gpu: 1}", " resources.gpu: unknown resource: expected cpu, memory or eph"),
        ("resources: {cpu: many}", " resources.cpu: 'many' must be a quantity such as 16, 500m"),
        ("resources: {cpu: [1]}", " resources.cpu: expected text, found a list"),
        ("roles: [x]", " roles[0]: expected all, convertor, inspection, first-consumer"),
        ("namespaces: {A: {}}", " namespaces: namespace 'A' must consist of lower case"),
        ("namespaces: {a: {label: []}}", " namespaces.a.label: unknown key: expected avoidTopo"),
        ("namespaces: {a: []}", " namespaces.a: expected a map, found a list"),
    ],
)
def test_an_invalid_limit_is_reported_with_its_place(text: str, message: str) -> None:
    (found,) = problems(f"limits: {{{text}}}")
    assert found.startswith(f"{FILE} limits.{message.strip()}")


def test_an_invalid_entry_allows_nothing() -> None:
    found, _ = read_installation(parse_document("limits: {labels: [a b, team], roles: [x]}"), FILE)
    assert found.limits == Limits(labels=("team",))


def test_enforced_settings_are_compiled() -> None:
    found = read("""
        scope: own
        enforced:
          nodeSelector: {migration: allowed, memory: 64Gi+}
          affinity: AVOID pods(app=db) on zone; SPREAD pods(app=virt-v2v) on node
          tolerations: [node-role.kubernetes.io/control-plane]
    """)
    compiled = karl.compile_all(
        "AVOID pods(app=db) on zone; SPREAD pods(app=virt-v2v) on node", scope="own"
    )
    assert found.enforced == Settings(
        node_selector={"migration": "allowed"},
        node_requirements=[{"key": "memory", "operator": "AtLeast", "values": ["64Gi"]}],
        affinity=compiled["affinity"],
        spread=compiled["topologySpreadConstraints"],
        tolerations=[{"key": "node-role.kubernetes.io/control-plane", "operator": "Exists"}],
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "labels: {a: b}",
            "enforced.labels: unknown field: expected affinity, nodeSelector or",
        ),
        ("affinity: REQIRE", "enforced.affinity line 1 column 1: unknown rule 'REQIRE'"),
        ("tolerations: ':x'", "enforced.tolerations entry 1: ':x' has no key"),
    ],
)
def test_invalid_enforced_settings_are_reported(text: str, message: str) -> None:
    (found,) = problems(f"enforced: {{{text}}}")
    assert found.startswith(f"{FILE} {message}")


def test_every_part_of_the_profile_is_read() -> None:
    found = read("""
        convertor:
          seccompProfile: {type: Localhost, localhostProfile: profiles/unshare.json}
          appArmorProfile: {type: Unconfined}
          env: {LIBGUESTFS_BACKEND: direct, LIBGUESTFS_MEMSIZE: 4096}
          runtimeClass: kata
          scratchVolume: {size: 200Gi, storageClass: fast}
          namespaces: {legacy: {runtimeClass: "", seccompProfile: {}}, other: {env: {A: b}}}
    """)
    profile = ConvertorProfile(
        seccomp=SECCOMP,
        app_armor={"type": "Unconfined"},
        env={"LIBGUESTFS_BACKEND": "direct", "LIBGUESTFS_MEMSIZE": "4096"},
        runtime_class="kata",
        scratch_volume=ScratchVolume("200Gi", "fast"),
    )
    assert found.convertor == found.profile_for("x") == profile
    legacy = found.profile_for("legacy")
    assert (legacy.runtime_class, legacy.seccomp, legacy.env) == ("", {}, profile.env)
    assert found.profile_for("other").env == {"A": "b"}


def test_a_scratch_volume_may_have_the_default_class() -> None:
    found = read("convertor: {scratchVolume: {size: 10}}")
    assert found.convertor.scratch_volume == ScratchVolume("10")
    assert read("convertor: {scratchVolume: {}}").convertor == ConvertorProfile()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seccompProfile: {type: local}", "seccompProfile: expected type RuntimeDefault, Localhos"),
        ("seccompProfile: {type: 5}", "seccompProfile: expected type RuntimeDefault, Localhost or"),
        ("seccompProfile: {type: Localhost}", "seccompProfile: expected localhostProfile with the"),
        (
            "appArmorProfile: {type: Unconfined, localhostProfile: x}",
            "appArmorProfile: expected localhostProfile with the type Localhost only",
        ),
        ("seccompProfile: [x]", "seccompProfile: expected a map, found a list"),
        ("env: {V2V_source: x}", "env.V2V_source: 'V2V_source' is a variable of Forklift"),
        ("env: {'1': x}", "env.1: '1' is not a name of a variable"),
        ("env: {A: true}", "env.A: expected text, found true: put it in quotes"),
        ("runtimeClass: A", "runtimeClass: 'A' must consist of lower case"),
        ("runtimeClass: 5", "runtimeClass: expected text, found 5: put it in quotes"),
        ("scratchVolume: {storageClass: a}", "scratchVolume.size: expected a size, found null"),
        ("scratchVolume: {size: big}", "scratchVolume.size: 'big' must be a quantity such as"),
        ("scratchVolume: {size: 0}", "scratchVolume.size: '0' must be more than 0"),
        ("scratchVolume: {size: 1Gi, storageClass: A}", "scratchVolume.storageClass: 'A' must con"),
        (
            "runtime: kata",
            "runtime: unknown key: expected appArmorProfile, env, namespaces",
        ),
        ("namespaces: {A: {}}", "namespaces: namespace 'A' must consist of lower case"),
        ("namespaces: {a: {x: 1}}", "namespaces.a.x: unknown key: expected appArmorProfile, env"),
    ],
)
def test_an_invalid_profile_is_reported_with_its_place(text: str, message: str) -> None:
    (found,) = problems(f"convertor: {{{text}}}")
    assert found.startswith(f"{FILE} convertor.{message}")


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({}, False),
        ({"defaults": {"priorityClass": "a"}}, True),
        ({"defaults": {"roles": {"importer": {"priorityClass": "a"}}}}, True),
        ({"defaults": {"roles": {"importer": {"labels": "a=b"}}}}, False),
        ({"limits": {"namespaces": {"a": {"priorityClasses": ["b"]}}}}, True),
    ],
)
def test_priority_classes_are_needed_if_pods_may_have_one(document: Any, *, expected: bool) -> None:
    assert read_installation(document, "")[0].has_priority_classes is expected
