"""How a run looks while it goes on: a live table on a terminal, plain lines elsewhere, JSON lines for programs."""

import os
import sys
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from outpace.agent.budget import Budget, Spent
from outpace.agent.cli import records, text
from outpace.agent.proposal import Result
from outpace.evaluators.base import UNMEASURED

if TYPE_CHECKING:
    from rich.live import Live
    from rich.table import Table

    from outpace.agent.search import Progress

HEARTBEAT_S = 10.0
JSON_EVERY_S = 1.0
Clock = Callable[[], float]
_FAILED = {"failed": "without a candidate"}  # a proposal that came to nothing
_NAMES = {"evaluations": "evaluations", "model_calls": "model calls", "tokens": "tokens", "usd": "USD"}


class Display(Protocol):
    """Shows a run; a context manager around the sitting."""

    def see(self, progress: "Progress") -> None:
        """Take a new look at the run."""
        ...

    def tick(self) -> None:
        """Let time show; called about once a second."""
        ...

    def note(self, line: str) -> None:
        """Say something beside the progress."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def choose_display(*, as_json: bool) -> Display:
    """Return the display that fits where standard output and standard error lead."""
    if as_json:
        return JsonLines(lambda line: print(line, flush=True))
    if sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb":
        return LiveTable()
    return PlainLines(lambda line: print(line, file=sys.stderr, flush=True))


class PlainLines:
    """One line for each new best or champion, and one now and then."""

    def __init__(self, write: Callable[[str], None], *, clock: Clock = time.monotonic) -> None:
        """Write lines with ``write``; ``clock`` counts seconds."""
        self._write, self._clock = write, clock
        self._begin = self._last_line = clock()
        self._progress: Progress | None = None
        self._shown: tuple[object, ...] = ()

    def see(self, progress: "Progress") -> None:
        """Write a line if there is a new best or a new champion, and one for each candidate that was refused."""
        begins = self._progress is None
        self._progress = progress
        best, reigning = _id(progress.best), progress.champion
        if reason := refusal(progress):
            self._write(reason)
        if begins or (best, reigning) != self._shown:
            self._shown = best, reigning
            self._line()
        else:
            self.tick()

    def tick(self) -> None:
        """Write a line if there was none for a while."""
        if self._progress is not None and self._clock() - self._last_line >= HEARTBEAT_S:
            self._line()

    def note(self, line: str) -> None:
        """Write the line."""
        self._write(line)

    def _line(self) -> None:
        assert self._progress is not None
        self._last_line = self._clock()
        since = text.duration(self._clock() - self._begin)
        self._write(f"{since:>12}  {summary(self._progress)}")

    def __enter__(self) -> Self:
        """Start."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write where the run stands."""
        if self._progress is not None:
            self._line()


class JsonLines:
    """An event for each new best, champion and duel, and at most one a second otherwise; one JSON object a line."""

    def __init__(self, write: Callable[[str], None], *, clock: Clock = time.monotonic) -> None:
        """Write lines with ``write``; ``clock`` counts seconds."""
        self._write, self._clock = write, clock
        self._last_line = float("-inf")
        self._shown: tuple[object, ...] = ()

    def see(self, progress: "Progress") -> None:
        """Write an event if there is news or it is time for one."""
        news = _id(progress.best), progress.champion, progress.challenger
        if news != self._shown or self._clock() - self._last_line >= JSON_EVERY_S:
            self._shown, self._last_line = news, self._clock()
            self._write(records.dump(progress_record(progress), indent=None))

    def tick(self) -> None:
        """Do nothing: programs need no heartbeat."""

    def note(self, line: str) -> None:
        """Say it on standard error, which is for people."""
        print(line, file=sys.stderr)

    def __enter__(self) -> Self:
        """Start."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""


class LiveTable:
    """A table on standard error that is drawn anew twice a second."""

    def __init__(self, *, clock: Clock = time.monotonic) -> None:
        """Draw on standard error; ``clock`` counts seconds."""
        self._clock = clock
        self._begin = clock()
        self._progress: Progress | None = None
        self._refused: str | None = None
        self._live: Live | None = None

    def see(self, progress: "Progress") -> None:
        """Show this look from now on, and the reason of the last refusal."""
        self._progress = progress
        self._refused = refusal(progress) or self._refused

    def tick(self) -> None:
        """Do nothing: the table is drawn by itself."""

    def note(self, line: str) -> None:
        """Print the line above the table."""
        from rich.text import Text

        assert self._live is not None
        self._live.console.print(Text(line))

    def __rich__(self) -> "Table":
        """Draw the table as of now."""
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
        table.add_row(Text("time", "dim"), Text(text.duration(self._clock() - self._begin)))
        for name, value in look(self._progress).items() if self._progress else ():
            table.add_row(Text(name, "dim"), Text(value, "bold" if name == "best" else ""))
        if self._refused:
            table.add_row(Text("refused", "dim"), Text(self._refused))
        return table

    def __enter__(self) -> Self:
        """Take the terminal."""
        from rich.console import Console
        from rich.live import Live

        self._live = Live(console=Console(stderr=True), refresh_per_second=2, get_renderable=self.__rich__)
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the terminal as it was, with the last table standing."""
        assert self._live is not None
        self._live.stop()


def look(progress: "Progress") -> dict[str, str]:
    """Return what a person wants to know of a run, in words."""
    goal = progress.run.config.goal
    best = progress.best.evaluation if progress.best else None
    start = progress.start.evaluation if progress.start else None
    facts = {
        "evaluations": _evaluations(progress.run.config.budget, progress.spent),
        "best": text.score(goal, best),
        "start": text.score(goal, start),
        "gain": text.gain_text(goal, best, start),
        "left": budget_left(progress.run.config.budget, progress.spent),
        "failed": failures(progress.statuses),
        "in flight": str(progress.in_flight),
    }
    if progress.in_flight == 0 and progress.run.config.budget.exhausted(progress.spent):
        facts["in flight"] = "the best ones, measured again"
    if goal.kind == "speedup":
        del facts["start"], facts["gain"]  # the score is the gain: times as fast as the start
        facts |= _crown(progress)
    return facts


def _crown(progress: "Progress") -> dict[str, str]:
    """Return who reigns in a speed-up run and how small a gain can be told from noise."""
    reigning, start = progress.champion, progress.start.proposal if progress.start else None
    if progress.start and progress.start.evaluation and progress.start.evaluation.unmeasured:
        right = str(progress.statuses.get("ok", 0))
        return {"best": f"none, {UNMEASURED}", "right": right, "in flight": str(progress.in_flight)}
    if progress.noise is None:
        return {"in flight": "the start against its own copy, for the noise of this machine"}
    facts = {"champion": "the start", "duels": str(progress.duels), "noise": text.noise(progress.noise)}
    if reigning and start and reigning.candidate.id != start.candidate.id:
        facts["champion"] = f"{reigning.candidate.id} {text.score(progress.run.config.goal, reigning.evaluation)}"
    if progress.challenger:
        facts["duels"] += f", and {progress.challenger} is fighting for the crown"
        if progress.in_flight == 0:
            facts["in flight"] = f"the duel of {progress.challenger} with the champion"
    return facts


def refusal(progress: "Progress") -> str | None:
    """Return one line about the result that has just come in if that was refused: who and why."""
    last = progress.last
    if last is None or last.evaluation is None or last.evaluation.status != "refused" or last.seen_before:
        return None
    return text.plain(f"Refused {_id(last)}: {text.first_line(last.evaluation.feedback)}")


def summary(progress: "Progress") -> str:
    """Return the look at a run in one line."""
    facts = look(progress)
    parts = [f"{facts['evaluations']} evaluations", f"best {facts['best']}"]
    if progress.best and progress.start and _id(progress.best) != _id(progress.start) and "gain" in facts:
        parts.append(f"{facts['gain']} than the start ({facts['start']})")
    if progress.noise:
        parts.append(f"champion {facts['champion'].partition(' [')[0]} after {text.counted(progress.duels, 'duel')}")
    if facts["failed"] != "none":
        parts.append(f"failed: {facts['failed']}")
    if not facts["in flight"].isdigit():
        parts.append(f"in flight: {facts['in flight']}")
    return "  ".join(parts)


def failures(statuses: Mapping[str, int]) -> str:
    """Return the number of failed results by status: ``3 wrong, 1 timeout``."""
    counts = [f"{count} {_FAILED.get(status, status)}" for status, count in sorted(statuses.items()) if status != "ok"]
    return ", ".join(counts) or "none"


def budget_left(budget: Budget, spent: Spent) -> str:
    """Return what is left of each bound."""
    left = budget.left(spent)
    parts = [
        text.duration(value) if name == "wall_s" else f"{text.number(value)} {_NAMES[name]}"
        for name, value in left.items()
    ]
    return ", ".join(parts)


def _evaluations(budget: Budget, spent: Spent) -> str:
    bound = f"/{budget.evaluations}" if budget.evaluations else ""
    return f"{spent.evaluations}{bound}"


def _id(result: Result | None) -> str | None:
    return result.proposal.candidate.id if result and result.proposal else None


def progress_record(progress: "Progress") -> dict[str, object]:
    """Return a progress event for programs."""
    return {
        "event": "progress",
        "run": progress.run.id,
        "spent": records.spent(progress.spent),
        "budget": progress.run.config.budget.as_dict(),
        "statuses": dict(progress.statuses),
        "in_flight": progress.in_flight,
        "start": records.outcome(progress.start),
        "best": records.outcome(progress.best),
        "last": records.outcome(progress.last),
        "noise": records.noise(progress.noise),
        "champion": records.member(progress.champion),
        "duels": progress.duels,
        "challenger": progress.challenger,
        "warnings": [*progress.warnings],
    }
