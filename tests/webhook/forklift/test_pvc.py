import msgspec
import pytest

from tests.support import pvcs
from webhook.forklift.pvc import PvcObject, find_populated_uid
from webhook.kube.objects import Json
from webhook.model import PlanRef, Pvc

PLAN_UID = "b277064e-c8ce-430a-99ee-75a0a2a7d0ea"


def read(pvc: Json) -> Pvc:
    return msgspec.convert(pvc, PvcObject).to_pvc()


@pytest.mark.parametrize(
    ("file", "ref"),
    [
        ("forklift-2.10-vsphere-warm", PlanRef(PLAN_UID)),
        (
            "forklift-2.12-vsphere-warm",
            PlanRef(PLAN_UID, "konveyor-forklift", "high-io-migration"),
        ),
        (
            "forklift-main-vsphere-warm",
            PlanRef(PLAN_UID, "konveyor-forklift", "high-io-migration"),
        ),
    ],
)
def test_the_pvc_of_a_disk_leads_to_its_plan_and_its_vm(file: str, ref: PlanRef) -> None:
    found = read(pvcs.printed(file))
    assert found == Pvc(
        namespace="target",
        name=found.name,
        uid=pvcs.OWNER_UID,
        created="2026-08-01T09:00:00Z",
        ref=ref,
        migration="7f0bbdc5-3a48-4a3a-8a3c-0e5c8e8f8f11",
        vm="vm-1630",
        storage_class="local-nvme",
    )


@pytest.mark.parametrize(
    ("file", "populated"),
    [
        ("cdi-1.62-prime-reconstructed", pvcs.OWNER_UID),
        ("cdi-1.63-prime-reconstructed", pvcs.OWNER_UID),
        ("cdi-1.66-prime-reconstructed", pvcs.OWNER_UID),
        ("forklift-2.10-prime-ovirt-wffc", "5d9a6c1e-2b3f-4c7d-9e10-a1b2c3d4e5f6"),
        ("forklift-2.12-prime-ovirt-wffc", "5d9a6c1e-2b3f-4c7d-9e10-a1b2c3d4e5f6"),
        ("forklift-main-prime-ovirt-wffc", "5d9a6c1e-2b3f-4c7d-9e10-a1b2c3d4e5f6"),
    ],
)
def test_a_prime_pvc_is_not_a_disk_even_with_the_labels_of_one(file: str, populated: str) -> None:
    pvc = read(pvcs.printed(file))
    assert pvc.ref is None
    assert find_populated_uid(pvc.name) == populated


def test_an_import_without_forklift_is_not_a_disk() -> None:
    assert read(pvcs.printed("no-forklift-http-reconstructed")).ref is None


@pytest.mark.parametrize(
    ("labels", "ref"),
    [
        ({"plan": "uid"}, PlanRef("uid")),
        ({"plan-name": "db", "plan-namespace": "forklift"}, PlanRef("", "forklift", "db")),
        ({"plan-name": "db"}, None),
        ({"plan-namespace": "forklift"}, None),
        ({"forklift.app/plan": "db"}, None),
        ({"plan": ""}, None),
        ({}, None),
        (None, None),
    ],
)
def test_labels_name_a_plan_by_uid_or_by_name_and_namespace(
    labels: Json | None, ref: PlanRef | None
) -> None:
    assert read(pvcs.pvc(metadata={"labels": labels})).ref == ref


def test_a_pvc_is_bound_by_its_annotation() -> None:
    pvc = pvcs.pvc(volume="pv-1")
    assert (read(pvc).bound, read(pvc).volume) == (True, "pv-1")
    del pvc["metadata"]["annotations"]
    assert (read(pvc).bound, read(pvc).volume) == (False, "")


def test_a_pvc_with_the_least_fields_is_read() -> None:
    assert read({"metadata": {"name": "db"}}) == Pvc("", "db", "")


def test_a_pvc_with_a_time_of_deletion_is_being_deleted() -> None:
    assert read(pvcs.pvc(deleting=True)).deleting


@pytest.mark.parametrize(
    "name",
    [
        "prime-db",
        "prime-",
        f"prime-{pvcs.OWNER_UID}-2",
        f"my-prime-{pvcs.OWNER_UID}",
        f"prime-{pvcs.OWNER_UID.replace('-', '')}",
        pvcs.OWNER_UID,
    ],
)
def test_a_name_that_only_resembles_a_prime_pvc_is_a_disk(name: str) -> None:
    assert find_populated_uid(name) == ""
    assert read(pvcs.pvc(name)).ref == PlanRef("uid-db")
