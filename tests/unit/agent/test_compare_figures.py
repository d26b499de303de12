"""The figures of a comparison and its report, from runs that were stored by hand."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from outpace.agent.budget import Budget
from outpace.agent.cli import comparison, records
from outpace.agent.compare import plot
from outpace.agent.compare.carry import Folder
from outpace.agent.compare.figures import Figures, figures
from outpace.agent.compare.plan import Cell, Compared, Entrant, Key, Plan
from outpace.agent.models.base import Completion
from outpace.agent.proposal import Brief, ModelUsage, Proposal, Result
from outpace.agent.store import open_store
from outpace.agent.store.base import Run, RunConfig, Store
from outpace.errors import StoreError, UsageError
from outpace.evaluators.base import Evaluation, Status
from outpace.tasks.candidate import Candidate
from outpace.tasks.spec import Goal

GAP = Goal(kind="metric", name="gap", direction="minimise", unit="%")
START = Candidate({"program.py": "START = 1\n"})
TASK = Compared(task="packing", name="packing", fingerprint="f" * 16, start=START.id, heldout=True)
PLAN = Plan(
    tasks=(TASK,),
    entrants=(Entrant(strategy="good"), Entrant(strategy="random"), Entrant(strategy="best_of_n")),
    seeds=(0, 1, 2),
    budget=Budget(evaluations=10),
    proposer="operators",
    proposer_params={},
    workers=1,
    sandbox="zygote",
    level="B",
    added=("random", "best_of_n"),
    version="0.1.0",
    machine={"cpu": "a processor"},
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(Folder(tmp_path).home)
    yield opened
    opened.close()


def stored(store: Store, plan: Plan, cell: Cell, found: Mapping[int, float | Status], **more: Any) -> Run:
    """Store the run of a cell: what came of each brief, and after how many tokens each where models were asked."""
    options, tokens = plan.options(cell), more.get("tokens")
    config = RunConfig(
        task="packing",
        task_name="packing",
        task_fingerprint="f" * 16,
        goal=GAP,
        strategy=cell.entrant.strategy,
        strategy_params=options.strategy_params,
        proposer="operators",
        seed=cell.seed,
        budget=Budget(evaluations=10),
        workers=1,
        sandbox="zygote",
    )
    run = store.add_run(config)
    best: tuple[float, str] | None = None
    for number, value in found.items():
        candidate = Candidate({"program.py": f"VALUE = {number}\n"}) if number else START
        proposal = Proposal(candidate=candidate, proposer="operators", operator="tune", parents=())
        brief = Brief(number=number, parents=(), seed=0)
        good = isinstance(value, float)
        evaluation = Evaluation(status="ok" if good else value, score=value if good else None)  # type: ignore[arg-type]
        store.add_brief(run.id, brief, {})
        if tokens and number:
            usage = ModelUsage(calls=1, output_tokens=tokens)
            store.add_completion(run.id, f"{number}/0", Completion(text="", model="m", finish="stop", usage=usage))
        store.add_proposal(run.id, number, proposal)
        store.add_result(run.id, Result(brief=brief, proposal=proposal, evaluation=evaluation))
        if good and number and (best is None or value < best[0]):  # type: ignore[operator]
            best = (value, candidate.id)  # type: ignore[assignment]
    champion = best[1] if best and more.get("heldout") is not None else None
    if champion:
        store.add_confirmation(run.id, START.id, "heldout", Evaluation(status="ok", score=11.0))
        store.add_confirmation(run.id, champion, "heldout", Evaluation(status="ok", score=more["heldout"]))
    store.end_run(run.id, "finished", reason=more.get("reason", "evaluations"), champion=champion)
    return store.run(run.id)


def all_runs(store: Store) -> dict[Key, Run]:
    """Store a run for each cell: ``good`` comes to 6, early; ``random`` to 9, late; ``best_of_n`` nowhere."""
    runs: dict[Key, Run] = {}
    for cell in PLAN.cells():
        name, seed = cell.entrant.strategy, cell.seed
        if name == "good":
            found: dict[int, float | Status] = {
                0: 10.0,
                1: "wrong",
                2: 6.0 + seed / 10,
                **dict.fromkeys(range(3, 10), 9.9),
            }
            runs[cell.key] = stored(store, PLAN, cell, found, heldout=7.0 + seed / 10)
        elif name == "random":
            found = {0: 10.0, **dict.fromkeys(range(1, 9), "crashed"), 9: 9.0}
            runs[cell.key] = stored(store, PLAN, cell, found, heldout=12.0)
        else:
            runs[cell.key] = stored(store, PLAN, cell, {0: 10.0, 1: 10.5}, reason="stalled")
    return runs


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Store, dict[Key, Run]]]:
    """Give a store with a run for each cell; every test looks at the same."""
    opened = open_store(tmp_path_factory.mktemp("kept"))
    yield opened, all_runs(opened)
    opened.close()


@pytest.fixture
def found(kept: tuple[Store, dict[Key, Run]]) -> Figures:
    store, runs = kept
    return figures(PLAN, runs, store)


def test_final_and_held_out_scores_areas_and_failures_are_those_of_the_runs(found: Figures) -> None:
    (sheet,) = found.sheets
    good, random, sampling = sheet.lines
    assert (sheet.start, sheet.start_confirmed, sheet.best, sheet.heldout) == (10.0, 11.0, 6.0, True)
    assert good.final and good.confirmed and random.confirmed and sampling.confirmed
    assert (good.final.median, good.confirmed.median) == (6.1, 7.1)
    assert random.confirmed.median == 12.0, "worse on held-out cases is told as it is"
    assert sampling.confirmed.median == 11.0, "no champion: the start's value"
    first = good.outcomes[0]
    assert (first.evaluations, first.failures, first.duplicates) == (10, {"wrong": 1}, 0)
    assert first.area == pytest.approx((0 + 0 + 8) / 10), "from the third evaluation on all of the way"
    assert random.outcomes[0].area == pytest.approx(1 * 0.25 / 10)
    assert sampling.outcomes[0].ended == "stalled"


def test_ranks_and_odds_are_by_held_out_scores(found: Figures) -> None:
    assert found.standing
    order = [(one.family, one.rank[0]) for one in found.standing.ranks]
    assert order == [("good", 1.0), ("best_of_n", 2.0), ("random", 3.0)]
    assert found.standing.odds["good", "random"] == 1.0
    assert found.standing.p["good", "random"] == pytest.approx(3 * 2 / 20), "three seeds: 2 of 20 deals, three pairs"
    assert found.standing.groups == (("good", "best_of_n", "random"),), "three seeds cannot tell them apart"


def test_runs_that_are_not_done_are_left_out_and_told(kept: tuple[Store, dict[Key, Run]]) -> None:
    store, runs = kept
    open_run = next(key for key in runs if key[1] == "good")
    partly = figures(PLAN, {**runs, open_run: replace(runs[open_run], status="stopped")}, store)
    assert (partly.done, partly.cells) == (8, 9)
    assert len(partly.sheets[0].lines[0].outcomes) == 2
    assert "**Not done: 1 run.**" in comparison.report(partly, [])
    assert figures(PLAN, {}, store).standing is None


def test_curves_by_tokens_count_an_answer_when_something_came_of_it(store: Store) -> None:
    cell = next(PLAN.cells())
    run = stored(store, PLAN, cell, {0: 10.0, 1: "wrong", 2: 6.0, 3: 9.9}, tokens=100)
    good, random, _ = figures(PLAN, {cell.key: run}, store).sheets[0].lines
    assert good.outcomes[0].by_tokens
    assert good.outcomes[0].by_tokens.points == ((0.0, 10.0), (200.0, 6.0))
    assert good.by_tokens
    assert good.by_tokens.spent[-1] == 300, "the curve ends where the run ended"
    assert random.by_tokens is None


def test_the_report_says_what_ended_early_and_what_the_data_warn_of(found: Figures) -> None:
    text = comparison.report(found, ["curves.png"])
    assert "| good | 6.1 % [6.05, 6.15] | 7.1 % [7.05, 7.15] | 0.78 [0.77, 0.79] | 3 of 3 | 10 | 3 wrong | 0 |" in text
    assert "best_of_n, seed 1: ended at 2 of 10 evaluations, stalled" in text
    assert "packing: 3 of 9 runs have no champion" in text
    assert "packing: 3 of 6 champions are worse than the start on held-out cases." in text
    assert "Not told apart: good, best_of_n, random." in text
    assert "![curves](curves.png)" in text
    assert re.search(r"3 seeds can give a p of 0\.1 at the least on one task", text)
    assert max(len(line) for line in comparison.terminal(found)) < 170


def test_the_record_holds_every_curve(found: Figures) -> None:
    record = json.loads(records.dump(comparison.record(found)))
    line = record["tasks"][0]["strategies"][0]
    assert line["entrant"]["label"] == "good"
    assert line["runs"][0]["curve"]["points"] == [[1, 10.0], [3, 6.0]]
    assert line["curve"]["spent"] == [1, 3, 10]
    pair = next(one for one in record["over_tasks"]["pairs"] if (one["one"], one["other"]) == ("good", "random"))
    assert pair["better"] == 1.0


def test_several_settings_stand_with_their_median_and_are_shown_as_a_spread(
    kept: tuple[Store, dict[Key, Run]],
) -> None:
    drawn = Entrant(strategy="good", draw=1, settings={"width": 3})
    plan = replace(PLAN, entrants=(PLAN.entrants[0], drawn, *PLAN.entrants[1:]), draws=2)
    store, runs = kept[0], dict(kept[1])
    for seed in plan.seeds:
        cell = Cell(task=TASK, entrant=drawn, seed=seed)
        runs[cell.key] = stored(store, plan, cell, {0: 10.0, 1: 8.0}, heldout=9.0)
    found = figures(plan, runs, store)
    assert found.standing
    assert [one.family for one in found.standing.ranks] == ["good", "best_of_n", "random"]
    (row,) = [one for one in comparison.setting_rows(found.sheets[0], ["good"]) if one[0] == "good"]
    assert row[1:] == ["2", "6.1 %", "7.05 % [6.575, 7.525]", "8 %", "6.1 %"]
    text = comparison.report(found, [])
    assert "- `good #1`: width 3" in text
    assert "The best setting is a matter of luck" in text


@pytest.mark.slow
def test_pictures_are_the_same_each_time(found: Figures, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    files = plot.draw(found, tmp_path)
    assert [file.name for file in files] == ["curves.png", "curves.svg"]
    before = [file.read_bytes() for file in files]
    assert [file.read_bytes() for file in plot.draw(found, tmp_path)] == before
    assert before[0].startswith(b"\x89PNG")
    assert b"best_of_n" in before[1] or b"<svg" in before[1]


def test_a_folder_keeps_its_plan_and_refuses_another(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "one")
    with pytest.raises(UsageError, match="There is no comparison in"):
        folder.plan()
    assert folder.begin(PLAN) == PLAN
    assert folder.begin(replace(PLAN, version="0.2.0")) == PLAN, "it began with the version that it began with"
    with pytest.raises(UsageError, match="it differs in seeds, budget"):
        folder.begin(replace(PLAN, seeds=(0,), budget=None))
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "letter.txt").write_text("mine")
    with pytest.raises(UsageError, match="is not empty and holds no comparison"):
        Folder(tmp_path / "two").begin(PLAN)
    (tmp_path / "one" / "plan.json").write_text('{"format": 1}')
    with pytest.raises(UsageError, match="is no plan of a comparison"):
        folder.plan()


def test_one_process_at_a_time_carries_a_comparison_on(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "one")
    folder.begin(PLAN)
    with folder.held(), pytest.raises(StoreError, match="is being carried on by another process"), folder.held():
        pass
    with folder.held():
        pass


def test_runs_are_found_by_their_notes_and_a_run_without_one_by_its_settings(store: Store, tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    first, second, third, *_ = PLAN.cells()
    runs = [stored(store, PLAN, cell, {0: 10.0}) for cell in (first, second)]
    folder.note(first, runs[0].id)
    notes = tmp_path / "cells.jsonl"
    with notes.open("a") as file:
        file.write('{"task": "packing", "entr')  # what a kill leaves
    known = folder.runs(PLAN)
    assert {key: run.id for key, run in known.items()} == {first.key: runs[0].id, second.key: runs[1].id}
    folder.note(second, runs[1].id)
    folder.note(second, runs[1].id)
    assert len(notes.read_text().splitlines()) == 3, "the cut-off line, and one for each cell"
    assert folder.runs(PLAN).keys() == known.keys()
    assert third.key not in known
