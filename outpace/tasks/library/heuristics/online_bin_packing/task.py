"""Trusted half of online bin packing: draws the items, proves the packing, computes the gap."""

from bisect import bisect_left, insort
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outpace.tasks import spec
from outpace.tasks.spec import Case, Output, Problem, Twin, WrongAnswer


class Task(spec.Task):
    """Problem: ``items`` (n,) int64 and ``capacity``. Answer: bin number of each item, (n,) integers from 0 on."""

    def generate(self, case: Case, seed: int) -> Problem:
        """Draw Weibull(45, 3) items, rounded and clipped to 1..100, as FunSearch and EoH do."""
        rng = np.random.default_rng(seed)
        sizes = 45.0 * rng.weibull(3.0, size=case.params["items"])
        return {"items": np.rint(np.clip(sizes, 1, 100)).astype(np.int64), "capacity": int(case.params["capacity"])}

    def reference(self, problem: Problem) -> Output:
        """Pack by Best Fit, the first of the fullest bins that have room."""
        capacity: int = problem["capacity"]
        rooms: list[tuple[int, int]] = []  # remaining capacity and number of each open bin, ascending
        packing = np.empty(len(problem["items"]), dtype=np.int64)
        for number, size in enumerate(problem["items"].tolist()):
            place = bisect_left(rooms, (size, 0))
            room, bin_number = rooms.pop(place) if place < len(rooms) else (capacity, len(rooms))
            insort(rooms, (room - size, bin_number))
            packing[number] = bin_number
        return packing

    def check(self, problem: Problem, output: Output) -> None:
        """Every item in exactly one bin, no bin overfull, bins numbered 0, 1, 2 … in the order they are opened."""
        items: NDArray[np.int64] = problem["items"]
        packing = _packing(output, len(items))
        numbers, first = np.unique(packing, return_index=True)
        if not np.array_equal(numbers, np.arange(len(numbers))):
            raise WrongAnswer(f"bins are numbered {numbers[0]}..{numbers[-1]}, but only {len(numbers)} are used")
        if not np.all(np.diff(first) > 0):
            bin_number = int(np.argmin(np.diff(first) > 0)) + 1
            raise WrongAnswer(f"bin {bin_number} is opened before bin {bin_number - 1}; they are numbered as they open")
        loads = np.zeros(len(numbers), dtype=np.int64)
        np.add.at(loads, packing, items)
        if not np.all(loads <= problem["capacity"]):
            worst = int(np.argmax(loads))
            raise WrongAnswer(f"bin {worst} holds {loads[worst]}, more than its capacity {problem['capacity']}")

    def score(self, problem: Problem, output: Output) -> float:
        """Return 100 (bins - L1) / L1 with L1 = ceil(sum of sizes / capacity), in percent."""
        capacity: int = problem["capacity"]
        bound = -(-int(problem["items"].sum()) // capacity)
        return 100.0 * (int(np.max(output)) + 1 - bound) / bound

    def twin(self, problem: Problem, seed: int) -> Twin:
        """Keep the first items, somewhere between 1 in 40 and 1 in 2 of them, and go on with few others.

        Where they part, early places are likelier than late ones, and the twin ends soon after, so that it costs a few
        per cent of an evaluation. What comes is all large or all small: no plan made for the true rest fits it.
        """
        rng = np.random.default_rng(seed)
        items: NDArray[np.int64] = problem["items"]
        length = max(1, int(len(items) * np.exp(rng.uniform(np.log(1 / 40), np.log(1 / 2)))))
        low, high = [(1, 20), (60, 100)][rng.integers(2)]
        rest = rng.integers(low, high + 1, size=len(items) // 20 + 1)
        return Twin(problem={**problem, "items": np.concatenate([items[:length], rest])}, length=length)


def _packing(output: Any, count: int) -> NDArray[np.int64]:
    if type(output) is not np.ndarray:
        raise WrongAnswer(f"the packing is a {type(output).__name__}, expected an array of {count} bin numbers")
    if output.shape != (count,):
        raise WrongAnswer(f"the packing has shape {output.shape}, expected ({count},): one bin number per item")
    if output.dtype.kind not in "iu":
        raise WrongAnswer(f"the packing holds {output.dtype} values, expected integers")
    low, high = int(output.min()), int(output.max())
    if not (low >= 0 and high < count):
        raise WrongAnswer(f"bin numbers run from {low} to {high}, expected numbers from 0 to {count - 1}")
    return output.astype(np.int64)
