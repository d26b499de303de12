"""Trusted half of the flow shop: draws Taillard's instances, proves the permutation, computes the gap to his bound."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from outpace.tasks import spec
from outpace.tasks.spec import Case, Output, Problem, WrongAnswer


class Task(spec.Task):
    """Problem: ``times`` (jobs, machines) int64. Answer: every job once, (jobs,) integers in the order of work."""

    def generate(self, case: Case, seed: int) -> Problem:
        """Draw times from 1 to 99 by Taillard's generator, from a seed drawn for it or the published ``seeds``."""
        published = case.params.get("seeds")
        of_his = int(np.random.default_rng(seed).integers(1, 2**31 - 1))
        if published:
            of_his = int(published[(seed - case.seed) % len(published)])
        return {"times": taillard(of_his, case.params["jobs"], case.params["machines"])}

    def reference(self, problem: Problem) -> Output:
        """Return the best of the sequences of Palmer's slope index and of the rules of Campbell, Dudek and Smith.

        Those lay the machines together to two, in each way, and order the jobs for these by Johnson's rule.
        """
        times: NDArray[np.int64] = problem["times"]
        machines = times.shape[1]
        slope = times @ (2 * np.arange(machines) - machines + 1)
        tried = [np.argsort(-slope, kind="stable")]
        for count in range(1, machines):
            tried += [_johnson(times[:, :count].sum(axis=1), times[:, -count:].sum(axis=1))]
        return min(tried, key=lambda sequence: makespan(times, sequence))

    def check(self, problem: Problem, output: Output) -> None:
        """Every job exactly once."""
        jobs = len(problem["times"])
        visits = np.bincount(_sequence(output, jobs), minlength=jobs)
        if not np.array_equal(visits, np.ones(jobs, dtype=np.int64)):
            job = int(np.argmax(visits != 1))
            raise WrongAnswer(f"job {job} comes {visits[job]} times in the sequence, expected exactly once")

    def score(self, problem: Problem, output: Output) -> float:
        """Return 100 (makespan - bound) / bound with the bound of the busiest machine, in percent."""
        bound = busiest(problem["times"])
        return 100.0 * (makespan(problem["times"], output) - bound) / bound


def taillard(seed: int, jobs: int, machines: int) -> NDArray[np.int64]:
    """Return processing times (jobs, machines) of Taillard's generator, drawn machine by machine (1993, section 2).

    ``seed``: from 1 to 2^31 - 2. The generator is x -> 16807 x modulo 2^31 - 1.
    """
    times = np.empty((jobs, machines), dtype=np.int64)
    for machine in range(machines):
        for job in range(jobs):
            seed = 16807 * seed % (2**31 - 1)
            times[job, machine] = 1 + int(seed / (2**31 - 1) * 99)
    return times


def makespan(times: NDArray[np.int64], sequence: NDArray[np.int64]) -> int:
    """Return when the last machine is done with the last job."""
    done = [0] * times.shape[1]
    for row in times[sequence].tolist():
        before = 0
        for machine, time in enumerate(row):
            before = max(before, done[machine]) + time
            done[machine] = before
    return done[-1]


def busiest(times: NDArray[np.int64]) -> int:
    """Return a bound below any makespan: a machine's work, and the least time before it and after it (Taillard 1993).

    And no job is faster than the sum of its own times.
    """
    before = np.cumsum(times, axis=1) - times
    after = times.sum(axis=1, keepdims=True) - before - times
    by_machine = times.sum(axis=0) + before.min(axis=0) + after.min(axis=0)
    return max(int(by_machine.max()), int(times.sum(axis=1).max()))


def _johnson(first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the best order for two machines: quick starters by their first time, then slow ones by their second."""
    quick = np.flatnonzero(first < second)
    slow = np.flatnonzero(first >= second)
    early, late = np.argsort(first[quick], kind="stable"), np.argsort(-second[slow], kind="stable")
    return np.concatenate([quick[early], slow[late]])


def _sequence(output: Any, jobs: int) -> NDArray[np.int64]:
    if type(output) is not np.ndarray:
        raise WrongAnswer(f"the sequence is a {type(output).__name__}, expected an array of {jobs} jobs")
    if output.shape != (jobs,):
        raise WrongAnswer(f"the sequence has shape {output.shape}, expected ({jobs},): every job once")
    if output.dtype.kind not in "iu":
        raise WrongAnswer(f"the sequence holds {output.dtype} values, expected integers")
    low, high = int(output.min()), int(output.max())
    if not (low >= 0 and high < jobs):
        raise WrongAnswer(f"jobs are numbered {low} to {high} in the sequence, expected 0 to {jobs - 1}")
    return output.astype(np.int64)
