"""What came of the answers of each model: how many could be read, gave a candidate, were right, and were better."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from outpace.agent.budget import Spent
from outpace.agent.cli import text
from outpace.agent.models.base import Completion
from outpace.agent.proposal import Result
from outpace.agent.proposers.answers import EditError, code_of, replacements_of, without_thinking
from outpace.agent.store.base import Pending, Run, Store
from outpace.agent.strategies.ensemble import gain
from outpace.tasks.spec import Goal

HEAD = ("model", "answers", "parsed", "applied", "evaluated", "valid", "improved", "calls", "tokens", "dollars")
COUNTS = (*HEAD[1:-1], "usd", "unpriced_calls")


@dataclass(slots=True)
class Harvest:
    """What one arm (a model with its settings) was asked, what it cost, and what came of it.

    ``answers`` counts texts, second turns and the samples of one request included; ``parsed`` those that hold an edit;
    ``applied`` the candidates that came of them; ``evaluated`` those of them that were new; ``valid`` those that were
    right; ``improved`` those that are confirmed to be better than their parent. ``usd`` counts the calls whose price is
    known: all but ``unpriced_calls``.
    """

    model: str
    answers: int = 0
    parsed: int = 0
    applied: int = 0
    evaluated: int = 0
    valid: int = 0
    improved: int = 0
    calls: int = 0
    tokens: int = 0
    usd: float = 0.0
    unpriced_calls: int = 0

    def add(self, other: "Harvest") -> None:
        """Count what another one has counted."""
        for name in COUNTS:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def answered(self, completion: Completion, *, edits: bool = True) -> None:
        """Count an answer with its cost; one that was not asked for ``edits`` (a new instruction, say) only costs."""
        texts = (completion.text, *(other.text for other in completion.others)) if edits else ()
        self.answers += len(texts)
        self.parsed += sum(map(holds_edit, texts))
        cost = Spent.on(completion.usage)
        self.calls += cost.model_calls
        self.tokens += cost.tokens
        self.usd += cost.usd
        self.unpriced_calls += cost.unpriced_calls

    def landed(self, result: Result, goal: Goal) -> None:
        """Count what became of a candidate."""
        if result.evaluation is None or result.seen_before:
            return
        self.evaluated += 1
        self.valid += result.evaluation.status == "ok"
        self.improved += gain(result, goal) > 0


def holds_edit(answer: str) -> bool:
    """Return whether a text holds an edit in a form that we understand, whether or not it fits the program."""
    answer = answer.replace("\r\n", "\n")
    if "think" in answer:
        answer = without_thinking(answer)
    try:
        return bool(replacements_of(answer)) or code_of(answer) is not None
    except EditError:
        return False


def harvest(store: Store, run: Run) -> list[Harvest]:
    """Return what came of each model's answers, the most asked first; nothing for runs that ask none."""
    answered: dict[str, Harvest] = {}
    for key, completion in store.completions(run.id):
        brief, _, turn = key.partition("/")
        filed = brief if brief.isdecimal() else f"{brief} {completion.model}"  # asked for something else than a brief
        answered.setdefault(filed, Harvest(completion.model)).answered(completion, edits=turn.isdecimal())
    if not answered:
        return []
    found: dict[str, Harvest] = {}
    for result in chain(store.results(run.id), map(_open, store.pending(run.id))):
        its, proposal = answered.pop(str(result.brief.number), None), result.proposal
        if result.brief.number == 0 or (its is None and proposal is None):
            continue
        wrote = its.model if its else str(proposal.detail.get("model", proposal.proposer)) if proposal else ""
        row = _of(found, result.brief.model_hint or wrote)
        if its is not None:
            row.add(its)
        if proposal is not None:
            row.applied += 1
            row.landed(result, run.config.goal)
    for rest in answered.values():
        _of(found, rest.model).add(rest)
    for row in found.values():
        row.parsed = max(row.parsed, row.applied)  # a bare program is an edit too, where it could be applied
    return sorted(found.values(), key=lambda one: (-one.answers, one.model))


def _open(pending: Pending) -> Result:
    return Result(brief=pending.brief, proposal=pending.proposal)


def _of(found: dict[str, Harvest], name: str) -> Harvest:
    return found.setdefault(name, Harvest(name))


def lines(found: Sequence[Harvest]) -> Iterator[str]:
    """Yield the table for people: a row for each arm."""
    yield from text.columns([HEAD, *(_row(one) for one in found)])


def _row(one: Harvest) -> tuple[str, ...]:
    counts = (getattr(one, name) for name in HEAD[1:-1])
    return (one.model, *(f"{count:,}" for count in counts), _dollars(one))


def _dollars(one: Harvest) -> str:
    if not one.unpriced_calls:
        return text.number(one.usd)
    return "unknown" if one.unpriced_calls == one.calls else f"{text.number(one.usd)} and unknown"


def record(one: Harvest) -> dict[str, Any]:
    """Return a row for programs; ``usd`` is None where no price is known."""
    plain: dict[str, Any] = {"model": one.model, **{name: getattr(one, name) for name in COUNTS}}
    known = one.unpriced_calls < one.calls or not one.calls
    return {**plain, "usd": one.usd if known else None}
