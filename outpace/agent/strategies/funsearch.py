"""FunSearch: islands of clusters of programs that score alike, short programs preferred, versions in the prompt."""

import math
import random
from collections.abc import Sequence
from typing import ClassVar

from outpace.agent.proposal import Brief, Member, Result
from outpace.agent.strategies.archive import Elite
from outpace.agent.strategies.base import Ranges
from outpace.agent.strategies.chance import brief_seed, stream
from outpace.agent.strategies.counted import Counted
from outpace.agent.strategies.features import evolving
from outpace.agent.strategies.parameters import positive, whole
from outpace.evaluators.base import Evaluation
from outpace.tasks.objectives import CASE, INSTANCE
from outpace.tasks.spec import Goal

OPERATOR = "versions"
CLUSTERS, PROGRAMS = 64, 16  # what is kept: the best clusters of an island, and the shortest programs of a cluster
DIGITS = 6  # of a score in a signature
OCTAVE = 8  # a measured speed-up counts in signatures in eighths of a doubling (9 %), about what a measurement can tell
RESETS = 10  # of a run, by default
TRIES = 20  # results for each island before any is given up, by default
LENGTH_TEMPERATURE = 1.0

Signature = tuple[tuple[str, float], ...]


def signature(found: Evaluation, goal: Goal) -> Signature:
    """Return what programs of one cluster share: their scores per problem, else per case, else the score alone.

    Rounded to 6 significant digits; speed-ups, which are measured with noise, to eighths of a doubling.
    """
    measured = goal.kind == "speedup"
    for group in (INSTANCE, CASE):
        scores = {name: value for name, value in found.metrics.items() if name.startswith(group)}
        if scores:
            return tuple((name, _rounded(scores[name], measured=measured)) for name in sorted(scores))
    return () if found.score is None else (("score", _rounded(found.score, measured=measured)),)


def softmax(values: Sequence[float], temperature: float) -> list[float]:
    """Return weights in proportion to exp(value / temperature), that of the largest value 1."""
    largest = max(values)
    return [math.exp((value - largest) / temperature) for value in values]


def normalised(scores: Sequence[float]) -> list[float]:
    """Return scores from 0 (the lowest) to 1 (the highest); 1 for all where they are the same."""
    low, high = min(scores) / 2, max(scores) / 2  # halves, for the difference of two floats may be too large for one
    return [(score / 2 - low) / (high - low) if high > low else 1.0 for score in scores]


def shortness(lengths: Sequence[int]) -> list[float]:
    """Return (shortest - length) / longest for each: 0 for the shortest, above -1 for all."""
    shortest, longest = min(lengths), max(lengths)
    return [(shortest - length) / (longest + 1e-6) for length in lengths]


class Cluster:
    """Programs that score alike, at most 16: the longest but the best makes room, of equals the oldest."""

    def __init__(self, first: Elite) -> None:
        """Start with one program."""
        self.best = first
        self._programs: dict[str, tuple[int, Elite]] = {}  # by candidate id, with lengths, the oldest first

    def add(self, elite: Elite) -> bool:
        """Take a program in; False if it is here already."""
        candidate = elite.member.candidate
        if candidate.id in self._programs:
            return False
        self._programs[candidate.id] = (len(evolving(candidate)), elite)
        if elite.rank > self.best.rank:
            self.best = elite
        if len(self._programs) > PROGRAMS:
            spare = [name for name, (_, one) in self._programs.items() if one is not self.best]
            del self._programs[max(spare, key=lambda name: self._programs[name][0])]
        return True

    def draw(self, chance: random.Random) -> Elite:
        """Return a program, a short one rather than a long one."""
        programs = list(self._programs.values())
        weights = softmax(shortness([length for length, _ in programs]), LENGTH_TEMPERATURE)
        return programs[_drawn(weights, chance)][1]


class Island:
    """Clusters by signature, at most 64: that of the lowest score makes room, of equals the oldest."""

    def __init__(self) -> None:
        """Start empty."""
        self.clusters: dict[Signature, Cluster] = {}  # the oldest first
        self.programs = 0  # that were ever added
        self.best: Elite | None = None

    def add(self, kind: Signature, elite: Elite) -> None:
        """Put a program into its cluster; a program that is there already counts for nothing."""
        if not self.clusters.setdefault(kind, Cluster(elite)).add(elite):
            return
        self.programs += 1
        if self.best is None or elite.rank > self.best.rank:
            self.best = elite
        if len(self.clusters) > CLUSTERS:
            del self.clusters[min(self.clusters, key=lambda one: self.clusters[one].best.rank)]

    def draw(self, most: int, *, temperature: float, chance: random.Random) -> list[Elite]:
        """Return programs of up to ``most`` different clusters, drawn by softmax of their normalised scores."""
        clusters = list(self.clusters.values())
        scores = normalised([cluster.best.rank for cluster in clusters])
        drawn: dict[str, Elite] = {}
        for _ in range(min(most, len(clusters))):
            place = _drawn(softmax(scores, temperature), chance)
            del scores[place]
            elite = clusters.pop(place).draw(chance)
            drawn.setdefault(elite.member.candidate.id, elite)
        return list(drawn.values())


class FunSearch(Counted):
    """Asks for the next version of a function whose earlier versions it shows, the worst first.

    After Romera-Paredes et al. 2024 ("Mathematical discoveries from program search with large language models", Nature
    625, methods; published parameters by default). An island, drawn evenly, draws ``functions_per_prompt`` clusters by
    softmax of their scores, with a temperature that falls from ``temperature`` to 0 over ``temperature_period``
    programs of the island and then starts anew, and of each a program by softmax of its shortness. The best of them is
    the program to edit, the others are further parents. Every ``reset_interval`` results (0: never; by default ten
    times in the run, but not before there are 20 for each island) the weaker half of the islands is given up, each
    settled anew with the best of an island that stays.

    Where we differ: scores are normalised within the island, for a softmax takes them for what they are and ours have
    any unit; a cluster is drawn once for a prompt; islands are reset by results instead of hours; and an island keeps
    its 64 best clusters, a cluster its best program and the 15 shortest others, so memory is bounded by 1,024 programs
    an island.
    """

    RANGES: ClassVar[Ranges] = {
        "islands": (2, 12),
        "functions_per_prompt": (1, 3),
        "temperature": (0.03, 0.5),
    }

    def __init__(
        self,
        goal: Goal,
        *,
        seed: int = 0,
        islands: int = 10,
        functions_per_prompt: int = 2,
        temperature: float = 0.1,
        temperature_period: int = 30_000,
        reset_interval: int | None = None,
        evaluations: int = 200,
    ) -> None:
        """Start with an empty population; raises ``UsageError`` for parameters out of their range."""
        super().__init__(goal, seed=seed)
        self._islands = [Island() for _ in range(whole("islands", islands, least=1))]
        self._versions = whole("functions_per_prompt", functions_per_prompt, least=1)
        self._temperature, self._period = (
            positive("temperature", temperature),
            whole("temperature_period", temperature_period, least=1),
        )
        usual = max(TRIES * islands, whole("evaluations", evaluations, least=1) // RESETS)
        self._interval = usual if reset_interval is None else whole("reset_interval", reset_interval, least=0)
        self._told = 0

    def tell(self, results: Sequence[Result]) -> None:
        """Put each good candidate on the island that asked for it; the starting program on all."""
        for result in results:
            self._place(result)
            if result.brief.number == 0:
                continue
            self._told += 1
            if self._interval and self._told % self._interval == 0:
                self._reset()

    def _ready(self) -> bool:
        return bool(self._islands[0].clusters)

    def _next(self) -> Brief:
        chance = stream(self._seed, self._asks)
        number = int(chance.random() * len(self._islands))
        island = self._islands[number]
        temperature = self._temperature * (1 - island.programs % self._period / self._period)
        drawn = island.draw(self._versions, temperature=temperature, chance=chance)
        *earlier, best = sorted(drawn, key=lambda elite: elite.rank)
        return Brief(
            number=self._asks,
            parents=tuple(elite.member for elite in (best, *earlier)),
            seed=brief_seed(self._seed, self._asks),
            operator=OPERATOR,
            note={"island": number},
        )

    def _place(self, result: Result) -> None:
        found = result.evaluation
        rank = found.standing(self._goal) if found else None
        if result.proposal is None or found is None or rank is None:
            return
        kind, elite = signature(found, self._goal), Elite(Member(result.proposal.candidate, found), rank)
        if result.brief.number == 0:
            for island in self._islands:
                island.add(kind, elite)
        elif self._islands[0].clusters:  # nothing good can come before the starting program is good
            self._home(result.brief).add(kind, elite)

    def _home(self, brief: Brief) -> Island:
        """Return the island that asked; for a brief that no island made, one by its number."""
        number = brief.note.get("island")
        if isinstance(number, int) and 0 <= number < len(self._islands):
            return self._islands[number]
        return self._islands[brief.number % len(self._islands)]

    def _reset(self) -> None:
        """Give up the half of the islands with the worst bests; chance decides between equals, and who founds anew."""
        chance = stream(self._seed, -self._told)
        order = [(best.rank, chance.random(), n) for n, island in enumerate(self._islands) if (best := island.best)]
        weaker = [number for _, _, number in sorted(order)]
        half = len(weaker) // 2
        staying = [self._islands[number].best for number in weaker[half:]]
        for number in weaker[:half]:
            founder = staying[int(chance.random() * len(staying))]
            assert founder is not None
            self._islands[number] = Island()
            self._islands[number].add(signature(founder.member.evaluation, self._goal), founder)


def _rounded(value: float, *, measured: bool) -> float:
    """Return a score as signatures have it; what is not finite, or no ratio, stays as it is."""
    if measured and 0 < value < math.inf:
        return round(math.log2(value) * OCTAVE)
    return float(f"{value:.{DIGITS}g}")


def _drawn(weights: Sequence[float], chance: random.Random) -> int:
    """Return a place with a chance in proportion to its weight."""
    return chance.choices(range(len(weights)), weights)[0]
