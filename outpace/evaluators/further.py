"""Further metrics of a program beside its score, measured by the judge: length, memory, CPU time, the task's own.

The memory is the peak of what the kernel counts as resident (VmHWM) of the process that holds the program, at the end
of the stage ``check``. That holds the interpreter, the modules that were loaded (in a zygote's worker also what it has
of the zygote), the inputs, and what an audit sends back: all the same for every program of a task. It leaves out files
in memory that are not mapped. The CPU time is that of the calls of the same stage, with what reading the inputs and
writing the answers costs; chance has a part in it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from outpace.errors import MarkerError, TaskError
from outpace.evaluators.base import Evaluation
from outpace.evaluators.correctness import Failure
from outpace.sandbox.base import Reply, Worker
from outpace.tasks import objectives
from outpace.tasks.candidate import Candidate, blocks, changeable
from outpace.tasks.spec import Case, Output, Problem, Task


@dataclass(slots=True)
class Further:
    """Gathers the further metrics of one candidate while it is checked."""

    task: Task
    memory_mb: float | None = None
    cpu_ns: int = 0
    _own: dict[str, list[dict[str, float]]] = field(default_factory=dict)

    def called(self, reply: Reply) -> None:
        """Add the time of a call."""
        self.cpu_ns += reply.cpu_ns

    def accepted(self, case: Case, problem: Problem, output: Output) -> None:
        """Add what the task says of an accepted answer.

        Raises ``TaskError`` for metrics that no answer can excuse, and ``Failure`` where the task stumbles over this
        answer, as over one that has no score: whoever answers oddly must not end the run of others.
        """
        try:
            given = objectives.own(self.task, problem, output)
        except TaskError:
            raise
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            raise Failure("wrong", f"The answer was accepted, but Task.metrics fails on it ({reason}).") from error
        before = next(iter(self._own.values()), [given])[0]
        if before.keys() != given.keys():
            names = " and ".join(", ".join(one) or "none" for one in (before, given))
            raise TaskError(f"Task '{self.task.spec.name}': Task.metrics gave other names for other answers: {names}.")
        self._own.setdefault(case.name, []).append(given)

    def weighed(self, worker: Worker) -> None:
        """Note the memory that a worker has held at most, now that all is answered."""
        if not self.task.spec.goal.self_reported:  # it may start programs, and they are not seen here
            self.memory_mb = worker.peak_mb()

    def joined(self, found: Evaluation, candidate: Candidate) -> Evaluation:
        """Return an evaluation with the further metrics of its program."""
        figures = {"length": float(length(candidate))}
        if self.memory_mb is not None:
            figures["memory_mb"] = float(round(self.memory_mb))
        if self.task.spec.goal.kind == "metric":
            figures["cpu_s"] = self.cpu_ns / 1e9
        return replace(found, metrics={**found.metrics, **figures, **self._means()})

    def _means(self) -> dict[str, float]:
        """Return the mean over cases of the mean over their problems."""
        names = next(iter(self._own.values()), [{}])[0]
        return {name: _mean([_mean([one[name] for one in case]) for case in self._own.values()]) for name in names}


def length(candidate: Candidate) -> int:
    """Return the characters of what may change: the evolve blocks; the whole where there are none, or broken ones."""
    files = candidate.files
    try:
        return sum(_changing(files[path]) for path in changeable(files))
    except MarkerError:
        return sum(map(len, files.values()))


def _changing(text: str) -> int:
    found = blocks(text)
    return sum(len(block.text) for block in found) if found else len(text)


def _mean(values: Iterable[float]) -> float:
    numbers = list(values)
    return sum(numbers) / len(numbers)
