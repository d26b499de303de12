"""Monte Carlo tree search: its formulas on worked examples, its backup, who is asked for what, what is in flight."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from outpace.agent.proposal import Brief, Proposal, Result
from outpace.agent.strategies.contract import GOAL, START, carry_on, start, told
from outpace.agent.strategies.mcts import DEPTH, OPENING, ROUND, Mcts
from outpace.agent.strategies.population import Entry, entry_of
from outpace.agent.strategies.tree import BARREN, OUT, Node, Tree, p_ucb, priors, uct
from outpace.errors import UsageError
from outpace.evaluators.base import Evaluation
from outpace.tasks.candidate import Candidate


def landed(brief: Brief, score: float | None, *, detail: dict[str, Any] | None = None, thought: str = "") -> Result:
    """Return the result of a brief, a program of its own with that score; None: it was wrong."""
    candidate = Candidate({"program.py": f"x = {brief.number}\nscore = {score}\n"})
    parents = tuple(member.candidate.id for member in brief.parents)
    proposal = Proposal(
        candidate=candidate, proposer="t", operator="t", parents=parents, detail=detail or {}, thought=thought
    )
    found = Evaluation(status="wrong") if score is None else Evaluation(status="ok", score=score)
    return Result(brief=brief, proposal=proposal, evaluation=found)


def begun(scores: Sequence[float | None] = (1.0, 2.0, 3.0, 4.0), **parameters: Any) -> Mcts:
    """Return a search whose opening came to these scores; the start has score 0."""
    strategy = Mcts(GOAL, **parameters)
    strategy.tell([landed(Brief(number=0, parents=(), seed=0), 0.0)])
    strategy.tell([landed(brief, score) for brief, score in zip(strategy.ask(len(OPENING)), scores, strict=True)])
    return strategy


def entry(rank: float) -> Entry:
    made = entry_of(landed(Brief(number=int(rank * 10) % 97, parents=(), seed=0), rank), GOAL)
    assert made is not None
    return made


def node_of(brief: Brief) -> int:
    number: int = brief.note["mcts"][1]
    return number


def tree_of(*ranks: float, logprobs: Sequence[float | None] = ()) -> Tree:
    """Return a root with a child of each rank."""
    tree = Tree()
    told_of = [*logprobs, *[None] * (len(ranks) - len(logprobs))]
    for rank, logprob in zip(ranks, told_of, strict=True):
        tree.add(tree.root, entry(rank), logprob=logprob)
    return tree


def test_uct_on_a_worked_example() -> None:
    tree = tree_of(0.0, 5.0, 10.0)
    tree.add(tree.nodes[2], entry(5.0))
    assert (tree.root.visits, [node.visits for node in tree.root.children]) == (4, [1, 2, 1])
    once, twice = 0.1 * math.sqrt(math.log(5)), 0.1 * math.sqrt(math.log(5) / 2)
    assert uct(tree, tree.root, weight=0.1) == pytest.approx([once, 0.5 + twice, 1 + once])


def test_values_are_scaled_from_the_first_program_up_once_something_is_better() -> None:
    worse = tree_of(-4.0, -8.0, -5.0)
    assert worse.worths(worse.root.children) == [1.0, 0.0, 0.75]
    better = tree_of(-4.0, -150.0, -3.0, -2.0)
    assert better.worths(better.root.children) == [0.0, 0.0, 0.5, 1.0]
    alike = tree_of(2.0, 2.0)
    assert alike.worths(alike.root.children) == [0.0, 0.0]


def test_p_ucb_on_a_worked_example() -> None:
    tree = tree_of(0.0, 10.0, logprobs=[math.log(0.6), math.log(0.2)])
    spread = (math.log((2 + 10 + 1) / 10) + 4) * math.sqrt(math.log(2))
    expected = [0.75 * spread / 2, 1 + 0.25 * spread / 2]
    assert p_ucb(tree, tree.root, c=4.0, base=10.0) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("logprobs", "shares"),
    [
        ([None, None, None, None], [0.25] * 4),
        ([math.log(0.5), math.log(0.25), math.log(0.25), 0.0], [0.25, 0.125, 0.125, 0.5]),
        ([math.log(0.9), None, math.log(0.3), None], [0.375, 0.25, 0.125, 0.25]),
        ([-9999.0, -9999.0, -9999.0, -9999.0], [0.25] * 4),
    ],
)
def test_the_prior_is_the_softmax_of_siblings_and_unknown_ones_are_average(
    logprobs: list[float | None], shares: list[float]
) -> None:
    found = priors(tree_of(1, 2, 3, 4, logprobs=logprobs).root)
    assert found == pytest.approx(shares)
    assert sum(found) == pytest.approx(1)


def test_the_best_is_backed_up_even_when_it_falls() -> None:
    tree = tree_of(5.0, 3.0)
    first, second = tree.root.children
    assert (tree.root.value, first.value) == (5.0, 5.0)
    tree.add(first, entry(1.0))  # what came of it counts now, not what it is
    assert (tree.root.value, first.value) == (3.0, 1.0)
    low = tree.add(first, entry(2.0))
    assert (tree.root.value, first.value) == (3.0, 2.0)
    tree.add(low, entry(9.0))
    assert [node.value for node in (tree.root, first, low)] == [9.0, 9.0, 9.0]
    assert second.value == 3.0
    assert [node.visits for node in (tree.root, first, low, second)] == [5, 4, 2, 1]


def test_a_node_from_which_nothing_comes_loses_its_value_and_gets_it_back_with_a_child() -> None:
    tree = tree_of(5.0, 3.0)
    best, other = tree.root.children
    for _ in range(2):
        tree.fail(best, 3)
    assert (best.value, best.visits) == (5.0, 3)
    tree.fail(best, 3)
    assert (best.value, tree.root.value) == (BARREN, 3.0)
    assert tree.worths([best, other]) == [0.0, 0.0]
    tree.add(best, entry(4.0))
    assert (best.value, tree.root.value) == (4.0, 4.0)


def backed_up(node: Node) -> float:
    return max(map(backed_up, node.children)) if node.children else node.value


def test_backing_up_step_by_step_is_the_best_below_each_node() -> None:
    strategy = Mcts(GOAL, seed=5)
    strategy.tell([start()])
    results = carry_on(strategy, 300)[1]
    tree = strategy._tree
    assert all(node.value == backed_up(node) for node in tree.nodes)
    good = sum(result.evaluation is not None and result.evaluation.status == "ok" for result in results)
    assert len(tree.nodes) == good + 2, "the root, the start, and all that was right"


def test_it_opens_at_the_root_and_then_expands_leaf_by_leaf() -> None:
    strategy = Mcts(GOAL, seed=1)
    strategy.tell([landed(Brief(number=0, parents=(), seed=0), 0.0)])
    opening = strategy.ask(4)
    assert [(brief.operator, node_of(brief)) for brief in opening] == [("i1", 0), ("e1", 0), ("e1", 0), ("e1", 0)]
    strategy.tell([landed(brief, float(brief.number)) for brief in opening])
    (best,) = [node.number for node in strategy._tree.nodes[1:] if node.program.rank == 4.0]
    turn = strategy.ask(5)
    assert [(brief.operator, node_of(brief)) for brief in turn] == [(name, best) for name in ROUND[:-1]], "no path yet"
    assert [brief.edit_mode for brief in turn] == ["whole", "diff", "diff", "diff", "diff"]


def test_widening_asks_the_root_for_another_child_when_it_was_visited_often_enough() -> None:
    strategy = begun()
    root = strategy._tree.root
    children, visits = [], []
    for _ in range(200):
        (brief,) = strategy.ask(1)
        if brief.operator == "e1":
            children.append(len(root.children))
            visits.append(root.visits)
        strategy.tell([landed(brief, brief.number % 7 + brief.number / 1000)])
    assert children == list(range(5, 5 + len(children)))
    assert all(visit >= (child + 1) ** 2 for visit, child in zip(visits, children, strict=True))
    assert len(root.children) == math.isqrt(root.visits)


def test_inner_nodes_are_widened_with_e2_and_never_with_alpha_0() -> None:
    def wider(alpha: float) -> Counter[str | None]:
        strategy, asked = begun(alpha=alpha), Counter[str | None]()
        for _ in range(400):
            (brief,) = strategy.ask(1)
            if strategy._tree.nodes[node_of(brief)].children and node_of(brief):
                asked[brief.operator] += strategy._tree.nodes[node_of(brief)].number != strategy._round[0]
            elif not node_of(brief):
                asked[brief.operator] += 1
            strategy.tell([landed(brief, brief.number % 7 + brief.number / 1000)])
        return +asked

    assert set(wider(0.5)) == {"e1", "e2"}
    assert wider(0.0) == Counter()


def test_no_leaf_lies_deeper_than_the_tree_is_looked_into() -> None:
    strategy = begun(exploration=0.0)
    depths = set()
    for number in range(400):
        (brief,) = strategy.ask(1)
        depths.add(strategy._tree.nodes[node_of(brief)].depth)
        strategy.tell([landed(brief, 10.0 + number)])
    assert max(depths) == DEPTH
    assert max(node.depth for node in strategy._tree.nodes) == DEPTH + 1


def test_s1_sees_the_whole_path_with_its_thoughts() -> None:
    strategy = begun()
    for _ in range(60):
        (brief,) = strategy.ask(1)
        if brief.operator == "s1":
            path = strategy._tree.nodes[node_of(brief)].path()
            programs = [member.candidate for member in (*brief.inspirations, *brief.parents)]
            assert programs == [node.program.member.candidate for node in path]
            assert brief.given["thoughts"] == [one.program.thought for one in (path[-1], *path[:-1])]
            assert 2 <= len(path) <= DEPTH
            return
        strategy.tell([landed(brief, 10.0 + brief.number, thought=f"thought {brief.number}")])
    pytest.fail("no s1 in 60 asks")


def test_e1_is_given_one_program_of_each_of_several_subtrees() -> None:
    strategy, tops = begun(), set()
    for _ in range(300):
        (brief,) = strategy.ask(1)
        if brief.operator == "e1":
            homes = {member.candidate.id: node for node in strategy._tree.nodes[1:] for member in [node.program.member]}
            above = [homes[member.candidate.id].path()[0] for member in brief.parents]
            assert len(set(above)) == len(above)
            tops.add(len(above))
            assert [len(brief.given["thoughts"]), brief.edit_mode] == [len(brief.parents), "whole"]
        strategy.tell([landed(brief, brief.number % 7 + brief.number / 1000)])
    assert tops <= {2, 3, 4, 5}
    assert len(tops) > 2


def test_what_is_in_flight_spreads_over_leaves() -> None:
    strategy = begun(scores=(9.7, 9.8, 9.9, 10.0))
    leaves = [node_of(brief) for brief in strategy.ask(16)]
    assert Counter(leaves) == {5: 5, 4: 5, 3: 5, 2: 1}, "the best first, and none again while it is out"


def out(strategy: Mcts) -> int:
    return sum(node.out + node.coming for node in strategy._tree.nodes)


@pytest.mark.parametrize("score", [5.0, None])
def test_virtual_losses_come_off_again_whatever_becomes_of_the_brief(score: float | None) -> None:
    strategy = begun()
    asked = strategy.ask(16)
    assert strategy._tree.root.out == 16
    strategy.tell([landed(asked[0], score), replace(landed(asked[1], score), proposal=None, evaluation=None)])
    assert strategy._tree.root.out == 14
    strategy.tell([replace(landed(brief, score), seen_before=True) for brief in asked[2:]])
    assert out(strategy) == 0


def test_several_answers_to_one_ask_and_a_repair_take_it_off_once() -> None:
    strategy = begun()
    first, second = strategy.ask(2)
    for index in range(3):
        strategy.tell([landed(replace(first, number=100 + index), 5.0 + index)])
        assert strategy._tree.root.out == 1
    strategy.tell([landed(replace(second, number=103), None)])
    strategy.tell([landed(replace(second, number=104, operator="repair"), 6.5)])
    assert out(strategy) == 0
    home = strategy._tree.nodes[node_of(first)]
    assert [child.program.rank for child in home.children] == [5.0, 6.0, 7.0, 6.5]
    assert home.visits == 6


def test_of_very_many_in_flight_the_oldest_are_let_go() -> None:
    strategy = begun()
    asked = strategy.ask(OUT + 40)
    assert len(strategy.state()["out"]) == OUT == strategy._tree.root.out
    strategy.tell([landed(brief, None) for brief in asked])
    assert out(strategy) == 0


def test_what_was_told_since_the_last_ask_is_not_in_flight_after_a_resume() -> None:
    results = [landed(Brief(number=0, parents=(), seed=0), 0.0)]
    steady = Mcts(GOAL, seed=2)
    steady.tell(results)
    asked = steady.ask(20)
    stored = steady.state()
    since = [landed(brief, float(brief.number)) for brief in asked[::2]]
    steady.tell(since)
    resumed = Mcts(GOAL, seed=2)
    resumed.tell(results + since)
    resumed.restore(stored)
    assert resumed._tree.root.out == steady._tree.root.out == 10
    assert [(one.out, one.coming) for one in resumed._tree.nodes] == [
        (one.out, one.coming) for one in steady._tree.nodes
    ]
    assert resumed.ask(9) == steady.ask(9)


def test_exploration_fades_with_the_budget() -> None:
    def weight(evaluations: int) -> float:
        strategy = begun(evaluations=evaluations)
        scores: Any = strategy._scores()
        return float(scores.keywords["weight"])

    assert weight(8) == pytest.approx(0.05)  # 4 of 8 evaluations
    assert weight(1000) == pytest.approx(0.0996)
    assert weight(2) == 0


def test_defaults_are_the_published_ones() -> None:
    strategy = Mcts(GOAL)
    assert (strategy._exploration, strategy._alpha, strategy._evaluations) == (0.1, 0.5, 1000)
    assert Counter(ROUND) == {"e2": 1, "m1": 2, "m2": 2, "s1": 1}
    assert Mcts(GOAL, selection="p_ucb")._exploration == 4.0


def test_log_probabilities_of_proposals_lead_p_ucb() -> None:
    def leaf(likely: int) -> int:
        strategy = Mcts(GOAL, selection="p_ucb")
        strategy.tell([landed(Brief(number=0, parents=(), seed=0), 1.0)])
        for brief in strategy.ask(4):
            logprob = -0.01 if brief.number == likely else -5.0
            strategy.tell([landed(brief, 1.0 + brief.number / 1e6, detail={"logprob": logprob})])
        return node_of(strategy.ask(1)[0])

    assert [leaf(2), leaf(3)] == [3, 4]  # the start is node 1


@pytest.mark.parametrize("told_of", ["-1", None, True, float("nan"), float("-inf"), 3.0, [-1.0]])
def test_what_is_no_log_probability_is_none(told_of: object) -> None:
    strategy = Mcts(GOAL, selection="p_ucb")
    strategy.tell([landed(Brief(number=0, parents=(), seed=0), 1.0, detail={"logprob": told_of})])
    assert strategy._tree.root.weighed == 0
    assert strategy.ask(6)


def test_what_others_found_joins_where_it_leads() -> None:
    strategy = begun()
    before = len(strategy._tree.nodes)
    strategy.tell([landed(Brief(number=900, parents=(), seed=0, note={"island": 3}), 3.5)])
    strategy.tell([landed(Brief(number=901, parents=(), seed=0, note={"mcts": [5, 10**6]}), 2.5)])
    strategy.tell([landed(Brief(number=902, parents=(), seed=0, note={"mcts": "nonsense"}), None)])
    assert len(strategy._tree.nodes) == before
    strategy.tell([landed(Brief(number=903, parents=(), seed=0), 50.0)])
    assert strategy._tree.root.children[-1].program.rank == 50.0
    assert node_of(strategy.ask(1)[0]) == before


def test_unmeasured_programs_are_all_members() -> None:
    strategy = Mcts(GOAL)
    strategy.tell([Result(brief=Brief(number=0, parents=(), seed=0), proposal=landed_unmeasured(0), evaluation=RIGHT)])
    for _ in range(40):
        (brief,) = strategy.ask(1)
        proposal = landed_unmeasured(brief.number)
        strategy.tell([Result(brief=brief, proposal=proposal, evaluation=RIGHT)])
    assert len(strategy._tree.nodes) == 42


RIGHT = Evaluation(status="ok")


def landed_unmeasured(number: int) -> Proposal:
    return Proposal(candidate=START.with_program(f"x = {number}\n"), proposer="t", operator="t", parents=())


def test_samples_of_the_contract_are_told_without_a_word() -> None:
    strategy = Mcts(GOAL, seed=3)
    strategy.tell([start()])
    strategy.tell([told(brief, status=None) for brief in strategy.ask(30)])
    assert len(strategy._tree.nodes) == 2


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"evaluations": 0}, "evaluations must be a whole number of at least 1, got 0"),
        ({"selection": "best"}, "selection must be one of uct, p_ucb, got 'best'"),
        ({"exploration": -0.1}, "exploration must be a number of at least 0, got -0.1"),
        ({"exploration": math.inf}, "exploration must be a number of at least 0, got inf"),
        ({"exploration": "much"}, "exploration must be a number of at least 0, got 'much'"),
        ({"alpha": 1.5}, "alpha must be a number from 0 to 1, got 1.5"),
        ({"seed": -1}, "seed must be a whole number of at least 0"),
    ],
)
def test_parameters_out_of_range_are_refused(parameters: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Mcts(GOAL, **parameters)
