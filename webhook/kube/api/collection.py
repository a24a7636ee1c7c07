"""A collection of objects of the API server: the pages of its list and the events of its watch."""

from collections.abc import Iterator, Mapping
from typing import Generic, NamedTuple, Protocol, TypeVar

import msgspec

from webhook.kube.api.client import JSON_MEDIA_TYPE, Client, WatchStream
from webhook.kube.api.errors import ApiError, ResponseTooLargeError

INITIAL_PAGE_LIMIT = 20
MAX_PAGE_LIMIT = 500
TARGET_PAGE_BYTES = 1 << 20
"""Pages are limited by size, so that memory does not grow with the number of objects."""
MAX_PAGE_BYTES = 4 << 20
"""Of a page of more than one object. A larger one is not read: decoding it would hold the
interpreter's lock, and stop the event loop, for too long."""
_MAX_CHANGE = 4
"""Factor between the limits of two pages: the objects of the next one may be much larger."""
_METADATA = "application/json;as=PartialObjectMetadata{};g=meta.k8s.io;v=v1,application/json"


class ObjectMeta(Protocol):
    """The metadata that a watch needs."""

    resource_version: str


class ApiObject(Protocol):
    """An object of the collection."""

    @property
    def metadata(self) -> ObjectMeta: ...


T = TypeVar("T", bound=ApiObject)


class _Metadata(msgspec.Struct):
    resource_version: str = msgspec.field(name="resourceVersion", default="")
    next_page: str = msgspec.field(name="continue", default="")


class Page(msgspec.Struct, Generic[T]):
    """A page of a list; `metadata.resource_version` is that of the whole list."""

    metadata: _Metadata
    items: list[T] | None = None


class WatchEvent(NamedTuple, Generic[T]):
    """A change of the collection; a watch can resume from its `resource_version`."""

    resource_version: str
    item: T | None
    """The added, modified or deleted object; None in a bookmark."""
    deleted: bool = False


class _Event(msgspec.Struct):
    type: str
    object: msgspec.Raw


class _Bookmark(msgspec.Struct):
    metadata: _Metadata


class _Status(msgspec.Struct):
    code: int = 0
    reason: str = ""
    message: str = ""


_decode_event = msgspec.json.Decoder(_Event).decode
_decode_bookmark = msgspec.json.Decoder(_Bookmark).decode
_decode_status = msgspec.json.Decoder(_Status).decode


class ListWatch(Generic[T]):
    """Lists and watches the objects at `path`, decoding only the fields of `kind`.

    `query` may have a `labelSelector` and a `fieldSelector`. With `metadata_only` the API server
    sends PartialObjectMetadata.
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
        self._accept_list = _METADATA.format("List") if metadata_only else JSON_MEDIA_TYPE
        self._accept = _METADATA.format("") if metadata_only else JSON_MEDIA_TYPE
        self._decode_page = msgspec.json.Decoder(Page[kind]).decode  # type: ignore[valid-type]
        self._decode_item = msgspec.json.Decoder(kind).decode

    def list_items(self) -> Iterator[T]:
        """List all objects; raises what `list_pages` raises."""
        for page in self.list_pages():
            yield from page.items or ()

    def list_pages(self) -> Iterator[Page[T]]:
        """List all objects in pages of about TARGET_PAGE_BYTES.

        Raises:
            ApiError: a request failed, or its response is not a list of these objects.

        """
        limit, next_page = INITIAL_PAGE_LIMIT, ""
        while True:
            query = self._query | {"limit": str(limit)}
            if next_page:
                query["continue"] = next_page
            max_bytes = MAX_PAGE_BYTES if limit > 1 else None
            try:
                body = self.client.get(
                    self.path, query, accept=self._accept_list, max_bytes=max_bytes
                )
            except ResponseTooLargeError:
                limit = max(1, limit // _MAX_CHANGE)
                continue
            try:
                page = self._decode_page(body)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
                message = f"{self.client.server} sent an invalid response: {error}"
                raise ApiError(message) from None
            wanted = limit * TARGET_PAGE_BYTES // len(body)
            limit = max(1, min(MAX_PAGE_LIMIT, _MAX_CHANGE * limit, wanted))
            del body
            yield page
            next_page = page.metadata.next_page
            if not next_page:
                return

    def watch(
        self, resource_version: str, *, timeout_seconds: int, idle_timeout_seconds: float
    ) -> WatchStream:
        """Open a watch for changes after `resource_version`.

        The API server ends it after `timeout_seconds`, the client after `idle_timeout_seconds`
        without an event.

        Raises:
            ApiError: the request failed.

        """
        query = self._query | {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": resource_version,
            "timeoutSeconds": str(timeout_seconds),
        }
        return self.client.stream(
            self.path, query, accept=self._accept, idle_timeout_seconds=idle_timeout_seconds
        )

    def events(self, stream: WatchStream) -> Iterator[WatchEvent[T]]:
        """Yield the events of a watch until it ends.

        Raises:
            ApiError: the connection was lost, or the API server sent an ERROR event.
            msgspec.MsgspecError: an event could not be decoded.

        """
        for line in stream:
            if line:
                yield self._to_event(_decode_event(line))

    def _to_event(self, event: _Event) -> WatchEvent[T]:
        match event.type:
            case "ERROR":
                status = _decode_status(event.object)
                message = f"{self.client.server} ended the watch: {status.message or status.reason}"
                raise ApiError(message, status.code, status.reason)
            case "BOOKMARK":
                bookmark = _decode_bookmark(event.object)
                return WatchEvent(bookmark.metadata.resource_version, None)
            case _:
                item = self._decode_item(event.object)
                return WatchEvent(
                    item.metadata.resource_version, item, deleted=event.type == "DELETED"
                )
