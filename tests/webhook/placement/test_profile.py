"""The profile of convertor pods: security profiles, variables, runtime class and scratch volume."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.builders import minimal_pod
from webhook.admission.patch import diff
from webhook.kube.objects import Json
from webhook.model import (
    ConvertorProfile,
    Installation,
    MigrationPod,
    Mode,
    Plan,
    Role,
    ScratchVolume,
    Settings,
)
from webhook.placement import Placed, place, place_enforced, reads_whole_pod

LOCALHOST = {"type": "Localhost", "localhostProfile": "profiles/unshare.json"}
DEFAULT = {"type": "RuntimeDefault"}
SCRATCH = ScratchVolume("100Gi", "fast")
TEMPLATE = {
    "spec": {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "100Gi"}},
        "storageClassName": "fast",
    }
}
VOLUME = {"name": "conversion-temp-storage", "ephemeral": {"volumeClaimTemplate": TEMPLATE}}
MOUNT = {"name": "conversion-temp-storage", "mountPath": "/var/tmp/virt-v2v"}
DISK = {"name": "disk-0", "persistentVolumeClaim": {"claimName": "disk-0"}}
MAIN = {"name": "virt-v2v", "env": [{"name": "V2V_source", "value": "vSphere"}]}
PLAN = Plan("mtv", "db", target_namespace="vms", settings=Settings(pods=()))


def place_with(before: Json, kubernetes: int | None = None, /, **profile: Any) -> Placed:
    """Place a convertor pod of a plan without settings; a second placement changes nothing."""
    installation = Installation(
        convertor=ConvertorProfile(**profile), kubernetes=kubernetes, identity_labels=False
    )
    placed = place(before, PLAN, installation)
    assert diff(placed.pod, place(placed.pod, PLAN, installation).pod) == []
    return placed


def spec_of(placed: Placed) -> Json:
    found: Json = placed.pod["spec"]
    return found


def test_a_seccomp_profile_replaces_that_of_the_pod() -> None:
    before = minimal_pod(
        containers=[MAIN], securityContext={"runAsUser": 107, "seccompProfile": DEFAULT}
    )
    spec = spec_of(place_with(before, 29, seccomp=LOCALHOST))

    assert spec["securityContext"] == {"runAsUser": 107, "seccompProfile": LOCALHOST}
    assert spec["containers"] == [MAIN]


def test_it_replaces_that_of_the_main_container_too() -> None:
    own = MAIN | {"securityContext": {"runAsUser": 107, "seccompProfile": DEFAULT}}
    spec = spec_of(place_with(minimal_pod(containers=[own]), seccomp=LOCALHOST))

    (main,) = spec["containers"]
    assert main["securityContext"] == {"runAsUser": 107, "seccompProfile": LOCALHOST}


@pytest.mark.parametrize("name", ["seccomp", "app_armor"])
def test_a_pod_for_openshift_keeps_the_profile_of_forklift(name: str) -> None:
    before = minimal_pod(containers=[MAIN], securityContext={"seccompProfile": LOCALHOST})
    profile: dict[str, Any] = {name: DEFAULT, "env": {"A": "b"}}
    placed = place_with(before, **profile)

    assert spec_of(placed)["securityContext"] == {"seccompProfile": LOCALHOST}
    (note,) = placed.notes
    assert note == (
        "Forklift has created the pod for OpenShift: the security profiles of the installation are "
        "not applied, without convertor.openShift"
    )
    assert spec_of(placed)["containers"][0]["env"][-1] == {"name": "A", "value": "b"}


def test_no_note_says_so_if_the_installation_has_the_same_profile_or_none() -> None:
    before = minimal_pod(containers=[MAIN], securityContext={"seccompProfile": LOCALHOST})

    assert place_with(before, seccomp=LOCALHOST).notes == []
    assert place_with(before, env={"A": "b"}).notes == []


def test_a_pod_for_openshift_gets_the_profiles_if_the_installation_says_so() -> None:
    before = minimal_pod(containers=[MAIN], securityContext={"seccompProfile": LOCALHOST})
    placed = place_with(before, seccomp=DEFAULT, app_armor=DEFAULT, open_shift=True)

    assert spec_of(placed)["securityContext"] == {
        "seccompProfile": DEFAULT,
        "appArmorProfile": DEFAULT,
    }
    assert placed.notes == []


@pytest.mark.parametrize("kubernetes", [None, 30, 36])
def test_an_app_armor_profile_is_a_field_from_kubernetes_1_30_on(kubernetes: int | None) -> None:
    placed = place_with(minimal_pod(containers=[MAIN]), kubernetes, app_armor=LOCALHOST)

    assert spec_of(placed)["securityContext"] == {"appArmorProfile": LOCALHOST}
    assert not [each for each in placed.pod["metadata"]["annotations"] if "apparmor" in each]


@pytest.mark.parametrize(
    ("profile", "expected"),
    [
        (LOCALHOST, "localhost/profiles/unshare.json"),
        (DEFAULT, "runtime/default"),
        ({"type": "Unconfined"}, "unconfined"),
    ],
)
def test_before_it_is_an_annotation_of_the_main_container(profile: Json, expected: str) -> None:
    key = "container.apparmor.security.beta.kubernetes.io/virt-v2v"
    before = minimal_pod(containers=[MAIN], metadata={"annotations": {key: "other"}})
    placed = place_with(before, 29, app_armor=profile)

    assert placed.pod["metadata"]["annotations"][key] == expected
    assert "securityContext" not in spec_of(placed)


def test_variables_are_added_and_replaced_in_place() -> None:
    own = MAIN | {"env": [{"name": "A", "valueFrom": {}}, {"name": "V2V_source", "value": "x"}]}
    placed = place_with(
        minimal_pod(containers=[own]), env={"LIBGUESTFS_BACKEND": "direct", "A": "1"}
    )

    (main,) = spec_of(placed)["containers"]
    assert main["env"] == [
        {"name": "A", "value": "1"},
        {"name": "V2V_source", "value": "x"},
        {"name": "LIBGUESTFS_BACKEND", "value": "direct"},
    ]


def test_a_runtime_class_needs_no_containers() -> None:
    spec = spec_of(place_with(minimal_pod(containers=None), runtime_class="kata"))

    assert spec == {"containers": None, "runtimeClassName": "kata"}


def test_the_scratch_volume_takes_the_place_of_the_empty_dir_of_forklift() -> None:
    empty = {"name": "conversion-temp-storage", "emptyDir": {}}
    before = minimal_pod(
        containers=[MAIN | {"volumeMounts": [MOUNT]}], volumes=[DISK, empty, {"name": "last"}]
    )
    spec = spec_of(place_with(before, scratch_volume=SCRATCH))

    assert spec["volumes"] == [DISK, VOLUME, {"name": "last"}]
    (main,) = spec["containers"]
    assert main["volumeMounts"] == [MOUNT]
    assert main["env"] == [*MAIN["env"], {"name": "TMPDIR", "value": "/var/tmp/virt-v2v"}]


def test_without_one_it_is_added_with_the_variable_for_temporary_files() -> None:
    spec = spec_of(
        place_with(minimal_pod(containers=[MAIN], volumes=[DISK]), scratch_volume=SCRATCH)
    )

    assert spec["volumes"] == [DISK, VOLUME]
    (main,) = spec["containers"]
    assert main["volumeMounts"] == [MOUNT]
    assert main["env"] == [*MAIN["env"], {"name": "TMPDIR", "value": "/var/tmp/virt-v2v"}]


def test_a_variable_for_temporary_files_of_the_pod_is_kept() -> None:
    own = MAIN | {"env": [{"name": "TMPDIR", "value": "/own"}]}
    (main,) = spec_of(place_with(minimal_pod(containers=[own]), scratch_volume=SCRATCH))[
        "containers"
    ]

    assert main["env"] == own["env"]


def test_the_claims_have_no_labels_by_which_forklift_takes_them_for_disks() -> None:
    labels = {"vmID": "vm-1", "migration": "m-1"}
    before = minimal_pod(containers=[MAIN], metadata={"labels": labels})
    (volume,) = spec_of(place_with(before, scratch_volume=SCRATCH))["volumes"]

    assert volume["ephemeral"]["volumeClaimTemplate"].keys() == {"spec"}


@pytest.mark.parametrize("path", ["/var/tmp/virt-v2v", "/var/tmp/virt-v2v/"])
def test_a_claim_that_forklift_mounts_there_is_kept(path: str) -> None:
    claim = {"name": "scratch", "persistentVolumeClaim": {"claimName": "scratch"}}
    main = MAIN | {"volumeMounts": [{"name": "scratch", "mountPath": path}]}
    placed = place_with(minimal_pod(containers=[main], volumes=[claim]), scratch_volume=SCRATCH)

    assert spec_of(placed) == {"containers": [main], "volumes": [claim]}
    assert placed.notes == ["the pod has a volume of its own at /var/tmp/virt-v2v, which is kept"]


def test_the_default_class_is_not_named() -> None:
    placed = place_with(minimal_pod(containers=[MAIN]), scratch_volume=ScratchVolume("1Gi"))

    (volume,) = spec_of(placed)["volumes"]
    assert "storageClassName" not in volume["ephemeral"]["volumeClaimTemplate"]["spec"]


def test_a_volume_that_the_api_server_has_defaulted_is_not_changed_again() -> None:
    defaulted = {
        "name": "conversion-temp-storage",
        "ephemeral": {"volumeClaimTemplate": {"spec": TEMPLATE["spec"] | {"volumeMode": "Block"}}},
    }
    main = MAIN | {"volumeMounts": [MOUNT]}
    placed = place_with(minimal_pod(containers=[main], volumes=[defaulted]), scratch_volume=SCRATCH)

    assert spec_of(placed)["volumes"] == [defaulted]


@pytest.mark.parametrize("containers", [None, []])
def test_containers_that_cannot_be_read_stay_as_they_are(containers: Any) -> None:
    placed = place_with(minimal_pod(containers=containers), env={"a": "b"})

    assert spec_of(placed) == {"containers": containers}
    (problem,) = placed.problems
    assert problem.message.startswith("the convertor profile is not applied: the containers of")


@pytest.mark.parametrize(
    "pod",
    [MigrationPod(Role.INSPECTION), MigrationPod(Role.IMPORTER), MigrationPod(has_node=True)],
)
def test_other_pods_have_no_profile(pod: MigrationPod) -> None:
    installation = Installation(convertor=ConvertorProfile(runtime_class="kata"))
    before = minimal_pod(containers=[MAIN])

    assert place(before, PLAN, installation, migration_pod=pod).pod == before


def test_the_profile_is_that_of_the_namespace_of_the_pods() -> None:
    installation = Installation(
        convertor=ConvertorProfile(runtime_class="kata"),
        namespace_convertors={"vms": ConvertorProfile(runtime_class="gvisor")},
    )
    elsewhere = Plan("mtv", "db", target_namespace="other")

    assert spec_of(place(minimal_pod(), PLAN, installation))["runtimeClassName"] == "gvisor"
    assert spec_of(place(minimal_pod(), elsewhere, installation))["runtimeClassName"] == "kata"


def test_a_plan_in_another_mode_has_it_too() -> None:
    installation = Installation(convertor=ConvertorProfile(app_armor=DEFAULT), kubernetes=29)
    plan = Plan("mtv", "db", settings=Settings(mode=Mode.OFF))
    placed = place_enforced(minimal_pod(containers=[MAIN]), plan, installation)

    assert [*placed.pod["metadata"]["annotations"].values()] == ["runtime/default"]


def test_responses_that_depend_on_containers_are_not_shared_by_pods() -> None:
    plan = Plan("mtv", "db", target_namespace="vms")
    assert not reads_whole_pod(plan, Installation())
    profile = ConvertorProfile(runtime_class="kata")
    assert reads_whole_pod(plan, Installation(convertor=profile))
    assert reads_whole_pod(plan, Installation(namespace_convertors={"vms": profile}))
    assert not reads_whole_pod(plan, Installation(namespace_convertors={"x": profile}))
    for settings in (Settings(resources={"limits.cpu": "1"}), Settings(priority_class="a")):
        assert reads_whole_pod(Plan("mtv", "db", settings=settings), Installation())


PODS = [
    path
    for folder in ("pods", "migration-pods")
    for path in sorted((Path("tests/data") / folder).glob("*.json"))
    if json.loads(path.read_bytes())["metadata"]["labels"].get("forklift.app") == "virt-v2v"
    and "invalid" not in path.stem
]
PROFILE = ConvertorProfile(
    seccomp=LOCALHOST,
    app_armor=LOCALHOST,
    env={"LIBGUESTFS_MEMSIZE": "4096"},
    runtime_class="kata",
    scratch_volume=SCRATCH,
)


@pytest.mark.parametrize("path", PODS, ids=lambda path: path.stem)
def test_a_pod_of_each_release_keeps_everything_else(path: Path) -> None:
    before = json.loads(path.read_bytes())
    installation = Installation(convertor=PROFILE, identity_labels=False)
    placed = place(before, PLAN, installation)
    assert diff(placed.pod, place(placed.pod, PLAN, installation).pod) == []

    spec = spec_of(placed)
    index = [each["name"] for each in spec["containers"]].index("virt-v2v")
    main, own = spec["containers"][index], before["spec"]["containers"][index]
    assert spec == before["spec"] | {
        "securityContext": before["spec"]["securityContext"]
        | {"seccompProfile": LOCALHOST, "appArmorProfile": LOCALHOST},
        "runtimeClassName": "kata",
        "volumes": [*before["spec"]["volumes"], VOLUME],
        "containers": spec["containers"],
    }
    assert [each for each in spec["containers"] if each is not main] == [
        each for each in before["spec"]["containers"] if each is not own
    ]
    assert main == own | {
        "env": [
            *own["env"],
            {"name": "LIBGUESTFS_MEMSIZE", "value": "4096"},
            {"name": "TMPDIR", "value": "/var/tmp/virt-v2v"},
        ],
        "volumeMounts": [*own["volumeMounts"], MOUNT],
    }


def test_pods_of_every_release_are_tested() -> None:
    assert {path.stem.split("-")[0] for path in PODS} == {"v2.9", "v2.10", "v2.12", "forklift"}
    assert len(PODS) > 10
