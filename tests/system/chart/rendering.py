"""Renders the chart with Helm; equal renderings are cached."""

import functools
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tests.support.paths import ROOT
from tests.system.controlplane import wheels

Json = dict[str, Any]

CHART = ROOT / "charts" / "convertor-webhook"
RELEASE, NAMESPACE = "convertor-webhook", "migration"
OLDEST, NEWEST = "1.25", "1.37"
"""Kubernetes releases that the chart is rendered for."""


class ChartError(Exception):
    """Helm failed; the text is its error."""


def helm(*arguments: str, major: int = 4, stdin: str = "") -> str:
    """Run Helm, without a cluster, and return its output."""
    done = subprocess.run(
        [wheels.helm(major), *arguments], input=stdin, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise ChartError(done.stderr)
    return done.stdout


def text(
    values: Json | None = None,
    *,
    major: int = 4,
    kubernetes: str = NEWEST,
    release: str = RELEASE,
    namespace: str = NAMESPACE,
    notes: bool = False,
) -> str:
    """Return the manifests as YAML, or the whole output of an install with its notes."""
    return _text(
        json.dumps(values or {}),
        major=major,
        kubernetes=kubernetes,
        release=release,
        namespace=namespace,
        notes=notes,
    )


@functools.cache
def _text(
    values: str, *, major: int, kubernetes: str, release: str, namespace: str, notes: bool
) -> str:
    dry_run = ["install", "--dry-run=client"] if notes else ["template"]
    return helm(
        *dry_run,
        release,
        str(CHART),
        *("--namespace", namespace, "--values", "-"),
        *([] if notes else ["--kube-version", kubernetes]),
        major=major,
        stdin=values,
    )


def as_dependency(
    alias: str, folder: Path, values: Json, *, major: int = 4, release: str = RELEASE
) -> list[Json]:
    """Return the objects of the chart as a dependency with an alias of a chart in `folder`."""
    dependency = {"name": "convertor-webhook", "version": "0.1.0", "alias": alias}
    parent = {"apiVersion": "v2", "name": "parent", "version": "1.0.0"}
    (folder / "Chart.yaml").write_text(json.dumps(parent | {"dependencies": [dependency]}))
    shutil.copytree(CHART, folder / "charts" / "convertor-webhook")
    given = json.dumps({alias: values})
    options = ("--namespace", NAMESPACE, "--kube-version", NEWEST, "--values", "-")
    rendered = helm("template", release, str(folder), *options, major=major, stdin=given)
    return [found for found in yaml.safe_load_all(rendered) if found]


def merge(base: Json, over: Json) -> Json:
    """Merge nested values as Helm does; `over` has precedence."""
    both = {
        key: merge(base[key], over[key])
        for key in base.keys() & over.keys()
        if isinstance(base[key], dict) and isinstance(over[key], dict)
    }
    return base | over | both


def objects(values: Json | None = None, **options: Any) -> list[Json]:
    """Return the rendered objects; `options` are those of `text`."""
    return [found for found in yaml.safe_load_all(text(values, **options)) if found]


def one(kind: str, values: Json | None = None, *, name: str = "", **options: Any) -> Json:
    """Return the object of a kind; by its name if there are several."""
    (found,) = (
        each
        for each in objects(values, **options)
        if each["kind"] == kind and name in ("", each["metadata"]["name"])
    )
    return found


def mutating(values: Json | None = None, pods: str = "pods", **options: Any) -> Json:
    """Return the webhook for pods that Forklift creates, for `importers` or for `populators`."""
    (found,) = (
        each
        for each in one("MutatingWebhookConfiguration", values, **options)["webhooks"]
        if each["name"] == f"{pods}.convertor.forklift.konveyor.io"
    )
    assert isinstance(found, dict)
    return found


def pod_specs(rendered: list[Json]) -> Iterator[Json]:
    """Yield the spec of every pod of the chart, including the test pod."""
    for each in rendered:
        if each["kind"] == "Pod":
            yield each["spec"]
        elif "template" in each.get("spec", {}):
            yield each["spec"]["template"]["spec"]


def container(values: Json | None = None, **options: Any) -> Json:
    """Return the server's container."""
    (found,) = one("Deployment", values, **options)["spec"]["template"]["spec"]["containers"]
    assert isinstance(found, dict)
    return found
