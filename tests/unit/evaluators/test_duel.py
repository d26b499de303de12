"""One candidate timed directly against another, on real workers with clocks that are told."""

import asyncio
from typing import Any, Protocol

import pytest

from outpace.evaluators.base import Evaluation, Noise
from outpace.evaluators.cascade import CascadeEvaluator
from outpace.evaluators.statistics import measurable, slower
from outpace.evaluators.timing import Pairing
from outpace.sandbox.base import Job, Sandbox
from outpace.tasks.candidate import Candidate
from outpace.tasks.spec import Case, Goal, Output, Problem, Split, Task, TaskSpec, WrongAnswer

QUICK = Pairing(least=3, most=6, groups=3, each=2)


class Clockwork(Sandbox, Protocol):
    log: list[Any]
    jobs: list[Job]

    def batches(self, program: str) -> list[Any]: ...


class Echo(Task):
    """Answer: the input; on the case ``hard`` it is negative."""

    def generate(self, case: Case, seed: int) -> Problem:
        return {"x": -seed if case.name == "hard" else seed}

    def check(self, problem: Problem, output: Output) -> None:
        if output != problem["x"]:
            raise WrongAnswer("not the input")


def program(cost_ns: int, *, body: str = "    return x\n") -> str:
    return f"# wall_ns={cost_ns} cpu_ns={cost_ns}\ndef solve(x):\n{body}"


START, OLD, NEW = program(80_000_000), program(40_000_000), program(20_000_000)


def duel(sandbox: Sandbox, challenger: str, champion: str, *, split: Split = "train") -> Evaluation:
    spec = TaskSpec(
        name="echo",
        title="Echo",
        statement="",
        entry="solve",
        goal=Goal(kind="speedup", name="speed-up", direction="maximise", unit="x"),
        cases=(Case(name="one"), Case(name="hard", timed=False), Case(name="unseen", split="heldout")),
    )
    noise = Noise(clock="wall", floor=0.02, wall=0.01, cpu=0.01, pairs=40)
    evaluator = CascadeEvaluator(sandbox, pairing=QUICK, noise=noise)
    mine, theirs = (Candidate({"program.py": text}) for text in (challenger, champion))
    return asyncio.run(evaluator.duel(Echo(spec, Candidate({"program.py": START})), mine, theirs, split=split))


def test_the_score_is_the_speedup_over_the_champion(clockwork: Clockwork) -> None:
    found = duel(clockwork, NEW, OLD)
    assert found.status == "ok", found.feedback
    assert found.score == pytest.approx(2)
    assert measurable(found, 0.02)
    assert "as fast as the champion" in found.feedback
    assert START not in {job.files["program.py"] for job in clockwork.jobs}, "the start has no part in it"
    assert duel(clockwork, OLD, NEW).score == pytest.approx(0.5)
    assert slower(duel(clockwork, OLD, NEW), 0.02)


def test_equals_have_no_measurable_gain(clockwork: Clockwork) -> None:
    found = duel(clockwork, NEW, NEW)
    assert not measurable(found, 0.02)
    assert found.feedback.startswith("no measurable gain (1.000 times as fast as the champion")


def test_it_takes_several_pairs_of_fresh_processes_and_the_cases_of_the_split(clockwork: Clockwork) -> None:
    found = duel(clockwork, NEW, OLD, split="heldout")
    assert [one.case for one in found.measurements] == ["unseen"]
    assert len(set(found.measurements[0].groups)) == 2
    assert len({asked.worker for asked in clockwork.batches(NEW)}) == 2


@pytest.mark.parametrize(
    ("challenger", "status"),
    [
        (program(20_000_000, body="    return abs(x)\n"), "wrong"),
        (program(20_000_000, body="    return 1 // 0\n"), "crashed"),
        ("def solve(\n", "crashed"),
    ],
)
def test_a_challenger_that_fails_its_checks_fails(clockwork: Clockwork, challenger: str, status: str) -> None:
    found = duel(clockwork, challenger, OLD)
    assert (found.status, found.score) == (status, None)
    assert "champion_failed" not in found.metrics


@pytest.mark.parametrize("champion", [program(40_000_000, body="    return x + 1\n"), "def solve(\n"])
def test_a_champion_that_fails_says_nothing_of_the_challenger(clockwork: Clockwork, champion: str) -> None:
    found = duel(clockwork, NEW, champion)
    assert (found.status, found.metrics["champion_failed"]) == ("infra", 1.0)
