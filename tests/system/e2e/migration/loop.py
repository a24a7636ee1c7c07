"""The thread that runs the stand-ins for controllers, one event after the other."""

import json
import sched
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

from tests.system.controlplane.api import Api, Json, path, unwrap

IDLE_SECONDS = 0.5
"""The longest wait for an event, after which a watch is opened again."""

WORKERS = 4


class Loop:
    """Runs functions at their times, and handlers for each change of an object.

    An exception ends it; `check` raises that in the test.
    """

    def __init__(self, api: Api) -> None:
        self._api = api
        self._queue = sched.scheduler(time.monotonic)
        self._stopping = threading.Event()
        self._error: BaseException | None = None
        self._pool = ThreadPoolExecutor(WORKERS)
        self._threads = [threading.Thread(target=self._guard, args=(self._run,), daemon=True)]

    def after(self, seconds: float, function: Callable[..., None], *arguments: Any) -> None:
        """Call a function later. Thread-safe."""
        self._queue.enter(seconds, 0, function, arguments)

    def submit(self, function: Callable[..., None], *arguments: Any) -> None:
        """Call a function beside the others."""
        self._pool.submit(self._guard, function, *arguments)

    def watch(self, kind: str, handle: Callable[[Json], None]) -> None:
        """Call `handle` for each object of a kind, and again after each change; before `start`."""
        watch = threading.Thread(target=self._guard, args=(self._watch, kind, handle), daemon=True)
        self._threads.append(watch)

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()
        self._pool.shutdown()
        self.check()

    def check(self) -> None:
        """Raise the exception that has ended the loop, if there was one."""
        if self._error is not None:
            raise self._error

    def _guard(self, function: Callable[..., None], *arguments: Any) -> None:
        try:
            function(*arguments)
        except Exception as error:  # noqa: BLE001 - check() raises it
            self._error = error
            self._stopping.set()

    def _run(self) -> None:
        while not self._stopping.wait(0.01):
            self._queue.run(blocking=False)

    def _watch(self, kind: str, handle: Callable[[Json], None]) -> None:
        found = unwrap(self._api.send("GET", path(kind)))
        for each in found["items"]:
            self.after(0, handle, each)
        version = found["metadata"]["resourceVersion"]
        while not self._stopping.is_set():
            version = self._follow(kind, handle, version)

    def _follow(self, kind: str, handle: Callable[[Json], None], version: str) -> str:
        """Handle the changes after a version until there is none for a while; return the last."""
        query = {"watch": "true", "resourceVersion": version}
        timeout = httpx.Timeout(30, read=IDLE_SECONDS)
        try:
            with self._api.http.stream("GET", path(kind), params=query, timeout=timeout) as events:
                for line in events.iter_lines():
                    event = json.loads(line)
                    version = event["object"]["metadata"]["resourceVersion"]
                    if event["type"] != "DELETED":
                        self.after(0, handle, event["object"])
                    if self._stopping.is_set():
                        break
        except httpx.ReadTimeout:
            pass
        return version
