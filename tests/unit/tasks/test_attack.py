"""Every wrong answer that a weak checker lets pass is found, and none that is right."""

import itertools
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from outpace.errors import WrongAnswer
from outpace.tasks.attack import Attack, Instance, Weakness
from outpace.tasks.candidate import Candidate
from outpace.tasks.spec import Answer, Case, Goal, Output, Problem, Task, TaskSpec

Check = Callable[[Problem, Output], bool]
SPEEDUP = Goal(kind="speedup", name="speed-up", direction="maximise")
METRIC = Goal(kind="metric", name="length", direction="minimise")


class Judged(Task):
    """A task whose check is handed in; ``accepts`` is called with the problem and the answer."""

    accepts: Check

    def check(self, problem: Problem, output: Output) -> None:
        if not self.accepts(problem, output):
            raise WrongAnswer("no")

    def score(self, problem: Problem, output: Output) -> float:
        return float(np.sum(output))


def task(judges: Check, *, goal: Goal = SPEEDUP, **answer: Any) -> Judged:
    spec = TaskSpec(
        name="t", title="", statement="", entry="f", goal=goal, cases=(Case(name="c"),), answer=Answer(**answer)
    )
    made = Judged(spec, Candidate({"program.py": ""}))
    made.accepts = judges
    return made


def instances(solve: Callable[[Any], Output], count: int = 4) -> list[Instance]:
    rng = np.random.default_rng(7)
    problems = [{"values": rng.normal(size=30)} for _ in range(count)]
    return [Instance(problem, solve(problem["values"]), f"seed {n}") for n, problem in enumerate(problems)]


def found(about: Judged, tried: list[Instance]) -> list[Weakness]:
    attack = Attack(about)
    return [*attack.honest(tried[0], 0.0), *attack.hostile(tried)]


def told(about: Judged, tried: list[Instance], severity: str = "error") -> str:
    return "\n".join(one.text for one in found(about, tried) if one.severity == severity)


SORTED = instances(np.sort)
LISTED = instances(lambda values: np.sort(values).tolist())
COUNTED = instances(lambda values: int((values > 0).sum()))


def floats(output: Output) -> bool:
    return isinstance(output, np.ndarray) and output.dtype == np.float64 and output.shape == (30,)


def right(problem: Problem, output: Output) -> bool:
    return floats(output) and np.array_equal(output, np.sort(problem["values"]))


def test_an_exact_checker_gives_no_finding() -> None:
    assert found(task(right), SORTED) == []
    assert found(task(lambda problem, output: output == np.sort(problem["values"]).tolist()), LISTED) == []
    about = task(lambda problem, output: type(output) is int and output == int((problem["values"] > 0).sum()))
    assert found(about, COUNTED) == []


@pytest.mark.parametrize(
    ("accepts", "words"),
    [
        (lambda p, x: x is None or right(p, x), "None, where the reference answers array(float64 (30,): "),
        (lambda p, x: x == {} if isinstance(x, dict) else right(p, x), "an empty dict"),
        (lambda p, x: x == "garbage" if isinstance(x, str) else right(p, x), "the text 'garbage'"),
        (lambda p, x: floats(x) and (np.diff(x) >= 0).all(), "the answer of another problem"),
        (lambda p, x: floats(x) and np.array_equal(np.sort(x), np.sort(p["values"])), "an input itself ('values')"),
        (lambda p, x: set(x.tolist()) <= set(p["values"].tolist()), "nothing as the answer"),
        (lambda p, x: np.array_equal(x, np.sort(p["values"])[: len(x)]), "one item too few"),
        (lambda p, x: np.array_equal(x[:30], np.sort(p["values"])), "one item too many"),
        (
            lambda p, x: floats(x) and set(x.tolist()) <= set(p["values"].tolist()),
            "one item twice, another one missing",
        ),
        (lambda p, x: np.allclose(x, np.sort(p["values"]), atol=5), "zeros"),
        (lambda p, x: floats(x) and x.min() >= p["values"].min(), "one number everywhere"),
        (lambda p, x: floats(x) and np.array_equal(np.abs(x), np.abs(np.sort(p["values"]))), "all signs turned"),
        (lambda p, x: floats(x) and np.array_equal(x[:-1], np.sort(p["values"])[:-1]), "a huge number as the answer"),
        (lambda p, x: np.array_equal(np.real(x), np.sort(p["values"])), "imaginary parts"),
        (lambda p, x: floats(x) and abs(x - np.sort(p["values"])).sum() < 2, "a number off by one"),
        (lambda p, x: floats(x) and np.array_equal(x[1:], np.sort(p["values"])[1:]), "one number changed (0, up)"),
        (lambda p, x: np.allclose(x, np.sort(p["values"]), rtol=0.5), "noise of 10 %"),
        (lambda p, x: np.allclose(x, np.sort(p["values"]), rtol=0.2), "all numbers off by +1e-01"),
        (lambda p, x: np.allclose(x, np.sort(p["values"]), rtol=0.02), "all numbers off by +1e-02"),
        (lambda p, x: np.allclose(x, np.sort(p["values"]), rtol=5e-3), "numbers of half precision"),
    ],
)
def test_what_a_weak_checker_accepts_is_an_error_with_the_example(accepts: Check, words: str) -> None:
    assert words in told(task(accepts), SORTED)


@pytest.mark.parametrize(
    ("accepts", "words"),
    [
        (lambda p, x: np.allclose(x, np.sort(p["values"]), rtol=2e-3), "all numbers off by +1e-03"),
        (lambda p, x: np.allclose(x, np.sort(p["values"]), rtol=1e-6), "numbers of single precision"),
        (lambda p, x: floats(x) and np.array_equal(np.sort(x), np.sort(p["values"])), "another order"),
        (lambda p, x: floats(x) and np.array_equal(np.sort(x), np.sort(p["values"])), "the order turned round"),
        (lambda p, x: floats(x) and np.array_equal(np.sort(x), np.sort(p["values"])), "two items exchanged"),
    ],
)
def test_what_may_be_meant_is_a_warning(accepts: Check, words: str) -> None:
    said = told(task(accepts), SORTED, "warning")
    assert words in said
    assert "say accepts = [" in said


def test_rows_and_columns() -> None:
    tried = instances(lambda values: np.outer(values, values[:3]))[:1]
    every: list[float] = sorted(tried[0].answer.ravel().tolist())
    about = task(lambda p, x: isinstance(x, np.ndarray) and np.sort(x, axis=None).tolist() == every)
    assert "rows and columns exchanged" in told(about, tried, "warning")


def test_numbers_that_are_none() -> None:
    def careless(problem: Problem, output: Output) -> bool:
        return output.shape == (30,) and not (abs(output - np.sort(problem["values"])) > 1e-9).any()

    def blind(problem: Problem, output: Output) -> bool:
        return bool((output[np.isfinite(output)] == np.sort(problem["values"])[np.isfinite(output)]).all())

    assert found(task(careless, kind="array", shape=("values",), dtype="float64"), SORTED) == []
    assert "NaN" in told(task(careless, finite=False), SORTED)
    assert "infinity" in told(task(blind, finite=False), SORTED)


def test_a_known_tolerance_is_the_measure() -> None:
    def within(tolerance: float) -> Check:
        def accepts(problem: Problem, output: Output) -> bool:
            expected = np.sort(problem["values"])
            return floats(output) and bool((abs(output - expected) <= tolerance * abs(expected).max()).all())

        return accepts

    assert found(task(within(1e-3), tolerance=1e-3), SORTED) == []
    assert found(task(within(1e-9), tolerance=1e-9), SORTED) == []
    assert "all numbers off by +2e-09" in told(task(within(1e-6), tolerance=1e-9), SORTED)
    assert "all numbers off by +1e-03" in told(task(within(2e-3), tolerance=1e-9), SORTED)


def test_what_is_declared_right_is_no_finding() -> None:
    def any_order(problem: Problem, output: Output) -> bool:
        return floats(output) and np.array_equal(np.sort(output), np.sort(problem["values"]))

    declared = ("input", "shuffled", "reversed", "swapped")
    said = told(task(any_order), SORTED) + told(task(any_order), SORTED, "warning")
    assert [f'accepts = ["{change}"]' in said for change in declared] == [True] * 4
    assert found(task(any_order, accepts=declared), SORTED) == []


def test_several_right_answers_now_and_then_are_a_warning_not_an_error() -> None:
    tried = instances(lambda values: [int((values > 0).sum()) % 2])

    def near(problem: Problem, output: Output) -> bool:
        """Accepts one too many for a single problem."""
        expected = int((problem["values"] > 0).sum()) % 2
        lenient = problem["values"][0] == tried[0].problem["values"][0]
        return type(output) is list and output in ([expected], [expected + 1] if lenient else [expected])

    for turned in (tried, tried[::-1], [*tried[1:], tried[0]], [tried[1], tried[0], *tried[2:]]):
        assert "a number off by one" not in told(task(near), turned)
    assert "on 1 of 4 problems: a number off by one" in told(task(near), tried, "warning")
    assert "on 1 of 4 problems: a number off by one" in told(task(near), [tried[1], tried[0], *tried[2:]], "warning")


def test_another_form_of_the_same_values_is_no_finding() -> None:
    def same(problem: Problem, output: Output) -> bool:
        return bool(np.asarray(output).tolist() == np.sort(problem["values"]).tolist())

    assert found(task(same), SORTED) == []


def test_a_comparison_that_numpy_makes_in_single_precision() -> None:
    about = task(lambda p, x: isinstance(x, np.ndarray) and list(x) == np.sort(p["values"]).tolist())
    assert "numbers of single precision (float32)" in told(about, SORTED, "warning")


def test_a_metric_is_judged_by_the_score() -> None:
    """Least sum of numbers that cover the values: any larger ones are allowed, smaller ones are not."""
    tried = instances(np.abs)

    def covers(problem: Problem, output: Output) -> bool:
        return floats(output) and bool((output >= abs(problem["values"])).all())

    assert found(task(covers, goal=METRIC), tried) == []
    assert "all numbers off by -1e-06" in told(
        task(lambda p, x: covers(p, np.multiply(x, 1 + 2e-6)) if floats(x) else False, goal=METRIC), tried, "warning"
    )

    def mostly(problem: Problem, output: Output) -> bool:
        return floats(output) and bool((output[1:] >= abs(problem["values"])[1:]).all())

    assert "scores better than the reference" not in told(task(covers, goal=METRIC), tried)
    forgets = told(task(lambda p, x: isinstance(x, np.ndarray), goal=METRIC), tried)
    assert "on 4 of 4 problems: zeros as the answer" in forgets
    assert "and it scores better than the reference" in forgets
    assert "one number changed (0, down)" in told(task(mostly, goal=METRIC), tried, "warning")


def test_a_metric_whose_check_has_slack() -> None:
    """Numbers a little too small are accepted, and score better: the tolerance is a gift to whoever looks for it."""
    tried = instances(np.abs)

    def nearly(problem: Problem, output: Output) -> bool:
        return floats(output) and bool((output >= abs(problem["values"]) * (1 - 2e-3)).all())

    said = told(task(nearly, goal=METRIC), tried, "warning")
    assert "on 4 of 4 problems: all numbers off by -1e-03" in said
    assert "and it scores better than the reference" in said


def test_narrow_integers_in_which_a_sum_runs_over() -> None:
    class Wraps(Judged):
        def score(self, problem: Problem, output: Output) -> float:
            return float(np.add.reduce(output, dtype=output.dtype))

    tried = instances(lambda values: np.full(30, 100))
    about = Wraps(task(right, goal=METRIC).spec, Candidate({"program.py": ""}))
    about.accepts = lambda problem, output: isinstance(output, np.ndarray) and bool((output == 100).all())
    assert "another dtype (int8)" in told(about, tried)


def test_an_accepted_answer_without_a_score() -> None:
    class Picky(Judged):
        def score(self, problem: Problem, output: Output) -> float:
            return float(problem["values"][output].sum())

    about = Picky(task(right, goal=METRIC).spec, Candidate({"program.py": ""}))
    about.accepts = lambda problem, output: isinstance(output, np.ndarray) and output.dtype.kind in "iu"
    said = told(about, instances(np.argsort))
    assert "score then raises IndexError" in said


def test_a_checker_that_decides_by_chance() -> None:
    turns = itertools.count()
    about = task(lambda p, x: right(p, x) or (floats(x) and next(turns) % 2 == 0))
    assert "and refuses it the next time: judge without chance" in told(about, SORTED)
    about = task(lambda p, x: right(p, x) and next(turns) % 2 == 0)
    assert "accepts the reference's own answer once and refuses it the next time" in told(about, SORTED)


def test_a_checker_that_changes_what_it_is_given() -> None:
    def sorts(problem: Problem, output: Output) -> bool:
        problem["values"].sort()
        output.sort()
        return right(problem, output)

    def fills(problem: Problem, output: Output) -> bool:
        accepted = right(problem, output)
        output[3] = 7.0
        return accepted

    assert "check changed problem['values'][" in told(task(sorts), SORTED)
    assert "check changed output[3] (was " in told(task(fills), SORTED)


def test_a_checker_that_never_ends() -> None:
    def counts(problem: Problem, output: Output) -> bool:
        return type(output) is int and sum(1 for _ in range(output)) == (problem["values"] > 0).sum()

    said = told(task(counts), COUNTED)
    assert "check takes more than 2 s over a wrong answer: a huge number (9.2e+18) as the answer: 92233720" in said


def test_an_attack_that_takes_too_long_is_not_finished() -> None:
    attack = Attack(task(right), budget_s=0.0)
    (only,) = attack.hostile(SORTED)
    assert only.severity == "warning"
    assert "the attack on check was not finished within 0 s; make check faster" in only.text


def test_a_change_is_told_of_once_and_again_if_it_is_worse() -> None:
    """Off by one is accepted now and then in one case, always in the other."""
    seldom = SORTED[0].problem["values"][0]
    always = instances(np.sort)

    def judge(problem: Problem, output: Output) -> bool:
        slack = 2.0 if problem["values"][0] == seldom or "more" in problem else 0.0
        return floats(output) and bool((abs(output - np.sort(problem["values"])) <= slack).all())

    more = [Instance({**one.problem, "more": 1}, one.answer, f"more, {one.at}") for one in always]
    attack = Attack(task(judge))
    first, second, third = ([*attack.hostile(tried)] for tried in (SORTED, more, more))
    assert {one.severity for one in first if "off by one" in one.text} == {"warning"}
    assert {one.severity for one in second if "off by one" in one.text} == {"error"}
    assert third == []


@pytest.mark.slow
def test_a_slow_checker() -> None:
    def sleeps(problem: Problem, output: Output) -> bool:
        time.sleep(1.1 if right(problem, output) else 0)
        return right(problem, output)

    assert "check takes 1.1 s, the reference 0 s" in told(task(sleeps), SORTED, "warning")
