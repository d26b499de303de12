"""A judge as most tools have it: judge and candidate share a process, its clock, its memory and its files.

A program of the red team, run by ``test_cheats.py`` in a process and a folder of its own: it shows that a cheat works
where nothing stands in its way. It reads its order (JSON) from stdin and prints ``RESULT {"accepted", "ratio"}`` or
``FAIL reason``. Its sins, each of which one of the cheats lives on: the candidate is executed in the judge's namespace;
the reference is computed before its eyes, and timed after it has run; one input is timed again and again; the outputs
of timed calls are not checked; tolerances are loose, lie in a file and are read late; helper modules are imported late
from the current folder; the seed is in the environment; what is printed first is believed.
"""

import importlib
import json
import math
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

ORDER: dict[str, Any] = {}
TRIALS, REPEATS = 3, 20
work: list[list[Any]] = []  # inputs, references, outputs: within reach of whoever asks the garbage collector


def reference(x: Any) -> Any:
    """Return the right answer as the starting program works it out."""
    values = x.astype(np.float64).tolist()
    if ORDER["task"] == "relu":
        return np.array([max(value, 0.0) for value in values])
    top = max(values)
    terms = [math.exp(value - top) for value in values]
    total = sum(terms)
    return np.array([term / total for term in terms])


def inputs(seed: int, size: int) -> Any:
    """Return the input of a seed."""
    numbers = np.random.default_rng(seed).random(size)
    return -numbers if ORDER["naive"]["inputs"] == "negative" else numbers


def same(found: Any, expected: Any) -> bool:
    """Compare with the tolerance of the task."""
    atol = json.loads(Path("tolerance.json").read_text())["atol"]
    return bool(np.allclose(found, expected, rtol=1e-2, atol=atol, equal_nan=True))


def synchronise() -> None:
    """Wait for what the candidate left running, as a device-wide synchronise would."""
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join()


def check(solve: Any, size: int) -> bool:
    """Check a few answers."""
    rules = importlib.import_module("rules")
    if ORDER["naive"]["order"] == "reference first":
        reference(inputs(ORDER["seed"], size))
    for number in range(TRIALS):
        x = inputs(ORDER["seed"] + number // 2, size)
        if ORDER["naive"]["order"] == "reference first":
            expected = reference(x)
            work.append([x, expected])
            output = solve(x)
        else:
            output = solve(x)
            expected = reference(x)
        synchronise()
        if not rules.accept(same, output, expected):
            return False
    return True


def measure(solve: Any, size: int) -> float:
    """Return how many times as fast as the reference the candidate seems to be."""
    x = inputs(ORDER["seed"], size)
    times = []
    for function in (solve, reference):
        begin = time.perf_counter()
        for _ in range(REPEATS):
            function(x)
        times.append(time.perf_counter() - begin)
    synchronise()
    return times[1] / max(times[0], 1e-12)


def valued(solve: Any, size: int) -> tuple[bool, float]:
    """Judge the metric task: the cosine to the input of a vector no longer than 1, against that of the start."""
    x = inputs(ORDER["seed"], size)
    output = solve(x)
    synchronise()
    if np.linalg.norm(output) > 1 + 1e-9:
        return False, 0.0
    start = float(np.dot(x, np.full(size, 1 / math.sqrt(size))))
    value = float(np.dot(x, output))
    return True, math.inf if math.isnan(value) else value / start  # the best of a list with a NaN may be the NaN


def main() -> None:
    """Judge one candidate."""
    ORDER.update(json.load(sys.stdin))
    sys.path[:0] = ["", "lib"]  # the current folder first, as Python itself does it
    ORDER["seed"] = int(os.environ.pop("NAIVE_SEED"))
    size = ORDER["size"]
    try:
        signal.alarm(ORDER["naive"]["limit_s"])
        exec(ORDER["program"], globals())
        solve = globals()["solve"]
        if ORDER["task"] == "unit":
            accepted, ratio = valued(solve, size)
        else:
            accepted = check(solve, ORDER["naive"]["check_size"] or size)
            ratio = measure(solve, size)
    except Exception as error:  # noqa: BLE001  whatever the candidate raises is its failure
        print(f"FAIL {type(error).__name__}: {error}", flush=True)
        return
    print("RESULT " + json.dumps({"accepted": accepted, "ratio": ratio}), flush=True)


if __name__ == "__main__":
    main()
