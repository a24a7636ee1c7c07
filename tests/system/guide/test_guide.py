"""Reviews of the pods of the guide's commands; `tests/system/e2e` schedules such pods."""

import json
from pathlib import Path

import pytest

from tests.support import yaml_files
from tests.support.golden import Golden
from tests.support.paths import DATA
from tests.system.guide.forklift import Generation, convertor_pod
from tests.system.guide.reviews import review_row, stored_plan
from tests.system.guide.rows import GUIDE, ROWS, Form, Row
from webhook.forklift.labels import SYSTEM_LABELS


def cases(row: Row) -> list[tuple[Generation, Form]]:
    both = [Form.BOTH] if Form.SPEC in row.forms else []
    return [
        (generation, form)
        for generation in Generation
        for form in [*row.forms, *both]
        if form is Form.ANNOTATIONS or generation is not Generation.V2_9
    ]


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_a_pod_gets_the_settings_of_the_command(row: Row, golden: Golden) -> None:
    placements: dict[str, list[str]] = {}
    for generation, form in cases(row):
        after, warnings, _ = review_row(row, generation, stored_plan(row, form, generation))
        labels = after["metadata"]["labels"]
        placement = {
            "labels": {key: labels[key] for key in sorted(labels.keys() - SYSTEM_LABELS)},
            "nodeSelector": after["spec"]["nodeSelector"],
            "affinity": after["spec"].get("affinity"),
            "tolerations": after["spec"].get("tolerations"),
            "warnings": warnings,
        }
        found = {key: value for key, value in placement.items() if value}
        placements.setdefault(yaml_files.dump(found), []).append(f"{generation} {form}")
    text = "\n".join(
        f"# {', '.join(names)}\n{placement}" for placement, names in placements.items()
    )
    golden(Path(__file__).parent / "expected" / f"{row.id}.yaml", text)


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_a_pod_keeps_the_labels_by_which_forklift_finds_it(row: Row) -> None:
    for generation, form in cases(row):
        plan = stored_plan(row, form, generation)
        before = convertor_pod(generation, plan)["metadata"]["labels"]
        after = review_row(row, generation, plan).pod
        now = after["metadata"]["labels"]
        assert {key: now.get(key) for key in SYSTEM_LABELS} == {
            key: before.get(key) for key in SYSTEM_LABELS
        }


def test_the_guide_has_23_commands() -> None:
    assert len(GUIDE) == 23


@pytest.mark.parametrize("generation", [Generation.V2_10, Generation.V2_12])
def test_pods_equal_those_that_forklift_creates(generation: Generation) -> None:
    plan = json.loads((DATA / "plan-v2.12.json").read_text(encoding="utf-8"))
    made = convertor_pod(generation, plan)
    real = json.loads(
        (DATA / "pods" / f"v{generation}-vsphere-with-settings.json").read_text(encoding="utf-8")
    )
    assert made == {"apiVersion": "v1", "kind": "Pod", **real}
