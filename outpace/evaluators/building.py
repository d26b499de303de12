"""The compile stage of tasks that have one: in a sandbox, without inputs, before anything is run or timed."""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from weakref import WeakKeyDictionary

from outpace.errors import SandboxUnavailable
from outpace.evaluators.correctness import Failure, status_of
from outpace.limits import Limits
from outpace.sandbox._inside.build import ABSENT
from outpace.sandbox.base import Job, Reply, Sandbox
from outpace.tasks.candidate import Candidate
from outpace.tasks.spec import Task

LEAST = Limits(wall_s=120.0, cpu_s=240.0, memory_mb=4096, processes=64, output_mb=64, disk_mb=512)
"""What a compiler may use at least, whatever the limits of the program are."""
KEPT_BYTES = 256 << 20
"""How much of what was built is kept, so that duels and confirmations need not build again."""

Key = tuple[Candidate, tuple[str, ...]]


class _Kept:
    """The latest builds in one sandbox. They are trusted no more than the candidates that they are made of."""

    def __init__(self) -> None:
        self.built: OrderedDict[Key, Mapping[str, bytes]] = OrderedDict()
        self.bytes = 0

    def find(self, key: Key) -> Mapping[str, bytes] | None:
        if key in self.built:
            self.built.move_to_end(key)
        return self.built.get(key)

    def add(self, key: Key, files: Mapping[str, bytes]) -> None:
        if key in self.built:
            return
        self.built[key] = files
        self.bytes += sum(map(len, files.values()))
        while self.bytes > KEPT_BYTES:
            _, dropped = self.built.popitem(last=False)
            self.bytes -= sum(map(len, dropped.values()))


_KEPT: WeakKeyDictionary[Sandbox, _Kept] = WeakKeyDictionary()


async def artefacts(sandbox: Sandbox, task: Task, candidate: Candidate) -> Mapping[str, bytes]:
    """Return what the task's build command makes of the candidate, path to content; nothing if the task has none.

    Raises:
        Failure: the command failed or took too long; the feedback holds what the compiler said.
        SandboxUnavailable: the sandbox failed, or has no such compiler.
    """
    command = task.spec.build
    if not command:
        return {}
    kept = _KEPT.setdefault(sandbox, _Kept())
    key = (candidate, command)
    found = kept.find(key)
    if found is None:
        found = await _built(sandbox, task, candidate)
        kept.add(key, found)
    return found


async def _built(sandbox: Sandbox, task: Task, candidate: Candidate) -> Mapping[str, bytes]:
    limits = _widened(task.spec.limits)
    worker = await sandbox.start(
        Job(files=candidate.files, entry=task.spec.entry, limits=limits, build=task.spec.build)
    )
    try:
        reply = await worker.build()
    finally:
        await asyncio.shield(worker.close())
    if reply.ok:
        files: Mapping[str, bytes] = reply.output
        return files
    if reply.error is not None and ABSENT in reply.error.partition("\n")[0]:
        raise SandboxUnavailable(f"Task '{task.spec.name}' cannot be built here: {reply.error}")
    raise Failure(status_of(reply), _explained(reply, task))


def _widened(limits: Limits) -> Limits:
    """Return limits that a compiler can live with, never tighter than the task's own."""
    names = ("wall_s", "cpu_s", "memory_mb", "processes", "output_mb", "disk_mb")
    return replace(limits, **{name: max(getattr(limits, name), getattr(LEAST, name)) for name in names})


def _explained(reply: Reply, task: Task) -> str:
    """Return why there is no program, in words for whoever proposes next."""
    if reply.error is not None:
        return f"The program was not built.\n{reply.error}"
    shown = " ".join(task.spec.build)
    how = f"{reply.ended_by}: {reply.detail}" if reply.detail else str(reply.ended_by)
    return f"The program was not built. The build command '{shown:.300}' ended by {how}."


__all__ = ["KEPT_BYTES", "LEAST", "artefacts"]
