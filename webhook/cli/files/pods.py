"""Migration pods from a file, for commands that need no cluster."""

from collections.abc import Iterator
from typing import Any

import msgspec

from webhook.cli.errors import UserError
from webhook.cli.options.files import read_text
from webhook.forklift.roles import recognize
from webhook.kube.manifests import DocumentError, parse_documents
from webhook.kube.messages import describe_validation_error
from webhook.kube.objects import Json, has_ended, metadata_of, namespace_of


def read_pods(filename: str) -> list[Json]:
    """Return the migration pods of a file that have not ended; `-` is standard input.

    They are selected as `inventory.pods` selects those of a cluster; lists are expanded.

    Raises:
        UserError: the file has other objects, or a pod that no API server would accept.

    """
    text = read_text(filename)
    try:
        documents = parse_documents(text, is_json=text.lstrip()[:1] == "{")
        pods = [pod for line, found in documents for pod in _pods(found, f"line {line}")]
    except (DocumentError, _NotAPodError) as error:
        raise UserError(f"'{filename}': {error}") from None
    except RecursionError:
        raise UserError(f"'{filename}': it is nested too deeply") from None
    return [pod for pod in pods if _is_of_migration(pod) and not has_ended(pod)]


class _NotAPodError(ValueError):
    """Something that is not a Pod; the message begins with the place in the file."""


def _pods(found: Any, where: str) -> Iterator[Json]:
    if found is None:
        return
    kind = found.get("kind", "Pod") if isinstance(found, dict) else None
    if kind in ("List", "PodList"):
        items = found.get("items")
        if not isinstance(items, list | None):
            raise _NotAPodError(f"{where}: expected a list of items in the {kind}")
        for number, item in enumerate(items or (), 1):
            yield from _pods(item, f"{where} item {number}")
    elif kind == "Pod":
        try:
            msgspec.convert(found, _Pod)
        except msgspec.ValidationError as error:
            raise _NotAPodError(f"{where}: {describe_validation_error(error, 'Pod')}") from None
        yield found
    else:
        what = f"'{kind}'" if isinstance(kind, str) else "something else"
        raise _NotAPodError(f"{where}: expected pods, found {what}")


def _is_of_migration(pod: Json) -> bool:
    return recognize(metadata_of(pod), namespace_of(pod)) is not None


class _Metadata(msgspec.Struct):
    """The fields that the report reads, with the types that the API server ensures."""

    name: str | None = None
    namespace: str | None = None
    uid: str | None = None
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    created: str | None = msgspec.field(name="creationTimestamp", default=None)


class _Spec(msgspec.Struct):
    node: str | None = msgspec.field(name="nodeName", default=None)


class _Status(msgspec.Struct):
    phase: str | None = None


class _Pod(msgspec.Struct):
    metadata: _Metadata
    spec: _Spec | None = None
    status: _Status | None = None
