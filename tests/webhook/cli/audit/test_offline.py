"""The audit uses the pods of a file that it would list in a cluster."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.builders import minimal_pod, plan
from tests.support.commands import Run
from webhook.kube.objects import Json

Audit = Callable[..., tuple[int, str, str]]


@pytest.fixture
def audit(run: Run, tmp_path: Path) -> Audit:
    """Audit one plan and a file of these documents; return the exit code, stdout and stderr."""

    def audit(*documents: Any, name: str = "pods.yaml") -> tuple[int, str, str]:
        (tmp_path / "plan.yaml").write_text(yaml.safe_dump(plan(labels="a=1")))
        path = tmp_path / name
        texts = [each if isinstance(each, str) else yaml.safe_dump(each) for each in documents]
        path.write_text("---\n".join(texts), encoding="utf-8")
        words = ("--plans", str(tmp_path / "plan.yaml"), "-f", str(path), "-o", "json")
        result = run("audit", *words)
        return result.exit_code, result.stdout, result.stderr.replace(str(path), name)

    return audit


def pod(name: str, labels: Any = None, **more: Any) -> Json:
    metadata: Json = {"name": name, "namespace": "vms"}
    if labels is not None:
        metadata["labels"] = labels
    return minimal_pod({"plan": "uid-db"}, metadata=metadata) | more


def audited_names(output: str) -> list[str]:
    report = json.loads(output)
    (of_plan,) = report["plans"]
    names = [each["name"] for each in of_plan["pods"]] if of_plan["hasPods"] else []
    return [*names, *(each["name"] for each in report["strays"])]


def test_only_convertor_pods_that_have_not_ended_are_audited(audit: Audit) -> None:
    ended = [pod(phase, status={"phase": phase}) for phase in ("Succeeded", "Failed")]
    alive = [pod(phase, status={"phase": phase}) for phase in ("Pending", "Running", "Unknown")]
    others = [pod("web", {"app": "web"}), pod("bare", {}), pod("other", {"forklift.app": "x"})]
    code, output, _ = audit({"kind": "List", "items": [*ended, *others, *alive, pod("new")]})
    assert code == 0
    assert audited_names(output) == ["vms/Pending", "vms/Running", "vms/Unknown", "vms/new"]


def test_null_is_the_same_as_absent(audit: Audit) -> None:
    nothing = pod("a", metadata={"labels": None, "annotations": None}, spec=None, status=None)
    own = {"forklift.app": "virt-v2v"}
    metadata = {"name": None, "namespace": None, "labels": own, "annotations": None}
    unnamed = {"metadata": metadata}
    code, output, _ = audit(nothing, {"kind": "PodList", "items": None}, unnamed, pod("b"), unnamed)
    assert (code, audited_names(output)) == (0, ["vms/b", "/", "/"])


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (pod("a", spec=5), "line 1: 'spec': expected a map, found a whole number"),
        (
            pod("a", metadata={"annotations": 3}),
            "line 1: 'metadata.annotations': expected a map, found a whole number",
        ),
        (
            pod("a", metadata={"annotations": {"a": 3}}),
            "line 1: 'metadata.annotations[...]': expected text, found a whole number",
        ),
        (pod("a", "b=c"), "line 1: 'metadata.labels': expected a map, found text"),
        (pod("a", metadata=[]), "line 1: 'metadata': expected a map, found a list"),
        (pod("a", status="Running"), "line 1: 'status': expected a map, found text"),
        (
            pod("a", spec={"nodeName": 1}),
            "line 1: 'spec.nodeName': expected text, found a whole number",
        ),
        ({"kind": "Pod"}, "line 1: 'metadata' is missing"),
        ({"kind": "List", "items": 5}, "line 1: expected a list of items in the List"),
        (
            {"kind": "List", "items": [pod("a"), pod("b", spec=5)]},
            "line 1 item 2: 'spec': expected a map, found a whole number",
        ),
        ({"kind": "List", "items": [7]}, "line 1 item 1: expected pods, found something else"),
        (
            "&a {kind: List, items: [*a]}\n",
            "line 1 column 1: the value contains itself through an alias",
        ),
    ],
)
def test_an_invalid_pod_is_reported_with_its_place(
    audit: Audit, document: Any, message: str
) -> None:
    assert audit(document) == (2, "", f"Error: 'pods.yaml': {message}\n")


@pytest.mark.parametrize(
    "spec",
    [
        {"nodeSelector": 5},
        {"nodeSelector": {"a": 5}},
        {"tolerations": 5},
        {"tolerations": [5]},
        {"affinity": 5},
        {"affinity": {"nodeAffinity": []}},
        {"affinity": {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": 5}}},
        {"containers": 5},
    ],
)
def test_a_pod_with_invalid_fields_is_audited(audit: Audit, spec: Json) -> None:
    code, output, error = audit(pod("a", spec=spec))
    assert (code, error, audited_names(output)) == (0, "", ["vms/a"])
