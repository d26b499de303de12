"""Trusted half of cluster scheduling: draws the jobs, proves the plan on every machine, computes the mean slowdown."""

import heapq
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outpace.tasks import spec
from outpace.tasks.spec import Case, Output, Problem, Twin, WrongAnswer


class Task(spec.Task):
    """Problem: ``arrivals`` (n,), ``durations`` (n,), ``demands`` (n, 2) cores and memory, ``machines`` (m, 2) of both.

    All are int64, and jobs are numbered as they arrive. Answer: start and machine of each job, (n, 2) integers.
    """

    def generate(self, case: Case, seed: int) -> Problem:
        """Draw jobs like those of Mao et al.: four in five short, one resource wanted much and the other little.

        Jobs come at random, in turns at a high and a low rate; ``load`` is the mean work that comes per unit of time as
        part of what the machines can do. ``mixed`` machines have one, two or three times as much of each resource, and
        the durations of their jobs are lognormal.
        """
        rng = np.random.default_rng(seed)
        params = case.params
        count, machines = params["jobs"], np.tile([20, 40], (params["machines"], 1))
        durations = np.where(rng.random(count) < 0.8, rng.integers(10, 31, count), rng.integers(100, 151, count))
        if params["mixed"]:
            machines = machines * rng.integers(1, 4, size=machines.shape)
            durations = np.clip(rng.lognormal(3.0, 1.2, count), 1, 1000).astype(np.int64)
        much, little = rng.uniform(0.25, 0.5, count), rng.uniform(0.05, 0.1, count)
        shares = np.where((rng.random(count) < 0.5)[:, None], np.stack([much, little], 1), np.stack([little, much], 1))
        demands = np.rint(shares * [20, 40]).astype(np.int64)
        work = (durations[:, None] * demands).mean(axis=0) / machines.sum(axis=0)
        gaps = rng.exponential(work.max() / params["load"], count)
        gaps *= np.where(np.arange(count) // 25 % 2 == 0, 0.5, 1.5)
        arrivals = np.floor(np.cumsum(gaps)).astype(np.int64)
        return {"arrivals": arrivals, "durations": durations, "demands": demands, "machines": machines}

    def reference(self, problem: Problem) -> Output:
        """Start the shortest waiting job that fits, whenever one fits, on the first machine with room."""
        return shortest_first(problem)

    def check(self, problem: Problem, output: Output) -> None:
        """Every job starts after its arrival on a machine there is, and no machine ever holds more than it can."""
        arrivals, durations = problem["arrivals"], problem["durations"]
        plan = _plan(output, problem)
        starts, ends = plan[:, 0], plan[:, 0] + durations
        if not np.all(starts >= arrivals):
            job = int(np.argmin(starts >= arrivals))
            raise WrongAnswer(f"job {job} starts at {starts[job]}, before it arrives at {arrivals[job]}")
        for machine, room in enumerate(problem["machines"]):
            here = np.flatnonzero(plan[:, 1] == machine)
            moments = np.concatenate([ends[here], starts[here]])
            changes = np.concatenate([-problem["demands"][here], problem["demands"][here]])
            order = np.argsort(moments, kind="stable")  # at one moment, what ends makes room for what starts
            used = np.cumsum(changes[order], axis=0)
            if not np.all(used <= room):
                step = int(np.argmin((used <= room).all(axis=1)))
                held = f"{used[step, 0]} cores and {used[step, 1]} of memory at time {moments[order][step]}"
                raise WrongAnswer(f"machine {machine} holds {held}, more than its {room[0]} and {room[1]}")

    def score(self, problem: Problem, output: Output) -> float:
        """Return the mean over the jobs of (waiting + duration) / duration."""
        durations = problem["durations"]
        waited = output[:, 0].astype(np.int64) - problem["arrivals"]
        return float(np.mean((waited + durations) / durations))

    def twin(self, problem: Problem, seed: int) -> Twin:
        """Keep the jobs that arrive before some time, and go on with few others that come from then on.

        ``length`` of the twin is that time: all that starts before it was decided by what had come before it. Between 1
        in 40 and 1 in 2 of the jobs are kept, early places likelier. What comes is all short or all long.
        """
        rng = np.random.default_rng(seed)
        arrivals: NDArray[np.int64] = problem["arrivals"]
        place = int(len(arrivals) * np.exp(rng.uniform(np.log(1 / 40), np.log(1 / 2))))
        time = max(1, int(arrivals[place]))
        kept = int(np.searchsorted(arrivals, time))
        count = len(arrivals) // 20 + 1
        low, high = [(1, 6), (200, 400)][rng.integers(2)]
        demands = np.column_stack([rng.integers(1, 11, count), rng.integers(2, 21, count)])
        twin = {
            "arrivals": np.concatenate([arrivals[:kept], time + np.sort(rng.integers(0, 30, count))]),
            "durations": np.concatenate([problem["durations"][:kept], rng.integers(low, high, count)]),
            "demands": np.concatenate([problem["demands"][:kept], demands]),
            "machines": problem["machines"],
        }
        return Twin(problem=twin, length=time)

    def beginning(self, output: Output, length: int) -> Output:
        """Return number, start and machine of each job that starts before the time ``length``."""
        jobs = np.flatnonzero(output[:, 0] < length)
        return np.column_stack([jobs, output[jobs]])


def shortest_first(problem: Problem) -> NDArray[np.int64]:
    """Return the plan of the shortest job first among those that fit."""
    arrivals, durations = problem["arrivals"].tolist(), problem["durations"].tolist()
    demands, free = problem["demands"].tolist(), problem["machines"].tolist()
    plan = np.zeros((len(arrivals), 2), dtype=np.int64)
    moments = sorted(set(arrivals))
    heapq.heapify(moments)
    waiting: list[tuple[int, int]] = []
    ending: dict[int, list[int]] = {}
    came = 0
    while moments:
        now = heapq.heappop(moments)
        for job in ending.pop(now, []):
            machine = int(plan[job, 1])
            free[machine] = [free[machine][k] + demands[job][k] for k in (0, 1)]
        while came < len(arrivals) and arrivals[came] <= now:
            waiting.append((durations[came], came))
            came += 1
        left = []
        for duration, job in sorted(waiting):
            fits = [m for m, room in enumerate(free) if demands[job][0] <= room[0] and demands[job][1] <= room[1]]
            if not fits:
                left.append((duration, job))
                continue
            plan[job] = now, fits[0]
            free[fits[0]] = [free[fits[0]][k] - demands[job][k] for k in (0, 1)]
            ending.setdefault(now + duration, []).append(job)
            heapq.heappush(moments, now + duration)
        waiting = left
    return plan


def _plan(output: Any, problem: Problem) -> NDArray[np.int64]:
    jobs = len(problem["arrivals"])
    if type(output) is not np.ndarray:
        raise WrongAnswer(f"the plan is a {type(output).__name__}, expected an array of shape ({jobs}, 2)")
    if output.shape != (jobs, 2):
        raise WrongAnswer(f"the plan has shape {output.shape}, expected ({jobs}, 2): start and machine of each job")
    if output.dtype.kind not in "iu":
        raise WrongAnswer(f"the plan holds {output.dtype} values, expected integers")
    machines = len(problem["machines"])
    low, high = int(output[:, 1].min()), int(output[:, 1].max())
    if not (low >= 0 and high < machines):
        raise WrongAnswer(f"machines are numbered {low} to {high} in the plan, expected 0 to {machines - 1}")
    end = int(problem["arrivals"][-1] + problem["durations"].sum())  # one job after the other would be done by then
    if not (int(output[:, 0].min()) >= 0 and int(output[:, 0].max()) <= end):
        raise WrongAnswer(f"starts run from {output[:, 0].min()} to {output[:, 0].max()}, expected 0 to {end}")
    return output.astype(np.int64)
