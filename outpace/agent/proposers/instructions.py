"""Instructions that evolve beside the programs.

After AlphaEvolve (Novikov et al. 2025, https://arxiv.org/abs/2506.13131, section 2.2, "meta prompt evolution"): the
model is asked for instructions too, and they live in a population of their own, judged by the programs that come of
them.
"""

import random
import re
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

from outpace.agent.models.base import Choice
from outpace.agent.prompts.render import DEFAULT_INSTRUCTION, Followed
from outpace.agent.proposal import Brief, Result
from outpace.agent.proposers.answers import without_thinking
from outpace.tasks.spec import Goal

SHARE = 1 / 16
"""The share of briefs for which a new instruction is asked for, at the price of one more answer."""
FIRST_USES = 8
"""How many outcomes are wanted before the first new instruction: there must be something to learn from."""
POOL = 8
"""How many instructions are kept beside the one that is there by default; the one of the least value gives way."""
SHOWN = 4
"""How many of them whoever writes a new one is shown."""
MOST = 600
"""Characters of an instruction."""
FULL_GAIN = 0.1
"""The relative gain over the parent from which on an improvement counts in full; a smaller one counts half and more."""
HISTORY = 1024
"""How many results back the pool is remembered: briefs in flight were asked for as it was then."""
INSTRUCTION, WRITTEN = "instruction", "instruction_written"
"""Keys in the detail of a proposal: the instruction that was followed, and whether it was written for that brief."""

Pool = tuple[Followed, ...]
DEFAULT = Followed(text="", uses=0, gains=0, value=0.0)


@dataclass(frozen=True, slots=True)
class Chosen:
    """What to tell a model: an instruction ("" for the one by default), or to write a new one first."""

    text: str
    write: bool = False


class Instructions:
    """The pool of instructions with their outcomes: a fold over results.

    What a brief gets follows from its seed and from what had been told when it was asked for (``Brief.told``), so it is
    the same after an interruption. Thompson sampling (Thompson 1933; Chapelle and Li 2011) chooses: an instruction is
    followed as often as it may be the best by what is known, the one by default among them.
    """

    def __init__(self, goal: Goal) -> None:
        """Start with the instruction by default."""
        self._goal = goal
        self._told = 0
        self._pools: deque[Pool] = deque([(DEFAULT,)], maxlen=HISTORY)  # the last is that of now

    def tell(self, results: Sequence[Result]) -> None:
        """Learn what came of instructions."""
        for result in results:
            pool = self._pools[-1]
            text = self._followed(result)
            if text is not None:
                pool = _credited(pool, text, self._value(result), new=_written(result))
            self._told += 1
            self._pools.append(pool)

    def chosen(self, brief: Brief) -> Chosen | None:
        """Return what a brief gets; None where the strategy has an instruction of its own for it."""
        if brief.instruction.strip():
            return None
        pool, chance = self._pool(brief), _chance(brief)
        write = chance.random() < SHARE and sum(one.uses for one in pool) >= FIRST_USES
        drawn = [(chance.betavariate(1 + one.value * one.uses, 1 + (1 - one.value) * one.uses), one) for one in pool]
        return Chosen(max(drawn, key=lambda pair: pair[0])[1].text, write)

    def best(self, brief: Brief) -> Pool:
        """Return the best instructions with their outcomes, as whoever writes a new one is shown them."""
        used = [one for one in self._pool(brief) if one.uses]
        shown = sorted(used, key=lambda one: -one.value)[:SHOWN]
        return tuple(one if one.text else replace(one, text=DEFAULT_INSTRUCTION) for one in shown)

    def pool(self) -> Pool:
        """Return all instructions with their outcomes, oldest first; the text of that by default is empty."""
        return self._pools[-1]

    def _pool(self, brief: Brief) -> Pool:
        """Return the pool as it was when the brief was asked for, as far back as it is remembered."""
        back = 0 if brief.told is None else max(0, self._told - brief.told)
        return self._pools[max(0, len(self._pools) - 1 - back)]

    def _followed(self, result: Result) -> str | None:
        """Return the instruction of a result, None where it says nothing of any."""
        if result.brief.number == 0 or (result.evaluation and result.evaluation.status == "infra"):
            return None
        chosen = self.chosen(result.brief)
        if chosen is None:
            return None
        if result.proposal:
            text = result.proposal.detail.get(INSTRUCTION, "")
            return text if isinstance(text, str) else None
        return None if chosen.write else chosen.text  # an answer of no use; what was written for it is not known

    def _value(self, result: Result) -> float:
        """Return what came of a brief, from 0 (nothing better than its parent) to 1.

        Better means that the pessimistic end of the program's interval lies above the figure of its parent.
        """
        before = next((one.evaluation.score for one in result.brief.parents[:1]), None)
        rank = result.evaluation.rank(self._goal) if result.evaluation else None
        if result.seen_before or rank is None or before is None:
            return 0.0
        gain = rank - self._goal.rank(before)
        if not gain > 0:
            return 0.0
        return 0.5 + 0.5 * min(1.0, gain / (FULL_GAIN * abs(before)) if before else 1.0)


def _chance(brief: Brief) -> random.Random:
    """Return the chance of a brief; those that share a request share it, for they share the prompt."""
    seed = f"{brief.seed}" if brief.sample is None else f"of {brief.sample.first}"
    return random.Random(f"outpace instruction {seed}")  # noqa: S311  a search, not a secret


def _written(result: Result) -> bool:
    return bool(result.proposal and result.proposal.detail.get(WRITTEN))


def _credited(pool: Pool, text: str, value: float, *, new: bool) -> Pool:
    """Return the pool with one more outcome of an instruction; one that has given way stays away."""
    if all(one.text != text for one in pool):
        if not new:
            return pool
        pool = (*_with_room(pool), Followed(text=text, uses=0, gains=0, value=0.0))
    return tuple(_after(one, value) if one.text == text else one for one in pool)


def _with_room(pool: Pool) -> Pool:
    if len(pool) <= POOL:
        return pool
    worst = min(pool[1:], key=lambda one: one.value)  # of equals the oldest
    return tuple(one for one in pool if one is not worst)


def _after(one: Followed, value: float) -> Followed:
    uses = one.uses + 1
    return replace(one, uses=uses, gains=one.gains + (value > 0), value=one.value + (value - one.value) / uses)


def cleaned(answer: Choice) -> str | None:
    """Return the instruction in an answer, in one line; None for an answer that holds none that can be used."""
    if answer.finish == "length":
        return None
    text = re.sub(r"\s+", " ", without_thinking(answer.text)).strip().strip('`"“”').strip()
    return text if 0 < len(text) <= MOST else None
