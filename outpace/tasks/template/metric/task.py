"""The trusted half of the task: it runs in the judge's process, where no program that is judged ever runs."""

import numpy as np

from outpace.tasks import spec
from outpace.tasks.spec import Case, Output, Problem, WrongAnswer


class Task(spec.Task):
    """Makes problems, decides which answers are right, and computes their score."""

    def generate(self, case: Case, seed: int) -> Problem:
        """Make the problem for a seed: the same seed must give the same problem, so draw everything from ``rng``.

        The keys are the names of the entry's arguments. Values are plain data: numbers, texts, bytes, lists, tuples,
        dicts, numpy arrays of numbers.
        """
        rng = np.random.default_rng(seed)
        jobs = case.params["jobs"]
        durations = rng.integers(1, 101, size=jobs).astype(float)
        return {
            "durations": durations,
            "due_dates": durations.sum() * rng.uniform(0.1, 0.7, size=jobs),
            "weights": rng.integers(1, 11, size=jobs).astype(float),
        }

    def reference(self, problem: Problem) -> Output:
        """Return any right answer, for `outpace task check` to try ``check`` with; here shortest first, by weight."""
        return np.argsort(problem["durations"] / problem["weights"], kind="stable")

    def check(self, problem: Problem, output: Output) -> None:
        """Return to accept the answer, or raise WrongAnswer and say why: the proposer reads it.

        The answer comes from a program that nobody trusts. Test type, shape and range before anything else.
        """
        jobs = len(problem["durations"])
        if not isinstance(output, np.ndarray) or output.shape != (jobs,) or output.dtype.kind not in "iu":
            raise WrongAnswer(f"expected an array of {jobs} job numbers")
        if not np.array_equal(np.sort(output), np.arange(jobs)):
            raise WrongAnswer(f"expected each job number from 0 to {jobs - 1} exactly once")

    def score(self, problem: Problem, output: Output) -> float:
        """Compute the score from the answer alone; never let the program tell its own score."""
        durations, weights = problem["durations"][output], problem["weights"][output]
        late = np.maximum(0.0, np.cumsum(durations) - problem["due_dates"][output])
        return float((weights * late).sum() / (weights * durations).sum())
