"""What is asked of the workers when a speed-up is timed: order, inputs, batches, bounds; on real workers."""

import asyncio
import time
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
import pytest

from outpace.evaluators.base import Evaluation
from outpace.evaluators.cascade import CascadeEvaluator
from outpace.evaluators.pairs import BATCH_NS, JUDGE_S, MOST_CALLS, NULL
from outpace.evaluators.timing import Pairing
from outpace.limits import Limits
from outpace.sandbox.base import Job, Sandbox
from outpace.tasks.candidate import Candidate
from outpace.tasks.spec import Case, Goal, Output, Problem, Task, TaskSpec, WrongAnswer

QUICK = Pairing(least=3, most=6, groups=3, each=2)
GOAL = Goal(kind="speedup", name="speed-up", direction="maximise", unit="x")
IDLE = NULL.files["program.py"]


class Asked(Protocol):
    worker: int
    program: str
    kind: str
    problems: tuple[Any, ...]


class Clockwork(Sandbox, Protocol):
    log: list[Any]
    jobs: list[Job]
    answers: Any

    def batches(self, program: str) -> list[Any]: ...


class Twice(Task):
    """Answer: the input, doubled."""

    def generate(self, case: Case, seed: int) -> Problem:
        if case.params.get("slow_s"):
            time.sleep(case.params["slow_s"])
        return {"x": seed, "more": np.zeros(int(case.params.get("numbers", 0)))}

    def check(self, problem: Problem, output: Output) -> None:
        if not isinstance(output, dict) or output["x"] != 2 * problem["x"]:
            raise WrongAnswer(f"expected {2 * problem['x']}")


def program(wall_ns: int, cpu_ns: int | None = None, *, body: str = "    return {'x': 2 * x}\n") -> str:
    return f"# wall_ns={wall_ns} cpu_ns={wall_ns if cpu_ns is None else cpu_ns}\ndef solve(x, more):\n{body}"


def task(start: str, *cases: Case, **limits: Any) -> Task:
    spec = TaskSpec(
        name="twice",
        title="Twice",
        statement="",
        entry="solve",
        goal=GOAL,
        cases=cases or (Case(name="one"),),
        limits=Limits(**{"wall_s": 5.0, **limits}),
    )
    return Twice(spec, Candidate({"program.py": start}))


def judge(sandbox: Sandbox, about: Task, candidate: str, *, fresh: bool = False) -> Evaluation:
    evaluator = CascadeEvaluator(sandbox, pairing=QUICK)
    return asyncio.run(evaluator.evaluate(about, Candidate({"program.py": candidate}), fresh=fresh))


def timed(log: Sequence[Asked], slow: str, fast: str, *, pairs: int) -> list[tuple[Asked, Asked]]:
    """Return the last ``pairs`` pairs of batches, in the order in which they were asked for."""
    both = [asked for asked in log if asked.kind == "batch" and asked.program in (slow, fast)][-2 * pairs :]
    return list(zip(both[::2], both[1::2], strict=True))


SLOW, FAST = program(100_000_000), program(1_000_000)


def test_pairs_come_in_the_order_ab_ba_on_shared_inputs(clockwork: Clockwork) -> None:
    found = judge(clockwork, task(SLOW), FAST)
    pairs = timed(clockwork.log, SLOW, FAST, pairs=3)
    assert [first.program == SLOW for first, _ in pairs] == [True, False, True]
    for first, second in pairs:
        baseline, candidate = (first, second) if first.program == SLOW else (second, first)
        assert baseline.problems == candidate.problems[: len(baseline.problems)]
    assert len(found.measurements[0].candidate_wall_ns) == 3, "a constant ratio needs no more than the first look"


def test_no_input_is_given_twice(clockwork: Clockwork) -> None:
    judge(clockwork, task(SLOW), FAST)
    given = [problem["x"] for asked in clockwork.log if asked.program == FAST for problem in asked.problems]
    assert len(given) == len(set(given)) > 30


def test_each_side_is_batched_by_itself_to_the_least_time(clockwork: Clockwork) -> None:
    found = judge(clockwork, task(SLOW), FAST)
    one = found.measurements[0]
    assert set(one.baseline_calls) == {1}
    calls = one.candidate_calls[0]
    assert BATCH_NS <= calls * 1_000_000 <= 1.5 * BATCH_NS
    assert [len(asked.problems) for asked in clockwork.batches(FAST)][-1] == calls


def test_ratios_are_of_times_per_call_without_the_cost_of_the_exchange(clockwork: Clockwork) -> None:
    found = judge(clockwork, task(SLOW), FAST)
    assert found.status == "ok" and found.interval
    one = found.measurements[0]
    (exchange_ns,) = {*one.taken_wall_ns, *one.taken_cpu_ns}
    credit = 1 + exchange_ns / one.candidate_cpu_ns[0]
    assert credit > 1, "the lower end takes nothing off the candidate"
    assert [found.score, *found.interval] == pytest.approx([100, 100 / credit, 100])
    assert set(one.baseline_wall_ns) == {100_000_000}
    assert set(one.candidate_cpu_ns) == {1_000_000 * one.candidate_calls[0]}


def test_the_program_that_does_nothing_gets_the_same_batches_on_the_same_core(clockwork: Clockwork) -> None:
    judge(clockwork, task(SLOW), FAST)
    lanes = {job.files["program.py"]: job.cores for job in clockwork.jobs}
    assert lanes[IDLE] == lanes[SLOW]
    pair = timed(clockwork.log, SLOW, FAST, pairs=1)[0]
    given = [
        sorted([problem["x"] for problem in asked.problems] for asked in batches)
        for batches in (clockwork.batches(IDLE)[-2:], pair)
    ]
    assert given[0] == given[1]


def test_calls_that_no_clock_resolves_are_bounded_in_number_and_credited_with_no_more_than_it_does(
    clockwork: Clockwork,
) -> None:
    nothing = program(0)
    found = judge(clockwork, task(SLOW), nothing)
    one = found.measurements[0]
    assert set(one.candidate_calls) == {MOST_CALLS}
    assert set(one.candidate_wall_ns) == {1_000}
    assert judge(clockwork, task(nothing), nothing).score == pytest.approx(1)


def test_judging_a_batch_takes_no_longer_than_the_bound(clockwork: Clockwork) -> None:
    tedious = Case(name="tedious", params={"slow_s": 0.02})
    found = judge(clockwork, task(program(5_000_000), tedious), program(10_000))
    assert set(found.measurements[0].candidate_calls) <= set(range(1, round(JUDGE_S / 0.02) + 1))


def test_inputs_and_answers_of_a_batch_keep_to_their_bounds(clockwork: Clockwork) -> None:
    large = Case(name="large", params={"numbers": 1_000_000})
    found = judge(clockwork, task(SLOW, large), program(10_000))
    assert set(found.measurements[0].candidate_calls) == {4}, "32 MB of inputs, 8 MB each"
    wordy = program(10_000, body="    return {'x': 2 * x, 'why': b'.' * (1 << 20)}\n")
    found = judge(clockwork, task(SLOW, output_mb=8), wordy)
    assert (found.status, set(found.measurements[0].candidate_calls)) == ("ok", {3}), "half of 8 MB"


@pytest.mark.parametrize("fresh", [False, True])
def test_every_answer_of_a_batch_is_checked(clockwork: Clockwork, fresh: bool) -> None:
    body = "    solve.n = getattr(solve, 'n', 0) + 1\n    return {'x': 2 * x * (solve.n != 30)}\n"
    found = judge(clockwork, task(SLOW), program(1_000_000, body=body), fresh=fresh)
    assert (found.status, found.score) == ("wrong", None)
    assert "expected" in found.feedback


def test_an_exception_in_a_batch_ends_it(clockwork: Clockwork) -> None:
    brittle = program(
        1_000_000, body="    solve.n = getattr(solve, 'n', 0) + 1\n    return {'x': 2 * x, 'y': 1 // (solve.n - 40)}\n"
    )
    found = judge(clockwork, task(SLOW), brittle)
    assert (found.status, found.stages[-1].name) == ("crashed", "measure")
    assert "ZeroDivisionError" in found.feedback


def test_fewer_answers_than_problems_are_refused(clockwork: Clockwork) -> None:
    clockwork.answers = lambda answers: answers[:-1] if len(answers) > 1 else answers
    found = judge(clockwork, task(SLOW), FAST)
    assert found.status == "refused"
    assert "expected one answer each" in found.feedback


def test_a_call_that_hangs_in_a_batch_is_a_timeout(clockwork: Clockwork) -> None:
    stuck = program(
        1_000_000,
        body="    solve.n = getattr(solve, 'n', 0) + 1\n    while solve.n > 20: pass\n    return {'x': 2 * x}\n",
    )
    found = judge(clockwork, task(SLOW, wall_s=0.5), stuck)
    assert (found.status, found.stages[-1].name) == ("timeout", "measure")


def test_a_baseline_that_fails_is_our_fault(clockwork: Clockwork) -> None:
    brittle = program(
        100_000_000, body="    solve.n = getattr(solve, 'n', 0) + 1\n    return {'x': 2 * x * (solve.n < 4)}\n"
    )
    found = judge(clockwork, task(brittle), FAST)
    assert found.status == "infra"
    assert "beside the candidate failed" in found.feedback


def test_a_final_measurement_takes_fresh_processes_and_starts_them_in_turn(clockwork: Clockwork) -> None:
    found = judge(clockwork, task(SLOW, Case(name="a"), Case(name="b")), FAST, fresh=True)
    started = [job.files["program.py"] for job in clockwork.jobs if job.files["program.py"] != IDLE]
    assert started == [FAST, SLOW, FAST, FAST, SLOW], "one is checked, then two pairs"
    assert {asked.worker for asked in clockwork.batches(FAST)}.isdisjoint({1}), (
        "the worker that was checked is not timed"
    )
    for one in found.measurements:
        assert one.groups == (0, 0, 1, 1)
    assert found.metrics["processes"] == 2


def test_sizes_of_batches_are_found_out_once(clockwork: Clockwork) -> None:
    judge(clockwork, task(SLOW), FAST, fresh=True)
    by_worker: dict[int, list[int]] = {asked.worker: [] for asked in clockwork.batches(FAST)}
    for asked in clockwork.batches(FAST):
        by_worker[asked.worker].append(len(asked.problems))
    first, *others = by_worker.values()
    assert len(set(first)) > 1
    assert all(set(sizes) == {first[-1]} for sizes in others)


@pytest.mark.parametrize(("candidate", "rounds"), [(program(200_000_000), 3), (program(50_000_000), 3)])
def test_a_clear_result_ends_at_the_first_look(clockwork: Clockwork, candidate: str, rounds: int) -> None:
    found = judge(clockwork, task(SLOW), candidate)
    assert len(found.measurements[0].candidate_wall_ns) == rounds


def test_looks_are_few_and_the_last_is_the_budget() -> None:
    for pairing in (Pairing(), QUICK, Pairing(least=2, most=2, groups=2, each=1)):
        for looks, budget in ((pairing.rounds(), pairing.most), (pairing.processes(), pairing.groups)):
            assert looks[-1] == budget
            assert all(before < after for before, after in pairwise(looks))
            assert len(looks) <= 4


@pytest.mark.parametrize(("group_s", "looks"), [(0.2, (5, 11, 18)), (1.5, (5, 8, 13)), (2.4, (5, 8)), (60.0, (3, 5))])
def test_pairs_of_processes_that_take_long_are_fewer(group_s: float, looks: tuple[int, ...]) -> None:
    assert Pairing().processes(group_s) == looks
    assert Pairing(groups=3).processes(group_s) == (2, 3)


def test_what_is_enough() -> None:
    pairing = Pairing(width=0.06)
    assert pairing.enough(0.9, (0.82, 0.99), 0.02), "clearly worse"
    assert pairing.enough(2.0, (1.95, 2.05), 0.02), "narrow"
    assert pairing.enough(1.0, (0.985, 1.01), 0.02), "surely no gain"
    assert not pairing.enough(2.0, (1.8, 2.2), 0.02), "wide"
    assert pairing.enough(100, (93, 107), 0.02), "narrow beside so large a gain"
    assert not pairing.enough(100, (90, 111), 0.02), "wide beside any gain"
    assert not pairing.enough(1.02, (1.0, 1.04), 0.02), "above the floor or not?"
    assert pairing.enough(1.005, (0.98, 1.03), 0.02), "not even halfway to the floor"
    assert not pairing.enough(1.015, (0.99, 1.04), 0.02), "halfway there"
