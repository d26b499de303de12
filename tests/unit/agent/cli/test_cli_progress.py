"""What a run shows while it goes on."""

import io
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from rich.console import Console

from outpace.agent.cli.progress import HEARTBEAT_S, JsonLines, LiveTable, PlainLines, look, progress_record, summary
from outpace.agent.proposal import Member
from outpace.agent.search import Progress
from outpace.agent.store.base import Run
from outpace.evaluators.base import Evaluation, Noise
from outpace.tasks.spec import Goal


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def test_summary_tells_best_gain_and_failures(better: Progress) -> None:
    assert (
        summary(better)
        == "38/200 evaluations  best 3 %  25.0 % better than the start (4 %)  failed: 1 timeout, 3 wrong"
    )


def test_look_tells_what_is_left_and_in_flight(better: Progress) -> None:
    facts = look(better)
    assert facts["left"] == "162 evaluations, 9 min 40 s"
    assert facts["in flight"] == "2"


def test_a_run_at_its_end_says_that_it_measures_again(better: Progress) -> None:
    over = replace(better, spent=replace(better.spent, evaluations=200), in_flight=0)
    assert summary(over).endswith("in flight: the best ones, measured again")


def test_a_proposal_without_a_candidate_is_called_that(better: Progress) -> None:
    assert look(replace(better, statuses={"ok": 3, "failed": 2}))["failed"] == "2 without a candidate"


def test_a_run_whose_start_is_not_known_yet_is_shown(progress: Progress) -> None:
    assert summary(replace(progress, start=None, best=None)) == "1/200 evaluations  best -"


def test_plain_lines_come_for_each_new_best_and_now_and_then(progress: Progress, better: Progress) -> None:
    lines: list[str] = []
    clock = Clock()
    with PlainLines(lines.append, clock=clock) as display:
        display.see(progress)
        display.see(progress)
        assert len(lines) == 1
        clock.now = HEARTBEAT_S - 1
        display.tick()
        assert len(lines) == 1
        clock.now = HEARTBEAT_S
        display.tick()
        display.tick()
        assert len(lines) == 2
        display.see(better)
        assert len(lines) == 3
    assert len(lines) == 4
    assert lines[-1].split("  ")[-4:] == summary(better).split("  ")[-4:]
    assert "10 s" in lines[1]


def test_plain_lines_say_nothing_of_a_run_that_did_not_begin() -> None:
    lines: list[str] = []
    with PlainLines(lines.append) as display:
        display.tick()
    assert lines == []


def test_json_lines_are_one_object_a_line(progress: Progress, better: Progress) -> None:
    lines: list[str] = []
    clock = Clock()
    with JsonLines(lines.append, clock=clock) as display:
        display.see(progress)
        display.see(progress)
        display.see(better)
        clock.now = 1.0
        display.see(better)
    events = [json.loads(line) for line in lines]
    assert [event["spent"]["evaluations"] for event in events] == [1, 38, 38]
    assert {event["event"] for event in events} == {"progress"}
    assert events[1]["best"]["score"] == 3.0


NOISE = Noise(clock="cpu", floor=0.015, wall=0.1, cpu=0.01, pairs=36)


def timed(progress: Progress, make_run: Callable[[Goal], Run], goal: Goal, **changes: Any) -> Progress:
    """Return the progress of a speed-up run whose best reigns."""
    assert progress.best and progress.best.proposal
    best = Evaluation(status="ok", score=3.0, interval=(2.9, 3.1))
    member = Member(progress.best.proposal.candidate, best)
    shown = {"run": make_run(goal), "best": replace(progress.best, evaluation=best), "champion": member, **changes}
    return replace(progress, **shown)


def test_a_speed_up_run_shows_the_crown_and_the_noise(
    better: Progress, make_run: Callable[[Goal], Run], speedup: Goal
) -> None:
    seen = timed(better, make_run, speedup, noise=NOISE, duels=2, challenger="f" * 16)
    facts = look(seen)
    assert facts["noise"] == "1.5 % by CPU clock (36 pairs of the start against its own copy)"
    assert facts["duels"] == f"2, and {'f' * 16} is fighting for the crown"
    assert seen.champion and facts["champion"] == f"{seen.champion.candidate.id} 3x [2.9, 3.1]"
    assert f"champion {seen.champion.candidate.id} 3x after 2 duels" in summary(seen)
    assert look(replace(seen, in_flight=0))["in flight"] == f"the duel of {'f' * 16} with the champion"
    record = progress_record(seen)
    assert (record["duels"], record["challenger"]) == (2, "f" * 16)


def test_before_anything_is_timed_the_noise_is_measured(
    progress: Progress, make_run: Callable[[Goal], Run], speedup: Goal
) -> None:
    seen = timed(progress, make_run, speedup, noise=None, champion=None)
    assert summary(seen).endswith("in flight: the start against its own copy, for the noise of this machine")
    reigning = timed(progress, make_run, speedup, noise=NOISE)
    assert "champion the start after 0 duels" in summary(reigning)


def test_a_refusal_is_shown_with_its_reason(better: Progress) -> None:
    assert better.last
    refused = Evaluation(status="refused", feedback="worked on after its answer: 3.1 ms of CPU\x1b[31m\nmore")
    seen = replace(better, last=replace(better.last, evaluation=refused))
    lines: list[str] = []
    with PlainLines(lines.append, clock=Clock()) as display:
        display.see(seen)
    candidate = better.last.proposal.candidate.id if better.last.proposal else ""
    assert lines[0] == f"Refused {candidate}: worked on after its answer: 3.1 ms of CPU\\x1b[31m"
    table, screen = LiveTable(), io.StringIO()
    table.see(seen)
    table.see(better)
    Console(file=screen, width=140).print(table)
    assert "worked on after its answer" in screen.getvalue()
    last = progress_record(seen)["last"]
    assert isinstance(last, dict) and last["reason"].startswith("worked on after its answer")


def test_json_holds_no_infinities(progress: Progress) -> None:
    lines: list[str] = []
    assert progress.best is not None
    best = replace(progress.best, evaluation=Evaluation(status="ok", score=2.0, interval=(1.0, float("inf"))))
    with JsonLines(lines.append) as display:
        display.see(replace(progress, best=best))
    assert json.loads(lines[0])["best"]["interval"] == [1.0, None]


def test_live_table_shows_the_facts(better: Progress) -> None:
    table = LiveTable()
    table.see(better)
    screen = io.StringIO()
    Console(file=screen, width=100).print(table)
    shown = screen.getvalue()
    for fact in ("38/200", "3 %", "25.0 % better", "3 wrong", "162 evaluations"):
        assert fact in shown
