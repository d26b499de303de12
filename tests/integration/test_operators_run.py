"""Runs without a model: the same candidates from the same seed, and champions that hold on unseen inputs."""

import asyncio
from pathlib import Path

import pytest

import outpace
from outpace.agent.evolve import RunOptions, resume_run, start_run
from outpace.agent.search import Progress
from outpace.agent.store import open_store


def candidates(home: Path) -> list[str]:
    """Return what was evaluated, in order."""
    store = open_store(home)
    try:
        results = list(store.results(store.run("last").id))
    finally:
        store.close()
    return [result.proposal.candidate.id if result.proposal else f"failed: {result.failure}" for result in results]


def run(home: Path, task: str, evaluations: int, *, seed: int = 4) -> outpace.Report:
    budget = outpace.Budget(evaluations=evaluations)
    return outpace.evolve(task, seed=seed, workers=1, budget=budget, home=home)


TASKS = ["circle_packing", pytest.param("online_bin_packing", marks=pytest.mark.slow)]


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.slow
def test_the_same_seed_gives_the_same_candidates_in_the_same_order(task: str, tmp_path: Path) -> None:
    for home in ("one", "two"):
        run(tmp_path / home, task, 30)
    run(tmp_path / "other", task, 30, seed=5)
    first, second, other = (candidates(tmp_path / home) for home in ("one", "two", "other"))
    assert first == second
    assert len(set(first)) >= 30
    assert first != other


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.slow
def test_an_interrupted_run_gives_the_same_candidates_as_an_uninterrupted_one(task: str, tmp_path: Path) -> None:
    run(tmp_path / "whole", task, 30)

    class Killed(Exception):
        pass

    def watch(progress: Progress) -> None:
        if progress.last and progress.spent.evaluations in (9, 20):
            raise Killed

    options = RunOptions(task=task, seed=4, workers=1, budget=outpace.Budget(evaluations=30))
    with pytest.raises(Killed):
        asyncio.run(start_run(options, home=tmp_path / "parts", watch=watch))
    with pytest.raises(Killed):
        asyncio.run(resume_run("last", home=tmp_path / "parts", watch=watch))
    asyncio.run(resume_run("last", home=tmp_path / "parts"))
    assert candidates(tmp_path / "parts") == candidates(tmp_path / "whole")


@pytest.mark.slow
@pytest.mark.parametrize("task", ["edit_distance", "nbody"])
def test_a_speed_up_is_found_and_confirmed_on_fresh_and_on_unseen_inputs(task: str, tmp_path: Path) -> None:
    report = run(tmp_path, task, 8)
    assert report.champion is not None
    assert report.champion.train.status == "ok"
    assert report.champion.heldout is not None and report.champion.heldout.status == "ok"
    assert report.champion.train is not report.champion.champion.evaluation, "measured again"
    assert "njit" in report.champion.champion.candidate.program
    low = report.champion.train.interval
    assert low is not None and low[0] > 1.05
