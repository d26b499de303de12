"""The A/A measurement: which clock, which floor, and that they are used; on real workers with clocks that are told."""

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import pytest

from outpace.errors import SandboxUnavailable, TaskError
from outpace.evaluators.base import Evaluation, Measurement, Noise
from outpace.evaluators.cascade import CascadeEvaluator
from outpace.evaluators.noise import GROUPS, analysed, machine_noise
from outpace.evaluators.statistics import DEFAULT_FLOOR, LAYOUT_FLOOR
from outpace.evaluators.timing import Pairing
from outpace.limits import Limits
from outpace.sandbox.base import Job, Sandbox
from outpace.sandbox.process import ProcessSandbox
from outpace.tasks.candidate import Candidate
from outpace.tasks.spec import Case, Goal, Output, Problem, Task, TaskSpec, WrongAnswer

QUICK = Pairing(least=3, most=6, groups=3, each=2)
Wobble = Callable[[np.random.Generator], tuple[float, float]]


class Clockwork(Sandbox, Protocol):
    wobble: Any
    log: list[Any]
    jobs: list[Job]

    def batches(self, program: str) -> list[Any]: ...


class Echo(Task):
    """Answer: the input."""

    def generate(self, case: Case, seed: int) -> Problem:
        return {"x": seed}

    def check(self, problem: Problem, output: Output) -> None:
        if output != problem["x"]:
            raise WrongAnswer("not the input")

    def score(self, problem: Problem, output: Output) -> float:
        return 1.0


def program(wall_ns: int, cpu_ns: int, *, body: str = "    return x\n") -> str:
    return f"# wall_ns={wall_ns} cpu_ns={cpu_ns}\ndef solve(x):\n{body}"


START = program(20_000_000, 20_000_000)


def task(start: str = START, *, goal: str = "speedup", timed: bool = True, threads: int = 1) -> Task:
    goals = {
        "speedup": Goal(kind="speedup", name="speed-up", direction="maximise", unit="x"),
        "metric": Goal(kind="metric", name="value", direction="maximise"),
    }
    spec = TaskSpec(
        name="echo",
        title="Echo",
        statement="",
        entry="solve",
        goal=goals[goal],
        cases=(Case(name="one", timed=timed), Case(name="edges", timed=False)),
        limits=Limits(wall_s=5.0, threads=threads),
    )
    return Echo(spec, Candidate({"program.py": start}))


def off(wall: float, cpu: float) -> Wobble:
    return lambda chance: (float(np.exp(chance.normal(0, wall))), float(np.exp(chance.normal(0, cpu))))


def measured(sandbox: Sandbox, about: Task) -> tuple[Noise | None, CascadeEvaluator]:
    evaluator = CascadeEvaluator(sandbox, pairing=QUICK)
    return asyncio.run(evaluator.noise(about)), evaluator


def judge(sandbox: Sandbox, noise: Noise | None, candidate: str, about: Task) -> Evaluation:
    evaluator = CascadeEvaluator(sandbox, pairing=QUICK, noise=noise)
    return asyncio.run(evaluator.evaluate(about, Candidate({"program.py": candidate})))


def test_a_machine_without_noise_has_the_wall_clock_and_the_floor_of_the_layout(clockwork: Clockwork) -> None:
    noise, evaluator = measured(clockwork, task())
    assert noise == Noise(clock="wall", floor=LAYOUT_FLOOR, wall=0.0, cpu=0.0, pairs=GROUPS * QUICK.each)
    assert evaluator.floor == LAYOUT_FLOOR


def test_the_start_is_timed_against_its_own_copy_in_fresh_processes(clockwork: Clockwork) -> None:
    measured(clockwork, task())
    assert len([job for job in clockwork.jobs if job.files["program.py"] == START]) == 2 * GROUPS
    assert len({job.cores for job in clockwork.jobs}) == 1


def test_a_noisy_wall_clock_gives_way_to_the_cpu_clock(clockwork: Clockwork) -> None:
    clockwork.wobble = off(0.3, 0.02)
    noise, _ = measured(clockwork, task())
    assert noise is not None and noise.clock == "cpu"
    assert noise.wall > 5 * noise.cpu > 0


def test_a_cpu_clock_that_is_no_better_leaves_the_wall_clock(clockwork: Clockwork) -> None:
    clockwork.wobble = off(0.05, 0.05)
    noise, _ = measured(clockwork, task())
    assert noise is not None and noise.clock == "wall"


def test_a_core_that_others_use_as_well_leaves_the_cpu_clock(clockwork: Clockwork) -> None:
    noise, _ = measured(clockwork, task(program(30_000_000, 20_000_000)))
    assert noise is not None and noise.clock == "cpu"
    assert noise.wall == pytest.approx(0.5)
    noise, _ = measured(clockwork, task(program(30_000_000, 20_000_000), threads=2))
    assert noise is not None and noise.clock == "wall"


def test_threaded_tasks_go_by_the_wall_clock_whatever_its_noise(clockwork: Clockwork) -> None:
    clockwork.wobble = off(0.3, 0.01)
    noise, _ = measured(clockwork, task(threads=2))
    assert noise is not None and noise.clock == "wall"
    assert noise.floor >= LAYOUT_FLOOR


def test_the_floor_rises_where_processes_differ_more_than_their_intervals_tell() -> None:
    """Two pairs of processes in which copies differ by 8 %: whoever draws the same one twice sees no doubt."""
    wall = (10_800_000,) * 4 + (10_000_000,) * 4
    other = (10_000_000,) * 4 + (10_800_000,) * 4
    found = Measurement(
        case="c",
        baseline_wall_ns=wall,
        candidate_wall_ns=other,
        baseline_cpu_ns=wall,
        candidate_cpu_ns=other,
        groups=(0,) * 4 + (1,) * 4,
    )
    noise = analysed([found], threads=1, groups=4)
    assert noise.floor == pytest.approx(0.08, abs=0.001)
    assert noise.wall == noise.cpu == pytest.approx(0.08, abs=0.001)


def test_what_is_not_timed_has_no_noise(clockwork: Clockwork) -> None:
    noise, evaluator = measured(clockwork, task(goal="metric"))
    assert (noise, clockwork.jobs, evaluator.floor) == (None, [], DEFAULT_FLOOR)


def test_a_speedup_without_a_timed_case_is_an_error_of_the_task(clockwork: Clockwork) -> None:
    with pytest.raises(TaskError, match="no case of the split 'train' is timed"):
        measured(clockwork, task(timed=False))
    with pytest.raises(TaskError, match="no case of the split 'train' is timed"):
        judge(clockwork, None, START, task(timed=False))


def test_slow_programs_end_it_when_the_time_is_up(clockwork: Clockwork) -> None:
    evaluator = CascadeEvaluator(clockwork, pairing=QUICK)
    asyncio.run(evaluator.noise(task(), wall_s=0.0))
    assert len([job for job in clockwork.jobs if job.files["program.py"] == START]) == 2 * 3


def test_a_start_that_fails_is_told() -> None:
    broken = program(1000, 1000, body="    return None\n")
    with pytest.raises(SandboxUnavailable, match=r"(?s)failed.*not the input"):
        measured(ProcessSandbox(), task(broken))


@pytest.mark.slow
def test_the_machine_is_measured_without_a_task() -> None:
    noise = asyncio.run(machine_noise(ProcessSandbox()))
    assert noise.clock in ("wall", "cpu")
    assert noise.floor >= LAYOUT_FLOOR
    assert noise.pairs >= 3 * 3


def test_the_record_names_clock_and_floor(clockwork: Clockwork) -> None:
    found = judge(clockwork, Noise(clock="cpu", floor=0.02, wall=0.1, cpu=0.01, pairs=40), START, task())
    assert {name: found.machine[name] for name in ("clock", "noise_floor", "noise", "level", "sandbox")} == {
        "clock": "cpu",
        "noise_floor": "0.0200",
        "noise": "measured",
        "level": "D",
        "sandbox": "clockwork",
    }
    found = judge(clockwork, None, START, task())
    assert {name: found.machine[name] for name in ("clock", "noise_floor", "noise")} == {
        "clock": "lower",
        "noise_floor": "0.0500",
        "noise": "assumed",
    }


@pytest.mark.parametrize(
    ("gain", "words"),
    [
        (1.03, "no measurable gain (1.030 times as fast as"),
        (0.5, "slower (0.500 times"),
        (1.1, "Case 'one': 1.1 times"),
    ],
)
def test_a_gain_inside_the_floor_is_none(clockwork: Clockwork, gain: float, words: str) -> None:
    cost = round(20_000_000 / gain)
    found = judge(
        clockwork, Noise(clock="wall", floor=0.05, wall=0.02, cpu=0.02, pairs=40), program(cost, cost), task()
    )
    assert found.feedback.startswith(words)
    assert found.score == pytest.approx(gain, rel=1e-3)


@pytest.mark.parametrize(
    ("clock", "wall_ns", "cpu_ns"),
    [("wall", 2_000_000, 18_000_000), ("cpu", 18_000_000, 2_000_000)],
    ids=["a thread that the wall clock does not see", "a wait that costs no CPU"],
)
def test_clocks_that_disagree_are_asked_again_and_then_the_lower_counts(
    clockwork: Clockwork, clock: Any, wall_ns: int, cpu_ns: int
) -> None:
    candidate = program(wall_ns, cpu_ns)
    found = judge(clockwork, Noise(clock=clock, floor=0.02, wall=0.03, cpu=0.01, pairs=40), candidate, task())
    assert found.score == pytest.approx(20 / 18, rel=1e-3)
    assert found.machine["clock"] == "lower"
    pairs = len(found.measurements[0].candidate_wall_ns)
    agreeing = program(2_000_000, 2_000_000)
    alone = len(clockwork.batches(candidate))
    judge(clockwork, Noise(clock=clock, floor=0.02, wall=0.03, cpu=0.01, pairs=40), agreeing, task())
    assert alone >= len(clockwork.batches(agreeing)) + pairs, "it was measured twice"


def test_clocks_that_disagree_within_the_noise_are_left_alone(clockwork: Clockwork) -> None:
    candidate = program(9_000_000, 10_000_000)
    found = judge(clockwork, Noise(clock="wall", floor=0.02, wall=0.03, cpu=0.2, pairs=40), candidate, task())
    assert found.score == pytest.approx(20 / 9, rel=1e-3)
    assert found.machine["clock"] == "wall"


def test_clocks_that_agree_the_second_time_are_believed(clockwork: Clockwork) -> None:
    readings = iter(range(10**6))
    clockwork.wobble = lambda _: (1.0, 3.0) if 5 < next(readings) < 14 else (1.0, 1.0)
    candidate = program(10_000_000, 10_000_000)
    found = judge(clockwork, Noise(clock="wall", floor=0.02, wall=0.03, cpu=0.03, pairs=40), candidate, task())
    assert found.score == pytest.approx(2, rel=1e-3)
    assert found.machine["clock"] == "wall"


def test_a_machine_that_has_become_busy_has_the_cpu_clock(clockwork: Clockwork) -> None:
    quiet = Noise(clock="wall", floor=0.02, wall=0.03, cpu=0.03, pairs=40)
    found = judge(clockwork, quiet, program(11_000_000, 10_000_000), task(program(30_000_000, 20_000_000)))
    assert found.score == pytest.approx(2, rel=1e-3)
    assert found.machine["clock"] == "cpu"


def test_threaded_tasks_may_use_more_cpu(clockwork: Clockwork) -> None:
    candidate = program(10_000_000, 40_000_000)
    found = judge(clockwork, Noise(clock="wall", floor=0.02, wall=0.03, cpu=0.03, pairs=40), candidate, task(threads=2))
    assert found.score == pytest.approx(2, rel=1e-3)
    assert found.machine["clock"] == "wall"
