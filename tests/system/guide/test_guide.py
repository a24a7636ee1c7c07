"""The guide's commands, pod by pod; `tests/system/e2e` schedules the pods."""

import base64
import json
from collections.abc import Callable
from pathlib import Path

import jsonpatch
import pytest

from tests.support import documents
from tests.support.paths import DATA
from tests.system.controlplane.api import Json
from tests.system.guide.forklift import Generation, convertor_pod
from tests.system.guide.rows import GUIDE, ROWS, Form, Row
from webhook.admission.mutate import decide
from webhook.admission.review import decode, encode
from webhook.forklift.labels import SYSTEM_LABELS
from webhook.forklift.owner import plan_ref
from webhook.inventory.index import PlanIndex
from webhook.model import Installation

UID = "b277064e-c8ce-430a-99ee-75a0a2a7d0ea"


def reviewed(row: Row, generation: Generation, plan_object: Json) -> tuple[Json, list[str]]:
    """Take a convertor pod through a review; return what comes out, and the warnings."""
    pod = convertor_pod(generation, plan_object)
    kind = {"group": "", "version": "v1", "kind": "Pod"}
    asked = {"uid": "1", "operation": "CREATE", "kind": kind, "namespace": "vms", "object": pod}
    review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": asked}
    installation = Installation()
    index = PlanIndex(installation)
    index.put(plan_object)
    request = decode(json.dumps(review).encode())
    ref = plan_ref(request)
    assert ref is not None
    values: dict[str, set[str]] = {}
    for node in row.nodes.values():
        for key, value in node.labels.items():
            values.setdefault(key, set()).add(value)
    decision = decide(request, ref, index.find(ref), installation, values)
    response = json.loads(encode("1", decision))["response"]
    patch = json.loads(base64.b64decode(response.get("patch", "W10=")))
    return jsonpatch.apply_patch(pod, patch), response.get("warnings", [])


def plan_of(row: Row, form: Form, generation: Generation) -> Json:
    """Return the row's Plan as the API server of a generation keeps it."""
    body = row.plan(form, "vms")
    body["metadata"] |= {"uid": UID, "generation": 1}
    if generation is Generation.V2_9:
        body["spec"] = {k: v for k, v in body["spec"].items() if not k.startswith("convertor")}
    return body


def cases(row: Row) -> list[tuple[Generation, Form]]:
    both = [Form.BOTH] if Form.SPEC in row.forms else []
    return [
        (generation, form)
        for generation in Generation
        for form in [*row.forms, *both]
        if form is Form.ANNOTATIONS or generation is not Generation.V2_9
    ]


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_a_pod_comes_out_as_the_command_asks(row: Row, golden: Callable[[Path, str], None]) -> None:
    placements: dict[str, list[str]] = {}
    for generation, form in cases(row):
        after, warnings = reviewed(row, generation, plan_of(row, form, generation))
        labels = after["metadata"]["labels"]
        placement = {
            "labels": {key: labels[key] for key in sorted(labels.keys() - SYSTEM_LABELS)},
            "nodeSelector": after["spec"]["nodeSelector"],
            "affinity": after["spec"].get("affinity"),
            "tolerations": after["spec"].get("tolerations"),
            "warnings": warnings,
        }
        said = {key: value for key, value in placement.items() if value}
        placements.setdefault(documents.dump(said), []).append(f"{generation} {form}")
    text = "\n".join(
        f"# {', '.join(names)}\n{placement}" for placement, names in placements.items()
    )
    golden(Path(__file__).parent / "expected" / f"{row.id}.yaml", text)


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_a_pod_keeps_the_labels_by_which_forklift_finds_it(row: Row) -> None:
    for generation, form in cases(row):
        plan = plan_of(row, form, generation)
        before = convertor_pod(generation, plan)["metadata"]["labels"]
        after, _ = reviewed(row, generation, plan)
        now = after["metadata"]["labels"]
        assert {key: now.get(key) for key in SYSTEM_LABELS} == {
            key: before.get(key) for key in SYSTEM_LABELS
        }


def test_the_guide_has_23_commands() -> None:
    assert len(GUIDE) == 23


@pytest.mark.parametrize("generation", [Generation.V2_10, Generation.V2_12])
def test_pods_are_made_as_forklift_makes_them(generation: Generation) -> None:
    plan = json.loads((DATA / "plan-v2.12.json").read_text(encoding="utf-8"))
    made = convertor_pod(generation, plan)
    real = json.loads(
        (DATA / "pods" / f"v{generation}-vsphere-with-settings.json").read_text(encoding="utf-8")
    )
    assert made == {"apiVersion": "v1", "kind": "Pod", **real}
