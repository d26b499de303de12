"""Programs for a GPU: whether there is one, and what is said of such programs where nothing times them.

They run under Triton's interpreter on the CPU then, on the cases that are not timed. What comes of it is right or
wrong, never a score: a time of the interpreter says nothing about a GPU.
"""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol

from outpace.errors import TaskError, UsageError
from outpace.evaluators import correctness
from outpace.evaluators.base import UNMEASURED, Evaluation
from outpace.evaluators.checking import Check
from outpace.evaluators.stages import Stages
from outpace.sandbox.base import Worker
from outpace.tasks.candidate import Candidate
from outpace.tasks.spec import Case, Split, Task, TaskSpec

NODES = ("nvidia0", "kfd")
"""What the driver of a GPU puts into /dev: NVIDIA's, and AMD's for computing."""


class Loaded(Protocol):
    """Gives workers with a candidate imported, as ``Loader.loaded`` does."""

    def __call__(
        self, task: Task, candidate: Candidate, cores: tuple[int, ...] | None, *, stages: Stages | None = None
    ) -> AbstractAsyncContextManager[Worker]: ...


def found(devices: Path = Path("/dev")) -> str | None:
    """Return the path of a GPU of this host, or None; whether it can be used is another question."""
    return next((str(devices / name) for name in NODES if (devices / name).exists()), None)


def environment(spec: TaskSpec) -> Mapping[str, str]:
    """Return what a worker's environment needs beside the usual: Triton decides when it is imported how it runs."""
    return {"TRITON_INTERPRET": "1"} if spec.device == "gpu" else {}


def must_be_timed(spec: TaskSpec, *, unmeasured: bool, gpu: str | None) -> None:
    """Refuse a run that would compare times and cannot take them; raises ``UsageError`` with what can be done instead.

    ``unmeasured``: a run that only checks was asked for. ``gpu`` is what ``found`` says.
    """
    if unmeasured and spec.device != "gpu":
        raise UsageError(f"--unmeasured is for tasks of a GPU; '{spec.name}' is measured on the CPU: leave it out.")
    if unmeasured or spec.device != "gpu":
        return
    why = (
        f"there is one here ({gpu}), but this version of Outpace cannot time programs on it yet"
        if gpu
        else f"there is none here (no {' and no '.join(f'/dev/{name}' for name in NODES)})"
    )
    raise UsageError(
        f"Task '{spec.name}' is timed on a GPU, and {why}. Programs can be checked, without any score: the start by "
        "outpace task check, others in a run with --unmeasured (with --model outside: one by one, by outpace tell)."
    )


async def checked(loaded: Loaded, task: Task, candidate: Candidate, split: Split, stages: Stages) -> Evaluation:
    """Check fresh problems of the cases of ``split`` that are not timed: ``ok`` without a score, or ``Failure``."""
    cases = untimed(task.spec, split)
    async with loaded(task, candidate, None, stages=stages) as worker:
        pending = [(case, correctness.fresh_seed()) for case in cases for _ in range(case.instances)]
        check = Check(task, worker, pending)
        await check.run(stages, lambda: loaded(task, candidate, None))
    checked_on = f"cases: {', '.join(case.name for case in cases)}"
    found = Evaluation(
        status="ok",
        feedback=f"All answers are right, under Triton's interpreter ({checked_on}). There is no score: {UNMEASURED}.",
        machine={"gpu": UNMEASURED},
    )
    return check.further.joined(found, candidate)


def untimed(spec: TaskSpec, split: Split) -> tuple[Case, ...]:
    """Return the cases of a split that are checked without a GPU; raises ``TaskError`` if there are none."""
    cases = tuple(case for case in spec.split(split) if not case.timed)
    if not cases:
        raise TaskError(
            f"Task '{spec.name}': all cases of the split '{split}' are timed; without a GPU only cases with timed = "
            "false are checked, so there must be one."
        )
    return cases
