"""What a model may do to a program and with it, beside having it judged. All that runs code does so in the sandbox."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

from outpace.agent.prompts.templates import fence
from outpace.agent.proposers import matching
from outpace.agent.proposers.answers import EditError
from outpace.agent.proposers.edits import apply
from outpace.agent.proposers.tuner.commands import Command
from outpace.errors import MarkerError, SandboxUnavailable, UsageError
from outpace.evaluators import correctness
from outpace.evaluators.correctness import Failure
from outpace.evaluators.feedback import excerpt, printed
from outpace.evaluators.loading import Loader
from outpace.evaluators.profile import Kind, aside, case_of, problem_of, profile
from outpace.sandbox.base import Sandbox
from outpace.tasks.candidate import PROGRAM, Candidate, blocks
from outpace.tasks.spec import Problem, Task

VIEW_LINES = 100
"""How many lines of a program are shown at a time."""
_TRIED = 20  # problems by which the share of right answers is found, at most
_TRIED_S = 30.0
_EXCERPT = 1000


@dataclass(frozen=True, slots=True)
class Reply:
    """What a command came to, in our words; ``shown`` is data: programs, answers, what a program printed."""

    said: str
    shown: str = ""


@dataclass(slots=True)
class Bench:
    """Runs what a model wants to see of a program, one thing at a time.

    Inputs are of the cases of the search, by seeds that follow from the line's own and the number that the model gives:
    the judge's are others, and held-out cases are never shown.
    """

    sandbox: Sandbox
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def run(self, task: Task, candidate: Candidate, command: Command, seed: int) -> Reply:
        """Carry out ``reference``, ``eval_input``, ``profile`` or ``profile_lines``."""
        wanted: dict[str, Callable[[], Awaitable[Reply]]] = {
            "reference": lambda: self._answered(task, task.start, command, seed),
            "eval_input": lambda: self._answered(task, candidate, command, seed),
            "profile": lambda: self._profiled(task, candidate, command, seed),
            "profile_lines": lambda: self._profiled(task, candidate, command, seed),
        }
        async with self._turn:
            try:
                return await wanted[command.name]()
            except UsageError as error:
                return Reply(str(error))
            except SandboxUnavailable as error:
                return Reply(f"It could not be run, by no fault of the program: {error}")

    async def share(self, task: Task, candidate: Candidate, seed: int) -> str:
        """Return how many inputs of the search a program answers rightly, "7 of 15"; "" where that cannot be told."""
        right = of = 0
        begin = time.monotonic()
        cases = task.spec.split("train")
        each = max(1, _TRIED // len(cases))
        async with self._turn:
            with suppress(SandboxUnavailable):
                for case in cases:
                    for number in range(1, min(each, case.instances) + 1):
                        if time.monotonic() - begin > _TRIED_S:
                            break
                        command = Command(name="eval_input", case=case.name, number=number)
                        of += 1
                        right += await self._is_right(task, candidate, command, seed)
        return f"{right} of {of} inputs" if of else ""

    async def _is_right(self, task: Task, candidate: Candidate, command: Command, seed: int) -> bool:
        try:
            await self._output(task, candidate, command, seed)
        except Failure:
            return False
        return True

    async def _answered(self, task: Task, candidate: Candidate, command: Command, seed: int) -> Reply:
        whose = "The starting program" if candidate.id == task.start.id else "The program"
        try:
            problem, shown = await self._output(task, candidate, command, seed)
        except Failure as failure:
            return Reply(f"{whose} gives no right answer ({failure.status}).", failure.feedback)
        text = f"Input: {excerpt(problem, limit=_EXCERPT)}\n{shown}"
        return Reply(f"{whose} answers rightly.", text)

    async def _output(self, task: Task, candidate: Candidate, command: Command, seed: int) -> tuple[Problem, str]:
        """Return an input and what a program answers to it, checked; raises ``Failure``."""
        case = case_of(task, command.case)
        problem = await problem_of(task, case, _seed(seed, case.name, command.number))
        async with Loader(self.sandbox).loaded(task, candidate, aside(task)) as worker:
            reply = await correctness.call(task, worker, case, problem)
            await correctness.judged(correctness.check, task, worker, case, problem, reply.output)
            shown = f"Answer: {excerpt(reply.output, limit=_EXCERPT)}"
            if task.spec.goal.kind == "metric":
                value = await correctness.judged(correctness.value, task, problem, reply.output)
                shown += f"\nIts score: {value:.6g}"
            return problem, shown + printed(worker.stderr())

    async def _profiled(self, task: Task, candidate: Candidate, command: Command, seed: int) -> Reply:
        case = case_of(task, command.case)
        if command.name == "profile_lines" and task.spec.language != "python":
            return Reply(f"Lines are told apart in Python only; this program is written in {task.spec.language}.")
        kind: Kind = "lines" if command.name == "profile_lines" else "functions"
        chosen = _seed(seed, case.name, command.number)
        return Reply(
            "This is where the program spends its time.",
            await profile(self.sandbox, task, candidate, kind=kind, case=case.name, seed=chosen),
        )


def _seed(line: int, case: str, number: int) -> int:
    """Return the seed of an input: the same for the same line, case and number."""
    return random.Random(f"outpace tuner {line} {case} {number}").getrandbits(48)  # noqa: S311  # not a secret


def files_of(candidate: Candidate) -> Reply:
    """Return the files of a program."""
    shown = "\n".join(f"{path}: {len(matching.lines_of(text))} lines" for path, text in candidate.files.items())
    return Reply("The files of the program. Only program.py may change.", shown)


def view(candidate: Candidate, file: str, first: int) -> Reply:
    """Return the lines of a file from the ``first`` on, numbered."""
    if file not in candidate.files:
        return Reply(f"There is no file '{file:.80}'. Files: {', '.join(candidate.files)}.")
    lines = candidate.files[file].rstrip("\n").split("\n")
    if first > len(lines):
        return Reply(f"{file} has {len(lines)} lines.")
    last = min(len(lines), first + VIEW_LINES - 1)
    return Reply(f"Lines {first} to {last} of {len(lines)} of {file}:", listing(candidate, file, first=first))


def listing(candidate: Candidate, file: str = PROGRAM, *, first: int = 1, last: int | None = None) -> str:
    """Return lines of a file, numbered: at most ``VIEW_LINES`` where no ``last`` is given."""
    lines = candidate.files[file].rstrip("\n").split("\n")
    chosen = lines[first - 1 : first - 1 + VIEW_LINES if last is None else last]
    width = len(str(first + len(chosen)))
    return "".join(f"{number:>{width}} | {line.rstrip()}\n" for number, line in enumerate(chosen, first))


def changed(candidate: Candidate, command: Command, task: Task) -> Candidate:
    """Return the program with the change of an ``edit`` or a ``delete``.

    Raises ``EditError`` where the lines are not there or may not change, where nothing changes, or where what comes of
    it does not parse or has lost its entry.
    """
    if command.file != PROGRAM:
        what = "stays as it is" if command.file in candidate.files else "is not there"
        raise EditError(f"'{command.file:.80}' {what}: only {PROGRAM} may change.")
    lines = matching.lines_of(candidate.program)
    first, last = command.first, command.last
    if last > len(lines):
        raise EditError(f"There is no line {last}: {PROGRAM} has {len(lines)} lines.")
    inside = _inside(candidate.program)
    if inside and not any(start < first and last < end for start, end in inside):
        where = ", ".join(f"{start + 1} to {end - 1}" for start, end in inside)
        raise EditError(f"Lines {first} to {last} may not change: only lines {where} may, between the markers.")
    new = command.text
    if new and last == len(lines) and not lines[-1].endswith("\n"):
        new = new.removesuffix("\n")
    text = "".join([*lines[: first - 1], new, *lines[last:]])
    if _count(text) != len(inside):
        raise EditError("The markers of the evolve block stay as they are, and no new ones are added.")
    return apply(
        fence(text, task.spec.language), candidate, entry=task.spec.entry, language=task.spec.language
    ).candidate


def _inside(program: str) -> list[tuple[int, int]]:
    """Return the lines of the markers of each block."""
    try:
        return [(block.start, block.end) for block in blocks(program)]
    except MarkerError:
        return []


def _count(program: str) -> int:
    try:
        return len(blocks(program))
    except MarkerError:
        return -1
