"""A plan, and times and labels by which its pods were placed, missed or changed back."""

from typing import Any

import msgspec

from tests.support.builders import CONVERTOR_LABELS, parsed_plan
from webhook.model import Plan

BEFORE, WRITTEN, AFTER, LATER = (f"2026-08-01T0{hour}:00:00Z" for hour in (6, 7, 8, 9))
"""Times before and after the settings of the plan were written."""
PLACED_LABELS = CONVERTOR_LABELS | {"app": "virt-v2v", "forklift.app/plan": "db", "batch": "1"}
UNREVIEWED = (
    "pod 'target/db-vm-1' was created without the placement of plan 'konveyor-forklift/db': the "
    "webhook was not called, or its review failed"
)


def enforced_plan(settings_modified: str = WRITTEN, **settings: Any) -> Plan:
    """Return a plan whose pods get the label `batch=1`, or other settings."""
    plan = parsed_plan(**({"labels": {"batch": "1"}} | settings))
    return msgspec.structs.replace(plan, settings_modified=settings_modified)
