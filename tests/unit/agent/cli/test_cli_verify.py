"""What a repeated measurement says of the recorded one: verdicts, evidence, exit codes."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from outpace.agent.cli.main import app
from outpace.agent.cli.verify import _description, _record, judged
from outpace.agent.store.base import Run, Verification
from outpace.agent.verify import Evidence, by_clock
from outpace.errors import UsageError
from outpace.evaluators.base import Evaluation, Measurement, Noise
from outpace.sandbox.base import Containment
from outpace.tasks.candidate import Candidate
from outpace.tasks.spec import Goal, Split

HERE = {"cpu": "x86", "cores": "2"}
NOISE = Noise(clock="cpu", floor=0.02, wall=0.1, cpu=0.01, pairs=24)
PAIRS = Measurement(
    case="c",
    baseline_wall_ns=(800, 800, 800, 800),
    candidate_wall_ns=(200, 200, 200, 200),
    baseline_cpu_ns=(800, 800, 800, 800),
    candidate_cpu_ns=(100, 100, 100, 100),
    groups=(0, 0, 1, 1),
)


def times(score: float, spread: float = 0.025, **changes: Any) -> Evaluation:
    fields = {"interval": (score * (1 - spread), score * (1 + spread)), "machine": {**HERE, "clock": "wall"}}
    return Evaluation(status="ok", score=score, **{**fields, **changes})


def value(score: float, **changes: Any) -> Evaluation:
    return Evaluation(status="ok", score=score, machine=HERE, **changes)


@pytest.fixture
def evidence(make_run: Callable[[Goal], Run], speedup: Goal) -> Evidence:
    """Return a speed-up that holds."""
    return Evidence(
        run=make_run(speedup),
        candidate=Candidate({"program.py": "x = 1\n"}),
        found={"train": times(8.1), "heldout": times(7.9, measurements=(PAIRS,), metrics={"case/c": 4.0})},
        recorded={"train": times(8.2), "heldout": times(8.0)},
        noise=NOISE,
        containment=Containment(level="A", facts={"landlock": "version 7"}),
        sandbox="zygote",
        here=HERE,
        unnoticed=["an answer that is wrong elsewhere"],
    )


def with_heldout(evidence: Evidence, found: Evaluation, recorded: Evaluation | None = None) -> Evidence:
    """Return the evidence with another figure on held-out inputs."""
    before: Mapping[Split, Evaluation] = evidence.recorded if recorded is None else {"heldout": recorded}
    return replace(evidence, found={**evidence.found, "heldout": found}, recorded=before)


def test_a_figure_like_the_recorded_one_holds(evidence: Evidence) -> None:
    assert judged(evidence) == (True, "holds: 7.9x [7.703, 8.098] on held-out inputs, recorded 8x [7.8, 8.2]")


def test_a_task_without_held_out_cases_is_judged_by_its_training_cases(evidence: Evidence) -> None:
    alone = replace(evidence, found={"train": times(8.1)})
    assert judged(alone) == (True, "holds: 8.1x [7.897, 8.302] on fresh training inputs, recorded 8.2x [7.995, 8.405]")


def test_a_figure_inside_the_noise_does_not_hold(evidence: Evidence) -> None:
    holds, said = judged(with_heldout(evidence, times(1.04)))
    assert not holds
    assert said.startswith("does not hold: no measurable gain on held-out inputs: 1.04x [1.014, 1.066]")


def test_a_figure_far_below_the_recorded_one_does_not_hold_on_the_same_machine(evidence: Evidence) -> None:
    slower = with_heldout(evidence, times(6.0))
    assert judged(slower) == (
        False,
        "does not hold: slower than recorded on held-out inputs: 6x [5.85, 6.15] on held-out inputs, "
        "recorded 8x [7.8, 8.2]",
    )
    assert judged(with_heldout(evidence, times(7.55)))[0], "intervals and noise explain the difference"
    elsewhere = replace(slower, here={**HERE, "cpu": "arm"})
    assert judged(elsewhere)[0]
    assert "the recorded figure need not be reached here" in "\n".join(_description(elsewhere))


def test_a_candidate_that_fails_does_not_hold(evidence: Evidence) -> None:
    failed = Evaluation(status="refused", feedback="worked on after its answer\nmore")
    assert judged(with_heldout(evidence, failed)) == (
        False,
        "does not hold: refused on held-out inputs: worked on after its answer",
    )


def test_a_metric_has_to_be_the_recorded_value(evidence: Evidence, make_run: Callable[[Goal], Run], gap: Goal) -> None:
    measured = replace(
        evidence, run=make_run(gap), noise=None, found={"train": value(3.0)}, recorded={"train": value(3)}
    )
    found = with_heldout(measured, value(2.0 * (1 + 1e-12)), value(2.0))
    assert judged(found) == (True, "holds: 2 % on held-out inputs, recorded 2 %")
    assert judged(with_heldout(measured, value(1.9), value(2.0))) == (
        False,
        "does not hold: another value on held-out inputs: 1.9 % on held-out inputs, recorded 2 %",
    )
    unknown = with_heldout(replace(measured, fresh=False), value(1.9))
    assert judged(unknown) == (True, "holds: 1.9 % on held-out inputs, nothing recorded")
    assert not judged(replace(unknown, found={"train": value(2.9)}))[0]


def test_the_evidence_is_whole(evidence: Evidence) -> None:
    said = " ".join(" ".join(_description(evidence)).split())
    for part in (
        evidence.candidate.id,
        "7.9x [7.703, 8.098]",
        "recorded 8x [7.8, 8.2]",
        "by clock wall clock 4x, CPU clock 8x",
        "counted wall clock",
        "measured in 4 pairs, 2 pairs of fresh processes; 99 % interval",
        "case c 4x",
        "zygote, level A (landlock version 7)",
        "2 % by CPU clock",
        "cpu x86, cores 2",
        "the same",
        "What this would not have noticed an answer that is wrong elsewhere",
    ):
        assert part in said, part
    assert by_clock(evidence.run.config.goal, evidence.found["heldout"]) == pytest.approx({"wall": 4.0, "cpu": 8.0})


def test_the_record_for_programs_is_whole(evidence: Evidence) -> None:
    verification = Verification(at="2026", holds=True, verdict="holds", evaluations=evidence.found)
    printed = _record(evidence, verification)
    assert printed["holds"] is True
    assert printed["containment"]["level"] == "A"
    assert printed["noise"]["floor"] == 0.02
    assert printed["evaluations"]["heldout"]["score"] == 7.9
    assert printed["recorded"]["heldout"]["score"] == 8.0
    assert printed["by_clock"]["heldout"]["cpu"] == pytest.approx(8.0)
    assert printed["differs_in"] == []


def test_without_runs_there_is_nothing_to_verify(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["verify", "abcd", "--home", str(tmp_path / "home")])
    assert isinstance(result.exception, UsageError)
    assert not (tmp_path / "home").exists()
