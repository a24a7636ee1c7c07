import queue
import threading

import pytest
from structlog.testing import capture_logs

from certs.serving import loop as module
from certs.serving.loop import Loop, collect_errors

TIMEOUT_SECONDS = 10.0


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MIN_PAUSE_SECONDS", 0.01)


def test_a_loop_runs_again_when_woken() -> None:
    """Its own pause would be longer than the test's timeout."""
    runs: queue.Queue[None] = queue.Queue()

    def step() -> float:
        runs.put(None)
        return 3600

    loop = Loop(step, "test")
    loop.start()
    runs.get(timeout=TIMEOUT_SECONDS)
    loop.wake()
    runs.get(timeout=TIMEOUT_SECONDS)
    loop.stop()


def test_a_loop_continues_after_an_error() -> None:
    failed, again = threading.Event(), threading.Event()

    def step() -> float:
        if failed.is_set():
            again.set()
        else:
            failed.set()
            raise RuntimeError("a bug")
        return 3600

    with capture_logs() as logs:
        loop = Loop(step, "test")
        loop.start()
        assert failed.wait(TIMEOUT_SECONDS)
        loop.wake()
        assert again.wait(TIMEOUT_SECONDS)
        loop.stop()
    (line,) = logs
    assert (line["event"], line["thread"]) == ("certificate maintenance failed", "test")


def test_an_error_is_collected_and_its_traceback_logged_once() -> None:
    def fail() -> None:
        raise RuntimeError("a bug")

    known: list[str] = []
    with capture_logs() as logs:
        for _ in range(2):
            problems = ["an earlier problem"]
            with collect_errors(problems, known):
                fail()
            assert problems == ["an earlier problem", "unexpected RuntimeError: a bug"]
            known = problems
    assert [log["event"] for log in logs] == ["certificate maintenance failed"]


def test_a_stopped_loop_ends_its_thread() -> None:
    loop = Loop(lambda: 3600, "test")
    loop.start()
    loop.stop()
    loop._thread.join(TIMEOUT_SECONDS)
    assert not loop._thread.is_alive()
