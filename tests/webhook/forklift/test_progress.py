"""The end of a VM's migration in the status of its Plan."""

import json

import pytest

from webhook.forklift.progress import decode_progress
from webhook.kube.objects import Json


def status(*history: str, **completed: str | None) -> Json:
    """Return a Plan with its migrations, and the VMs of the last one by the time of their end."""
    vms = [{"id": name.replace("_", "-"), "completed": at} for name, at in completed.items()]
    snapshots = [{"migration": {"uid": uid}} for uid in history]
    return {"status": {"migration": {"history": snapshots, "vms": vms}}}


@pytest.mark.parametrize(
    ("plan", "has_ended"),
    [
        ({}, False),
        ({"status": {}}, False),
        (status(), False),
        (status("m-1", vm_1=None), False),
        (status("m-1", vm_1="2026-08-01T09:00:00Z"), True),
        (status("m-1", vm_2="2026-08-01T09:00:00Z"), False),
        (status("m-1", "m-2", vm_1=None), True),
        (status("m-0", vm_1="2026-08-01T09:00:00Z"), False),
    ],
    ids=[
        "no status",
        "no migration",
        "no history",
        "running",
        "completed",
        "another VM completed",
        "a later migration",
        "not in the history yet",
    ],
)
def test_a_migration_has_ended_if_the_vm_is_completed_or_another_migration_follows(
    plan: Json,
    has_ended: bool,
) -> None:
    assert decode_progress(json.dumps(plan)).has_ended("m-1", "vm-1") is has_ended
