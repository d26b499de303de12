"""The stages ``smoke`` and ``check``: every problem answered, every answer checked, the rules kept."""

import asyncio
import secrets
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from functools import partial

from outpace.evaluators import correctness, integrity
from outpace.evaluators.correctness import Failure
from outpace.evaluators.further import Further
from outpace.evaluators.stages import Stages
from outpace.sandbox.base import Worker
from outpace.tasks.spec import Case, Output, Problem, Task

Pending = Sequence[tuple[Case, int]]
"""Cases with the seeds of their problems."""
Anew = Callable[[], AbstractAsyncContextManager[Worker]]
"""Gives a fresh worker with the candidate loaded."""


@dataclass(slots=True)
class Check:
    """Has one worker answer problems and judges the answers, one hop to a thread for each."""

    task: Task
    worker: Worker
    pending: Pending
    scores: dict[str, list[float]] = field(default_factory=dict)
    remarks: dict[str, str] = field(default_factory=dict)
    _drawn: tuple[Case, Problem, Output] | None = None
    _at: int = 0
    _problem: Problem = field(default_factory=dict)
    _threads: int = 1
    _idle_ns: int = 0
    further: Further = field(init=False)

    def __post_init__(self) -> None:
        """Gather further metrics."""
        self.further = Further(self.task)

    async def run(self, stages: Stages, anew: Anew) -> dict[str, list[float]]:
        """Go through all problems, the first one as smoke; return the scores by case (metric tasks).

        Raises ``Failure``: ``wrong`` for an answer that is not accepted, ``refused`` for a broken rule.
        """
        with stages.stage("smoke"):
            case, seed = self.pending[0]
            self._problem = await asyncio.to_thread(correctness.generated, self.task, case, seed)
            await self._one()
        with stages.stage("check"):
            while self._at < len(self.pending):
                await self._one()
            self.further.weighed(self.worker)
            await self._rules(anew)
        return self.scores

    async def _one(self) -> None:
        """Have one problem answered; judge it and make the next one in the same hop.

        The first problem of each case is an audit, which also tells what became of the inputs, where they may come back
        at all.
        """
        case, problem = self.pending[self._at][0], self._problem
        begins = self._at == 0 or self.pending[self._at - 1][0] is not case
        may_return = correctness.held(problem) <= self.task.spec.limits.output_mb << 19
        audit = begins and may_return and not self.task.spec.inplace
        ask = correctness.audit if audit else correctness.call
        reply = await ask(self.task, self.worker, case, problem)
        self._threads, self._idle_ns = max(self._threads, reply.threads), self._idle_ns + reply.idle_cpu_ns
        self.further.called(reply)
        self._at += 1
        self._problem = await correctness.judged(partial(self._judge, audit=audit), case, problem, reply.output)

    def _judge(self, case: Case, problem: Problem, output: Output, *, audit: bool) -> Problem:
        if audit:
            if reason := integrity.altered(self.task.spec, problem, output):
                raise _broken(reason, case)
            output = output["answer"]
        correctness.check(self.task, self.worker, case, problem, output)
        if secrets.randbelow(self._at) == 0:  # one of them all in the end, each as likely, and nobody knows which
            self._drawn = case, problem, output
        if self.task.spec.goal.kind == "metric":
            self.scores.setdefault(case.name, []).append(correctness.value(self.task, problem, output))
            if case.name not in self.remarks:  # the first problem speaks for its case
                self.remarks[case.name] = correctness.remarks(self.task, problem, output)
        self.further.accepted(case, problem, output)
        return correctness.generated(self.task, *self.pending[self._at]) if self._at < len(self.pending) else {}

    async def _rules(self, anew: Anew) -> None:
        """No work after the reply, no look at what comes."""
        spec, case = self.task.spec, self.pending[0][0]
        left = await integrity.lingering(spec, self.worker, threads=self._threads, idle_cpu_ns=self._idle_ns)
        if left:
            raise _broken(left, case)
        assert self._drawn is not None
        case, problem, output = self._drawn

        async def again(other: Problem) -> Output:
            async with anew() as worker:
                answered = (await correctness.call(self.task, worker, case, other)).output
                await correctness.judged(correctness.check, self.task, worker, case, other, answered)
                return answered

        if seen := await integrity.foresight(self.task, problem, output, again):
            raise _broken(seen, case)


def _broken(reason: str, case: Case) -> Failure:
    return Failure("refused", f"On case '{case.name}' the program broke a rule: {reason}")
