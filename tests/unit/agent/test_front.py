"""The front by worked examples, and what a run may choose for it."""

import math

import pytest

from outpace.agent.front import Front, crowding, values_of
from outpace.agent.objectives import chosen, comparable, known_of
from outpace.agent.store.codec import decode
from outpace.agent.store.records import config_from, config_to
from outpace.agent.store.samples import config
from outpace.errors import OutpaceError, TaskError, UnknownName, UsageError
from outpace.evaluators.base import Evaluation
from outpace.tasks.spec import Case, Goal, Objective, TaskSpec

SHORT = Objective(metric="length", direction="minimise")
SPREAD = Objective(metric="spread", direction="maximise")
GAP = Goal(kind="metric", name="gap", direction="minimise")
START = Evaluation(status="ok", score=4.0, metrics={"case/a": 4.0, "instance/a/1": 4.0, "length": 80.0, "load": 0.5})


def spec(**changes: object) -> TaskSpec:
    fields: dict[str, object] = {"name": "t", "title": "", "statement": "", "entry": "f", "goal": GAP}
    return TaskSpec(**{**fields, "cases": (Case(name="a"),), **changes})  # type: ignore[arg-type]


def test_values_are_turned_so_that_more_is_better() -> None:
    metrics = {"length": 80.0, "spread": 2.0}
    assert values_of(-4.0, metrics, [SHORT, SPREAD]) == (-4.0, -80.0, 2.0)
    assert values_of(-4.0, metrics, []) == (-4.0,)
    assert values_of(None, metrics, [SHORT]) is None
    assert values_of(-4.0, {"length": 80.0}, [SHORT, SPREAD]) is None


def test_who_is_kept() -> None:
    front = Front[str]()
    told = [("a", (1, 5), True), ("b", (3, 3), True), ("c", (2, 2), False), ("d", (3, 3), False), ("e", (3, 4), True)]
    for name, values, kept in told:
        assert front.add(name, values) == kept, name
    assert [(one.member, one.values) for one in front] == [("e", (3, 4)), ("a", (1, 5))]
    assert front.add("f", (3, 5))
    assert [one.member for one in front] == ["f"]
    assert (len(front), front.pruned) == (1, 0)


def test_the_crowding_distance_of_nsga_ii() -> None:
    """Each inner point: the sides of the box that its neighbours span, in parts of the range, added up."""
    points = [(0.0, 10.0), (1.0, 6.0), (2.0, 5.0), (10.0, 0.0)]
    found = crowding(points)
    assert found[0] == found[3] == math.inf
    assert found[1] == pytest.approx(2 / 10 + 5 / 10)
    assert found[2] == pytest.approx(9 / 10 + 6 / 10)
    assert crowding([(1.0, 2.0)]) == [math.inf]


def test_a_full_front_loses_whoever_is_crowded_most() -> None:
    front = Front[str](most=3)
    for name, values in {"low": (0, 10), "near": (1, 6), "mid": (2, 5), "high": (10, 0)}.items():
        front.add(name, values)
    assert [one.member for one in front] == ["high", "mid", "low"]
    assert front.pruned == 1
    assert not front.add("beside", (1.9, 5.1)), "it would be crowded most itself"
    only = Front[str](most=1)
    for name, values in {"low": (0, 10), "high": (10, 0), "mid": (5, 5)}.items():
        only.add(name, values)
    assert [one.member for one in only] == ["high"], "the goal's own value decides"


def test_what_no_front_takes() -> None:
    front = Front[str]()
    with pytest.raises(ValueError, match="expected numbers"):
        front.add("a", (1.0, math.nan))
    front.add("a", (1.0, math.inf))
    with pytest.raises(ValueError, match="got 3 values, expected 2 as before"):
        front.add("b", (1.0, 2.0, 3.0))
    with pytest.raises(UsageError, match="at most 0 members"):
        Front(most=0)


def test_what_a_user_chooses_stands_instead_of_the_tasks_own() -> None:
    task = spec(objectives=(SHORT,))
    assert chosen((), task) == (SHORT,)
    assert chosen((SPREAD,), task) == (SPREAD,)
    with pytest.raises(UsageError, match=r"Objective number 2: got 'length', which is an objective already"):
        chosen((SHORT, SHORT), task)


@pytest.mark.parametrize(
    ("objective", "by_task", "kind", "said"),
    [
        ("lengh", False, UnknownName, "Unknown objective 'lengh'. Did you mean 'length'? Available: case/a, length."),
        ("spread", True, TaskError, "Task 'packing', [[objectives]] of task.toml: Unknown objective 'spread'."),
        ("memory_mb", False, UsageError, "Objective 'memory_mb': it could not be measured here."),
    ],
)
def test_what_the_start_has_no_figure_of_is_refused(
    objective: str, by_task: bool, kind: type[OutpaceError], said: str
) -> None:
    wanted = config(objectives=(SHORT, Objective(metric=objective, direction="minimise")))
    with pytest.raises(kind) as raised:
        known_of(START, wanted, by_task=by_task)
    assert type(raised.value) is kind
    assert str(raised.value).startswith(said)


def test_a_start_that_was_only_checked_says_nothing() -> None:
    known_of(START, config(objectives=(SHORT,)), by_task=False)
    known_of(Evaluation(status="ok"), config(objectives=(SPREAD,)), by_task=False)
    assert comparable(START) == ["case/a", "length"]


def test_a_configuration_of_before_has_no_objectives() -> None:
    plain = decode(config_to(config(objectives=(SHORT, SPREAD))))
    assert config_from(plain).objectives == (SHORT, SPREAD)
    del plain["objectives"]
    assert config_from(plain) == config(objectives=())
