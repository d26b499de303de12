"""Is the answer right? Problems are made and answers are checked here, in the trusted process."""

import asyncio
import math
import secrets
from typing import Any

from outpace.errors import TaskError, WrongAnswer
from outpace.evaluators import feedback
from outpace.evaluators.base import Status
from outpace.sandbox.base import Reply, Worker
from outpace.tasks.spec import Case, Problem, Task


class Failure(Exception):
    """Why a candidate's evaluation ends here: a status and the words for whoever proposes next."""

    def __init__(self, status: Status, feedback: str) -> None:
        super().__init__(feedback)
        self.status, self.feedback = status, feedback


def status_of(reply: Reply) -> Status:
    """Return the status that a failed reply means."""
    if reply.ended_by == "timeout":
        return "timeout"
    return "refused" if reply.ended_by == "garbled" else "crashed"


def fresh_seed() -> int:
    """Return a seed that nobody can know beforehand."""
    return secrets.randbits(48)


async def make(task: Task, case: Case, seed: int) -> Problem:
    """Generate a problem; whatever goes wrong is the task's fault, never the candidate's."""
    try:
        return await asyncio.to_thread(task.generate, case, seed)
    except Exception as error:
        raise TaskError(
            f"Task '{task.spec.name}': generate failed on case '{case.name}' with seed {seed}: "
            f"{type(error).__name__}: {error}. Try `outpace task check`."
        ) from error


async def answer(task: Task, worker: Worker, case: Case, problem: Problem) -> Reply:
    """Ask for one answer and check it; raises ``Failure`` unless it is accepted."""
    try:
        reply = await worker.call(problem)
    except (TypeError, ValueError) as error:
        raise TaskError(
            f"Task '{task.spec.name}': the problem of case '{case.name}' is not plain data: {error}"
        ) from error
    if not reply.ok:
        text = feedback.of_reply(reply, case=case.name, problem=problem, stderr=worker.stderr())
        raise Failure(status_of(reply), text)
    reason = await asyncio.to_thread(_refusal, task, problem, reply.output)
    if reason:
        text = feedback.of_wrong(reason, case=case.name, problem=problem, output=reply.output, stderr=worker.stderr())
        raise Failure("wrong", text)
    return reply


async def value(task: Task, problem: Problem, output: Any) -> float:
    """Return the score of an accepted answer; a score that is no finite number is no score."""
    score = float(await asyncio.to_thread(task.score, problem, output))
    if not math.isfinite(score):
        raise Failure("wrong", f"The answer was accepted, but its score is {score}: not a finite number.")
    return score


def _refusal(task: Task, problem: Problem, output: Any) -> str | None:
    """Return why the answer is not accepted, or None.

    A checker that stumbles over an answer has not accepted it: that is a wrong answer with the checker's words.
    """
    try:
        task.check(problem, output)
    except WrongAnswer as wrong:
        return str(wrong)
    except Exception as error:  # noqa: BLE001  the answer is hostile data; whatever it provokes is a refusal
        return f"the checker could not read it ({type(error).__name__}: {error})"
    return None
