"""Hill climbing: the best so far is the parent, the bests before it inspire."""

from outpace.agent.proposal import Brief
from outpace.agent.strategies.contract import GOAL, START, start, told
from outpace.agent.strategies.hill_climb import HillClimb
from outpace.tasks.candidate import Candidate
from outpace.tasks.spec import Goal


def programs(count: int) -> list[Candidate]:
    """Programs by rising score of the contract's scale."""
    made = [Candidate({"program.py": f"x = {number}\n"}) for number in range(count)]
    return sorted(made, key=score)


def score(candidate: Candidate) -> float:
    evaluation = told(Brief(number=1, parents=(), seed=0), candidate=candidate).evaluation
    assert evaluation is not None and evaluation.score is not None
    return evaluation.score


def test_the_parent_is_the_best_and_earlier_bests_inspire() -> None:
    strategy = HillClimb(Goal(kind="metric", name="value", direction="maximise"))
    rising = [one for one in programs(60) if score(one) > score(START)][-5:]
    strategy.tell([start()])
    for number, candidate in enumerate(rising, 1):
        strategy.tell([told(Brief(number=number, parents=(), seed=0), candidate=candidate)])
    (brief,) = strategy.ask(1)
    assert brief.parents[0].candidate == rising[-1]
    assert [member.candidate for member in brief.inspirations] == rising[-2:-5:-1]


def test_what_is_not_better_changes_nothing() -> None:
    strategy = HillClimb(GOAL)
    best, *_, worst = reversed(programs(40))
    strategy.tell([start(), told(Brief(number=1, parents=(), seed=0), candidate=best)])
    strategy.tell([told(Brief(number=2, parents=(), seed=0), candidate=worst)])
    strategy.tell([told(Brief(number=3, parents=(), seed=0), candidate=best)])
    (brief,) = strategy.ask(1)
    assert brief.parents[0].candidate == best
    assert all(member.candidate != best for member in brief.inspirations)
