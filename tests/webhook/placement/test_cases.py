"""What comes out for the pods of every generation of Forklift, as files.

`cases/CASE/plan.yaml` is a plan. Beside it is, for each pod of it in `tests/data/pods`, what
a review of the pod decides, and what is then in the fields that a placement touches.
"""

import base64
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

import jsonpatch
import pytest

from tests.support import documents
from tests.support.paths import DATA
from webhook.admission.mutate import decide, screen
from webhook.admission.patch import PATCHED_FIELDS
from webhook.admission.review import decode, encode
from webhook.forklift.owner import plan_ref
from webhook.inventory.index import PlanIndex
from webhook.kube.objects import Json
from webhook.model import (
    Decision,
    Installation,
    Reason,
    Request,
)
from webhook.settings import read

CASE_FILES = Path(__file__).parent / "cases"
NODE_VALUES = {"memory": ["32Gi", "64Gi", "128Gi"]}
INSTALLATION = Installation()


@cache
def plan_of(case: Path) -> Json:
    found: Json = documents.load(case / "plan.yaml")
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


def decided(request: Request, plan_object: Json) -> Decision:
    index = PlanIndex(INSTALLATION)
    index.put(plan_object)
    ref = plan_ref(request)
    found = index.find(ref) if ref else Reason.NO_PLAN_REFERENCE
    return screen(request, INSTALLATION) or decide(request, ref, found, INSTALLATION, NODE_VALUES)


def reviewed(pod: Json, plan_object: Json) -> Json:
    """Take a pod the whole way, from the bytes of a review to the patched pod."""
    kind = {"group": "", "version": "v1", "kind": "Pod"}
    asked = {"uid": "1", "operation": "CREATE", "kind": kind, "namespace": "target", "object": pod}
    review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": asked}
    decision = decided(decode(json.dumps(review).encode()), plan_object)
    response = json.loads(encode("1", decision))["response"]
    patch = json.loads(base64.b64decode(response.get("patch", "")) or "[]")
    after = jsonpatch.apply_patch(pod, patch)
    return {
        "outcome": decision.outcome.value,
        "reason": decision.reason.value,
        "warnings": response.get("warnings", []),
        "pod": {
            parent: {field: after[parent][field] for field in fields if field in after[parent]}
            for parent, fields in PATCHED_FIELDS.items()
        },
    }


@pytest.mark.parametrize(("case", "pod"), CASES)
def test_a_pod_of_forklift_comes_out_as_expected(
    case: Path, pod: Path, golden: Callable[[Path, str], None]
) -> None:
    found = reviewed(pod_of(pod), plan_of(case))

    golden(case / f"{pod.stem}.yaml", documents.dump(found))


def test_the_plan_of_the_first_case_is_as_forklift_stores_it() -> None:
    stored = json.loads((DATA / "plan-v2.12.json").read_text(encoding="utf-8"))

    assert read(plan_of(CASE_FILES / "fields"), INSTALLATION) == read(stored, INSTALLATION)
