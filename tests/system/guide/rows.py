"""The guide's commands as data: their settings, and a small cluster that shows the effect."""

import functools
import json
import shlex
from enum import StrEnum
from itertools import pairwise
from pathlib import Path

import msgspec

from tests.support import yaml_files
from tests.support.paths import DATA
from tests.system.controlplane.api import Json
from webhook.forklift.labels import SYSTEM_LABELS

HERE = Path(__file__).parent
PREFIX = "convertor.forklift.konveyor.io"
PLAN_NAMESPACE = "konveyor-forklift"

FLAGS = {
    "--convertor-labels": "labels",
    "--convertor-node-selector": "node-selector",
    "--convertor-affinity": "affinity",
    "--convertor-tolerations": "tolerations",
}
"""The convertor flags, and the annotation of each."""


class Form(StrEnum):
    """The place of the settings in a Plan."""

    ANNOTATIONS = "annotations"
    """As text, on every release."""
    SPEC = "spec"
    """As `kubectl mtv` writes them: compiled, without namespaces; from 2.10 on."""
    BOTH = "both"


class Node(msgspec.Struct, forbid_unknown_fields=True):
    zone: str = "a"
    cpu: int = 16
    labels: dict[str, str] = {}
    taints: list[str] = []
    """`key=value:Effect` or `key:Effect`."""
    runs_vms: bool = True
    """It is schedulable for KubeVirt, and has KVM."""


class Neighbour(msgspec.Struct, forbid_unknown_fields=True):
    """A pod that already runs on a node."""

    namespace: str
    labels: dict[str, str]
    node: str
    cpu: int = 0
    """Its request, by which the scheduler scores its node lower."""


class Landing(msgspec.Struct, forbid_unknown_fields=True):
    """The expected outcome for convertor pods; one field is set."""

    lands: list[str] = []
    zones: list[int] = []
    pending: str = ""
    refused: str = ""


class Row(msgspec.Struct, forbid_unknown_fields=True):
    """One command; rows.yaml describes the fields."""

    id: str
    command: str
    nodes: dict[str, Node]
    dropped: Landing
    copied: Landing
    pods: list[Neighbour] = []
    vms: int = 1
    lands: list[str] = []
    zones: list[int] = []

    @property
    def placed(self) -> Landing:
        """The expected outcome with the webhook."""
        return Landing(lands=self.lands, zones=self.zones)

    @property
    def settings(self) -> dict[str, str]:
        """The texts of the command's convertor flags, by the annotation of each."""
        words = shlex.split(self.command)
        return {FLAGS[flag]: text for flag, text in pairwise(words) if flag in FLAGS}

    @property
    def all_labels(self) -> dict[str, str]:
        return _map(self.settings.get("labels", ""))

    @property
    def labels(self) -> dict[str, str]:
        """The labels of the command that are not system labels, so that its pods get them."""
        return {k: v for k, v in self.all_labels.items() if k not in SYSTEM_LABELS}

    @property
    def plan_name(self) -> str:
        """The name in the command, or the row's ID if that is a placeholder."""
        words = shlex.split(self.command)
        name = words[words.index("plan") + 1]
        return self.id if name.startswith("<") else name

    @property
    def forms(self) -> list[Form]:
        """The places that can have all settings: some have no field in the spec."""
        fields = {"labels", "node-selector"}
        if self.settings.get("affinity") in compiled():
            fields.add("affinity")
        whole = self.settings.keys() <= fields
        return [Form.SPEC, Form.ANNOTATIONS] if whole else [Form.ANNOTATIONS]

    def plan(self, form: Form, target_namespace: str) -> Json:
        """Return the Plan as a client sends it to the API server."""
        body: Json = json.loads((DATA / "plan-v2.12.json").read_text(encoding="utf-8"))
        spec = {
            key: value for key, value in body["spec"].items() if not key.startswith("convertor")
        }
        metadata: Json = {"name": self.plan_name, "namespace": PLAN_NAMESPACE}
        if form is not Form.SPEC:
            metadata["annotations"] = {
                f"{PREFIX}/{key}": text for key, text in self.settings.items()
            }
        if form is not Form.ANNOTATIONS:
            spec |= self._in_spec()
        spec["targetNamespace"] = target_namespace
        return body | {"metadata": metadata, "spec": spec}

    def _in_spec(self) -> Json:
        """Return the fields of the Plan's spec that have the flags' settings."""
        fields: Json = {
            "convertorLabels": self.all_labels,
            "convertorNodeSelector": _map(self.settings.get("node-selector", "")),
            "convertorAffinity": compiled().get(self.settings.get("affinity", "")),
        }
        return {field: value for field, value in fields.items() if value}


@functools.cache
def compiled() -> dict[str, Json]:
    """Return karl-interpreter's affinities for the rules of public documents, by rule."""
    text = (DATA / "karl-reference-vectors.json").read_text(encoding="utf-8")
    return {each["rule"]: each["affinity"] for each in json.loads(text) if "affinity" in each}


def _map(text: str) -> dict[str, str]:
    """Read `k=v,k2=v2`."""
    return dict(pair.split("=", 1) for pair in text.split(",") if pair)


def _read(name: str) -> list[Row]:
    return msgspec.convert(yaml_files.load(HERE / name), list[Row])


GUIDE = _read("rows.yaml")
BEYOND = _read("beyond.yaml")
ROWS = {row.id: row for row in GUIDE + BEYOND}
