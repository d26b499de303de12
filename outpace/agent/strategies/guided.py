"""What asking models needs around a strategy: arms, repairs, and several answers to one request."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from outpace.agent.proposal import Brief, Member, Result, Sample
from outpace.agent.strategies.base import Strategy
from outpace.agent.strategies.chance import brief_seed, stream
from outpace.agent.strategies.ensemble import Chooser
from outpace.agent.strategies.parameters import asks_of, share, whole
from outpace.evaluators.base import Status

REPAIR = "repair"
"""The operator of briefs that give a failed program back."""
PROFILES = -1
"""The number of the stream of chance that decides on profiles; briefs have theirs from 1 on."""
WORDS: Mapping[Status, str] = {
    "wrong": "gives a wrong answer",
    "crashed": "crashes",
    "timeout": "takes too long",
    "refused": "breaks a rule",
}
"""Failures that are the program's own, and so can be mended; ``infra`` is ours."""


class Guided:
    """A strategy around a strategy, for models: it gives each brief an arm, and failed programs back to be repaired.

    A program that failed goes back once, before anything new is asked, to the arm that wrote it, with what the judge
    said and the program that it was made of; a repair that fails is given up. Each ask of the inner strategy becomes
    ``samples`` briefs that share one request. A share ``profile`` of the briefs wishes for a profile of the parent,
    which costs a run of it. Briefs are numbered here: the inner strategy sees its results under other numbers than it
    gave, and knows them by its own ``note``.
    """

    def __init__(
        self,
        strategy: Strategy,
        arms: Chooser,
        *,
        seed: int = 0,
        samples: int = 1,
        repair: bool = True,
        profile: float = 0.0,
    ) -> None:
        """Wrap ``strategy``, which has not been asked yet."""
        self._inner, self._chooser = strategy, arms
        self._seed, self._samples = whole("seed", seed, least=0), whole("samples", samples, least=1)
        self._repair, self._profile = repair, share("profile", profile)
        self._asks = self._repairs = 0
        self._failed: deque[Result] = deque()  # to be repaired, oldest first

    def ask(self, n: int) -> list[Brief]:
        """Return ``n`` briefs or more (those of one request come together); fewer where the inner strategy has none."""
        briefs: list[Brief] = []
        while len(briefs) < n:
            made = [self._mended()] if self._failed else self._sampled()
            if not made:
                break
            briefs += made
        return briefs

    def tell(self, results: Sequence[Result]) -> None:
        """Tell the inner strategy and the chooser, and note what is to be repaired."""
        self._inner.tell(results)
        for result in results:
            self._chooser.tell(result)
            if self._repair and _is_mendable(result):
                self._failed.append(result)

    def state(self) -> Mapping[str, Any]:
        """Return the numbers of asks and of repairs asked for, and the inner state."""
        return {"asks": self._asks, "repairs": self._repairs, "inner": dict(self._inner.state())}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on after that many asks: the oldest failures told have been given back by then."""
        self._asks = asks_of(state)
        repairs = whole("the stored state's 'repairs'", state.get("repairs", 0), least=0)
        for _ in range(min(repairs - self._repairs, len(self._failed))):
            self._failed.popleft()
        self._repairs = repairs
        self._inner.restore(state.get("inner", state))  # a run from before had the inner state alone

    def _mended(self) -> Brief:
        """Return the brief that gives the oldest failed program back."""
        result = self._failed.popleft()
        self._repairs += 1
        assert result.proposal is not None and result.evaluation is not None
        failed, before = Member(result.proposal.candidate, result.evaluation), result.brief
        origin = tuple(one for one in before.parents[:1] if one.candidate.id != failed.candidate.id)
        mended = replace(before, operator=REPAIR, parents=(failed,), inspirations=origin, sample=None)
        mended = replace(mended, instruction=_instruction(result), given={}, reflect=None)
        return self._numbered(replace(mended, profile=False, told=None))

    def _sampled(self) -> list[Brief]:
        """Return what one ask of the inner strategy comes to."""
        briefs: list[Brief] = []
        for asked in self._inner.ask(1):
            first = self._numbered(asked)
            profile = first.profile or stream(first.seed, PROFILES).random() < self._profile
            arm = self._chooser.choose(first)
            mode = arm.edit_mode or first.edit_mode
            first = replace(first, model_hint=arm.name, edit_mode=mode, profile=profile)
            if self._samples == 1:
                briefs.append(first)
                continue
            shared = [first, *(self._numbered(first) for _ in range(self._samples - 1))]
            briefs += [
                replace(one, sample=Sample(first.number, index, self._samples, first.seed))
                for index, one in enumerate(shared)
            ]
        return briefs

    def _numbered(self, brief: Brief) -> Brief:
        """Return the brief with the next number and the chance that belongs to it."""
        self._asks += 1
        return replace(brief, number=self._asks, seed=brief_seed(self._seed, self._asks))


def _is_mendable(result: Result) -> bool:
    brief, found = result.brief, result.evaluation
    if brief.number == 0 or brief.operator == REPAIR or result.proposal is None or found is None or result.seen_before:
        return False
    return found.status in WORDS


def _instruction(result: Result) -> str:
    """Return what to do, in our words: what the judge said stands fenced with the program, for it may quote it."""
    found = result.evaluation
    assert found is not None
    step = next((f" (at the step '{stage.name}')" for stage in found.stages if not stage.passed), "")
    why = " The judge's feedback above says why." if found.feedback else ""
    return f"This program {WORDS[found.status]}{step}.{why} Mend that, and keep its idea as far as it can be kept."
