"""What every strategy must do, as tests: subclass ``StrategyContract`` and give it one fixture.

::

    class TestMine(StrategyContract):
        @pytest.fixture
        def make(self) -> Make:
            return lambda seed: MyStrategy(GOAL, seed=seed)
"""

import hashlib
import json
from collections.abc import Callable, Sequence

from outpace.agent.proposal import REFLECTION, Brief, Member, Proposal, Result
from outpace.agent.strategies.base import Strategy
from outpace.evaluators.base import Evaluation, Status
from outpace.tasks.candidate import PROGRAM, Candidate
from outpace.tasks.spec import Goal

Make = Callable[[int], Strategy]
GOAL = Goal(kind="metric", name="value", direction="maximise")
START = Candidate({PROGRAM: "def f(x):\n    return x\n"})
STATE_BYTES = 4096
FAILURES: tuple[Status, ...] = ("wrong", "crashed", "timeout", "refused", "infra")


def told(brief: Brief, *, status: Status | None = "ok", candidate: Candidate | None = None) -> Result:
    """Return what became of ``brief``: a child that follows from its seed, with a score that follows from its text.

    ``status`` None is a proposal that gave no candidate.
    """
    if status is None:
        return Result(brief=brief, failure="no edit block in the answer")
    parents = tuple(member.candidate.id for member in brief.parents)
    child = candidate or (brief.parents[0].candidate if brief.parents else START).with_program(_child(brief))
    digest = hashlib.sha256(child.program.encode()).digest()
    cases = {f"case/{name}": float(digest[at] % 8) for at, name in enumerate("abc")}
    score = int.from_bytes(digest[:3], "big") / 1000
    evaluation = Evaluation(status=status)
    if status == "ok":
        evaluation = Evaluation(status=status, score=score, metrics={**cases, "length": float(len(child.program))})
    proposal = Proposal(
        candidate=child,
        proposer="contract",
        operator=brief.operator or "vary",
        parents=parents,
        thought=f"thought {brief.seed % 1000}",
        detail={REFLECTION: f"reflection {brief.seed % 1000}"} if brief.reflect else {},
    )
    return Result(brief=brief, proposal=proposal, evaluation=evaluation)


def start(status: Status = "ok") -> Result:
    """Return the result of the starting program."""
    return told(Brief(number=0, parents=(), seed=0), status=status, candidate=START)


def carry_on(strategy: Strategy, steps: int) -> tuple[list[Brief], list[Result]]:
    """Take ``steps`` briefs one by one, each told before the next is asked for; every fifth fails."""
    briefs: list[Brief] = []
    results: list[Result] = []
    for _ in range(steps):
        (brief,) = strategy.ask(1)
        briefs.append(brief)
        results.append(told(brief, status="wrong" if brief.number % 5 == 0 else "ok"))
        strategy.tell(results[-1:])
    return briefs, results


def _child(brief: Brief) -> str:
    lines = "".join(f"    x = x + {(brief.seed >> shift) % 89}\n" for shift in range(brief.seed % 7))
    return f"def f(x):\n{lines}    return x * {brief.seed % 101}\n"


class StrategyContract:
    """Inherit, and define the fixture ``make``: a callable from a seed to a new strategy for the goal ``GOAL``.

    A strategy that gives failed candidates to be repaired sets ``repairs``.
    """

    repairs = False

    def test_without_a_starting_program_it_waits(self, make: Make) -> None:
        """Nothing was told: there is nothing to ask for."""
        assert make(0).ask(4) == []

    def test_a_failed_start_is_no_error(self, make: Make) -> None:
        """The run will not go on, but that is not for the strategy to say."""
        strategy = make(0)
        strategy.tell([start("crashed")])
        for brief in strategy.ask(3):
            assert self.repairs or not brief.parents

    def test_it_asks_after_the_start(self, make: Make) -> None:
        """Briefs count from 1, start from what was told, and hold JSON."""
        strategy = make(0)
        strategy.tell([start()])
        briefs = strategy.ask(3)
        assert 1 <= len(briefs) <= 3
        assert [brief.number for brief in briefs] == list(range(1, len(briefs) + 1))
        for brief in briefs:
            self.check(brief, [start()])

    def test_asking_for_nothing_gives_nothing(self, make: Make) -> None:
        """An ask for 0 counts nothing."""
        strategy = make(0)
        strategy.tell([start()])
        before = strategy.state()
        assert strategy.ask(0) == []
        assert strategy.state() == before

    def test_many_in_flight_come_back_in_any_order(self, make: Make) -> None:
        """Numbers never repeat, and the newest brief may be answered first."""
        strategy, results, numbers = make(0), [start()], []
        strategy.tell(results)
        for _ in range(6):
            briefs = strategy.ask(16)
            numbers += [brief.number for brief in briefs]
            for brief in briefs:
                self.check(brief, results)
            landed = [told(brief) for brief in reversed(briefs)]
            strategy.tell(landed[::2])
            strategy.tell(landed[1::2])
            results += landed
        assert numbers == sorted(set(numbers))
        assert strategy.ask(1)

    def test_generations_that_fail_do_not_end_it(self, make: Make) -> None:
        """Whatever fails, and however often, the search goes on from what is good."""
        strategy, results = make(0), [start()]
        strategy.tell(results)
        for status in (*FAILURES, None):
            for _ in range(4):
                briefs = strategy.ask(8)
                results += (failed := [told(brief, status=status) for brief in briefs])
                strategy.tell(failed)
        briefs = strategy.ask(8)
        assert briefs
        for brief in briefs:
            self.check(brief, results)

    def test_the_same_seed_asks_the_same(self, make: Make) -> None:
        """A strategy's only chance is its seed."""
        first, second, other = make(7), make(7), make(8)
        for strategy in (first, second, other):
            strategy.tell([start()])
        asked = carry_on(first, 120)[0]
        assert carry_on(second, 120)[0] == asked
        assert [brief.seed for brief in carry_on(other, 120)[0]] != [brief.seed for brief in asked]

    def test_no_two_briefs_in_a_row_share_their_chance(self, make: Make) -> None:
        """The seed of a brief is all the chance that its proposer has."""
        strategy = make(1)
        strategy.tell([start()])
        seeds = [brief.seed for brief in carry_on(strategy, 200)[0]]
        assert len(set(seeds)) >= 198

    def test_resumed_in_the_middle_it_asks_as_if_never_interrupted(self, make: Make) -> None:
        """The fold over stored results, then the stored state, is all of its memory."""
        for cut in (0, 1, 49, 50, 51, 137):
            steady = make(3)
            steady.tell([start()])
            results = [start(), *carry_on(steady, cut)[1]]
            stored = json.dumps(dict(steady.state()))
            resumed = make(3)
            for result in results:
                resumed.tell([result])
            resumed.restore(json.loads(stored) if cut else {})
            assert carry_on(resumed, 60)[0] == carry_on(steady, 60)[0]

    def test_resumed_with_briefs_in_flight_it_asks_as_if_never_interrupted(self, make: Make) -> None:
        """What was out when the run was killed is served after it is resumed."""
        steady = make(9)
        steady.tell([start()])
        results = [start(), *carry_on(steady, 40)[1]]
        out = steady.ask(7)
        stored = json.dumps(dict(steady.state()))
        resumed = make(9)
        for result in results:
            resumed.tell([result])
        resumed.restore(json.loads(stored))
        for brief in reversed(out):
            late = told(brief, status=None if brief.number % 3 == 0 else "ok")
            resumed.tell([late])
            steady.tell([late])
        assert carry_on(resumed, 60)[0] == carry_on(steady, 60)[0]

    def test_results_of_briefs_of_others_do_no_harm(self, make: Make) -> None:
        """Repairs, and what other strategies asked for, come without the note that this one knows."""
        strategy = make(6)
        strategy.tell([start()])
        results = [start(), *carry_on(strategy, 20)[1]]
        for number in range(1000, 1040):
            foreign = Brief(number=number, parents=(), seed=number * 7919)
            results.append(told(foreign, status="ok" if number % 2 else "wrong"))
            strategy.tell(results[-1:])
        briefs = strategy.ask(4)
        assert briefs
        for brief in briefs:
            self.check(brief, results)

    def test_telling_at_once_is_telling_one_by_one(self, make: Make) -> None:
        """How results were bundled leaves no trace."""
        source = make(4)
        source.tell([start()])
        results = [start(), *carry_on(source, 130)[1]]
        single, bundled = make(4), make(4)
        for result in results:
            single.tell([result])
        bundled.tell(results)
        assert single.ask(12) == bundled.ask(12)

    def test_its_state_stays_small(self, make: Make) -> None:
        """The state is stored with every brief, so it must not grow with the run."""
        strategy = make(5)
        strategy.tell([start()])
        carry_on(strategy, 30)
        early = len(json.dumps(dict(strategy.state())))
        carry_on(strategy, 400)
        late = len(json.dumps(dict(strategy.state())))
        assert late <= STATE_BYTES
        assert late <= 2 * early + 64

    def check(self, brief: Brief, results: Sequence[Result]) -> None:
        """Hold one brief against what was told."""
        known = {
            (result.proposal.candidate.id, result.evaluation.status)
            for result in results
            if result.proposal and result.evaluation
        }
        members: list[Member] = [*brief.parents, *brief.inspirations]
        ids = [member.candidate.id for member in members]
        assert all((member.candidate.id, member.evaluation.status) in known for member in members)
        assert self.repairs or all(member.evaluation.status == "ok" for member in members)
        assert len(ids) == len(set(ids)), "a program stands twice in one brief"
        assert brief.seed >= 0
        assert json.loads(json.dumps(dict(brief.note))) == brief.note
