"""The examples of the README are real."""

import asyncio
import base64
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.paths import ROOT
from webhook import settings
from webhook.admission import review
from webhook.admission.mutate import decide, identify
from webhook.inventory import NO_PVCS
from webhook.inventory.directory_plans import DirectoryPlans
from webhook.model import ClusterState, Installation, MigrationPod

README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def test_the_patch_is_the_response_to_the_example_review() -> None:
    plans = DirectoryPlans(ROOT / "examples/plans", Installation())
    request = review.decode((ROOT / "examples/review.json").read_bytes())
    pod = identify(request, Installation(), NO_PVCS.find_disk)
    assert isinstance(pod, MigrationPod)
    assert pod.ref
    plan = asyncio.run(plans.fetch(pod.ref, 10))
    decision = decide(request, pod, plan, Installation(), ClusterState(plans.node_values))
    response = json.loads(review.encode(request.uid, decision))["response"]
    [patch] = blocks("json")
    assert json.loads(patch) == json.loads(base64.b64decode(response["patch"]))


def test_the_example_plan_has_no_problems() -> None:
    [example] = blocks("yaml")
    plan: dict[str, Any] = yaml.safe_load(example)
    read = settings.read(plan, Installation()).settings
    assert read.problems == []
    assert read.affinity
    assert read.node_requirements
    assert read.tolerations
    assert read.labels


@pytest.mark.parametrize("block", [block for block in blocks("console") if "karl" in block])
def test_a_command_prints_the_output_of_the_readme(block: str) -> None:
    command, _, output = block.removeprefix("$ .venv/bin/").partition("\n")
    program, *arguments = shlex.split(command)
    run = subprocess.run(
        [str(Path(sys.executable).with_name(program)), *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.stdout + run.stderr).strip() == output.strip()


@pytest.mark.parametrize(
    "page",
    [
        "README.md",
        "CONTRIBUTING.md",
        *sorted(str(page.relative_to(ROOT)) for page in (ROOT / "docs").glob("*.md")),
    ],
)
def test_every_link_leads_to_a_file(page: str) -> None:
    text = re.sub(r"```.*?```", "", (ROOT / page).read_text(), flags=re.DOTALL)
    targets = re.findall(r"\]\((?!https?:|#)([^)#]+)", text)
    missing = [target for target in targets if not (ROOT / page).parent.joinpath(target).exists()]
    assert missing == []
