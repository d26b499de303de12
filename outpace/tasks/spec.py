"""What a task is made of: the facts of ``task.toml`` and the behaviour of ``task.py``."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from outpace.errors import WrongAnswer
from outpace.limits import Limits
from outpace.tasks.candidate import Candidate

Problem = Mapping[str, Any]
"""Named inputs of one call, handed to the entry function (or the driver) as keyword arguments.

Values are plain data: None, bool, int, float, complex, str, bytes, list, tuple, dict with str or int keys, numpy arrays
of numbers, nested at will.
"""
Output = Any
"""What the program answered: plain data of the same kinds."""
Split = Literal["train", "heldout", "ood"]
Device = Literal["cpu", "gpu"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """What is to get better: ``speedup`` (same answer, faster) or ``metric`` (a better answer).

    ``start`` is what the starting program scores on the train cases (metric tasks; a speed-up starts at 1).

    ``self_reported``: the score is what an evaluator says that runs in the process of the candidate. Nothing in there
    keeps a program from telling a score of its own, so whatever shows such a score says so.
    """

    kind: Literal["speedup", "metric"]
    name: str
    direction: Literal["maximise", "minimise"]
    unit: str = ""
    best_known: float | None = None
    self_reported: bool = False
    start: float | None = None

    def rank(self, score: float) -> float:
        """Return ``score`` turned so that more is better."""
        return score if self.direction == "maximise" else -score


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One kind of input: ``instances`` problems of the same ``params``, made from consecutive seeds from ``seed`` on.

    ``timed`` False: a case of a speed-up task that is only checked (edge cases, too short to be timed).
    """

    name: str
    split: Split = "train"
    seed: int = 0
    instances: int = 1
    params: Mapping[str, Any] = field(default_factory=dict)
    timed: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What every answer of a task must look like before its checker sees it (``[answer]`` in ``task.toml``).

    ``kind`` is one of ``outpace.tasks.answer.KINDS``; ``dtype`` and ``shape`` are those of an array, or of each array
    of several ("arrays"); None: not stated. A length in ``shape`` is a number, the name of an input (its length, or its
    value if it is an integer), or None for any. ``finite``: no NaN and no infinity anywhere in it.

    The last two are for ``outpace task check``, which tries wrong answers on the checker: ``tolerance`` is the relative
    error that the checker allows (None: unknown), ``accepts`` names changes of a right answer that leave it right.
    """

    kind: str | None = None
    dtype: str | None = None
    shape: tuple[int | str | None, ...] | None = None
    finite: bool = True
    tolerance: float | None = None
    accepts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """A figure by which programs of a task differ in kind: a metric of their evaluations, in steps of ``step``.

    A search that keeps the best of each kind (MAP-Elites) takes programs within one step for alike.
    """

    metric: str
    step: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """A metric that is to be small or large as well, beside the goal: it makes a Pareto front, and never ranks."""

    metric: str
    direction: Literal["maximise", "minimise"]

    def rank(self, value: float) -> float:
        """Return ``value`` turned so that more is better."""
        return value if self.direction == "maximise" else -value


@dataclass(frozen=True, slots=True, kw_only=True)
class Twin:
    """A problem that begins like another one and goes on differently, for tasks whose program must not see what comes.

    A program that decides item by item has decided the first ``length`` items before it could tell the two apart.
    """

    problem: Problem
    length: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSpec:
    """The facts of a task, as its ``task.toml`` states them.

    ``build`` is the command line of its compile stage (empty: none), run in the sandbox in the folder of the candidate.
    ``inplace``: a program may work in its inputs, and its answer may be one of them. ``entry`` is empty where the
    driver takes the path of the program instead of a function of it. ``device``: where programs are timed; without a
    GPU those for one are checked on the cases that are not timed, and have no score.
    """

    name: str
    title: str
    statement: str
    entry: str
    goal: Goal
    cases: tuple[Case, ...]
    family: str = "own"
    language: str = "python"
    limits: Limits = field(default_factory=Limits)
    requires: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    evaluations: int = 200
    build: tuple[str, ...] = ()
    answer: Answer = field(default_factory=Answer)
    inplace: bool = False
    device: Device = "cpu"
    features: tuple[Feature, ...] = ()
    objectives: tuple[Objective, ...] = ()

    def split(self, split: Split) -> tuple[Case, ...]:
        """Return the cases of one split, in the order of the file."""
        return tuple(case for case in self.cases if case.split == split)


class Task:
    """Base of a task's trusted half; ``task.py`` of a task folder defines a subclass named ``Task``.

    Nothing here ever runs in the process of a candidate, and nothing of it is visible there.
    """

    folder: Path | None = None
    """Where a task of a folder lies."""
    borrowed = False
    """Its checker is another project's, which says what is right there: what it accepts is no error of this task."""
    support: Mapping[str, bytes] = {}
    """Files that lie read-only beside every program of the task (``support/`` of a folder): path to content."""

    def __init__(self, spec: TaskSpec, start: Candidate, *, driver: str | None = None, fingerprint: str = "") -> None:
        """Bind the facts.

        ``start`` is the starting program, ``driver`` the text of ``driver.py`` (it runs inside the sandbox),
        ``fingerprint`` a hash of the whole folder: results of different fingerprints never mix.
        """
        self.spec, self.start, self.driver = spec, start, driver
        self.fingerprint = fingerprint or start.id

    def generate(self, case: Case, seed: int) -> Problem:
        """Make the problem of ``case`` for ``seed``; the same arguments give the same problem."""
        raise NotImplementedError(f"task '{self.spec.name}': task.py must define Task.generate(self, case, seed)")

    def reference(self, problem: Problem) -> Output:
        """Return a right answer; needed where ``check`` compares with one, and by ``outpace task check``."""
        raise NotImplementedError(f"task '{self.spec.name}' states no reference answer")

    def check(self, problem: Problem, output: Output) -> None:
        """Return to accept the answer, or raise ``WrongAnswer`` with the reason; accept only what is provably right."""
        raise NotImplementedError(f"task '{self.spec.name}': task.py must define Task.check(self, problem, output)")

    def score(self, problem: Problem, output: Output) -> float:
        """Return the value of a checked answer (metric tasks only), in the unit and direction of the goal."""
        raise NotImplementedError(f"task '{self.spec.name}': task.py must define Task.score(self, problem, output)")

    def remarks(self, problem: Problem, output: Output) -> str:
        """Return what else whoever proposes next should know of an accepted answer (metric tasks); here nothing."""
        return ""

    def metrics(self, problem: Problem, output: Output) -> Mapping[str, float]:
        """Return further figures of an accepted answer, by names of the task's own; here none.

        The same names for every answer. Their means over the problems of a case, then over the cases, are metrics of
        the evaluation, which may be objectives beside the score.
        """
        return {}

    def twin(self, problem: Problem, seed: int) -> Twin | None:
        """Return a problem that begins as ``problem`` does and goes on differently; None where all may be seen at once.

        For online tasks: a program that decides item by item must answer the common beginning alike. ``seed`` chooses
        where the two part and what comes then; a twin may be shorter than the problem.
        """
        return None

    def beginning(self, output: Output, length: int) -> Output:
        """Return what an answer says of the first ``length`` items; here its first ``length`` items."""
        return output[:length]


__all__ = [
    "Answer",
    "Case",
    "Device",
    "Feature",
    "Goal",
    "Limits",
    "Objective",
    "Output",
    "Problem",
    "Split",
    "Task",
    "TaskSpec",
    "Twin",
    "WrongAnswer",
]
