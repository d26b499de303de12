"""The sessions of tuning: what is sampled, what it takes, and when it is over."""

import math
import random

import optuna
import pytest

from outpace.agent.strategies.tuning import OUT, Session
from outpace.tasks.candidate import Candidate
from outpace.tasks.tunables import Declared, Value, declared

MIXED = """\
BLOCK = 16  # tunable: 512, 16, 32, 64, 128, 256, 1024
RATE = 0.2  # tunable: 0.0 .. 1.0
MODE = "a"  # tunable: "a", "b", "c"
"""


def of(text: str) -> Declared:
    return declared(Candidate({"program.py": text}))


def value(values: dict[str, Value]) -> float:
    """Rank best at block 256, rate 0.73, mode b; the best rate depends on the block."""
    block, rate, mode = values["BLOCK"], values["RATE"], values["MODE"]
    assert isinstance(block, int) and isinstance(rate, float)
    steps = math.log2(block) - 8
    off = {"a": 0.8, "b": 0.0, "c": 0.4}[str(mode)]
    return -(abs(steps) * (0.15 if mode == "b" else 0.3) + 6 * (rate - 0.73 - 0.05 * steps) ** 2 + off)


def samples_until(session: Session, wanted: float) -> int:
    while session.best < wanted:
        values = session.ask()
        assert values is not None
        session.tell(values, value(values))
    return session.told


def opened(text: str = MIXED, seed: int = 1) -> Session:
    session = Session(of(text), seed)
    session.learn(session.declared.values, value(session.declared.values) if text == MIXED else 0.0)
    return session


def test_it_takes_a_fraction_of_what_chance_takes() -> None:
    ours = sorted(samples_until(opened(seed=seed), -0.02) for seed in range(9))
    theirs = []
    for seed in range(9):
        chance = random.Random(seed)
        best, drawn = -math.inf, 0
        while best < -0.02:
            drawn += 1
            block = 2 ** chance.randint(4, 10)
            best = max(best, value({"BLOCK": block, "RATE": chance.random(), "MODE": chance.choice("abc")}))
        theirs.append(drawn)
    assert ours[4] * 3 < sorted(theirs)[4]
    assert ours[-1] < 60


def test_many_may_be_out_and_come_back_in_any_order() -> None:
    session, twin = opened(), opened()
    asked = [session.ask() for _ in range(OUT + 1)]
    assert asked[-1] is None and [twin.ask() for _ in range(OUT)] == asked[:-1]
    out = [one for one in asked if one is not None]
    for values in reversed(out):
        session.tell(values, value(values))
    for values in reversed(out):
        twin.tell(values, value(values))
    assert session.ask() == twin.ask()


def test_after_an_interruption_only_the_count_of_asks_is_needed() -> None:
    session = opened()
    told = []
    for _ in range(20):
        values = session.ask()
        assert values is not None
        session.tell(values, value(values))
        told.append(values)
    out = session.ask()
    resumed = opened()
    for values in told:
        resumed.tell(values, value(values))
    resumed.asked = session.asked
    assert resumed.ask() == session.ask() != out


def test_it_ends_where_nothing_better_comes_and_failures_do_no_harm() -> None:
    session = opened("N = 10  # tunable: 1 .. 1000\nR = 0.5  # tunable: 1e-6 .. 1.0 log\n")
    while not session.over:
        values = session.ask()
        assert values is not None
        n, rate = values["N"], values["R"]
        assert isinstance(n, int) and 1 <= n <= 1000 and isinstance(rate, float) and 1e-6 <= rate <= 1
        session.tell(values, None if n > 100 else -1.0)
    assert session.told == 24 and session.best == 0.0


def test_small_gains_do_not_keep_it_going() -> None:
    session = opened("R = 0.5  # tunable: 0.0 .. 1.0\n")
    ranks = [10.0] + [10.0 + 0.01 * number for number in range(1, 100)]
    while not session.over:
        values = session.ask()
        assert values is not None
        session.tell(values, ranks[session.told])
    assert session.told == 19 and session.best == ranks[18]


def test_no_point_of_a_grid_is_sampled_twice() -> None:
    session = opened("N = 1  # tunable: 1 .. 30\n")
    seen = []
    while not session.over:
        values = session.ask()
        assert values is not None
        seen.append(values["N"])
        session.tell(values, float(len(seen)))
    assert sorted(seen) == list(range(2, 31)), "all of it, as it got better all the time"


def test_optuna_says_nothing_and_is_left_as_it_was(capfd: pytest.CaptureFixture[str]) -> None:
    before = optuna.logging.get_verbosity()
    samples_until(opened(), -0.5)
    assert capfd.readouterr().err == "" and optuna.logging.get_verbosity() == before
