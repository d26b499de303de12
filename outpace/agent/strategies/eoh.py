"""Evolution of heuristics: thoughts beside programs, and named ways of making the next ones."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from outpace.agent.proposal import Brief, EditMode, Result
from outpace.agent.strategies.base import Ranges
from outpace.agent.strategies.chance import brief_seed, stream
from outpace.agent.strategies.counted import Counted
from outpace.agent.strategies.parameters import whole
from outpace.agent.strategies.population import Entry, Population, entry_of
from outpace.errors import UsageError
from outpace.tasks.spec import Goal

OPERATORS: Mapping[str, EditMode] = {
    "i1": "whole",
    "e1": "whole",
    "e2": "whole",
    "m1": "diff",
    "m2": "diff",
    "m3": "diff",
}
"""The ways of making programs, each with the form of its answer: programs that are written anew come whole."""
FROM_SEVERAL = ("e1", "e2")
MOST_THOUGHT = 300
"""Characters of a thought that are kept beside its program and shown with it."""


class Eoh(Counted):
    """A small population by rank, and operators that take turns.

    After EoH (Liu et al. 2024, ICML, https://arxiv.org/abs/2401.02051). The first ``initial`` asks are i1, a program
    from the statement alone; then ``operators`` take turns: e1 (as unlike ``parents`` programs as can be), e2 (their
    common idea in a new form), m1 (another method), m2 (other parameters), m3 (simpler, against over-fitting).
    Parents are drawn by rank, without the same one twice. After every ``size`` results the best ``size`` programs
    survive, of those with the same score only the first. No generation is waited for: asks go on from the population as
    it stands. Memory holds at most ``2 * size`` programs, each with the beginning of its thought.
    """

    RANGES: ClassVar[Ranges] = {
        "size": (4, 20),
        "parents": (2, 5),
        "operators": ("e1,e2,m1,m2", "e1,e2,m1,m2,m3", "e2,m1,m2"),
    }

    def __init__(
        self,
        goal: Goal,
        *,
        seed: int = 0,
        size: int = 10,
        parents: int = 2,
        operators: str | Sequence[str] = "e1,e2,m1,m2",
        initial: int | None = None,
    ) -> None:
        """Start with an empty population; raises ``UsageError`` for parameters out of their range.

        ``initial`` is ``2 * size`` by default. A name that stands several times in ``operators`` has as many turns.
        """
        super().__init__(goal, seed=seed)
        self._size = whole("size", size, least=1)
        self._parents = whole("parents", parents, least=1)
        self._operators = _operators(operators)
        self._initial = 2 * size if initial is None else whole("initial", initial, least=0)
        self._population = Population(size)
        self._start: Entry | None = None
        self._told = 0

    def tell(self, results: Sequence[Result]) -> None:
        """Let good candidates wait for the next survival, which comes after every ``size`` results."""
        for result in results:
            entry = entry_of(result, self._goal, most=MOST_THOUGHT)
            if entry:
                self._population.add(entry)
            if result.brief.number == 0:
                self._start = entry
                self._population.survive()
                continue
            self._told += 1
            if self._told % self._size == 0:
                self._population.survive()

    def _ready(self) -> bool:
        return self._start is not None

    def _next(self) -> Brief:
        assert self._start is not None
        operator = self._operator()
        parents = [self._start] if operator == "i1" else self._drawn(operator)
        given = {} if operator == "i1" else {"thoughts": [entry.thought for entry in parents]}
        return Brief(
            number=self._asks,
            parents=tuple(entry.member for entry in parents),
            seed=brief_seed(self._seed, self._asks),
            operator=operator,
            given=given,
            edit_mode=OPERATORS[operator],
            note={"operator": operator},
        )

    def _operator(self) -> str:
        """Return whose turn it is."""
        turn = self._asks - 1 - self._initial
        return "i1" if turn < 0 else self._operators[turn % len(self._operators)]

    def _drawn(self, operator: str) -> list[Entry]:
        many = self._parents if operator in FROM_SEVERAL else 1
        return self._population.draw(many, stream(self._seed, self._asks))


def _operators(chosen: str | Sequence[str]) -> tuple[str, ...]:
    """Return the names of operators from a text with commas or a list; raises ``UsageError``."""
    parts = chosen.split(",") if isinstance(chosen, str) else chosen
    names = [str(name).strip() for name in parts] if isinstance(parts, Sequence) else []
    if not names or any(name not in OPERATORS for name in names):
        known = ", ".join(OPERATORS)
        raise UsageError(f"Strategy: operators must be names with commas between them, of {known}; got {chosen!r}.")
    return tuple(names)
