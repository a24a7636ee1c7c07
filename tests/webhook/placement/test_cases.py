"""Pods of every Forklift release, placed by the plans of `cases`.

`cases/CASE/plan.yaml` is a plan. Beside it, for each of its pods in `tests/data/pods`, is a file
with the expected outcome, reason and warnings, and the fields that a placement may change.
"""

import json
from functools import cache
from pathlib import Path

import pytest

from tests.support import yaml_files
from tests.support.golden import Golden
from tests.support.paths import DATA
from tests.support.reviews import review_pod
from webhook.admission.patch import PATCHED_FIELDS
from webhook.kube.objects import Json
from webhook.model import Installation
from webhook.settings import read

CASE_FILES = Path(__file__).parent / "cases"
SHOWN_FIELDS = {
    "metadata": PATCHED_FIELDS["metadata"],
    "spec": ("nodeSelector", "affinity", "tolerations"),
}
"""The others are of settings that no plan of `cases` has."""
NODE_VALUES = {"memory": ["32Gi", "64Gi", "128Gi"]}
INSTALLATION = Installation()


@cache
def plan_of(case: Path) -> Json:
    found: Json = yaml_files.load(case / "plan.yaml")
    return found


@cache
def pod_of(path: Path) -> Json:
    found: Json = json.loads(path.read_text(encoding="utf-8"))
    return found


CASES = [
    pytest.param(plan.parent, pod, id=f"{plan.parent.name}-{pod.stem}")
    for plan in sorted(CASE_FILES.glob("*/plan.yaml"))
    for pod in sorted(DATA.glob("pods/*.json"))
    if pod_of(pod)["metadata"]["labels"]["plan"] == plan_of(plan.parent)["metadata"]["uid"]
]


@pytest.mark.parametrize(("case", "pod"), CASES)
def test_a_pod_of_forklift_is_placed_as_expected(case: Path, pod: Path, golden: Golden) -> None:
    after, warnings, decision = review_pod(pod_of(pod), plan_of(case), NODE_VALUES)
    found = {
        "outcome": decision.outcome.value,
        "reason": decision.reason.value,
        "warnings": warnings,
        "pod": {
            parent: {field: after[parent][field] for field in fields if field in after[parent]}
            for parent, fields in SHOWN_FIELDS.items()
        },
    }

    golden(case / f"{pod.stem}.yaml", yaml_files.dump(found))


def test_the_plan_with_fields_has_the_settings_of_a_plan_that_forklift_stored() -> None:
    stored = json.loads((DATA / "plan-v2.12.json").read_text(encoding="utf-8"))

    assert read(plan_of(CASE_FILES / "fields"), INSTALLATION) == read(stored, INSTALLATION)
