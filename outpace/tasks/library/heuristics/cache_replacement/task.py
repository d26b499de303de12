"""Trusted half of cache replacement: draws requests, replays what was pushed out, compares with Belady's optimum."""

import heapq
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outpace.tasks import spec
from outpace.tasks.spec import Case, Output, Problem, Twin, WrongAnswer

KINDS = ("popular", "recent", "loop", "scan")


class Task(spec.Task):
    """Problem: ``requests`` (n,) int64 objects and ``capacity``. Answer: what each request pushed out, (n,) integers.

    -1 stands for nothing: the object was in the cache, or a place was still free.
    """

    def generate(self, case: Case, seed: int) -> Problem:
        """Draw phases of 100 to 400 requests, of the kinds and with the weights in ``kinds``; see ``_phase``."""
        rng = np.random.default_rng(seed)
        params = case.params
        count, capacity = params["requests"], int(params["capacity"])
        weights = np.array([params["kinds"].get(kind, 0.0) for kind in KINDS])
        source = _Source(rng, capacity, rng.uniform(0.7, 1.1))
        while len(source.requests) < count:
            kind = KINDS[rng.choice(len(KINDS), p=weights / weights.sum())]
            source.phase(kind, int(rng.integers(100, 401)))
        return {"requests": np.array(source.requests[:count], dtype=np.int64), "capacity": capacity}

    def reference(self, problem: Problem) -> Output:
        """Push out what is asked for again latest: Belady's rule. None beats it, and it must see what comes."""
        return belady(problem["requests"], problem["capacity"])

    def check(self, problem: Problem, output: Output) -> None:
        """Play the requests: something leaves if and only if it must, and it is an object that is there."""
        pushed = _pushed(output, len(problem["requests"]))
        cache: set[int] = set()
        for time, (one, left) in enumerate(zip(problem["requests"].tolist(), pushed, strict=True)):
            if one in cache or len(cache) < problem["capacity"]:
                if left != -1:
                    why = "is in the cache" if one in cache else "finds a free place"
                    raise WrongAnswer(f"request {time} pushes out {left}, but its object {one} {why}; expected -1")
            elif left not in cache:
                raise WrongAnswer(f"request {time} pushes out {left}, which is not in the full cache")
            cache.discard(left)
            cache.add(one)

    def score(self, problem: Problem, output: Output) -> float:
        """Return 100 (misses - least) / least with the misses of Belady's rule, in percent."""
        requests, capacity = problem["requests"], problem["capacity"]
        least = _least(requests.astype(np.int64).tobytes(), capacity)
        return 100.0 * (misses(requests, capacity, output) - least) / least

    def twin(self, problem: Problem, seed: int) -> Twin:
        """Keep the first requests, and go on with few others: objects that came before, in another order.

        Between 1 in 40 and 1 in 2 of the requests are kept, early places likelier, but no fewer than fill the cache
        twice where there are so many. What is asked for next is drawn from what was asked for last, so that another
        object than before is the one that is not needed.
        """
        rng = np.random.default_rng(seed)
        requests: NDArray[np.int64] = problem["requests"]
        least = min(len(requests) // 2, max(len(requests) // 40, 2 * problem["capacity"]))
        length = max(1, int(np.exp(rng.uniform(np.log(max(1, least)), np.log(max(1, len(requests) // 2))))))
        late = np.unique(requests[max(0, length - 4 * problem["capacity"]) : length])
        rest = np.concatenate([rng.permutation(late), [int(requests.max()) + 1]])
        return Twin(problem={**problem, "requests": np.concatenate([requests[:length], rest])}, length=length)


class _Source:
    """Requests in phases; keeps what lasts from phase to phase: popularity, the loop, the numbers of new objects."""

    def __init__(self, rng: np.random.Generator, capacity: int, steepness: float) -> None:
        """``steepness``: exponent of the Zipf law of the popular objects, of which there are ten times ``capacity``."""
        self.rng, self.capacity = rng, capacity
        self.requests: list[int] = []
        weights = np.arange(1, 10 * capacity + 1) ** -steepness
        self._shares = weights / weights.sum()
        self._popular = rng.permutation(10 * capacity)
        self._loop, self._looped = np.arange(0), 0
        self._new = 10 * capacity

    def phase(self, kind: str, length: int) -> None:
        """Add ``length`` requests. One in five is for a popular object in every kind of phase.

        popular: by Zipf's law, with one popular object in fifty at another rank in each phase. recent: an object asked
        for shortly before, at a geometric distance. loop: the same objects round and round, 0.5 to 1.5 times the
        capacity, another loop in one phase of three. scan: new objects, each once.
        """
        rng = self.rng
        moved = rng.choice(len(self._popular), size=len(self._popular) // 50, replace=False)
        self._popular[moved] = self._popular[rng.permutation(moved)]
        if kind == "loop" and (not len(self._loop) or rng.random() < 1 / 3):
            self._loop = self._fresh(int(self.capacity * rng.uniform(0.5, 1.5)))
        popular = self._popular[rng.choice(len(self._popular), size=length, p=self._shares)].tolist()
        aside = rng.random(length) < 0.2
        back = rng.geometric(2.0 / self.capacity, size=length).tolist()
        new = self._fresh(length if kind == "scan" else 0)
        for step in range(length):
            if kind == "popular" or aside[step]:
                one = popular[step]
            elif kind == "recent":
                one = self.requests[-back[step]] if back[step] <= len(self.requests) else popular[step]
            elif kind == "scan":
                one = int(new[step])
            else:
                one = int(self._loop[self._looped % len(self._loop)])
                self._looped += 1
            self.requests.append(one)

    def _fresh(self, count: int) -> NDArray[np.int64]:
        self._new += count
        return np.arange(self._new - count, self._new)


def belady(requests: NDArray[np.int64], capacity: int) -> NDArray[np.int64]:
    """Return what the rule of Belady pushes out: the object that is asked for again latest or never."""
    follows = [len(requests)] * len(requests)  # when the object of a request is asked for again
    later: dict[int, int] = {}
    for time in range(len(requests) - 1, -1, -1):
        one = int(requests[time])
        follows[time] = later.get(one, len(requests))
        later[one] = time
    pushed = np.full(len(requests), -1, dtype=np.int64)
    due: dict[int, int] = {}  # of each object in the cache
    latest: list[tuple[int, int]] = []
    for time, one in enumerate(requests.tolist()):
        if one not in due and len(due) == capacity:
            while True:
                moment, left = heapq.heappop(latest)
                if due.get(left) == -moment:  # not an entry of an earlier request
                    break
            del due[left]
            pushed[time] = left
        due[one] = follows[time]
        heapq.heappush(latest, (-follows[time], one))
    return pushed


def misses(requests: NDArray[np.int64], capacity: int, pushed: NDArray[np.int64]) -> int:
    """Return how many requests find their object not in the cache: those that push something out, and the first ones.

    Until it is full, the cache keeps all that comes, so that the first objects miss once each.
    """
    return int(np.count_nonzero(pushed != -1)) + min(capacity, len(np.unique(requests)))


@lru_cache(maxsize=256)
def _least(requests: bytes, capacity: int) -> int:
    """Return the misses of Belady's rule; kept, because each problem is scored for many programs."""
    asked = np.frombuffer(requests, dtype=np.int64)
    return misses(asked, capacity, belady(asked, capacity))


def _pushed(output: Any, count: int) -> list[int]:
    if type(output) is not np.ndarray:
        raise WrongAnswer(f"the answer is a {type(output).__name__}, expected an array of {count} objects")
    if output.shape != (count,):
        raise WrongAnswer(f"the answer has shape {output.shape}, expected ({count},): one object or -1 per request")
    if output.dtype.kind != "i":
        raise WrongAnswer(f"the answer holds {output.dtype} values, expected signed integers")
    objects: list[int] = output.tolist()
    return objects
