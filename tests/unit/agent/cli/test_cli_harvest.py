"""The table of what came of each model's answers."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from outpace.agent.cli.harvest import Harvest, harvest, holds_edit, lines, record
from outpace.agent.models.base import Choice, Completion
from outpace.agent.proposal import Brief, Member, ModelUsage, Proposal, Result
from outpace.agent.store import open_store
from outpace.agent.store.base import Run, Store
from outpace.agent.store.contract import config
from outpace.evaluators.base import Evaluation
from outpace.tasks.candidate import Candidate
from outpace.tasks.spec import Goal

EDIT = "Better.\n\n```python\nx = 1\n```\n"
WORDS = "I would rather not."
START = Member(Candidate({"program.py": "x = 0\n"}), Evaluation(status="ok", score=10.0))
GOAL = Goal(kind="metric", name="value", direction="maximise")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = open_store(tmp_path)
    yield store
    store.close()


@pytest.fixture
def run(store: Store) -> Run:
    run = store.add_run(config(goal=GOAL))
    land(store, run, 0, START.evaluation, candidate=START.candidate)
    return run


def ask(store: Store, run: Run, number: int, arm: str | None) -> Brief:
    brief = Brief(number=number, parents=(START,) if number else (), seed=number, model_hint=arm)
    store.add_brief(run.id, brief, {})
    return brief


def answer(store: Store, run: Run, key: str, *texts: str, usd: float | None = None) -> None:
    usage = ModelUsage(calls=1, input_tokens=90, output_tokens=10, cost_usd=usd)
    others = tuple(Choice(text) for text in texts[1:])
    store.add_completion(run.id, key, Completion(text=texts[0], model="plain", usage=usage, others=others))


def land(
    store: Store,
    run: Run,
    number: int,
    evaluation: Evaluation | None,
    *,
    arm: str | None = None,
    candidate: Candidate | None = None,
    seen_before: bool = False,
) -> None:
    brief, proposal = ask(store, run, number, arm), None
    if evaluation is not None:
        program = candidate or Candidate({"program.py": f"x = {number}\n"})
        parents = (START.candidate.id,) if number else ()
        proposal = Proposal(candidate=program, proposer="model:x", operator="diff", parents=parents)
        store.add_proposal(run.id, number, proposal)
    failure = None if evaluation else "no edit"
    result = Result(brief=brief, proposal=proposal, evaluation=evaluation, failure=failure, seen_before=seen_before)
    store.add_result(run.id, result)


def test_each_arm_is_counted_by_itself(store: Store, run: Run) -> None:
    answer(store, run, "1/0", EDIT, usd=0.25)
    land(store, run, 1, Evaluation(status="ok", score=12.0), arm="cheap")
    answer(store, run, "2/0", WORDS, usd=0.25)
    answer(store, run, "2/1", EDIT, usd=0.5)
    land(store, run, 2, Evaluation(status="wrong"), arm="cheap")
    answer(store, run, "3/0", EDIT)
    land(store, run, 3, Evaluation(status="ok", score=9.0), arm="strong")
    answer(store, run, "4/0", WORDS)
    answer(store, run, "4/1", WORDS)
    land(store, run, 4, None, arm="strong")
    answer(store, run, "5/0", EDIT, usd=0.0)
    again = Candidate({"program.py": "x = 1\n"})
    land(store, run, 5, Evaluation(status="ok", score=12.0), arm="cheap", candidate=again, seen_before=True)
    cheap, strong = harvest(store, run)
    assert cheap == Harvest(
        "cheap", answers=4, parsed=3, applied=3, evaluated=2, valid=1, improved=1, calls=4, tokens=400, usd=1.0
    )
    assert strong == Harvest(
        "strong", answers=3, parsed=1, applied=1, evaluated=1, valid=1, calls=3, tokens=300, unpriced_calls=3
    )


def test_samples_of_one_request_are_so_many_answers(store: Store, run: Run) -> None:
    answer(store, run, "1/0", EDIT, WORDS, EDIT)
    for number in (1, 2, 3):
        land(store, run, number, Evaluation(status="ok", score=11.0) if number != 2 else None, arm="a")
    assert harvest(store, run) == [Harvest("a", 3, 2, 2, 2, 2, 2, calls=1, tokens=100, unpriced_calls=1)]


def test_what_is_still_in_flight_counts_as_far_as_it_came(store: Store, run: Run) -> None:
    ask(store, run, 1, "a")
    answer(store, run, "1/0", WORDS, usd=0.5)
    assert harvest(store, run) == [Harvest("a", answers=1, calls=1, tokens=100, usd=0.5)]


def test_a_new_instruction_only_costs(store: Store, run: Run) -> None:
    answer(store, run, "1/meta", "Try a table.", usd=0.5)
    answer(store, run, "1/0", EDIT, usd=0.5)
    land(store, run, 1, None, arm="a")
    assert harvest(store, run) == [Harvest("a", answers=1, parsed=1, calls=2, tokens=200, usd=1.0)]


def test_without_arms_the_model_that_answered_is_named(store: Store, run: Run) -> None:
    answer(store, run, "1/0", EDIT)
    land(store, run, 1, Evaluation(status="ok", score=11.0))
    assert [one.model for one in harvest(store, run)] == ["plain"]


def test_a_run_that_asks_no_model_has_no_table(store: Store, run: Run) -> None:
    land(store, run, 1, Evaluation(status="ok", score=11.0))
    assert harvest(store, run) == []


def test_dollars_are_unknown_or_a_number_and_never_nothing() -> None:
    known, unknown = Harvest("a", calls=2, usd=0.5), Harvest("b", calls=2, unpriced_calls=2)
    partly, free = Harvest("c", calls=3, usd=0.5, unpriced_calls=1), Harvest("d", calls=1)
    rows = list(lines([known, unknown, partly, free]))
    assert [row.split("  ")[-1].strip() for row in rows] == ["dollars", "0.5", "unknown", "0.5 and unknown", "0"]
    assert [record(one)["usd"] for one in (known, unknown, partly, free)] == [0.5, None, 0.5, 0.0]
    assert record(partly)["unpriced_calls"] == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (EDIT, True),
        ("<<<<<<< SEARCH\na\n=======\nb\n>>>>>>> REPLACE\n", True),
        ("<<<<<<< SEARCH\r\na\r\n=======\r\nb\r\n>>>>>>> REPLACE\r\n", True),
        ("<<<<<<< SEARCH\na\n", False),
        ("<think>\n```python\nx\n```\n</think>\nNo.", False),
        (WORDS, False),
        ("", False),
    ],
)
def test_an_edit_is_known_by_its_form(text: str, expected: bool) -> None:
    assert holds_edit(text) is expected
