"""A comparison in its folder: begun, gone on with after any interruption, one cell after another.

The folder holds ``plan.json`` (what is compared), ``store/`` (the runs, an ordinary state folder) and ``cells.jsonl``
(which run serves which cell; appended, on disk before the run goes on). A run that was killed before its line was
written is known by its settings, so nothing is run twice.
"""

import asyncio
import fcntl
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from outpace.agent.compare.plan import Cell, Key, Plan
from outpace.agent.evolve import Report, resume_run, start_run
from outpace.agent.search import Progress
from outpace.agent.store import DATABASE, open_store
from outpace.agent.store.base import Run
from outpace.errors import StoreError, TaskError, UsageError
from outpace.evaluators.machine import machine
from outpace.tasks import registry

PLAN, CELLS, STORE = "plan.json", "cells.jsonl", "store"


@dataclass(frozen=True, slots=True)
class Folder:
    """Where a comparison is kept."""

    path: Path

    @property
    def home(self) -> Path:
        """The folder of the state of its runs."""
        return self.path / STORE

    def plan(self) -> Plan:
        """Return the plan; raises ``UsageError`` where there is none, or none that can be read."""
        file = self.path / PLAN
        try:
            plain = json.loads(file.read_text(encoding="utf-8"))
            return Plan.from_dict(plain)
        except FileNotFoundError:
            raise UsageError(
                f"There is no comparison in '{self.path}' to go on with. Begin one: outpace compare TASK… --strategy "
                f"NAME… -o {self.path}"
            ) from None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UsageError(f"'{file}' is no plan of a comparison: {error}. Choose another folder.") from None

    def begin(self, plan: Plan) -> Plan:
        """Keep the plan here, or return the one that is here, if both are the same.

        Raises ``UsageError`` where something else is kept here.
        """
        if (self.path / PLAN).exists():
            known = self.plan()
            if apart := known.differs(plan):
                raise UsageError(
                    f"The comparison in '{self.path}' has another plan: it differs in {', '.join(apart)}. Go on with "
                    f"it as it is: outpace compare -o {self.path}; or choose another folder."
                )
            return known
        if self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
            raise UsageError(f"'{self.path}' is not empty and holds no comparison. Choose a new folder.")
        self.path.mkdir(parents=True, exist_ok=True)
        replaced(self.path / PLAN, json.dumps(plan.as_dict(), indent=2, ensure_ascii=False) + "\n")
        return plan

    def runs(self, plan: Plan) -> dict[Key, Run]:
        """Return the runs of the cells that have been begun, by the notes and, where these lack one, by the store."""
        if not (self.home / DATABASE).exists():
            return {}
        store = open_store(self.home)
        try:
            runs = {run.id: run for run in store.runs()}
        finally:
            store.close()
        noted = self._noted()
        found: dict[Key, Run] = {}
        loose = [run for name, run in runs.items() if name not in noted.values()]
        for cell in plan.cells():
            run = runs.get(noted.get(cell.key, "")) or next((one for one in loose if cell.made(one)), None)
            if run:
                found[cell.key] = run
        return found

    def note(self, cell: Cell, run: str) -> None:
        """Note which run serves a cell, for good."""
        if self._noted().get(cell.key) == run:
            return
        task, entrant, seed = cell.key
        line = json.dumps({"task": task, "entrant": entrant, "seed": seed, "run": run}, ensure_ascii=False)
        file = self.path / CELLS
        with file.open("a+b") as notes:
            if notes.tell() and not _ends_well(file):
                line = f"\n{line}"  # after a line that a kill has cut off
            notes.write(f"{line}\n".encode())
            notes.flush()
            os.fsync(notes.fileno())

    @contextmanager
    def held(self) -> Iterator[None]:
        """Be the one process that carries the comparison on; ``StoreError`` if another does."""
        with (self.path / PLAN).open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise StoreError(
                    f"The comparison in '{self.path}' is being carried on by another process. Wait for it, or stop it."
                ) from None
            yield

    def _noted(self) -> dict[Key, str]:
        try:
            lines = (self.path / CELLS).read_text(encoding="utf-8", errors="replace").splitlines()
        except FileNotFoundError:
            return {}
        notes: dict[Key, str] = {}
        for line in lines:
            try:
                one: Any = json.loads(line)
                notes[one["task"], one["entrant"], one["seed"]] = one["run"]
            except (ValueError, KeyError, TypeError):
                continue  # cut off by a kill: the store knows the run
        return notes


@dataclass(frozen=True, slots=True, kw_only=True)
class Sitting:
    """Who is told how a comparison goes on: of each look at a run, and of each cell that begins or is done."""

    watch: Callable[[Cell, Progress], None] = lambda _cell, _progress: None
    begins: Callable[[Cell], None] = lambda _cell: None
    ends: Callable[[Cell, Report], None] = lambda _cell, _report: None


def with_facts(plan: Plan) -> Plan:
    """Return a plan that says on which machine and with which version it begins."""
    from importlib.metadata import version

    return replace(plan, version=version("outpace"), machine=machine())


async def carried_on(folder: Folder, plan: Plan, *, sitting: Sitting, stop: asyncio.Event) -> bool:
    """Run every cell that is not done; return whether all are (False: ``stop`` was set).

    Raises as ``start_run`` and ``resume_run``; whatever was done stays done.
    """
    with folder.held():
        _check_tasks(plan)
        known = folder.runs(plan)
        for cell in plan.cells():
            run = known.get(cell.key)
            if run and done(run):
                continue
            if stop.is_set():
                return False
            sitting.begins(cell)
            report = await _run(folder, plan, cell, run, sitting, stop)
            if report.ended == "interrupted":
                return False
            sitting.ends(cell, report)
    return True


def done(run: Run) -> bool:
    """Tell whether a run has come to its end."""
    return run.status == "finished"


async def _run(
    folder: Folder, plan: Plan, cell: Cell, run: Run | None, sitting: Sitting, stop: asyncio.Event
) -> Report:
    noted: list[str] = []

    def watch(progress: Progress) -> None:
        if not noted:
            folder.note(cell, progress.run.id)
            noted.append(progress.run.id)
        sitting.watch(cell, progress)

    if run:
        return await resume_run(run.id, home=folder.home, watch=watch, stop=stop)
    return await start_run(plan.options(cell), home=folder.home, watch=watch, stop=stop)


def _check_tasks(plan: Plan) -> None:
    """Raise ``TaskError`` where a task has changed since the comparison began: results of two tasks never mix."""
    for one in plan.tasks:
        if registry.find(one.task).fingerprint != one.fingerprint:
            raise TaskError(
                f"Task '{one.task}' has changed since this comparison began, so its results would not compare. "
                "Restore the folder, or begin a new comparison."
            )


def replaced(file: Path, text: str) -> None:
    """Write a file as a whole or not at all."""
    beside = file.with_name(f"{file.name}.new")
    with beside.open("w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    beside.replace(file)


def _ends_well(file: Path) -> bool:
    with file.open("rb") as stream:
        stream.seek(-1, os.SEEK_END)
        return stream.read(1) == b"\n"
