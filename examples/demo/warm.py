"""The pods of a warm migration of a VM with two disks, from the first consumer to the convertor."""

import json
import shutil
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import yaml
from rich.console import Console
from rich.text import Text

from examples.demo.page import Json, show_pod, show_settings
from examples.demo.server import HERE, Server, serve

ZONE = "topology.kubernetes.io/zone"
CHANGE_SECONDS = 10
"""The time in which the server certainly applies a change of a file; usually it takes one."""
FOLDER = HERE / "warm"


class Disk(NamedTuple):
    """A disk of the VM, by the name and the UID of its PVC."""

    name: str
    uid: str
    age: int
    """Of the PVC, in seconds."""


FIRST = Disk("high-io-migration-vm-1630-p5tzr", "77777777-7777-4777-8777-777777777777", 10)
SECOND = Disk("high-io-migration-vm-1630-k7w2d", "99999999-9999-4999-8999-999999999999", 9)


def show(console: Console) -> list[bool]:
    """Print the pods; return for each but the refused one if it was placed."""
    with tempfile.TemporaryDirectory() as temporary:
        plans, state = Path(temporary, "plans"), Path(temporary, "state")
        shutil.copytree(FOLDER, plans, ignore=shutil.ignore_patterns("*.json"))
        state.mkdir()
        for disk in (FIRST, SECOND):
            _write_pvc(plans, disk)
        plan = next(yaml.safe_load_all((plans / "plan.yaml").read_text()))
        console.rule("[bold]a warm migration of a VM with two disks[/], plan high-io-migration")
        show_settings(console, plan)
        console.print()
        with serve(plans, state) as server:
            return _migrate(console, plans, server)


def _migrate(console: Console, plans: Path, server: Server) -> list[bool]:
    placed = []

    def review(title: str, story: str, pod: Json) -> None:
        console.rule(f"[bold]{title}[/]")
        console.print(Text(story), "\n")
        placed.append(show_pod(console, pod, server.review(pod)))

    review(
        "first importer of the first disk",
        "CDI 1.62 gives its pod no label of the plan, so its PVC leads there. The PVC is not bound "
        "yet: this pod decides in which zone the volume is, and gets the required rules.",
        _importer(FIRST),
    )
    console.rule("[bold]first importer of the second disk[/]")
    console.print(Text("It has to wait for the first disk; CDI creates it again.\n"))
    if show_pod(console, _importer(SECOND), server.review(_importer(SECOND))):
        placed.append(False)
    _write_pvc(plans, FIRST, zone="b")
    _await_change(server)
    review(
        "the same importer, created again",
        "The first disk is bound in zone b by now. The second one has to be there too, and the "
        "rules are preferences.",
        _importer(SECOND),
    )
    review(
        "importer of the second precopy",
        "Its volume has a place. If it were pending, the cutover would wait, so the rules are "
        "preferences.",
        _importer(FIRST, checkpoint="snapshot-78"),
    )
    review(
        "convertor pod, after the cutover",
        "It converts the disks in place, and the VM is off meanwhile.",
        json.loads((FOLDER / "convertor.json").read_text()),
    )
    return placed


def _await_change(server: Server) -> None:
    """Wait until the server has read the changed file."""
    until = time.monotonic() + CHANGE_SECONDS
    while not server.review(_importer(SECOND))["allowed"] and time.monotonic() < until:
        time.sleep(0.1)


def _importer(disk: Disk, checkpoint: str = "snapshot-77") -> Json:
    """Return the importer of a disk as CDI 1.62 creates it."""
    text = (FOLDER / "importer.json").read_text().replace("snapshot-77", checkpoint)
    pod: Json = json.loads(text.replace(FIRST.name, disk.name).replace(FIRST.uid, disk.uid))
    return pod


def _write_pvc(folder: Path, disk: Disk, zone: str = "") -> None:
    """Write the PVC of a disk, bound to a volume if a zone is given, as a provisioner binds it."""
    created = datetime.now(UTC) - timedelta(seconds=disk.age)
    labels = json.loads((FOLDER / "convertor.json").read_text())["metadata"]["labels"]
    of_plan = ("plan", "plan-name", "plan-namespace", "migration", "vmID")
    pvc: Json = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {
            "name": disk.name,
            "namespace": "target",
            "uid": disk.uid,
            "creationTimestamp": created.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "labels": {label: labels[label] for label in of_plan},
        },
        "spec": {"storageClassName": "local-nvme"},
    }
    documents = [pvc]
    if zone:
        volume = f"pvc-{disk.uid}"
        pvc["metadata"]["annotations"] = {"pv.kubernetes.io/bind-completed": "yes"}
        pvc["spec"]["volumeName"] = volume
        expression = {"key": ZONE, "operator": "In", "values": [zone]}
        terms = [{"matchExpressions": [expression]}]
        documents.append(
            {
                "apiVersion": "v1",
                "kind": "PersistentVolume",
                "metadata": {"name": volume},
                "spec": {"nodeAffinity": {"required": {"nodeSelectorTerms": terms}}},
            }
        )
    written = folder / "writing"
    written.write_text(yaml.safe_dump_all(documents))
    written.rename(folder / f"{disk.name}.yaml")
