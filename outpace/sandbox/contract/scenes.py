"""What the tests of the contract share: workers that load a program and answer, and traces that nobody may leave."""

import asyncio
import contextlib
import os
import re
import signal
import tempfile
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from outpace.limits import Limits
from outpace.sandbox.base import Job, Reply, Sandbox, Usage, Worker

T = TypeVar("T")


def run(scenario: Coroutine[Any, Any, T]) -> T:
    """Run a scenario with a deadline, so that a sandbox that hangs fails instead."""

    async def bounded() -> T:
        return await asyncio.wait_for(scenario, 120)

    return asyncio.run(bounded())


async def session(
    sandbox: Sandbox, program: str, problems: Sequence[Mapping[str, Any]], *, limits: Limits | None = None, **job: Any
) -> tuple[list[Reply], Usage]:
    """Load ``program``, put the problems to its ``entry``, close; the first of the replies is that to ``load``."""
    worker = await sandbox.start(Job(files={"program.py": program}, entry="entry", limits=limits or Limits(), **job))
    try:
        replies = [await worker.load()]
        for problem in problems:
            replies.append(await worker.call(problem))  # noqa: PERF401  (one after the other)
    finally:
        usage = await worker.close()
    return replies, usage


def last_reply(sandbox: Sandbox, program: str, *, problem: Mapping[str, Any] | None = None, **more: Any) -> Reply:
    """Return the reply to one problem, or to ``load`` if that failed."""
    replies, _ = run(session(sandbox, program, [problem or {}], **more))
    return replies[-1]


async def with_worker(
    sandbox: Sandbox, program: str, scenario: Callable[[Worker], Coroutine[Any, Any, T]], **job: Any
) -> T:
    """Load ``program``, which must succeed, go through ``scenario`` with the worker, and close it."""
    worker = await sandbox.start(Job(files={"program.py": program}, entry="entry", **job))
    try:
        loaded = await worker.load()
        assert loaded.ok, loaded
        return await scenario(worker)
    finally:
        await worker.close()


def same(left: Any, right: Any) -> bool:
    """Tell whether two values agree in type, and in value to the last bit."""
    if isinstance(left, np.ndarray):
        return bool(left.dtype == right.dtype) and left.shape == right.shape and left.tobytes() == right.tobytes()
    return type(left) is type(right) and repr(left) == repr(right)


def wait_for(condition: Callable[[], bool]) -> bool:
    """Wait some seconds for ``condition``; return whether it came true."""
    for _ in range(100):
        if condition():
            return True
        signal.sigtimedwait([], 0.05)
    return False


def processes(marker: str) -> list[str]:
    """Return the processes of the host whose command line holds ``marker``."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if marker.encode() in path.read_bytes():
                found.append(path.parent.name)
        except OSError:
            continue
    return found


def traces() -> set[str]:
    """Return what a careless sandbox could leave behind: children, mounts, files, descriptors, control groups."""
    children: set[str] = set()
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # a thread that ends meanwhile
            children.update((task / "children").read_text().split())
    mounts = Path("/proc/self/mounts").read_text().splitlines()
    descriptors = [f"descriptor {fd}" for fd in range(3, 256) if Path(f"/proc/self/fd/{fd}").is_symlink()]
    own = re.compile(rf"outpace-\d+-{os.getpid()}-")  # other judges come and go meanwhile
    groups = [folder for folder, _, _ in os.walk("/sys/fs/cgroup") if own.match(folder.rpartition("/")[2])]
    return {*children, *mounts, *map(str, Path(tempfile.gettempdir()).iterdir()), *descriptors, *groups}
