"""FunSearch: signatures, the two softmaxes, versions in a brief, resets, and what is kept."""

import asyncio
import math
from collections import Counter
from typing import Any

import pytest

from outpace.agent.proposal import Brief, Member, Proposal, Result
from outpace.agent.proposers.operators.proposer import OperatorsProposer
from outpace.agent.strategies.archive import Elite
from outpace.agent.strategies.chance import stream
from outpace.agent.strategies.contract import GOAL, START, start
from outpace.agent.strategies.funsearch import (
    CLUSTERS,
    PROGRAMS,
    Cluster,
    FunSearch,
    Island,
    normalised,
    shortness,
    signature,
    softmax,
)
from outpace.errors import UsageError
from outpace.evaluators.base import Evaluation
from outpace.tasks.candidate import Candidate
from outpace.tasks.spec import Case, Goal, Task, TaskSpec

SPEEDUP = Goal(kind="speedup", name="speedup", direction="maximise")


def found(score: float, **cases: float) -> Evaluation:
    return Evaluation(status="ok", score=score, metrics={f"case/{name}": value for name, value in cases.items()})


def elite(program: str, evaluation: Evaluation) -> Elite:
    rank = evaluation.rank(GOAL)
    assert rank is not None
    return Elite(Member(Candidate({"program.py": program}), evaluation), rank)


def landed(number: int, island: int, evaluation: Evaluation, program: str = "") -> Result:
    candidate = Candidate({"program.py": program or f"x = {number}\n"})
    return Result(
        brief=Brief(number=number, parents=(), seed=0, note={"island": island}),
        proposal=Proposal(candidate=candidate, proposer="t", operator="t", parents=(START.id,)),
        evaluation=evaluation,
    )


def begun(strategy: FunSearch, *results: Result) -> FunSearch:
    strategy.tell([start(), *results])
    return strategy


def shown(strategy: FunSearch, island: int, *, asks: int = 300) -> Counter[str]:
    """Count the programs that the briefs of an island show."""
    briefs = [brief for brief in strategy.ask(asks) if brief.note["island"] == island]
    return Counter(member.candidate.program for brief in briefs for member in brief.parents)


def test_a_signature_is_the_scores_of_problems_or_else_of_cases_or_else_the_score() -> None:
    metrics = {"case/a": 2.0, "instance/a/2": 3.0, "instance/a/1": 1.0, "length": 7.0}
    whole = Evaluation(status="ok", score=2.0, metrics=metrics)
    assert signature(whole, GOAL) == (("instance/a/1", 1.0), ("instance/a/2", 3.0))
    assert signature(found(2.0, b=2.5, a=1.5), GOAL) == (("case/a", 1.5), ("case/b", 2.5))
    assert signature(Evaluation(status="ok", score=2.0, metrics={"length": 7.0}), GOAL) == (("score", 2.0),)
    assert signature(Evaluation(status="ok"), GOAL) == ()


def test_signatures_are_rounded_coarsely_where_scores_are_measured() -> None:
    assert signature(found(1.0, a=1 / 3), GOAL) == signature(found(1.0, a=0.33333334), GOAL)
    assert signature(found(1.0, a=0.33333), GOAL) != signature(found(1.0, a=0.33334), GOAL)
    assert signature(found(1.0, a=1.50), SPEEDUP) == signature(found(1.0, a=1.52), SPEEDUP) == (("case/a", 5.0),)
    assert signature(found(1.0, a=1.63), SPEEDUP) != signature(found(1.0, a=1.50), SPEEDUP)
    assert signature(found(0.0, a=0.0), SPEEDUP) == (("case/a", 0.0),)


def test_the_softmax_of_scores_on_a_worked_example() -> None:
    """Scores 0, 9 and 10 are 0, 0.9 and 1: at temperature 0.1 the second has 1/e of the chance of the best."""
    assert normalised([0.0, 9.0, 10.0]) == [0.0, 0.9, 1.0]
    assert softmax([0.0, 0.9, 1.0], 0.1) == pytest.approx([math.exp(-10), math.exp(-1), 1.0])
    assert normalised([-3.0, -3.0]) == [1.0, 1.0]
    assert normalised([-1.7e308, 1.7e308, 0.0]) == [0.0, 1.0, 0.5]


def test_the_softmax_of_lengths_on_a_worked_example() -> None:
    """Lengths 50, 75 and 100: (50 - 100) / 100 makes the longest e^-0.5 as likely as the shortest."""
    assert shortness([50, 75, 100]) == pytest.approx([0.0, -0.25, -0.5])
    assert softmax(shortness([50, 75, 100]), 1.0) == pytest.approx([1.0, math.exp(-0.25), math.exp(-0.5)])
    assert shortness([0, 0]) == [0.0, 0.0]


def test_a_cluster_draws_short_programs_more_often() -> None:
    short, long = elite("a" * 10, found(1.0)), elite("b" * 1000, found(1.0))
    cluster = Cluster(short)
    assert [cluster.add(short), cluster.add(long), cluster.add(long)] == [True, True, False]
    drawn = Counter(cluster.draw(stream(0, number)).member.candidate.program for number in range(4000))
    assert drawn["b" * 1000] / drawn["a" * 10] == pytest.approx(math.exp(-0.99), rel=0.1)


def test_a_full_cluster_gives_up_the_longest_but_never_the_best() -> None:
    best = elite("x" * 99, found(9.0))
    cluster = Cluster(best)
    cluster.add(best)
    for length in range(1, PROGRAMS + 5):
        cluster.add(elite("x" * length, found(1.0)))
    lengths = {len(cluster.draw(stream(0, number)).member.candidate.program) for number in range(2000)}
    assert lengths == {99, *range(1, PROGRAMS)}
    assert cluster.best is best


def test_an_island_draws_clusters_by_their_scores_and_each_once() -> None:
    island = Island()
    for score in (0.0, 9.0, 10.0):
        island.add((("score", score),), elite(f"x = {score}\n", found(score)))
    one = [island.draw(1, temperature=0.1, chance=stream(0, number)) for number in range(3000)]
    share = Counter(drawn.rank for (drawn,) in one)
    assert share[9.0] / share[10.0] == pytest.approx(math.exp(-1), rel=0.1)
    assert share[0.0] <= 3
    cold = [island.draw(3, temperature=1e-300, chance=stream(0, number)) for number in range(50)]
    assert all([drawn.rank for drawn in briefs] == [10.0, 9.0, 0.0] for briefs in cold)


def test_an_island_keeps_the_best_clusters() -> None:
    island = Island()
    for score in range(CLUSTERS + 10):
        island.add((("score", score),), elite(f"x = {score}\n", found(score)))
    assert min(cluster.best.rank for cluster in island.clusters.values()) == 10.0
    assert len(island.clusters) == CLUSTERS
    assert island.programs == CLUSTERS + 10


def test_a_brief_edits_the_best_version_and_shows_the_others_worst_first() -> None:
    results = [landed(number, 0, found(1e9 + number, a=number), f"v = {number}\n") for number in (3, 1, 2)]
    strategy = begun(FunSearch(GOAL, islands=1, functions_per_prompt=4), *results)
    for brief in strategy.ask(20):
        assert [member.candidate.program for member in brief.parents] == [
            "v = 3\n",
            START.program,
            "v = 1\n",
            "v = 2\n",
        ]
        assert brief.operator == "versions"
    assert [len(brief.parents) for brief in begun(FunSearch(GOAL)).ask(3)] == [1, 1, 1]


def test_the_temperature_falls_over_the_period_and_starts_anew() -> None:
    """Two clusters of normalised scores 0 and 1: the worse is drawn first with a share of 1 / (1 + e^(1 / t))."""
    start_score = start().evaluation
    assert start_score is not None and start_score.score is not None
    strategy = begun(FunSearch(GOAL, islands=1, functions_per_prompt=1, temperature=1.0, temperature_period=4))
    for programs, temperature in ((2, 0.5), (3, 0.25), (4, 1.0)):
        strategy.tell([landed(programs, 0, found(start_score.score + 1, a=1.0))])
        worse = shown(strategy, 0, asks=2000)[START.program] / 2000
        assert worse == pytest.approx(1 / (1 + math.exp(1 / temperature)), abs=0.02)


def test_the_weaker_half_is_reset_with_the_best_of_an_island_that_stays() -> None:
    strategy = FunSearch(GOAL, islands=4, functions_per_prompt=9, reset_interval=4)
    good = [landed(number, number - 1, found(1e9 * number, a=number), f"v = {number}\n") for number in (1, 2, 3, 4)]
    begun(strategy, *good[:3])
    assert set(shown(strategy, 0)) == {START.program, "v = 1\n"}
    strategy.tell(good[3:])
    for island in (2, 3):
        assert set(shown(strategy, island)) == {START.program, f"v = {island + 1}\n"}
    for island in (0, 1):
        assert set(shown(strategy, island)) in ({"v = 3\n"}, {"v = 4\n"})


def test_resets_come_ten_times_in_a_run_and_not_before_twenty_results_of_each_island() -> None:
    worst, best = landed(1, 0, found(-9.0), "worst = 1\n"), landed(2, 1, found(1e9), "best = 1\n")
    for evaluations, interval in ((200, 40), (4000, 400)):
        strategy = begun(FunSearch(GOAL, islands=2, evaluations=evaluations), worst, best)
        strategy.tell([landed(number, 1, Evaluation(status="wrong")) for number in range(3, interval)])
        assert "worst = 1\n" in shown(strategy, 0)
        strategy.tell([landed(interval, 1, Evaluation(status="wrong"))])
        assert set(shown(strategy, 0)) == {"best = 1\n"}


def test_an_interval_of_0_never_resets() -> None:
    strategy = begun(FunSearch(GOAL, islands=2, reset_interval=0), landed(1, 1, found(1e9), "best = 1\n"))
    strategy.tell([landed(number, 1, Evaluation(status="wrong")) for number in range(2, 500)])
    assert set(shown(strategy, 0)) == {START.program}


def test_the_same_program_again_counts_for_nothing() -> None:
    island, one = Island(), elite("x = 1\n", found(1.0))
    for _ in range(3):
        island.add((), one)
    assert island.programs == 1


def test_the_published_parameters_are_the_default() -> None:
    strategy = begun(FunSearch(GOAL), landed(1, 0, found(1e9), "v = 1\n"))
    briefs = strategy.ask(400)
    assert {brief.note["island"] for brief in briefs} == set(range(10))
    assert max(len(brief.parents) for brief in briefs) == 2


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"islands": 0}, "islands must be a whole number of at least 1, got 0"),
        ({"functions_per_prompt": 0}, "functions_per_prompt must be a whole number of at least 1, got 0"),
        ({"temperature": 0}, "temperature must be a number above 0, got 0"),
        ({"temperature": -0.1}, "temperature must be a number of at least 0, got -0.1"),
        ({"temperature": math.inf}, "temperature must be a number of at least 0, got inf"),
        ({"temperature_period": 0}, "temperature_period must be a whole number of at least 1, got 0"),
        ({"reset_interval": -1}, "reset_interval must be a whole number of at least 0, got -1"),
        ({"evaluations": 0}, "evaluations must be a whole number of at least 1, got 0"),
    ],
)
def test_parameters_out_of_range_are_refused(parameters: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        FunSearch(GOAL, **parameters)


def test_rewriting_operators_choose_how_to_make_the_next_version() -> None:
    """They serve it as a brief that names no operator."""
    body = "def f(x: np.ndarray, y: float) -> np.ndarray:\n    return 1.5 * x + y\n"
    program = f"import numpy as np\n\n# EVOLVE-BLOCK-START\n{body}# EVOLVE-BLOCK-END\n"
    spec = TaskSpec(
        name="t", title="T", statement="", entry="f", goal=GOAL, cases=(Case(name="a"),), requires=("numpy",)
    )
    parent = Member(Candidate({"program.py": program}), found(1.0))
    task = Task(spec, parent.candidate)
    briefs = [Brief(number=1, parents=(parent,), seed=5, operator=operator) for operator in (None, "versions")]
    free, versions = (asyncio.run(OperatorsProposer(seed=1).propose(task, brief)) for brief in briefs)
    assert versions == free
