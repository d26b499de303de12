"""How a comparison looks while it goes on: a line for each run that is done, and on a terminal the one that is not."""

import os
import sys
import time
from collections.abc import Mapping
from statistics import median
from types import TracebackType
from typing import TYPE_CHECKING, Self

from outpace.agent.cli import records, text
from outpace.agent.cli.progress import summary
from outpace.agent.cli.text import plain

if TYPE_CHECKING:
    from rich.status import Status

    from outpace.agent.compare.plan import Cell, Key, Plan
    from outpace.agent.evolve import Report
    from outpace.agent.search import Progress
    from outpace.tasks.spec import Goal


class Showing:
    """Shows a comparison on standard error, or as JSON lines on standard output."""

    def __init__(self, plan: "Plan", known: Mapping["Key", float], *, as_json: bool) -> None:
        """Begin where the runs with the final scores in ``known`` are done."""
        self._plan, self._as_json = plan, as_json
        self._scores = dict(known)
        self._cells = [*plan.cells()]
        self._took: dict[str, list[float]] = {}
        self._began = 0.0
        self._last: Progress | None = None
        self._status: Status | None = None

    def __enter__(self) -> Self:
        """Say what is going to be done; take the terminal where there is one."""
        self._say_plan()
        if not self._as_json and sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb":
            from rich.console import Console
            from rich.status import Status

            self._status = Status("", console=Console(stderr=True))
            self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the terminal as it was."""
        if self._status:
            self._status.stop()

    def note(self, line: str) -> None:
        """Say something beside the progress."""
        if self._status:
            self._status.console.print(plain(line), markup=False, highlight=False, soft_wrap=True)
        else:
            print(plain(line), file=sys.stderr, flush=True)

    def tick(self) -> None:
        """Nothing here shows time by itself: the status line turns on its own."""

    def begins(self, cell: "Cell") -> None:
        """A run begins, or is gone on with."""
        self._began, self._last = time.monotonic(), None
        self._now(cell, "begins")

    def see(self, cell: "Cell", progress: "Progress") -> None:
        """Take a look at the run that goes on."""
        self._last = progress
        if self._status:
            self._now(cell, summary(progress))

    def ends(self, cell: "Cell", report: "Report") -> None:
        """A run is done: say what came of it, and about how long the rest takes."""
        took = time.monotonic() - self._began
        self._took.setdefault(cell.task.name, []).append(took)
        best = self._last.best.evaluation if self._last and self._last.best else None
        if best and best.score is not None:
            self._scores[cell.key] = best.score
        if self._as_json:
            print(records.dump(self._record(cell, report, took), indent=None), flush=True)
            return
        self.note(self._line(cell, report.run.config.goal, took, report))

    def _say_plan(self) -> None:
        plan = self._plan
        if self._as_json:
            return
        if plan.added:
            self.note(f"Added: {', '.join(plan.added)} (in every comparison, as yardsticks).")
        fixed = [one.family for one in plan.entrants if one.draw == 0]
        fixed = [name for name in fixed if not any(one.family == name and one.draw for one in plan.entrants)]
        if plan.draws > 1 and fixed:
            self.note(f"Without ranges of parameters, so with one setting only: {', '.join(fixed)}.")
        done = f"; {len(self._scores)} are done" if len(self._scores) > 1 else "; 1 is done" if self._scores else ""
        self.note(
            f"{len(self._cells)} runs: {len(plan.entrants)} entrants, {text.counted(len(plan.tasks), 'task')}, "
            f"{text.counted(len(plan.seeds), 'seed')}; {plan.proposer} proposes{done}."
        )

    def _now(self, cell: "Cell", what: str) -> None:
        if self._status:
            from rich.text import Text

            self._status.update(Text(plain(f"{self._named(cell)}: {what}")))

    def _named(self, cell: "Cell") -> str:
        return f"{cell.task.name} {cell.entrant.label} seed {cell.seed}"

    def _line(self, cell: "Cell", goal: "Goal", took: float, report: "Report") -> str:
        task, entrant, _ = cell.key
        same = [score for (one, other, _), score in self._scores.items() if (one, other) == (task, entrant)]
        width = len(str(len(self._cells)))
        done = f"[{len(self._scores):{width}}/{len(self._cells)}]"
        score = text.amount(goal, self._scores[cell.key]) if cell.key in self._scores else "-"
        middle = f" (median of {len(same)}: {text.amount(goal, median(same))})" if len(same) > 1 else ""
        ended = ", stalled" if report.ended == "stalled" else ""
        left = self._left_s()
        rest = f", about {text.duration(left)} left" if left else ""
        return f"{done} {self._named(cell)}: {score}{middle}{ended}; {text.duration(took)}{rest}"

    def _left_s(self) -> float:
        """Return about how long the rest takes, task by task; what was not seen yet counts as the mean of all."""
        seen = [took for one in self._took.values() for took in one]
        usual = sum(seen) / len(seen)
        means = {task: sum(one) / len(one) for task, one in self._took.items()}
        return sum(means.get(cell.task.name, usual) for cell in self._cells if cell.key not in self._scores)

    def _record(self, cell: "Cell", report: "Report", took: float) -> dict[str, object]:
        task, entrant, seed = cell.key
        return {
            "event": "cell",
            "done": len(self._scores),
            "cells": len(self._cells),
            "task": task,
            "entrant": entrant,
            "seed": seed,
            "run": report.run.id,
            "score": self._scores.get(cell.key),
            "ended": report.ended,
            "wall_s": took,
            "left_s": self._left_s(),
        }
