"""Who gets a brief: shares, the bandit and stagnation, on arms whose worth is known."""

import random
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pytest

from outpace.agent.arms import Arm
from outpace.agent.proposal import Brief, Member, ModelUsage, Proposal, Result
from outpace.agent.strategies.chance import brief_seed
from outpace.agent.strategies.ensemble import PATIENCE, Bandit, Chooser, Shares, Stagnation, chooser, gain
from outpace.errors import UsageError
from outpace.evaluators.base import Evaluation
from outpace.tasks.candidate import Candidate
from outpace.tasks.spec import Goal

GOAL = Goal(kind="metric", name="value", direction="maximise")
GAP = Goal(kind="metric", name="gap", direction="minimise")
SPEEDUP = Goal(kind="speedup", name="speed-up", direction="maximise")
IN_FLIGHT = 16
PARENT = Member(Candidate({"program.py": "p = 1\n"}), Evaluation(status="ok", score=100.0))


@dataclass(frozen=True)
class Worth:
    """What an arm is worth: how often it improves its parent (to 110 from 100), and what an answer costs."""

    rate: float
    usd: float | None = 0.01
    tokens: int = 1000


def arms(*names: str, **shares: float) -> list[Arm]:
    return [Arm(model=name, share=shares.get(name, 1.0)) for name in names]


def landed(brief: Brief, worth: Worth, *, improves: bool, answers: bool = True) -> Result:
    if not answers:
        return Result(brief=brief, failure="no edit in the answer")
    usage = ModelUsage(calls=1, input_tokens=worth.tokens, cost_usd=worth.usd)
    program = Candidate({"program.py": f"p = {brief.number}\n"})
    proposal = Proposal(candidate=program, proposer="t", operator="t", parents=(PARENT.candidate.id,), usage=usage)
    return Result(brief=brief, proposal=proposal, evaluation=Evaluation(status="ok", score=110.0 if improves else 90.0))


def asked(among: Chooser, number: int, *, seed: int = 0) -> Brief:
    brief = Brief(number=number, parents=(PARENT,), seed=brief_seed(seed, number))
    arm = among.choose(brief)
    return Brief(number=number, parents=(PARENT,), seed=brief.seed, model_hint=arm.name)


def simulated(
    among: Chooser, worth: Callable[[int], Mapping[str, Worth]], *, briefs: int, seed: int = 0, answering: float = 0.8
) -> list[str]:
    """Return the arms of so many briefs, ``IN_FLIGHT`` of which are always open; results come in any order."""
    chance, flight, chosen = random.Random(seed), deque[Brief](), []
    for number in range(1, briefs + 1):
        flight.append(brief := asked(among, number, seed=seed))
        chosen.append(brief.model_hint or "")
        if len(flight) >= IN_FLIGHT:
            flight.rotate(chance.randrange(4))
            done = flight.popleft()
            its = worth(done.number)[done.model_hint or ""]
            answers = chance.random() < answering
            among.tell(landed(done, its, improves=chance.random() < its.rate / answering, answers=answers))
    return chosen


def part(chosen: Sequence[str], name: str) -> float:
    return chosen.count(name) / len(chosen)


def mean_part(name: str, worth: Callable[[int], Mapping[str, Worth]], names: Sequence[str], *, last: int) -> float:
    """Return the part of the last briefs of 1000 that an arm got, over eight runs of the bandit."""
    runs = [simulated(Bandit(arms(*names), GOAL), worth, briefs=1000, seed=seed)[-last:] for seed in range(8)]
    return sum(part(run, name) for run in runs) / len(runs)


def test_the_arm_that_improves_twice_as_often_gets_most_briefs() -> None:
    worth = {"weak": Worth(0.06), "good": Worth(0.12), "poor": Worth(0.06)}
    assert mean_part("good", lambda _: worth, list(worth), last=800) > 0.5


def test_ten_times_cheaper_wins_against_twice_as_often() -> None:
    worth = {"cheap": Worth(0.05, usd=0.002), "dear": Worth(0.1, usd=0.02)}
    assert mean_part("cheap", lambda _: worth, list(worth), last=800) > 0.75


def test_without_prices_tokens_count() -> None:
    worth = {"short": Worth(0.05, usd=None, tokens=500), "long": Worth(0.1, usd=None, tokens=5000)}
    assert mean_part("short", lambda _: worth, list(worth), last=800) > 0.75


def test_without_prices_and_tokens_every_call_counts_alike() -> None:
    worth = {"good": Worth(0.16, usd=None, tokens=0), "weak": Worth(0.04, usd=None, tokens=0)}
    assert mean_part("good", lambda _: worth, list(worth), last=800) > 0.7


def test_one_answer_without_a_price_makes_all_count_in_tokens() -> None:
    worth = {"local": Worth(0.05, usd=None, tokens=500), "dear": Worth(0.1, usd=0.02, tokens=5000)}
    assert mean_part("local", lambda _: worth, list(worth), last=800) > 0.75


def test_a_model_that_is_free_is_not_asked_always() -> None:
    worth = {"free": Worth(0.0, usd=0.0), "dear": Worth(0.3, usd=0.02)}
    assert mean_part("dear", lambda _: worth, list(worth), last=300) > 0.2


def test_who_gets_better_later_is_followed() -> None:
    def worth(number: int) -> Mapping[str, Worth]:
        good, bad = Worth(0.2), Worth(0.02)
        return {"first": good, "then": bad} if number <= 500 else {"first": bad, "then": good}

    runs = [simulated(Bandit(arms("first", "then"), GOAL), worth, briefs=1500, seed=seed) for seed in range(6)]
    assert sum(part(run[200:500], "first") for run in runs) / 6 > 0.7
    assert sum(part(run[-400:], "then") for run in runs) / 6 > 0.7


def test_briefs_in_flight_at_the_start_spread_over_the_arms() -> None:
    among = Bandit(arms("a", "b", "c"), GOAL)
    counts = Counter(asked(among, number).model_hint for number in range(1, IN_FLIGHT + 1))
    assert set(counts) == {"a", "b", "c"}
    assert max(counts.values()) < IN_FLIGHT - 3


def test_an_arm_that_never_answers_with_an_edit_is_left() -> None:
    among = Bandit(arms("mute", "good"), GOAL)
    chosen = []
    for number in range(1, 401):
        brief = asked(among, number)
        chosen.append(brief.model_hint)
        good = brief.model_hint == "good"
        among.tell(landed(brief, Worth(0.0), improves=good and number % 10 == 0, answers=good))
    assert chosen[-200:].count("good") > 120


@pytest.mark.parametrize("name", ["shares", "bandit", "stagnation=5"])
def test_what_was_told_and_the_seed_decide_all(name: str) -> None:
    worth = {"a": Worth(0.2), "b": Worth(0.1)}
    first, second = (simulated(chooser(name, arms("a", "b"), GOAL), lambda _: worth, briefs=300) for _ in "12")
    assert first == second


def test_a_chooser_is_a_fold() -> None:
    steady = Bandit(arms("a", "b"), GOAL)
    results = [landed(asked(steady, number), Worth(0.1), improves=number % 9 == 0) for number in range(1, 60)]
    for result in results:
        steady.tell(result)
    resumed = Bandit(arms("a", "b"), GOAL)
    for result in results:
        resumed.tell(result)
    numbers = range(60, 120)
    assert [asked(resumed, number) for number in numbers] == [asked(steady, number) for number in numbers]


def test_shares_keep_to_their_proportions() -> None:
    among = Shares(arms("a", "b", "c", a=8, b=1.5, c=0.5))
    counts = Counter(asked(among, number).model_hint for number in range(4000))
    assert abs(counts["a"] / 4000 - 0.80) < 0.03
    assert abs(counts["b"] / 4000 - 0.15) < 0.03
    assert abs(counts["c"] / 4000 - 0.05) < 0.02


def scored(number: int, score: float | None) -> Result:
    evaluation = Evaluation(status="wrong" if score is None else "ok", score=score)
    program = Candidate({"program.py": f"p = {number}\n"})
    proposal = Proposal(candidate=program, proposer="t", operator="t", parents=())
    return Result(brief=Brief(number=number, parents=(PARENT,), seed=0), proposal=proposal, evaluation=evaluation)


def test_the_strong_model_is_asked_while_nothing_better_comes() -> None:
    among = Stagnation([*arms("cheap"), *arms("strong")], GOAL, patience=3)
    among.tell(scored(0, 10.0))
    seen = []
    for number, score in enumerate([9.0, None, 10.0, 8.0, 11.0, 1.0], 1):
        seen.append(asked(among, number).model_hint)
        among.tell(scored(number, score))
    assert seen == ["cheap", "cheap", "cheap", "strong", "strong", "cheap"]


def test_noise_is_no_new_best() -> None:
    among = Stagnation(arms("cheap", "strong"), SPEEDUP, patience=1)
    first = Evaluation(status="ok", score=2.0, interval=(1.9, 2.1))
    noisy = Evaluation(status="ok", score=2.05, interval=(1.95, 2.2))
    proposal = Proposal(candidate=PARENT.candidate, proposer="t", operator="t", parents=())
    for number, found in enumerate([first, noisy]):
        among.tell(Result(brief=Brief(number=number, parents=(), seed=0), proposal=proposal, evaluation=found))
    assert asked(among, 2).model_hint == "strong"


def test_of_several_settings_of_the_first_model_each_is_asked() -> None:
    many = [Arm(model="cheap", edit_mode="diff"), Arm(model="cheap", edit_mode="whole"), Arm(model="strong")]
    among = Stagnation(many, GOAL)
    hints = {asked(among, number).model_hint for number in range(1, PATIENCE)}
    assert hints == {"cheap edit=diff", "cheap edit=whole"}


def result(parent: Evaluation, child: Evaluation | None, *, seen_before: bool = False) -> Result:
    brief = Brief(number=1, parents=(Member(PARENT.candidate, parent),), seed=0)
    program = Candidate({"program.py": "p = 2\n"})
    proposal = Proposal(candidate=program, proposer="t", operator="t", parents=())
    return Result(brief=brief, proposal=proposal if child else None, evaluation=child, seen_before=seen_before)


def ok(score: float, *interval: float) -> Evaluation:
    return Evaluation(status="ok", score=score, interval=(interval[0], interval[1]) if interval else None)


@pytest.mark.parametrize(
    ("goal", "parent", "child", "expected"),
    [
        (GOAL, ok(8.0), ok(10.0), 0.2),
        (GOAL, ok(10.0), ok(10.0), 0.0),
        (GOAL, ok(-1.0), ok(3.0), 1.0),
        (GOAL, ok(0.0), ok(3.0), 1.0),
        (GAP, ok(4.0), ok(3.0), 0.25),
        (GAP, ok(3.0), ok(4.0), 0.0),
        (SPEEDUP, ok(1.0, 0.9, 1.1), ok(2.2, 2.0, 2.4), 0.5),
        (SPEEDUP, ok(2.0, 1.5, 2.2), ok(2.2, 1.9, 2.4), 0.0),
        (SPEEDUP, ok(2.0), None, 0.0),
        (SPEEDUP, ok(2.0), Evaluation(status="wrong"), 0.0),
    ],
)
def test_a_gain_is_what_is_confirmed(goal: Goal, parent: Evaluation, child: Evaluation | None, expected: float) -> None:
    assert gain(result(parent, child), goal) == pytest.approx(expected)


def test_what_was_seen_before_gains_nothing() -> None:
    assert gain(result(ok(8.0), ok(10.0), seen_before=True), GOAL) == 0.0


def test_a_repaired_program_is_held_against_the_one_before_the_failure() -> None:
    failed = Member(Candidate({"program.py": "p = 0\n"}), Evaluation(status="wrong"))
    brief = Brief(number=2, parents=(failed,), inspirations=(PARENT,), seed=0, operator="repair")
    mended = landed(brief, Worth(1.0), improves=True)
    assert gain(mended, GOAL) == pytest.approx(10 / 110)


@pytest.mark.parametrize(
    ("name", "among", "said"),
    [
        ("best", arms("a", "b"), "--ensemble 'best' is unknown. Choose from: shares, bandit, stagnation"),
        ("shares=3", arms("a", "b"), "--ensemble 'shares=3' is unknown"),
        ("stagnation=soon", arms("a", "b"), "--ensemble 'stagnation=soon' is unknown"),
        ("stagnation=0", arms("a", "b"), "the patience of --ensemble stagnation must be a whole number of at least 1"),
        ("stagnation", arms("a"), "needs a second --model"),
        ("bandit", arms("a"), "needs something to choose"),
    ],
)
def test_what_does_not_fit_is_refused(name: str, among: list[Arm], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        chooser(name, among, GOAL)
