"""Is the answer right? Problems are made and answers are checked here, in the trusted process."""

import math
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from outpace.errors import SandboxUnavailable, TaskError, WrongAnswer
from outpace.evaluators import feedback, integrity
from outpace.evaluators.base import Status
from outpace.evaluators.hop import hop
from outpace.sandbox.base import Reply, Worker
from outpace.tasks.deadline import Passed
from outpace.tasks.spec import Case, Problem, Task

JUDGING_WALL_S = 120.0
"""How long judging may take between two exchanges with a worker."""
T = TypeVar("T")


class Failure(Exception):
    """Why a candidate's evaluation ends here: a status and the words for whoever proposes next."""

    def __init__(self, status: Status, feedback: str) -> None:
        super().__init__(feedback)
        self.status, self.feedback = status, feedback


class BaselineFailed(SandboxUnavailable):
    """The program beside which a candidate is timed, right until now, failed: that says nothing about the candidate."""


def status_of(reply: Reply) -> Status:
    """Return the status that a failed reply means."""
    if reply.ended_by == "timeout":
        return "timeout"
    return "refused" if reply.unfit or reply.ended_by == "garbled" else "crashed"


def fresh_seed() -> int:
    """Return a seed that nobody can know beforehand."""
    return secrets.randbits(48)


def generated(task: Task, case: Case, seed: int) -> Problem:
    """Generate a problem; whatever goes wrong is the task's fault, never the candidate's."""
    try:
        return task.generate(case, seed)
    except Exception as error:
        raise TaskError(
            f"Task '{task.spec.name}': generate failed on case '{case.name}' with seed {seed}: "
            f"{type(error).__name__}: {error}. Try `outpace task check`."
        ) from error


async def judged(function: Callable[..., T], *arguments: Any) -> T:
    """Return what ``function`` makes of answers, worked out in a thread within ``JUDGING_WALL_S``; or ``Failure``."""
    try:
        return await hop(function, *arguments, limit_s=JUDGING_WALL_S)
    except Passed:
        raise Failure("wrong", f"Judging the answers came to no end within {JUDGING_WALL_S:g} s.") from None


async def call(task: Task, worker: Worker, case: Case, problem: Problem) -> Reply:
    """Ask for one answer, unchecked; raises ``Failure`` if there is none."""
    return await _replied(task, worker, case, problem, worker.call(problem))


async def audit(task: Task, worker: Worker, case: Case, problem: Problem) -> Reply:
    """Ask as ``call`` does, in an audit: ``output`` is what ``Worker.audit`` tells."""
    return await _replied(task, worker, case, problem, worker.audit(problem))


async def batch(task: Task, worker: Worker, case: Case, problems: Sequence[Problem], *, wall_s: float) -> Reply:
    """Ask for the answers to several problems in one go, unchecked; ``output`` is a list of as many answers.

    Raises ``Failure`` if there is none, or not one for each problem.
    """
    reply = await _replied(task, worker, case, problems[0], worker.batch(problems, wall_s=wall_s))
    if type(reply.output) is not list or len(reply.output) != len(problems):
        given = f"{len(reply.output)} answers" if type(reply.output) is list else type(reply.output).__name__
        raise Failure(
            "refused", f"On case '{case.name}' {len(problems)} problems got {given}, expected one answer each."
        )
    return reply


def check(task: Task, worker: Worker, case: Case, problem: Problem, output: Any) -> None:
    """Raise ``Failure`` unless the answer is accepted: as the task states it, finite, and passed by its checker."""
    reason = integrity.refusal(task.spec, problem, output) or _refusal(task, problem, output)
    if reason:
        text = feedback.of_wrong(reason, case=case.name, problem=problem, output=output, stderr=worker.stderr())
        raise Failure("wrong", text)


def value(task: Task, problem: Problem, output: Any) -> float:
    """Return the score of an accepted answer; a score that is no finite number is no score.

    A task that stumbles while it scores has no score to give: that is a wrong answer with the task's words.
    """
    score = _said(lambda *given: float(task.score(*given)), problem, output)
    if not math.isfinite(score):
        raise Failure("wrong", f"The answer was accepted, but its score is {score}: not a finite number.")
    return score


def remarks(task: Task, problem: Problem, output: Any) -> str:
    """Return what the task has to say of an accepted answer, as a quotation; it stumbles as ``value`` does."""
    return feedback.quoted(_said(task.remarks, problem, output)[: feedback.REMARKS])


def _said(method: Callable[[Problem, Any], T], problem: Problem, output: Any) -> T:
    try:
        return method(problem, output)
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        raise Failure("wrong", f"The answer was accepted, but it cannot be scored ({reason}).") from error


def held(value: Any) -> int:
    """Return about how many bytes a value of plain data takes on its way."""
    if isinstance(value, np.ndarray):
        return value.nbytes + 64
    if isinstance(value, str | bytes):
        return 4 * len(value) + 8 if isinstance(value, str) else len(value) + 8
    if isinstance(value, Mapping):
        return 8 + sum(held(key) + held(item) for key, item in value.items())
    if isinstance(value, Sequence):
        return 8 + sum(map(held, value))
    return 16 + (value.bit_length() // 8 if isinstance(value, int) else 0)


async def _replied(task: Task, worker: Worker, case: Case, problem: Problem, asked: Awaitable[Reply]) -> Reply:
    try:
        reply = await asked
    except (TypeError, ValueError) as error:
        raise TaskError(
            f"Task '{task.spec.name}': the problem of case '{case.name}' is not plain data: {error}"
        ) from error
    if not reply.ok:
        text = feedback.of_reply(reply, case=case.name, problem=problem, stderr=worker.stderr())
        raise Failure(status_of(reply), text)
    return reply


def _refusal(task: Task, problem: Problem, output: Any) -> str | None:
    """Return why the checker does not accept the answer, or None.

    A checker that stumbles over an answer has not accepted it: that is a wrong answer with the checker's words. Nor has
    one that the answer keeps busy for ever.
    """
    try:
        task.check(problem, output)
    except WrongAnswer as wrong:
        return str(wrong)
    except Passed:
        return f"the checker came to no end within {JUDGING_WALL_S:g} s"
    except Exception as error:  # noqa: BLE001  the answer is hostile data; whatever it provokes is a refusal
        return f"the checker could not read it ({type(error).__name__}: {error})"
    return None
