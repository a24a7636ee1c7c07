"""Plans, nodes and reviews from files, for commands that need no cluster."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from webhook.admission.review import API_VERSION, KIND, BadReview, decode
from webhook.cli.errors import UserError
from webhook.cli.options.files import read_text
from webhook.cli.output import notify
from webhook.inventory import PlansStatus, plan_files
from webhook.inventory.directory_plans import find_files
from webhook.inventory.directory_pvcs import DirectoryPvcs
from webhook.inventory.plan_files import Contents, FileError
from webhook.kube.manifests import DocumentError, parse_documents
from webhook.kube.messages import describe_os_error
from webhook.kube.objects import Json, nested_map
from webhook.model import Request

UID = "kubectl-convertor"
"""The UID of a review that is made for a pod."""
_DISK_KINDS = ("PersistentVolumeClaim", "PersistentVolume", "StorageClass")


def read_contents(path: Path) -> Contents:
    """Return the objects of a file, or of all files of a directory that the server would read.

    Files of a directory that cannot be read are skipped with a warning.

    Raises:
        UserError: the one file cannot be read.

    """
    try:
        if not path.is_dir():
            return plan_files.read_file(path)
        paths = sorted(find_files(path))
    except FileError as error:
        raise UserError(f"'{path}': {error}") from None
    except OSError as error:
        raise UserError(f"'{error.filename}': {describe_os_error(error)}") from None
    found = Contents()
    for each in paths:
        try:
            contents = plan_files.read_file(each)
        except FileError as error:
            notify(f"Warning: '{each}': {error}")
            continue
        found.add(contents)
    return found


def index_disks(contents: Contents) -> DirectoryPvcs:
    """Return the disks of the PVCs of files, with their volumes and classes."""
    disks = DirectoryPvcs(lambda: PlansStatus(synced=True, age_seconds=0.0, count=0, invalid=0))
    disks.replace_all(contents.pvcs, contents.volumes, contents.storage_classes)
    return disks


def read_review(filename: str) -> tuple[Request, Contents]:
    """Return the review of a file, or a review of its pod, and the PVCs, volumes and classes in it.

    `-` is standard input. The reviewed object is the whole one, which the server does not decode.

    Raises:
        UserError: it contains neither.

    """
    text = read_text(filename)
    try:
        parsed = parse_documents(text, is_json=text.lstrip()[:1] == "{")
        documents = [each for line, found in parsed for each in _expand_list(line, found)]
        disks = plan_files.read_objects(each for each in documents if _is_of_disk(each[1]))
    except (DocumentError, FileError) as error:
        raise UserError(f"'{filename}': {error}") from None
    found = [each for _, each in documents if each is not None and not _is_of_disk(each)]
    if len(found) != 1 or not isinstance(found[0], dict):
        what = f"{len(found)} documents" if len(found) != 1 else "something else"
        raise UserError(f"'{filename}': expected one pod or one {KIND}, found {what}")
    review = _review(found[0], filename)
    try:
        request = decode(json.dumps(review).encode())
    except BadReview as error:
        raise UserError(f"'{filename}': {error.message}") from None
    whole = nested_map(review, "request", "object")
    return msgspec.structs.replace(request, object=whole), disks


def _expand_list(line: int, document: Any) -> Iterator[tuple[int, Any]]:
    """Yield the items of a list as `kubectl get` prints it, else the document."""
    is_list = isinstance(document, dict) and document.get("kind") == "List"
    items = document.get("items") if is_list else None
    for each in items if isinstance(items, list) else [document]:
        yield line, each


def _is_of_disk(document: Any) -> bool:
    return isinstance(document, dict) and document.get("kind") in _DISK_KINDS


def _review(found: Json, filename: str) -> Json:
    kind = found.get("kind", "Pod")  # Forklift's own builder prints pods without it
    if kind == KIND:
        return found
    if kind != "Pod":
        raise UserError(f"'{filename}': expected a Pod or an {KIND}, found '{kind}'")
    request = {
        "uid": UID,
        "kind": {"group": "", "version": "v1", "kind": "Pod"},
        "operation": "CREATE",
        "namespace": nested_map(found, "metadata").get("namespace") or "",
        "object": found,
    }
    return {"apiVersion": API_VERSION, "kind": KIND, "request": request}
