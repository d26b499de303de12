"""What was tried and failed: the memory of a run that its prompts draw on."""

import re
from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from outpace.agent.prompts.render import Tried
from outpace.agent.prompts.templates import figure
from outpace.agent.proposal import Member, Proposal, Result
from outpace.evaluators.base import Evaluation
from outpace.tasks.spec import Goal
from outpace.tasks.tunables import TUNABLES

LAST = 6
"""How many changes of one program a prompt tells."""
FREQUENT = 3
"""How many reasons of failure a prompt tells."""
LINE = 240
"""Characters of one line: with ``LAST`` and ``FREQUENT`` the memory in a prompt has at most 2200 characters."""
WHAT = 120
"""Characters of what was tried, within its line."""
PROGRAMS = 4096
"""Programs whose changes are remembered, those that were changed last."""
REASONS = 256
"""Different reasons of failure that are counted; where there are more, the rarest is forgotten."""
_NUMBER = re.compile(r"\d[\d._]*(?:e[+-]?\d+)?", re.IGNORECASE)
_SENTENCE = re.compile(r"(?<=[.!?])\s|\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A change of a program, and what became of it.

    ``what`` is the first sentence that its author said of it, or the operator; ``reason`` why it has no score.
    ``before`` is the score of the program that was changed; ``twin`` the candidate that it turned out to be again.
    """

    what: str
    reason: str = ""
    score: float | None = None
    before: float | None = None
    twin: str | None = None


@dataclass(slots=True)
class _Line:
    """The last changes of a program, and how many there were."""

    last: deque[Attempt] = field(default_factory=lambda: deque(maxlen=LAST))
    count: int = 0


class Attempts:
    """The last changes of each program and the run's frequent failures: a fold over results, bounded in size."""

    def __init__(self) -> None:
        """Start with no memory."""
        self._changes = OrderedDict[str, _Line]()
        self._failures: dict[str, tuple[int, str]] = {}
        self._start: str | None = None

    def tell(self, results: Sequence[Result]) -> None:
        """Remember what became of briefs."""
        for result in results:
            if result.brief.number == 0:
                self._start = result.proposal.candidate.id if result.proposal else None
            elif result.brief.operator == TUNABLES:
                continue  # nobody's idea: the last changes would all be other values
            elif result.evaluation is None or result.evaluation.status != "infra":  # our own fault says nothing
                self._remember(result)

    def of(self, program: str, goal: Goal) -> Tried:
        """Return what is remembered of changes of a program (a candidate's id), and of failures."""
        line = self._changes.get(program, _Line())
        often = sorted(self._failures.values(), key=lambda one: -one[0])[:FREQUENT]
        return Tried(
            changes=tuple(_shortened(_told(one, goal), LINE) for one in line.last),
            of=line.count,
            failures=tuple(_shortened(f"{count} times: {reason}", LINE) for count, reason in often if count > 1),
        )

    def _remember(self, result: Result) -> None:
        attempt = _attempt(result)
        if attempt.reason or attempt.twin:
            self._count(attempt.reason or "the same program again")
        parent = _parent(result) or self._start
        if parent is None:
            return
        line = self._changes.setdefault(parent, _Line())
        line.last.append(attempt)
        line.count += 1
        self._changes.move_to_end(parent)
        if len(self._changes) > PROGRAMS:
            self._changes.popitem(last=False)

    def _count(self, reason: str) -> None:
        """Count a reason; those that differ in numbers only are one, told as it came last."""
        kind = _NUMBER.sub("#", reason)
        self._failures[kind] = (self._failures.get(kind, (0, ""))[0] + 1, reason)
        if len(self._failures) > REASONS:
            others = (one for one in self._failures if one != kind)
            del self._failures[min(others, key=lambda one: self._failures[one][0])]


def _attempt(result: Result) -> Attempt:
    proposal, evaluation = result.proposal, result.evaluation
    if proposal is None or evaluation is None:
        return Attempt(what="an answer", reason=f"of no use: {_first_line(result.failure or '')}")
    before = next((one.evaluation.score for one in result.brief.parents[:1]), None)
    failed = evaluation.score is None
    return Attempt(
        what=_what(proposal),
        reason=f"{evaluation.status}: {_first_line(evaluation.feedback)}" if failed else "",
        score=evaluation.score,
        before=before,
        twin=proposal.candidate.id if result.seen_before else None,
    )


def _parent(result: Result) -> str | None:
    if result.proposal and result.proposal.parents:
        return result.proposal.parents[0]
    return result.brief.parents[0].candidate.id if result.brief.parents else None


def _what(proposal: Proposal) -> str:
    sentences = (sentence.strip(" #*-\t") for sentence in _SENTENCE.split(proposal.thought))
    return _shortened(next((one for one in sentences if one), "") or proposal.operator, WHAT)


def _told(one: Attempt, goal: Goal) -> str:
    """Return an attempt in one line."""
    what = one.what.rstrip(".:")
    again = f"the same program as {one.twin}, which had been judged before, " if one.twin else ""
    if one.score is None:
        return f"{what} -> {again}{one.reason}"
    return f"{what} -> {again}{_compared(one.score, one.before, goal)}"


def _compared(score: float, before: float | None, goal: Goal) -> str:
    unit = f" {goal.unit}" if goal.unit else ""
    if before is None:
        return f"{figure(score)}{unit}"
    gain = goal.rank(score) - goal.rank(before)
    word = "better than" if gain > 0 else "worse than" if gain < 0 else "the same as"
    return f"{figure(score)}{unit}, {word} {figure(before)}"


def outcome(evaluation: Evaluation, goal: Goal) -> str:
    """Return what the judge said of a program, in one line."""
    if evaluation.score is None:  # failed, or not measured: the judge's first line says which
        return _shortened(f"{evaluation.status}: {_first_line(evaluation.feedback)}", LINE)
    return f"{goal.name} {_compared(evaluation.score, None, goal)}"


def again(known: Member, goal: Goal) -> str:
    """Return what is said to whoever proposes a program that the run has judged before."""
    said = outcome(known.evaluation, goal).rstrip(".")
    what = f"It gives the same program as candidate {known.candidate.id}, which the judge has seen: {said}."
    return f"{what} Make another change."


def _first_line(text: str) -> str:
    return _shortened(next((line.strip() for line in text.splitlines() if line.strip()), "no reason was given"), LINE)


def _shortened(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
