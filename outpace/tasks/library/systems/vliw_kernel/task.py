"""Trusted half of the VLIW kernels: executes the bundles on fresh inputs and counts them."""

import hashlib

import numpy as np
from numpy.typing import NDArray

from outpace.tasks import spec
from outpace.tasks.spec import Case, Output, Problem, WrongAnswer

from . import kernels, machine
from .scheduling import Scheduler

RANDOM = 64
SMALL_SORT = 12
"""Up to so many words, sorting is tried on all inputs of zeros and ones."""


class Task(spec.Task):
    """Problem: ``kernel``, ``n``, ``m``. Answer: a list of bundles, each a list of [name, target, a, b]."""

    def generate(self, case: Case, seed: int) -> Problem:
        """Return the one problem of a case; what the machine computes with is drawn by ``check``."""
        return {name: case.params[name] for name in ("kernel", "n", "m")}

    def reference(self, problem: Problem) -> Output:
        """Return plain code for the kernel, list-scheduled."""
        return Scheduler(kernels.plain(problem["kernel"], problem["n"], problem["m"])).run()

    def check(self, problem: Problem, output: Output) -> None:
        """Execute the bundles exactly and compare every word that must come out.

        The inputs are drawn from a hash of the bundles themselves. So the verdict on an answer never changes, and still
        no answer can be made for the inputs it will be tried on: a change to it is a change to them, and trying changes
        finds nothing, unless it is right for nearly all inputs anyway. Small words, zeros and ones are among them.
        Sorting is also tried on all sequences of zeros and ones, which proves it for whatever is made of min and max
        (Knuth, volume 3, section 5.3.4, the zero-one principle).
        """
        kernel, n, m = problem["kernel"], problem["n"], problem["m"]
        bundles = machine.decoded(output)
        place = kernels.layout(kernel, n, m)
        given = _inputs(place.inputs, repr(bundles), everything=kernel == "sort" and n <= SMALL_SORT)
        memory = np.zeros((len(given), place.words), dtype=np.uint32)
        memory[:, : place.inputs] = given
        memory[:, place.inputs :] = ~np.uint32(0)  # what was never stored is nothing that comes out by chance
        machine.Machine(memory).run(bundles)
        found, right = memory[:, place.inputs :][:, : place.outputs], kernels.right(kernel, n, m, given)
        if not np.array_equal(found, right):
            run, word = (int(number) for number in np.argwhere(found != right)[0])
            wrong = int((found != right).any(axis=0).sum())
            text = f"word {word} of the output is {found[run, word]}, expected {right[run, word]}"
            raise WrongAnswer(f"{text}; {wrong} of {place.outputs} words are wrong for some input")

    def score(self, problem: Problem, output: Output) -> float:
        """Return the number of cycles: bundles, empty ones as well."""
        return float(len(output))


def _inputs(count: int, text: str, *, everything: bool) -> NDArray[np.uint32]:
    """Return inputs, (runs, count): large and small words, few of them different, zeros, ones, the largest."""
    rng = np.random.default_rng(list(hashlib.sha256(text.encode()).digest()))
    large = rng.integers(0, 2**32, size=(RANDOM, count), dtype=np.uint32)
    small = rng.integers(0, 4, size=(RANDOM, count), dtype=np.uint32)
    mixed = np.where(rng.random((RANDOM, count)) < 0.5, large, small)
    same = np.array([0, 1, 2**32 - 1], dtype=np.uint32)[:, None] * np.ones(count, dtype=np.uint32)
    rows = [large, small, mixed, same]
    if everything:
        numbers = np.arange(2**count, dtype=np.uint32)[:, None]
        rows.append((numbers >> np.arange(count, dtype=np.uint32)) & np.uint32(1))
    return np.concatenate(rows)
