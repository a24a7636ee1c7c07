import queue
import threading

import pytest
from structlog.testing import capture_logs

from certs.serving import loop as loops
from certs.serving.loop import Loop, forgiving

SOON = 10.0


@pytest.fixture(autouse=True)
def _restless(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loops, "_REST", 0.01)


def test_a_loop_runs_again_when_it_is_woken() -> None:
    """Its own pause would be far too long for this test."""
    runs: queue.Queue[None] = queue.Queue()

    def step() -> float:
        runs.put(None)
        return 3600

    loop = Loop(step, "test")
    loop.start()
    runs.get(timeout=SOON)
    loop.wake()
    runs.get(timeout=SOON)
    loop.stop()


def test_a_loop_survives_a_bug() -> None:
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
        assert failed.wait(SOON)
        loop.wake()
        assert again.wait(SOON)
        loop.stop()
    (told,) = logs
    assert (told["event"], told["thread"]) == ("looking after certificates failed", "test")


def test_a_part_of_a_round_that_fails_is_told_of_and_its_trace_logged_once() -> None:
    def fail() -> None:
        raise RuntimeError("a bug")

    known: list[str] = []
    with capture_logs() as logs:
        for _ in range(2):
            problems = ["of the part before"]
            with forgiving(problems, known):
                fail()
            assert problems == ["of the part before", "unexpected RuntimeError: a bug"]
            known = problems
    assert [log["event"] for log in logs] == ["looking after certificates failed"]


def test_a_stopped_loop_has_ended() -> None:
    loop = Loop(lambda: 3600, "test")
    loop.start()
    loop.stop()
    loop._thread.join(SOON)
    assert not loop._thread.is_alive()
