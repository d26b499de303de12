"""Where tests are dealt out to processes (pytest-xdist), whoever times programs goes while the others wait."""

import fcntl
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

DOOR, ROOM = Path(__file__), Path(__file__).parents[1] / "pyproject.toml"
"""Files to lock; nothing is written to them."""


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Run a test beside those of the other processes; one that is marked ``timing`` while they pause."""
    if not hasattr(item.config, "workerinput"):  # nobody is beside it
        return (yield)
    with turn(alone=item.get_closest_marker("timing") is not None):
        return (yield)


@contextmanager
def turn(*, alone: bool) -> Iterator[None]:
    """Be in the room, with others or alone. All come in by one door; whoever waits to be alone keeps it shut.

    The kernel holds the locks (flock(2)): a process that dies leaves none behind.
    """
    with DOOR.open() as door, ROOM.open() as room:
        fcntl.flock(door, fcntl.LOCK_EX)
        fcntl.flock(room, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        fcntl.flock(door, fcntl.LOCK_UN)
        try:
            yield
        finally:
            fcntl.flock(room, fcntl.LOCK_UN)
