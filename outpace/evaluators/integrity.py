"""Did the candidate play by the rules? What the judge asks beside "is the answer right"; each finding is one line.

``refusal`` is about the answer itself (status ``wrong``); all others are about broken rules (status ``refused``).
docs/explanation/integrity.md tells what is excluded by construction, what is detected here, and what is not noticed.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from outpace.errors import TaskError
from outpace.sandbox.base import Reply, Worker
from outpace.tasks import answer
from outpace.tasks.difference import difference
from outpace.tasks.plain import same
from outpace.tasks.spec import Output, Problem, Task, TaskSpec

GLANCE_WALL_S = 0.003
"""How long every worker is left alone to see whether it works on."""
LOOK_WALL_S = 0.03
"""How long one with several threads is, or one that was seen at work."""
LOOKS = 12
"""How often a worker that may use several threads is looked at, until its pools have gone to sleep."""
IDLE_SHARE = 0.2
"""CPU time per wall time of a worker without a request, above which it is at work.

Measured with a loop in a thread, or a timer: 1.0; with honest programs, threads joined or asleep: below 0.004.
"""
IDLE_CALL_NS = 2_000_000
"""CPU time between a reply and the next go, on average over calls, that an honest worker stays below."""


def refusal(spec: TaskSpec, problem: Problem, output: Output) -> str | None:
    """Return why an answer is not accepted before any checker sees it, or None: it is not finite, or not as stated.

    Status ``wrong``: no rule is broken by a bad number. To be asked of every answer, timed ones too: it costs one pass
    over the numbers, in C.

    Raises:
        TaskError: ``[answer]`` of the task does not fit its problems.
    """
    try:
        return answer.fault(spec.answer, problem, output)
    except TaskError as error:
        raise TaskError(f"Task '{spec.name}': {error}.") from error


def altered(spec: TaskSpec, problem: Problem, audit: Any) -> str | None:
    """Return what the output of ``Worker.audit`` says against the program, or None.

    It has changed an input, or its answer shares memory with one; both are allowed to tasks with ``inplace = true``.
    The worker's own word on this is a hint that catches the careless; what guards the measurement is that every call
    gets inputs of its own, which the baseline never sees.
    """
    if not (isinstance(audit, dict) and {"answer", "inputs", "shared"} <= audit.keys()):
        return "the audit of a call came back without an answer, its inputs, or what they share"
    if spec.inplace:
        return None
    left, shared = audit["inputs"], audit["shared"]
    if not isinstance(left, Mapping) or left.keys() != problem.keys():
        return "it changed its inputs: other names came back than were sent"
    for name, value in problem.items():
        if where := difference(value, left[name], f"'{name}'"):
            return f"it changed its input {where}; work on a copy"
    if shared:
        names = ", ".join(f"'{name}'" for name in shared) if isinstance(shared, list | tuple) else str(shared)
        return f"its answer shares memory with its input {names:.200}; answer with a copy"
    return None


async def lingering(spec: TaskSpec, worker: Worker, *, threads: int = 1, idle_cpu_ns: int = 0) -> str | None:
    """Return that a worker works on after its answer, with the evidence, or None.

    Asked once, soon after the last check: ``threads`` is the most threads that a reply told of, ``idle_cpu_ns`` the sum
    over the replies. The worker runs for a moment without a request, longer if it has threads or is seen at work.

    Pools of numerical libraries spin for a while after the last piece of work (OpenBLAS 0.1 s, OpenMP of LLVM 0.2 s),
    so where the task allows several threads it is looked at until it is quiet, or was busy at each of ``LOOKS`` looks.
    With one thread allowed there is no such pool: what works on was started by the program.
    """
    quiet = threads <= 1 and idle_cpu_ns < IDLE_CALL_NS
    if quiet and not _busy(await worker.idle(GLANCE_WALL_S), GLANCE_WALL_S):
        return None
    used_ns = 0
    for _ in range(LOOKS if spec.limits.threads > 1 else 1):
        used_ns = await worker.idle(LOOK_WALL_S)
        if not _busy(used_ns, LOOK_WALL_S):
            return None
    return (
        f"it went on working after its answer: {used_ns / 1e6:.1f} ms of CPU in {LOOK_WALL_S * 1e3:.0f} ms without a "
        f"request (threads: {threads}); end or join what you start before you return"
    )


def _busy(used_ns: int, wall_s: float) -> bool:
    return used_ns > IDLE_SHARE * wall_s * 1e9


def restless(replies: Sequence[Reply]) -> str | None:
    """Return that a worker used CPU time between its timed calls, with the evidence, or None.

    A worker is stopped between calls, so what it can use is what passes until the stop takes hold.
    """
    used_ns = sum(reply.idle_cpu_ns for reply in replies)
    if used_ns <= IDLE_CALL_NS * max(1, len(replies)):
        return None
    return (
        f"it worked between its timed calls: {used_ns / 1e6:.1f} ms of CPU after {len(replies)} answers, "
        f"expected less than {IDLE_CALL_NS / 1e6:.0f} ms each; do all work inside the call"
    )


async def foresight(
    task: Task, problem: Problem, output: Output, anew: Callable[[Problem], Awaitable[Output]]
) -> str | None:
    """Return that a program of an online task sees what comes, with the evidence, or None (also for other tasks).

    ``output`` is an accepted answer to ``problem``, of any call; ``anew`` gives the answer of the first call of a fresh
    worker, once that has been accepted too. A twin begins like the problem and goes on differently, and where they part
    is drawn here, in secret: a program that decides item by item answers the common beginning alike. If it does not, it
    answers the problem itself anew: one that differs even then depends on chance, on a clock or on earlier calls, which
    an online task does not allow either, since nothing could be said of it.
    """
    twin = await asyncio.to_thread(_of_task, task, "twin", problem, secrets.randbits(48))
    if twin is None:
        return None
    mine = _of_task(task, "beginning", output, twin.length)
    told = _of_task(task, "beginning", await anew(twin.problem), twin.length)
    if same(mine, told):
        return None
    again = _of_task(task, "beginning", await anew(problem), twin.length)
    if not same(mine, again):
        return (
            "it answers the same problem differently at another time; this task is answered item by item and must not "
            "depend on chance, clocks or earlier problems: seed your random numbers, keep nothing between problems"
        )
    where = difference(mine, told, "the answer") or "the answer"
    return (
        f"it sees what comes: two problems with the same first {twin.length} items, or units of time, got different "
        f"answers for these, at {where}; decide by what has come so far"
    )


def _of_task(task: Task, method: str, *arguments: Any) -> Any:
    """Call a method of the task that answers have passed the check of; what goes wrong is the task's fault."""
    try:
        return getattr(task, method)(*arguments)
    except Exception as error:
        text = f"{method} failed: {type(error).__name__}: {error}. Try `outpace task check`"
        raise TaskError(f"Task '{task.spec.name}': {text}.") from error


def unnoticed(task: Task) -> list[str]:
    """Return what a run of this task could not have noticed, one line each, for whoever reads its result."""
    spec, said = task.spec, []
    if spec.goal.self_reported:
        return ["a score that the program has made up: it is told in its own process, and nothing checks it"]
    if spec.goal.kind == "speedup":
        said.append("an answer that is right on the inputs that the judge drew and wrong on others")
        if spec.answer.kind is None or (spec.answer.kind in ("array", "arrays") and spec.answer.dtype is None):
            said.append("less precision than meant, as far as the checker's tolerance lets it pass: no dtype is stated")
        if spec.limits.threads > 1:
            said.append("a gain by more threads: the CPU clock shows it, the wall clock counts")
    if task.borrowed:
        said.append("what the checker of another tool lets through: it was taken as it is")
    if task.driver is not None and type(task).twin is Task.twin:
        said.append("a program that looks ahead: the driver runs in its process, and the task defines no twin")
    if spec.inplace:
        said.append("a program that changes its inputs: the task allows it")
    if not spec.answer.finite:
        said.append("NaN or infinity in an answer, beyond what the checker refuses")
    return said
