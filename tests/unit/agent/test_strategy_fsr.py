"""The staged search: rounds, what goes back, and which features are named."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from outpace.agent.proposal import Brief, Proposal, Result
from outpace.agent.strategies.chance import stream
from outpace.agent.strategies.contract import GOAL, START, start, told
from outpace.agent.strategies.fsr import Fsr
from outpace.agent.strategies.hints import Hint, Hints, catalogue, hints_for, target_of
from outpace.errors import UsageError
from outpace.evaluators.base import Evaluation, Stage, Status
from outpace.tasks import registry
from outpace.tasks.candidate import Candidate
from outpace.tasks.spec import Goal

STAGES = ("build", "load", "smoke", "check", "measure")


def landed(brief: Brief, program: str, *, score: float | None = None, status: Status = "wrong", at: str = "") -> Result:
    """Return what became of a brief; without a score the program failed, at the stage named where one is."""
    passed = STAGES[: STAGES.index(at)] if at else ()
    stages = tuple(Stage(name=name, wall_s=0.1, passed=name != at) for name in (*passed, *([at] if at else [])))
    evaluation = Evaluation(status="ok" if score is not None else status, score=score, stages=stages)
    proposal = Proposal(candidate=Candidate({"program.py": program}), proposer="t", operator="t", parents=())
    return Result(brief=brief, proposal=proposal, evaluation=evaluation)


def begun(**parameters: int) -> Fsr:
    strategy = Fsr(GOAL, **parameters)  # type: ignore[arg-type]
    strategy.tell([start()])
    return strategy


def barren(strategy: Fsr, width: int, name: str = "bad") -> list[Brief]:
    """Let a round fail; return its briefs."""
    briefs = strategy.ask(width)
    strategy.tell([landed(brief, f"{name} = {place}\n") for place, brief in enumerate(briefs)])
    return briefs


def programs(briefs: Sequence[Brief]) -> list[str]:
    return [brief.parents[0].candidate.program for brief in briefs]


def stages(briefs: Sequence[Brief]) -> list[str]:
    return [brief.note["stage"] for brief in briefs]


def test_the_first_round_is_written_from_the_statement() -> None:
    briefs = begun().ask(12)
    assert {(brief.operator, brief.edit_mode, brief.parents[0].candidate.id) for brief in briefs} == {
        ("fsr_write", "whole", START.id)
    }


def test_a_round_that_failed_goes_back_what_came_furthest_first() -> None:
    strategy = begun(width=5)
    one, two, three, four, five = strategy.ask(5)
    strategy.tell(
        [
            landed(one, "crashed at the build\n", status="crashed", at="build"),
            landed(two, "slow at the check\n", status="timeout", at="check"),
            landed(three, "wrong at the check\n", status="wrong", at="check"),
            told(four, status=None),
        ]
    )
    assert stages(strategy.ask(1)) == ["write"], "the round is not over"
    strategy.tell([landed(five, "wrong at the measure\n", status="wrong", at="measure")])
    briefs = sorted(strategy.ask(4), key=lambda brief: brief.number % 4)
    order = ["wrong at the measure\n", "wrong at the check\n", "slow at the check\n", "crashed at the build\n"]
    first = next(place for place, brief in enumerate(briefs) if brief.parents[0].candidate.program == order[0])
    briefs = briefs[first:] + briefs[:first]
    assert programs(briefs) == order
    assert [brief.operator for brief in briefs] == ["fsr_correct"] * 3 + ["fsr_compile"]
    assert [brief.given["stage"] for brief in briefs] == ["measure", "check", "check", "build"]
    beside = [member.candidate.program for member in briefs[3].inspirations]
    assert beside == [START.program, *order[:2]], "what is right, then others that failed"
    assert briefs[3].given["failed"] == [2, 3]


def test_while_nothing_is_valid_it_mends_and_now_and_then_starts_over() -> None:
    strategy = begun(width=2, mends=3)
    seen = [stages(barren(strategy, 2, f"bad_{number}"))[0] for number in range(10)]
    assert seen == ["write", "correct", "correct", "correct"] * 2 + ["write", "correct"]


def test_when_something_is_valid_the_fastest_of_the_run_is_improved() -> None:
    strategy = begun(width=3)
    briefs = strategy.ask(3)
    strategy.tell([landed(briefs[0], "good\n", score=1e9), *(landed(one, "bad\n") for one in briefs[1:])])
    briefs = strategy.ask(3)
    assert stages(briefs) == ["fast"] * 3
    assert programs(briefs) == ["good\n"] * 3
    for brief in briefs:
        assert [hint["name"] for hint in brief.given["hints"]] == brief.note["hints"]
        assert len(set(brief.note["hints"])) == 2
    strategy.tell([landed(brief, f"slower = {brief.number}\n", score=1.0) for brief in briefs])
    assert programs(strategy.ask(1)) == ["good\n"]
    barren(strategy, 3)
    assert stages(strategy.ask(1)) == ["correct"], "the round of the fast stage failed as a whole"


def test_a_valid_program_that_is_slower_than_the_start_leads_to_the_start() -> None:
    strategy = begun(width=1)
    (brief,) = strategy.ask(1)
    strategy.tell([landed(brief, "slower\n", score=-1e9)])
    (brief,) = strategy.ask(1)
    assert (brief.operator, brief.parents[0].candidate) == ("fsr_fast", START)


def test_the_start_again_is_nothing_valid() -> None:
    strategy = begun(width=2)
    briefs = strategy.ask(2)
    strategy.tell([replace(landed(brief, START.program, score=1.0), seen_before=True) for brief in briefs])
    assert stages(strategy.ask(1)) == ["write"]


def test_what_is_in_flight_counts_to_the_round_in_which_it_comes_back() -> None:
    strategy = begun(width=2)
    briefs = strategy.ask(5)
    strategy.tell([landed(briefs[0], "bad = 1\n"), landed(briefs[1], "bad = 2\n")])
    assert stages(strategy.ask(1)) == ["correct"]
    strategy.tell([landed(briefs[2], "good\n", score=1e9)])
    assert stages(strategy.ask(1)) == ["correct"]
    strategy.tell([landed(briefs[3], "bad = 3\n")])
    assert stages(strategy.ask(1)) == ["fast"]


def test_what_failed_is_given_back_though_the_same_failed_again_meanwhile() -> None:
    """In flight are more briefs than a round has, all for the first stage: they are no attempts to mend."""
    strategy = begun(width=1, mends=2)
    briefs = strategy.ask(8)
    for brief in briefs:
        strategy.tell([replace(landed(brief, "bad\n", at="build"), seen_before=brief.number > 1)])
    for _ in range(2):
        (brief,) = strategy.ask(1)
        assert (brief.operator, brief.parents[0].candidate.program) == ("fsr_compile", "bad\n")
        strategy.tell([told(brief, status=None)])
    assert stages(strategy.ask(1)) == ["write"]


def test_as_long_as_programs_come_further_they_are_mended() -> None:
    strategy = begun(width=1, mends=1)
    for at in STAGES:
        (brief,) = strategy.ask(1)
        strategy.tell([landed(brief, f"x = '{at}'\n", at=at)])
        assert programs(strategy.ask(1)) == [f"x = '{at}'\n"]
    (brief,) = strategy.ask(1)
    strategy.tell([landed(brief, "x = 1\n", at="build")])
    assert stages(strategy.ask(1)) == ["write"]


def test_features_that_were_followed_by_a_gain_are_named_more_often() -> None:
    strategy = begun(width=1, hints=1)
    score, named = 1e9, dict.fromkeys((hint.name for hint in hints_for("python")), 0)
    (brief,) = strategy.ask(1)
    strategy.tell([landed(brief, "good\n", score=score)])
    for number in range(400):
        (brief,) = strategy.ask(1)
        (name,) = brief.note["hints"]
        named[name] += number >= 200
        score += name == "early-exit"
        strategy.tell([landed(brief, f"x = {number}\n", score=score if name == "early-exit" else 0.0)])
    assert named["early-exit"] > 100
    assert max(count for name, count in named.items() if name != "early-exit") < 20


def test_a_hint_that_never_helps_is_drawn_less() -> None:
    """One that was not tried yet stands as high as all together: between those that help and those that do not."""
    hints = Hints([Hint(name, ("python",), "") for name in ("helps", "never", "untried")])
    for number in range(60):
        hints.tell(["never", "unknown", 7], gained=False)
        hints.tell(["helps"], gained=number % 5 == 0)
    first = [hints.draw(2, stream(5, number))[0].name for number in range(300)]
    assert first.count("helps") > first.count("untried") > 5 * first.count("never")
    assert all(len({hint.name for hint in hints.draw(9, stream(6, number))}) == 3 for number in range(20))


def test_the_catalogue_serves_every_target() -> None:
    least = {"python": 12, "numpy": 8, "numba": 8, "triton": 12, "cuda": 12, "cpp": 8, "rust": 8, "torch": 6}
    assert {target: len(hints_for(target)) >= count for target, count in least.items()} == dict.fromkeys(least, True)
    assert len(hints_for("heuristic")) >= 12
    names = [hint.name for hint in catalogue()]
    assert len(names) == len(set(names))
    for hint in catalogue():
        assert 40 <= len(hint.text) <= 300, hint.name
        assert hint.text.endswith("."), hint.name


@pytest.mark.parametrize(
    ("task", "target"),
    [
        ("gemm", "cpp"),
        ("edit_distance", "python,numpy,numba"),
        ("online_bin_packing", "heuristic"),
        ("softmax_triton", "triton"),
    ],
)
def test_the_target_follows_from_the_task(task: str, target: str) -> None:
    assert target_of(registry.find(task).spec) == target
    assert hints_for(target)


def test_the_target_of_other_languages_and_builds() -> None:
    spec = registry.find("edit_distance").spec
    assert target_of(replace(spec, language="cuda")) == "cuda"
    assert target_of(replace(spec, language="rust")) == "rust"
    assert target_of(replace(spec, language="r")) == "other"
    assert target_of(replace(spec, build=("/usr/local/cuda/bin/nvcc", "program.py"))) == "cuda"
    assert target_of(replace(spec, build=("python", "setup.py"), requires=("torch",))) == "python,torch"
    gap = Goal(kind="metric", name="gap", direction="minimise")
    assert target_of(replace(spec, language="cpp", goal=gap)) == "cpp"


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"width": 0}, "width must be a whole number of at least 1, got 0"),
        ({"hints": -1}, "hints must be a whole number of at least 0, got -1"),
        ({"mends": -1}, "mends must be a whole number of at least 0, got -1"),
        (
            {"target": "python,hip"},
            "target must name targets of the hints, such as python,numpy; got 'hip'. Available: ",
        ),
        ({"target": 3}, "got 3"),
        ({"seed": -1}, "seed must be a whole number of at least 0"),
    ],
)
def test_parameters_out_of_range_are_refused(parameters: dict[str, int], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Fsr(GOAL, **parameters)  # type: ignore[arg-type]
