"""What the small steps of a candidate's way cost, by pytest-benchmark.

    pytest benchmarks/micro.py --benchmark-columns=min,median,stddev

The codec (both directions, each kind of data), the statistics of a timing, an edit and a prompt. Compare medians of one
run with each other; absolute times say more about the machine than about us.
"""

from typing import Any

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from outpace.agent.prompts.render import render
from outpace.agent.proposal import Brief, Member
from outpace.agent.proposers.edits import apply
from outpace.evaluators.base import Evaluation, Measurement
from outpace.evaluators.statistics import speedup
from outpace.sandbox._inside import codec
from outpace.tasks import registry

DATA: dict[str, Any] = {
    "numbers": {"x": 1.5, "n": 3},
    "10k ints": {"xs": list(range(10_000))},
    "10k pairs": {"xs": [(i, float(i)) for i in range(10_000)]},
    "800 kB array": {"a": np.arange(100_000, dtype=np.float64)},
    "100 kB text": {"s": "acgt" * 25_000},
}


@pytest.mark.parametrize("name", list(DATA))
def test_encode(benchmark: BenchmarkFixture, name: str) -> None:
    """Problem to frame."""
    benchmark(lambda: b"".join(codec.frame(DATA[name], max_bytes=1 << 30)))


@pytest.mark.parametrize("name", list(DATA))
def test_decode(benchmark: BenchmarkFixture, name: str) -> None:
    """Frame to answer."""
    body = bytearray(b"".join(codec.frame(DATA[name], max_bytes=1 << 30))[codec.HEADER :])
    benchmark(lambda: codec.decode(bytearray(body)))


def test_interval_of_a_timing(benchmark: BenchmarkFixture) -> None:
    """Bootstrap of 21 pairs, both clocks."""
    times = tuple(int(t) for t in 1e6 * np.random.default_rng(1).lognormal(0, 0.05, 21))
    pairs = Measurement(
        case="c", baseline_wall_ns=times, candidate_wall_ns=times, baseline_cpu_ns=times, candidate_cpu_ns=times
    )
    benchmark(lambda: speedup([pairs]))


def test_edit(benchmark: BenchmarkFixture) -> None:
    """A SEARCH/REPLACE answer to a candidate."""
    start = registry.find("circle_packing").start
    line = next(line for line in start.program.splitlines() if line.startswith("RINGS"))
    answer = f"<<<<<<< SEARCH\n{line}\n=======\n{line.replace('0.4', '0.41')}\n>>>>>>> REPLACE\n"
    assert benchmark(lambda: apply(answer, start, entry="pack")).candidate != start


def test_prompt(benchmark: BenchmarkFixture) -> None:
    """A brief to messages."""
    task = registry.find("circle_packing")
    brief = Brief(number=1, parents=(Member(task.start, Evaluation(status="ok", score=1.9)),), seed=1)
    assert benchmark(lambda: render(task, brief))
