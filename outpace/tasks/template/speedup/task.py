"""The trusted half of the task: it runs in the judge's process, where no program that is judged ever runs."""

from bisect import bisect_right, insort

import numpy as np

from outpace.tasks import spec
from outpace.tasks.spec import Case, Output, Problem, WrongAnswer


class Task(spec.Task):
    """Makes problems and decides which answers are right."""

    def generate(self, case: Case, seed: int) -> Problem:
        """Make the problem for a seed: the same seed must give the same problem, so draw everything from ``rng``.

        The keys are the names of the entry's arguments. Values are plain data: numbers, texts, bytes, lists, tuples,
        dicts, numpy arrays of numbers. Draw so that no shortcut can guess the answer.
        """
        rng = np.random.default_rng(seed)
        length = case.params["length"]
        if not case.timed:
            length = rng.integers(0, length + 1)  # corners: short, empty, many equal values
        return {"values": rng.integers(-length, length + 1, size=length)}

    def reference(self, problem: Problem) -> Output:
        """Return the right answer, by another method than the starting program: a mistake is seldom made twice."""
        before: list[int] = []
        count = 0
        for value in problem["values"].tolist():
            count += len(before) - bisect_right(before, value)
            insort(before, value)
        return count

    def check(self, problem: Problem, output: Output) -> None:
        """Return to accept the answer, or raise WrongAnswer and say why: the proposer reads it.

        The answer comes from a program that nobody trusts. Test the type before anything else.
        """
        if type(output) is not int and not isinstance(output, np.integer):
            raise WrongAnswer(f"expected an int, got a {type(output).__name__}")
        right = self.reference(problem)
        if output != right:
            raise WrongAnswer(f"a sequence of {len(problem['values'])} values has {right} inversions, got {output}")
