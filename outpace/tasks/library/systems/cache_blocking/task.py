"""Trusted half of cache blocking: proves that an order is legal, and counts the misses of a simulated cache."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from outpace.tasks import spec
from outpace.tasks.spec import Case, Output, Problem, WrongAnswer

from .kernels import Kernel, kernel


class Task(spec.Task):
    """Problem: ``kernel``, its sizes ``n`` and ``m``, and the cache. Answer: steps in order, integers (steps, 3)."""

    def generate(self, case: Case, seed: int) -> Problem:
        """Return the one problem of a case; the seed changes nothing."""
        return {name: case.params[name] for name in ("kernel", "n", "m", "line", "sets", "ways")}

    def reference(self, problem: Problem) -> Output:
        """Return a legal order by the numbers of the steps: by blocks for the product, else row by row."""
        steps = np.argwhere(_kernel(problem).required)
        first, second, third = steps.T
        if problem["kernel"] == "product":
            side = max(1, int((problem["line"] * problem["sets"] * problem["ways"] / 3) ** 0.5))
            keys = [third, second, first, *(numbers // side for numbers in (third, second, first))]
        elif problem["kernel"] == "stencil":
            keys = [third, second, first]
        else:
            keys = [second, third, first]
        return steps[np.lexsort(keys)]

    def check(self, problem: Problem, output: Output) -> None:
        """Every required step exactly once, and none before what it needs is complete.

        Times of steps are compared as whole numbers, for all steps at once.
        """
        wanted = _kernel(problem)
        steps = _steps(output, wanted)
        times = np.full(wanted.required.shape, -1, dtype=np.int64)
        times[tuple(steps.T)] = np.arange(len(steps))
        if len(steps) != np.count_nonzero(wanted.required) or not np.all(times[wanted.required] >= 0):
            missing = np.argwhere(wanted.required & (times < 0))
            text = f"{len(steps)} steps, of which {np.count_nonzero(times >= 0)} differ"
            lost = f"; {tuple(missing[0].tolist())} is missing" if len(missing) else ""
            raise WrongAnswer(f"there are {text}, expected {np.count_nonzero(wanted.required)}, each once{lost}")
        early = np.argwhere(wanted.late(times))
        if len(early):
            step = min((tuple(one) for one in early.tolist()), key=lambda one: int(times[one]))
            at = f"step {times[step]}, {step}"
            raise WrongAnswer(f"{at}, comes before what it needs is complete; so do {len(early) - 1} others")

    def score(self, problem: Problem, output: Output) -> float:
        """Return misses per 1000 steps, from an empty cache on."""
        words = _kernel(problem).places(output.astype(np.int64)).reshape(-1)
        count = misses(words // problem["line"], problem["sets"], problem["ways"])
        return 1000.0 * count / len(output)


def misses(lines: NDArray[np.int64], sets: int, ways: int) -> int:
    """Return how often a line is not in the cache when it is touched.

    Line x belongs to set x modulo ``sets``, which holds the ``ways`` lines touched last. Reads and writes are alike.
    """
    held: list[list[int]] = [[] for _ in range(sets)]
    count = 0
    for line in lines.tolist():
        place = held[line % sets]
        if line in place:
            place.remove(line)
        else:
            count += 1
            if len(place) == ways:
                del place[0]
        place.append(line)
    return count


def _kernel(problem: Problem) -> Kernel:
    return kernel(problem["kernel"], problem["n"], problem["m"])


def _steps(output: Any, wanted: Kernel) -> NDArray[np.int64]:
    if type(output) is not np.ndarray or output.dtype.kind not in "iu" or output.ndim != 2 or output.shape[1] != 3:
        raise WrongAnswer("expected an integer array of shape (steps, 3)")
    if not 1 <= len(output) <= wanted.required.size:
        raise WrongAnswer(f"there are {len(output)} steps, expected {np.count_nonzero(wanted.required)}")
    inside = np.asarray(((output >= 0) & (output < np.array(wanted.required.shape))).all(axis=1))
    steps = np.where(inside[:, None], output, 0).astype(np.int64)
    allowed = np.asarray(inside & wanted.required[tuple(steps.T)])
    if not allowed.all():
        number = int(np.argmin(allowed))
        raise WrongAnswer(f"step {number}, {tuple(output[number].tolist())}, is none of the kernel's")
    return steps
