"""Lines of work that go on from where they stand, better or worse, and return to their best."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from outpace.agent.proposal import Brief, Member, Result
from outpace.agent.strategies.base import Ranges
from outpace.agent.strategies.chance import brief_seed
from outpace.agent.strategies.counted import Counted
from outpace.agent.strategies.guided import WORDS
from outpace.agent.strategies.parameters import whole
from outpace.errors import UsageError
from outpace.tasks.spec import Goal

MOST_LINES = 256
"""Lines that the stored state has room for."""


@dataclass(slots=True)
class _Line:
    """A line of work: where it stands, its best with the rank, and how many changes in a row brought nothing.

    ``turn`` counts its asks, ``closed`` is the latest of them whose result is known: between them it is busy.
    """

    here: Member
    best: Member
    rank: float
    stale: int = 0
    turn: int = 0
    closed: int = 0


class Tuner(Counted):
    """Each line of work goes on from its latest program and returns to its best after ``patience`` vain changes.

    The loop of AlgoTuner (Press et al. 2025, https://arxiv.org/abs/2507.15887) as a strategy: one program, changed step
    by step, each change judged, with the best snapshot to go back to. A program that fails is gone on from too: failed
    programs are parents here. In the publication the model itself decides to go back; we do so after ``patience``
    changes in a row that gave nothing better. ``lines`` such lines work side by side, each with one brief in flight.

    Beside the tuner as a proposer each line is a conversation, known by its ``note``, in which the model goes back as
    it likes. When it has ended (the model has given up, or no message is left), the line begins anew from the best
    program of the run, whoever found it. Memory: two programs for each line, and the best of the run.
    """

    repairs = True

    RANGES: ClassVar[Ranges] = {"patience": (2, 12)}

    def __init__(self, goal: Goal, *, seed: int = 0, lines: int = 1, patience: int = 5) -> None:
        """Start without a program; raises ``UsageError`` for parameters out of their range."""
        super().__init__(goal, seed=seed)
        self._count = whole("lines", lines, least=1)
        if lines > MOST_LINES:
            raise UsageError(f"Strategy: lines must be at most {MOST_LINES}, got {lines}.")
        self._patience = whole("patience", patience, least=1)
        self._lines: list[_Line] = []
        self._best: Member | None = None
        self._rank = float("-inf")
        self._talks = False  # lines are conversations of a proposer that works with tools

    def ask(self, n: int) -> list[Brief]:
        """Return up to ``n`` briefs, one for each line that waits for nothing; those with the fewest turns first."""
        free = [index for index, line in enumerate(self._lines) if line.turn == line.closed]
        return [self._turn(index) for index in sorted(free, key=lambda index: self._lines[index].turn)[:n]]

    def tell(self, results: Sequence[Result]) -> None:
        """Move each line to what became of its change; all lines begin with the starting program."""
        for result in results:
            member, rank = self._met(result)
            if result.brief.number == 0 and member and rank is not None:
                self._lines = [_Line(member, member, rank) for _ in range(self._count)]
            elif (line := self._line(result.brief)) is not None:
                self._move(line, result, member, rank)

    def state(self) -> Mapping[str, Any]:
        """Return the number of asks, and how many were of each line."""
        return {**super().state(), "turns": [line.turn for line in self._lines]}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on after those asks; a line whose latest has not been told is busy."""
        super().restore(state)
        for line, turn in zip(self._lines, state.get("turns", ()), strict=False):
            line.turn = max(line.closed, whole("the stored state's 'turns'", turn, least=0))

    def _met(self, result: Result) -> tuple[Member | None, float | None]:
        """Return the program of a result with its rank, and keep the best of the run."""
        if result.proposal is None or result.evaluation is None:
            return None, None
        member, rank = Member(result.proposal.candidate, result.evaluation), result.evaluation.standing(self._goal)
        if rank is not None and rank > self._rank:
            self._best, self._rank = member, rank
        return member, rank

    def _line(self, brief: Brief) -> _Line | None:
        """Return the line that asked, None for what others asked."""
        index = brief.note.get("line")
        known = isinstance(index, int) and 0 <= index < len(self._lines) and isinstance(brief.given.get("turn"), int)
        return self._lines[index] if known and index is not None else None

    def _move(self, line: _Line, result: Result, member: Member | None, rank: float | None) -> None:
        """Go on from a change, back to the best, or anew; a further answer to one ask only counts if it is better."""
        first = result.brief.given["turn"] > line.closed
        line.closed = max(line.closed, result.brief.given["turn"])
        line.turn = max(line.turn, line.closed)
        left = result.proposal.detail.get("left") if result.proposal else None
        self._talks |= left is not None
        if rank is not None and member and rank > line.rank:
            line.here = line.best = member
            line.rank, line.stale = rank, 0
        elif first and not (member and member.evaluation.status == "infra"):
            line.here = member if member and (rank is not None or member.evaluation.status in WORDS) else line.here
            line.stale += 1
        if self._best and self._talks and (left == 0 or result.proposal is None):
            line.here, line.best, line.rank, line.stale = self._best, self._best, self._rank, 0
        elif line.stale >= self._patience:
            line.here, line.stale = line.best, 0

    def _turn(self, index: int) -> Brief:
        self._asks += 1
        line = self._lines[index]
        line.turn += 1
        apart = line.best.candidate.id != line.here.candidate.id
        return Brief(
            number=self._asks,
            parents=(line.here,),
            seed=brief_seed(self._seed, self._asks),
            operator="debug" if line.here.evaluation.status in WORDS else None,
            inspirations=(line.best,) if apart else (),
            given={"turn": line.turn},
            note={"line": index},
        )
