"""A staged search: programs that compile, then programs that are right, then fast ones, with features to try."""

from collections.abc import Sequence
from typing import ClassVar

from outpace.agent.proposal import Brief, Member, Result
from outpace.agent.strategies.base import Ranges
from outpace.agent.strategies.chance import brief_seed, stream
from outpace.agent.strategies.counted import Counted
from outpace.agent.strategies.ensemble import gain
from outpace.agent.strategies.guided import WORDS
from outpace.agent.strategies.hints import Hints, hints_for
from outpace.agent.strategies.parameters import whole
from outpace.evaluators.base import Evaluation
from outpace.tasks.spec import Goal

COMPILING = ("build", "load")
"""Stages that a program does not pass because it cannot be compiled, or loaded."""
MENDING = ("compile", "correct")
"""Stages of the search whose prompts give a failed program back."""
NEARNESS = ("wrong", "timeout", "crashed", "refused")
"""Failures of one stage, what is nearest to a valid program first."""
FARTHEST = (1, 0)
"""Farther from a valid program than any that failed."""
BESIDE = 2
"""Further failed programs that a prompt shows."""


class Fsr(Counted):
    """Rounds of ``width`` programs: all failed, they go back with their errors; else the best is made faster.

    Feature Search and Reinforcement (Chen et al. 2025, "CUDA-LLM", https://arxiv.org/abs/2506.09092), where a feature
    that is searched for is to compile, to be right, and to be fast, and what reinforces is feedback in the prompt. The
    first round is written from the statement. A round none of whose programs is valid goes back, one program in each
    prompt, those first that came furthest in the judge's stages, with what the judge said of the others beside it;
    after ``mends`` rounds of mending that came no further the search starts over from what is valid. After a round with
    a valid program, the fastest valid one of the run is the parent, and each prompt names ``hints`` features to try,
    drawn from a catalogue for the ``target``, those more often that were followed by a gain.

    Rounds overlap: a round is the next ``width`` results, and nobody waits for its end. What was in flight when a round
    ended was asked for in the stage before, and counts to the round in which it comes back. Memory is one round.
    """

    repairs = True

    RANGES: ClassVar[Ranges] = {"width": (2, 10), "hints": (0, 4), "mends": (1, 5)}

    def __init__(
        self, goal: Goal, *, seed: int = 0, width: int = 5, hints: int = 2, mends: int = 3, target: str = "python"
    ) -> None:
        """Start before the first round; raises ``UsageError`` for parameters out of their range."""
        super().__init__(goal, seed=seed)
        self._width = whole("width", width, least=1)
        self._named = whole("hints", hints, least=0)
        self._mends = whole("mends", mends, least=0)
        self._hints = Hints(hints_for(target))
        self._start: Member | None = None
        self._best: Member | None = None
        self._rank = float("-inf")
        self._found = False  # something valid beside the starting program
        self._told, self._valid, self._mended = 0, False, False  # of this round
        self._failed: dict[str, Member] = {}  # of this round, by the candidate's id
        self._barren, self._closest = 0, FARTHEST  # rounds in a row whose mending led no further than the closest yet
        self._back: list[Member] = []  # of the last round, to be mended: what came furthest first

    def tell(self, results: Sequence[Result]) -> None:
        """Count each result to the round, and end the round when it is full."""
        for result in results:
            self._meet(result)
            if result.brief.number == 0:
                continue
            if names := result.brief.note.get("hints"):
                self._hints.tell(names, gained=gain(result, self._goal) > 0)
            self._told += 1
            self._mended |= result.brief.note.get("stage") in MENDING
            if self._told >= self._width:
                self._turn()

    def _meet(self, result: Result) -> None:
        """Keep the best, and the failed programs of the round; a valid program met before counts for nothing."""
        if result.proposal is None or result.evaluation is None:
            return
        member, first = Member(result.proposal.candidate, result.evaluation), result.brief.number == 0
        rank = member.evaluation.standing(self._goal)
        if rank is not None and rank > self._rank:
            self._best, self._rank = member, rank
        if first:
            self._start = member if rank is not None else None
        elif rank is not None and not result.seen_before:
            self._valid = self._found = True
        elif member.evaluation.status in WORDS:
            self._failed[member.candidate.id] = member

    def _turn(self) -> None:
        """End a round: decide what the next one starts from. One that gave no program at all leaves all as it is."""
        failed = sorted(self._failed.values(), key=lambda member: _distance(member.evaluation))
        closest = min([self._closest, *(_distance(member.evaluation) for member in failed[:1])])
        gone_on = self._valid or closest < self._closest
        self._barren, self._closest = 0 if gone_on else self._barren + self._mended, closest
        if self._valid or self._barren >= self._mends:
            self._back, self._barren, self._closest = [], 0, FARTHEST
        elif failed:
            self._back = failed
        self._told, self._valid, self._mended, self._failed = 0, False, False, {}

    def _ready(self) -> bool:
        return self._start is not None and self._best is not None

    def _next(self) -> Brief:
        start, best = self._start, self._best
        assert start is not None and best is not None
        if self._back:
            return self._mending(best)
        return self._faster(best) if self._found else self._written(start)

    def _written(self, start: Member) -> Brief:
        return Brief(
            number=self._asks,
            parents=(start,),
            seed=brief_seed(self._seed, self._asks),
            operator="fsr_write",
            edit_mode="whole",
            note={"stage": "write"},
        )

    def _mending(self, best: Member) -> Brief:
        """Return a brief that gives a program of the last round back, beside the best and others that failed."""
        place = (self._asks - 1) % len(self._back)
        failed = self._back[place]
        others = {one.candidate.id: one for one in self._back[:place] + self._back[place + 1 :]}
        beside = [one for name, one in others.items() if name not in (failed.candidate.id, best.candidate.id)][:BESIDE]
        right = (best,) if best.candidate.id != failed.candidate.id else ()
        failing = next((stage.name for stage in failed.evaluation.stages if not stage.passed), "")
        stage = "compile" if failing in COMPILING else "correct"
        numbers = list(range(len(right) + 1, len(right) + len(beside) + 1))
        return Brief(
            number=self._asks,
            parents=(failed,),
            seed=brief_seed(self._seed, self._asks),
            operator=f"fsr_{stage}",
            inspirations=(*right, *beside),
            given={"stage": failing, "failed": numbers},
            note={"stage": stage},
        )

    def _faster(self, best: Member) -> Brief:
        hints = self._hints.draw(self._named, stream(self._seed, self._asks))
        return Brief(
            number=self._asks,
            parents=(best,),
            seed=brief_seed(self._seed, self._asks),
            operator="fsr_fast",
            given={"hints": [{"name": hint.name, "text": hint.text} for hint in hints]},
            note={"stage": "fast", "hints": [hint.name for hint in hints]},
        )


def _distance(evaluation: Evaluation) -> tuple[int, int]:
    """Return how far a failed program is from a valid one, to sort by: stages not passed, then the kind of failure."""
    passed = sum(stage.passed for stage in evaluation.stages)
    return -passed, NEARNESS.index(evaluation.status)
