"""The control planes of a test session, whose logs are in the report of a failure."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.system.controlplane.cluster import ControlPlane
from tests.system.controlplane.programs import MissingProgram

_PLANES = pytest.StashKey[list[ControlPlane]]()


@contextmanager
def started_plane(session: pytest.Session, *, controllers: bool = False) -> Iterator[ControlPlane]:
    """Start a control plane; see `ControlPlane`."""
    with tempfile.TemporaryDirectory(prefix="e2e-") as folder:
        try:
            plane = ControlPlane(Path(folder), controllers=controllers)
        except MissingProgram as error:
            pytest.fail(str(error), pytrace=False)
        planes = session.stash.setdefault(_PLANES, [])
        planes.append(plane)
        try:
            plane.start()
            yield plane
        finally:
            plane.stop()
            planes.remove(plane)


def close_after(
    folder: Path,
    key: pytest.StashKey[ExitStack],
    item: pytest.Item,
    next_item: pytest.Item | None,
) -> None:
    """Close the stack of a folder after its last test, not at the end of the session."""
    stack = item.session.stash.get(key, None)
    if stack and (next_item is None or not next_item.path.is_relative_to(folder)):
        stack.close()


def ends_of_logs(session: pytest.Session) -> list[tuple[str, str]]:
    """Return the end of every log of the running control planes, with its name."""
    return [
        (f"end of {process.log.name}", process.tail(15))
        for plane in session.stash.get(_PLANES, [])
        for process in plane.processes
    ]
