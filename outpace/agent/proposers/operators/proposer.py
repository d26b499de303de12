"""The proposer that needs no model: it chooses an operator for each brief, and rewrites a program with it."""

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from outpace.agent.proposal import Brief, Proposal, Result
from outpace.agent.proposers.operators.crossover import crossover
from outpace.agent.proposers.operators.memory import Memory
from outpace.agent.proposers.operators.mutate import mutate
from outpace.agent.proposers.operators.numbers import template
from outpace.agent.proposers.operators.parametrise import canonical_variants, parametrise
from outpace.agent.proposers.operators.rewrites import rewrites
from outpace.agent.proposers.operators.schedule import GATHER, Schedule
from outpace.agent.proposers.operators.source import Source
from outpace.errors import ProposalError
from outpace.tasks.candidate import Candidate
from outpace.tasks.spec import Task

OPERATORS = ("parametrise", "tune", "mutate", "crossover", "rewrite")
OTHERS = ("mutate", "crossover", "parametrise")
"""What a metric task is tried with beside tuning."""
SHARE = 0.06
"""Part of the briefs of a metric task that go to the other operators though there is something to tune."""
EQUIVALENTS = {
    "draft": ("parametrise", "mutate"),
    "debug": ("mutate", "tune"),
    "fsr_write": ("parametrise", "mutate"),
    "fsr_compile": ("mutate", "tune"),
    "fsr_correct": ("mutate", "tune"),
    "i1": ("parametrise", "mutate"),
    "e1": ("crossover", "parametrise", "mutate"),
    "e2": ("crossover", "mutate"),
    "m1": ("mutate",),
    "m2": ("tune", "mutate"),
    "m3": ("mutate",),
    "s1": ("crossover", "mutate"),
    "reevo_seed": ("parametrise", "mutate"),
    "reevo_crossover": ("crossover", "mutate"),
    "reevo_mutation": ("tune", "mutate"),
}
"""Operators that strategies name for models, and what comes nearest to each here, in the order of trial."""
FREE = ("versions", "improve", "fsr_fast")
"""Operators that strategies name for models and that say nothing of the kind of change: the choice is ours."""
TRIES = 12
"""How often chance may give a program that was proposed before."""


class OperatorsProposer:
    """Serves briefs by rewriting operators: parametrise, tune, mutate, crossover and a catalogue of speed rewrites.

    ``seed`` seeds the tuning sessions; all other chance comes from ``brief.seed``. What it knows is a fold over the
    results it was told, so that a fresh one that is told all stored results goes on as if it had never stopped.
    """

    name = "operators"
    lookahead = 0

    def __init__(self, *, seed: int = 0, allowed: Sequence[str] = ()) -> None:
        """Start without memory; ``allowed`` are the operators to choose from (default: all)."""
        self.seed = seed
        self._allowed = tuple(allowed) or OPERATORS
        self._untold: list[Result] = []
        self._memory: Memory | None = None
        self._sources: dict[str, Source] = {}

    async def propose(self, task: Task, brief: Brief) -> Proposal:
        """Return a new candidate for the brief.

        Raises:
            ProposalError: the named operator does not apply, or nothing is left to try.
        """
        memory = self._remember(task)
        brief = replace(brief, operator=None) if brief.operator in FREE else brief
        proposal = self._serve(task, brief, memory)
        memory.note(proposal.candidate.id)
        return proposal

    def tell(self, results: Sequence[Result]) -> None:
        """Learn what became of briefs; nothing is computed before the next ``propose``, which knows the task."""
        self._untold += results

    def _remember(self, task: Task) -> Memory:
        if self._memory is None:
            gather = GATHER if task.spec.goal.kind == "metric" and _grows(task) else 0
            self._memory = Memory(task.spec.goal, Schedule(self.seed, gather, gather))
        for result in self._untold:
            self._memory.tell(result, task.start)
        self._untold.clear()
        return self._memory

    def _serve(self, task: Task, brief: Brief, memory: Memory) -> Proposal:
        if brief.operator in OPERATORS:
            return self._named(brief.operator)(task, brief, memory)
        rng = random.Random(f"policy {brief.seed}")  # noqa: S311 (a search, not a secret)
        if task.spec.goal.kind == "speedup":
            order: Iterable[str] = ("rewrite",)
        else:
            order = self._plan(brief, memory, rng) if brief.operator is None else _equivalents(brief.operator)
        tried: dict[str, ProposalError] = {}
        for operator in (one for one in order if one in self._allowed):
            try:
                return self._named(operator)(task, brief, memory)
            except ProposalError as error:
                tried[operator] = error
        if len(tried) == 1:
            raise tried.popitem()[1]
        allowed = f"none: only {', '.join(self._allowed)} may be used, and does not fit"
        raise ProposalError(f"No operator gave a new program; tried {', '.join(tried) or allowed}.")

    def _named(self, operator: str) -> Callable[[Task, Brief, Memory], Proposal]:
        served = {
            "parametrise": self._parametrise,
            "tune": self._tune,
            "mutate": self._mutate,
            "crossover": self._crossover,
            "rewrite": self._rewrite,
        }
        return served[operator]

    def _plan(self, brief: Brief, memory: Memory, rng: random.Random) -> Iterator[str]:
        """Yield operators in the order in which they are to be tried."""
        others = [name for name in OTHERS if name != "crossover" or brief.parents[1:] or brief.inspirations]
        out = sum(operator == "parametrise" for operator, *_ in memory.flight.values())
        if memory.schedule.wanted > out:
            yield "parametrise"
        elif memory.schedule.bracket == 0 or rng.random() >= SHARE:
            yield "tune"
        while others:
            choice = memory.credit.choose(others, rng)
            others.remove(choice)
            yield choice
        yield "tune"

    def _parametrise(self, task: Task, brief: Brief, memory: Memory) -> Proposal:
        """Parametrise the starting program: what others have added since is not to be buried under more."""
        parent = brief.parents[0].candidate if brief.operator else task.start
        out = [number for operator, _, number, _ in memory.flight.values() if operator == "parametrise"]
        first = max([memory.variants, *(number + 1 for number in out)])
        for variant in range(first, first + TRIES):
            made = parametrise(self._source(parent), task.spec.entry, variant=variant, seed=self.seed)
            candidate = parent.with_program(made.text)
            if candidate.id in memory.seen:
                continue
            memory.flight[brief.number] = ("parametrise", "", variant, 0)
            found = template(made.text)
            fresh = [] if found is None else _positions(found.values, made.weights)
            detail = {"variant": variant, "fresh": fresh}
            return self._proposal(candidate, "parametrise", parent.id, made.thought, detail)
        raise ProposalError("All parametrisations that chance gave were proposed before.")

    def _tune(self, task: Task, brief: Brief, memory: Memory) -> Proposal:
        taken = set(memory.flight.values())
        for session, index in memory.schedule.samples():
            key = ("tune", session.name, session.generation, index)
            if key in taken:
                continue
            text = session.samples[index].text
            candidate = task.start.with_program(text)
            memory.flight[brief.number] = key
            detail = {"session": session.name, "generation": session.generation, "index": index}
            thought = f"sample {index} of generation {session.generation} of session {session.name}"
            return self._proposal(candidate, "tune", session.origin, thought, detail)
        if brief.operator:
            return self._shake(brief, memory)
        raise ProposalError("Nothing to tune: no session has a sample that is not out yet.")

    def _shake(self, brief: Brief, memory: Memory) -> Proposal:
        """Vary the numbers of the parent by chance, where ``tune`` was asked for and no session can serve."""
        parent = brief.parents[0].candidate
        found = template(parent.program)
        if found is None:
            raise ProposalError("Nothing to tune: the block holds no number that may be varied.")
        rng = random.Random(f"shake {brief.seed}")  # noqa: S311 (a search, not a secret)
        for _ in range(TRIES):
            values = [value + rng.gauss(0, 0.2) * max(abs(value), 0.1) for value in found.values]
            candidate = parent.with_program(found.write(values))
            if candidate.id not in memory.seen and candidate.id != parent.id:
                return self._proposal(candidate, "tune", parent.id, "all numbers varied by chance", {})
        raise ProposalError("Nothing to tune: every variation that chance gave was proposed before.")

    def _mutate(self, task: Task, brief: Brief, memory: Memory) -> Proposal:
        parent = brief.parents[0].candidate
        source = self._source(parent)
        for turn in range(TRIES):
            text, thought = mutate(source, task.spec.entry, seed=brief.seed * TRIES + turn)
            candidate = parent.with_program(text)
            if candidate.id not in memory.seen:
                return self._proposal(candidate, "mutate", parent.id, thought, {})
        raise ProposalError(f"{TRIES} mutations gave programs that were proposed before.")

    def _crossover(self, task: Task, brief: Brief, memory: Memory) -> Proposal:
        parent = brief.parents[0].candidate
        donors = [member.candidate for member in (*brief.parents[1:], *brief.inspirations)]
        donors = [donor for donor in donors if donor.id != parent.id]
        if not donors:
            raise ProposalError("Nothing to cross over with: the brief names no other program.")
        rng = random.Random(f"donor {brief.seed}")  # noqa: S311 (a search, not a secret)
        for turn in range(TRIES):
            donor = rng.choice(donors)
            seed = brief.seed * TRIES + turn
            text, thought = crossover(self._source(parent), self._source(donor), task.spec.entry, seed=seed)
            candidate = parent.with_program(text)
            if candidate.id not in memory.seen:
                proposal = self._proposal(candidate, "crossover", parent.id, thought, {})
                return replace(proposal, parents=(*proposal.parents, donor.id))
        raise ProposalError(f"{TRIES} crossovers gave programs that were proposed before.")

    def _rewrite(self, task: Task, brief: Brief, memory: Memory) -> Proposal:
        """Return the first rewrite of the parent, or of another program of the brief, that was not proposed yet."""
        members = [*brief.parents, *brief.inspirations]
        programs = [member.candidate for member in members] + ([] if brief.operator else [task.start])
        for parent in dict.fromkeys(programs):
            for done in rewrites(self._source(parent), task.spec.entry, requires=task.spec.requires):
                candidate = parent.with_program(done.text)
                if candidate.id not in memory.seen:
                    return self._proposal(candidate, "rewrite", parent.id, done.thought, {"rewrite": done.name})
        raise ProposalError("No rewrite of the catalogue is left for the programs of this brief: all were proposed.")

    def _source(self, candidate: Candidate) -> Source:
        """Return the parsed program; the last few are kept."""
        if candidate.id not in self._sources:
            if len(self._sources) >= 16:
                del self._sources[next(iter(self._sources))]
            self._sources[candidate.id] = Source(candidate.program)
        return self._sources[candidate.id]

    def _proposal(
        self, candidate: Candidate, operator: str, parent: str, thought: str, detail: dict[str, object]
    ) -> Proposal:
        return Proposal(
            candidate=candidate,
            proposer=self.name,
            operator=operator,
            parents=(parent,),
            thought=thought,
            detail=detail,
        )


def _equivalents(operator: str) -> Sequence[str]:
    if operator not in EQUIVALENTS:
        known = ", ".join([*OPERATORS, *EQUIVALENTS])
        raise ProposalError(f"No rewriting operator serves '{operator}'. Those that are served: {known}.")
    return EQUIVALENTS[operator]


def _grows(task: Task) -> bool:
    """Return whether the starting program has an expression that can be parametrised."""
    try:
        return canonical_variants(Source(task.start.program), task.spec.entry) > 0
    except ProposalError:
        return False


def _positions(values: Sequence[float], weights: Sequence[str]) -> list[int]:
    """Return where the fresh weights stand among the numbers of a template, in the order of the text."""
    found: list[int] = []
    wanted = [float(weight) for weight in weights]
    for position, value in enumerate(values):
        if len(found) < len(wanted) and value == wanted[len(found)]:
            found.append(position)
    return found
