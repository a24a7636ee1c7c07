"""The collection of a resource as an API server sends it: pages of a list, events of a watch."""

from collections.abc import Iterator, Mapping
from typing import Generic, NamedTuple, Protocol, TypeVar

import msgspec

from webhook.kube.api.client import JSON, ApiError, Client, Stream

FIRST_LIMIT = 20
LARGEST_LIMIT = 500
PAGE_BYTES = 1 << 20
"""What a page of a list should have: memory stays flat for any number and size of objects."""
_METADATA = "application/json;as=PartialObjectMetadata{};g=meta.k8s.io;v=v1,application/json"


class Versioned(Protocol):
    """Of an object's metadata, what following it needs."""

    resource_version: str


class Listed(Protocol):
    """An object of a collection."""

    @property
    def metadata(self) -> Versioned: ...


T = TypeVar("T", bound=Listed)


class _Metadata(msgspec.Struct):
    resource_version: str = msgspec.field(name="resourceVersion", default="")
    next_page: str = msgspec.field(name="continue", default="")


class Page(msgspec.Struct, Generic[T]):
    """Some objects of a list; `metadata.resource_version` is that of the whole list."""

    metadata: _Metadata
    items: list[T] | None = None


class Event(NamedTuple, Generic[T]):
    """What happened to a collection; `position` is where a watch may be resumed after it."""

    position: str
    item: T | None
    """None in a bookmark, which says only that nothing else has happened."""
    gone: bool = False


class _Event(msgspec.Struct):
    type: str
    object: msgspec.Raw


class _Bookmark(msgspec.Struct):
    metadata: _Metadata


class _Failure(msgspec.Struct):
    code: int = 0
    reason: str = ""
    message: str = ""


_read_event = msgspec.json.Decoder(_Event)
_read_bookmark = msgspec.json.Decoder(_Bookmark)
_read_failure = msgspec.json.Decoder(_Failure)


class Collection(Generic[T]):
    """The objects at `path`, of which only the fields that `kind` names are ever built.

    `query` may have `labelSelector` and `fieldSelector`. With `metadata_only` the API server
    leaves out everything else of each object.
    """

    def __init__(
        self,
        client: Client,
        path: str,
        kind: type[T],
        query: Mapping[str, str] | None = None,
        *,
        metadata_only: bool = False,
    ) -> None:
        self.client = client
        self.path = path
        self._query = dict(query or {})
        self._accept_list = _METADATA.format("List") if metadata_only else JSON
        self._accept = _METADATA.format("") if metadata_only else JSON
        self._read_page = msgspec.json.Decoder(Page[kind])  # type: ignore[valid-type]
        self._read = msgspec.json.Decoder(kind)

    def pages(self) -> Iterator[Page[T]]:
        """List everything, about PAGE_BYTES at a time.

        Raises:
            ApiError: the API server did not answer as asked.
            msgspec.MsgspecError: it sent something else than a list of these objects.

        """
        limit, next_page = FIRST_LIMIT, ""
        while True:
            query = self._query | {"limit": str(limit)}
            if next_page:
                query["continue"] = next_page
            body = self.client.get(self.path, query, accept=self._accept_list)
            page = self._read_page.decode(body)
            limit = max(1, min(LARGEST_LIMIT, limit * PAGE_BYTES // len(body)))
            del body
            yield page
            next_page = page.metadata.next_page
            if not next_page:
                return

    def watch(self, position: str, *, seconds: int, silence: float) -> Stream:
        """Open a watch of what happens after `position`.

        The API server ends it after `seconds`; it ends as well when `silence` seconds have
        passed without a word.

        Raises:
            ApiError: the API server did not answer as asked.

        """
        query = self._query | {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": position,
            "timeoutSeconds": str(seconds),
        }
        return self.client.stream(self.path, query, accept=self._accept, seconds=silence)

    def events(self, stream: Stream) -> Iterator[Event[T]]:
        """Yield what happens, until the watch ends.

        Raises:
            ApiError: the connection broke, or the API server says that the watch failed.
            msgspec.MsgspecError: it sent something else than events of these objects.

        """
        for line in stream:
            if line:
                yield self._event(_read_event.decode(line))

    def _event(self, event: _Event) -> Event[T]:
        match event.type:
            case "ERROR":
                said = _read_failure.decode(event.object)
                message = f"{self.client.server} ended the watch: {said.message or said.reason}"
                raise ApiError(message, said.code, said.reason)
            case "BOOKMARK":
                bookmark = _read_bookmark.decode(event.object)
                return Event(bookmark.metadata.resource_version, None)
            case _:
                item = self._read.decode(event.object)
                return Event(item.metadata.resource_version, item, gone=event.type == "DELETED")
