"""A resource of an API server, followed for ever: listed, then watched, whatever happens.

What client-go calls a reflector. The one of the official Python client keeps whole objects,
reads no pages, does not back off and cannot say whether it has synced.
"""

import random
import threading
import time
from collections.abc import Iterable, Iterator
from typing import Generic, NamedTuple, Protocol, TypeVar

import msgspec
import structlog

from webhook.kube.api.client import ApiError, Stream
from webhook.kube.api.collection import Collection, Listed

log = structlog.get_logger(__name__)

LONG_AGO = 60.0
"""A position this old may well have expired; if one expires sooner, and again, it is a fault."""

T = TypeVar("T", bound=Listed)
T_contra = TypeVar("T_contra", bound=Listed, contravariant=True)


class Store(Protocol[T_contra]):
    """Where the objects go. Called from the reflector's thread only."""

    def replace(self, items: Iterable[T_contra]) -> None:
        """Take all objects that there are; `items` comes page by page and may raise midway."""

    def put(self, item: T_contra) -> None:
        """Take an object that is new or has changed."""

    def discard(self, item: T_contra) -> None:
        """Forget an object that is gone."""


class Timing(NamedTuple):
    """How patient a reflector is, in seconds."""

    first_delay: float = 0.5
    """Before the second try; it doubles with each failure. No sound watch is shorter."""
    longest_delay: float = 10.0
    """A minute's outage is over this soon after its end, at a request in ten seconds."""
    silence: float = 75.0
    """After which a watch is begun anew. API servers send a bookmark about once a minute."""
    watch: float = 300.0
    """After which the API server ends a watch; then it looks at our rights again."""


class Status(NamedTuple):
    """How far a store can be trusted."""

    synced: bool
    age_seconds: float
    """Since the API server last confirmed what the store has; infinite before it ever did."""
    restarts: int
    """How often listing or watching failed and was begun anew."""
    message: str


class _InterruptedError(Exception):
    """Told to stop, or to list anew, while listing."""


class Reflector(Generic[T]):
    """Keeps a store like a collection, in a thread of its own.

    A failure leaves the store as it is, and is followed by another try, after a delay that
    doubles. A watch resumes where it broke off, unless the API server says that this is too
    long ago: then everything is listed again.
    """

    def __init__(
        self, collection: Collection[T], store: Store[T], timing: Timing | None = None
    ) -> None:
        self._collection = collection
        self._store = store
        self._timing = timing or Timing()
        self._position = ""
        self._confirmed = self._listed = float("-inf")
        self._synced = False
        self._failures = 0
        self._restarts = 0
        self._message = ""
        self._stream: Stream | None = None
        self._stopping = False
        self._again = False
        self._woken = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def position(self) -> str:
        """The resourceVersion up to which the store has seen everything; empty before."""
        return self._position

    @property
    def synced(self) -> bool:
        """Whether all objects were listed once, or there can be none: nobody serves them."""
        return self._synced

    @property
    def message(self) -> str:
        """What is wrong now; empty when nothing is."""
        return self._message

    def status(self) -> Status:
        """Return how far the store can be trusted now."""
        age = time.monotonic() - self._confirmed
        return Status(self._synced, age, self._restarts, self._message)

    def start(self) -> None:
        """Begin; to be called once."""
        name = f"watch {self._collection.path}"
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End promptly. A call that hangs is left behind, and its answer goes nowhere."""
        self._stopping = True
        self._interrupt()
        if self._thread:
            self._thread.join(0.5)

    def relist(self) -> None:
        """List everything again, at once: what the store keeps of an object has changed."""
        self._again = True
        self._interrupt()

    def _interrupt(self) -> None:
        self._woken.set()
        if stream := self._stream:  # the thread sets it before it looks whether to go on
            stream.interrupt()

    def _interrupted(self) -> bool:
        return self._stopping or self._again

    def _run(self) -> None:
        while not self._stopping:
            self._woken.clear()
            if self._again:
                self._again, self._position = False, ""
            try:
                if not self._position:
                    self._list()
                self._watch()
            except _InterruptedError:
                continue
            except ApiError as error:
                # when the server is away or busy, or rights are missing, the position is still
                # good; anything else may lie in it: 410 says so, and others would never end
                good = error.status in (0, 401, 403, 429) or error.status >= 500
                if error.status == 404:  # not served: there are none until that changes
                    self._synced = True
                if error.status == 410 and self._listed < time.monotonic() - LONG_AGO:
                    self._failures = 0  # those of an outage, whose end this is
                self._failed(str(error), resume=good, retry_after=error.retry_after)
            except msgspec.MsgspecError as error:
                server = self._collection.client.server
                self._failed(f"{server} sent what was not expected: {error}")
            except Exception as error:
                log.exception("fault of a watch", path=self._collection.path)
                self._failed(f"a fault of the webhook, see its log: {error!r}")

    def _list(self) -> None:
        self._store.replace(self._items())
        self._synced, self._listed = True, time.monotonic()
        self._say("")

    def _items(self) -> Iterator[T]:
        for page in self._collection.pages():
            for item in page.items or ():
                if self._interrupted():
                    raise _InterruptedError
                yield item
            position = page.metadata.resource_version
        self._position, self._confirmed = position, time.monotonic()

    def _watch(self) -> None:
        timing = self._timing
        seconds = round(timing.watch * _jitter()) or 1
        stream = self._collection.watch(self._position, seconds=seconds, silence=timing.silence)
        with stream:
            self._stream = stream
            self._confirmed = opened = time.monotonic()
            self._say("")
            try:
                self._follow(stream)
            finally:
                lasted = time.monotonic() - opened
                if lasted >= timing.first_delay:
                    self._failures = 0
        if lasted < timing.first_delay:
            raise ApiError(f"{self._collection.client.server} ends every watch at once")

    def _follow(self, stream: Stream) -> None:
        if self._interrupted():
            raise _InterruptedError
        for event in self._collection.events(stream):
            if self._interrupted():
                raise _InterruptedError
            if event.item is None:
                pass
            elif event.gone:
                self._store.discard(event.item)
            else:
                self._store.put(event.item)
            self._position, self._confirmed = event.position, time.monotonic()

    def _failed(self, message: str, *, resume: bool = False, retry_after: float = 0) -> None:
        """Say what is wrong, and wait before the next try."""
        if self._interrupted():  # which is why it failed
            return
        if not resume:
            self._position = ""
        delay = self._timing.first_delay * 2 ** min(self._failures, 16)
        delay = min(delay, self._timing.longest_delay)
        self._failures += 1
        self._restarts += 1
        self._say(message)
        self._woken.wait(retry_after or delay * _jitter())

    def _say(self, message: str) -> None:
        if message and message != self._message:
            log.warning("watch failed", path=self._collection.path, error=message)
        elif self._message and not message:
            log.info("watch goes on", path=self._collection.path)
        self._message = message


def _jitter() -> float:
    """Return a factor that keeps the replicas from coming all at once."""
    return random.uniform(0.5, 1)  # noqa: S311 - nobody gains by guessing it
