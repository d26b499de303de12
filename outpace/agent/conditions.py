"""On what conditions results are made: the task as it was, a sandbox that holds, the noise of this machine."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from outpace.agent.store.base import Run, Store
from outpace.errors import MissingPackage, TaskError
from outpace.evaluators.base import Noise
from outpace.evaluators.machine import machine
from outpace.plugins import load
from outpace.sandbox.base import Containment, Level, Sandbox
from outpace.sandbox.level import require
from outpace.tasks import registry
from outpace.tasks.packages import package_of
from outpace.tasks.spec import Task

EXTRAS = ("numba",)


def task_of(run: Run) -> Task:
    """Return the task of a run; raises ``TaskError`` where it has changed since: results of two tasks never mix."""
    config = run.config
    task = registry.find(config.task)
    if task.fingerprint != config.task_fingerprint:
        raise TaskError(
            f"Task '{config.task}' has changed since run {run.id} began, so its results would not compare. "
            f"Restore the folder, or start anew: outpace run {config.task}"
        )
    return task


def least_level(sandbox: str, level: Level | None = None) -> Level:
    """Return the level to hold a sandbox to: as asked, else B, but D where ``process`` is asked for by name."""
    return level or ("D" if sandbox == "process" else "B")


@contextmanager
def opened_sandbox(name: str, level: Level, task: Task) -> Iterator[tuple[Sandbox, Containment]]:
    """Give a sandbox with what it can do, having made sure that it reaches ``level`` here and has what the task needs.

    It is closed at the end, whatever happens.

    Raises:
        SandboxUnavailable: it does not work here, or not at this level; with the reason and the remedy.
        MissingPackage: the task needs a package that is not installed; with the command that installs it.
    """
    sandbox: Sandbox = load("sandbox", name)()
    try:
        containment = require(sandbox, level)
        if missing := sandbox.missing(task.spec.requires):
            raise MissingPackage(
                f"Task '{task.spec.name}' needs {', '.join(missing)} in the sandbox's environment "
                f"({sys.prefix}): {install_line(missing)}"
            )
        yield sandbox, containment
    finally:
        sandbox.close()


def install_line(packages: Sequence[str]) -> str:
    """Return the command that installs packages beside this interpreter, through an extra where there is one."""
    extras = ",".join(name for name in packages if name in EXTRAS)
    names = [f"'outpace[{extras}]'"] * bool(extras) + [package_of(name) for name in packages if name not in EXTRAS]
    return f"{sys.executable} -m pip install {' '.join(names)}"


def noise_here(store: Store, run: str) -> Noise | None:
    """Return the noise that an earlier sitting of a run measured on this very machine, if one did."""
    known = store.noise(run)
    return known[0] if known and known[1] == machine() else None
