"""``outpace leaderboard --set``: which tasks of a set have a champion, and what figures come of that."""

import json
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from outpace.agent.cli.main import app
from outpace.agent.store import open_store
from outpace.agent.store.contract import config, land, program
from outpace.errors import UnknownName, UsageError
from outpace.evaluators.base import Evaluation
from outpace.tasks import registry
from outpace.tasks.spec import Goal

Runs = Callable[..., None]


def invoke(*given: str | Path) -> Result:
    return CliRunner().invoke(app, ["leaderboard", *(str(one) for one in given)])


def read(*given: str | Path) -> Any:
    result = invoke(*given, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def ratio(score: float, low: float, mean: float) -> Evaluation:
    return Evaluation(status="ok", score=score, interval=(low, score + 0.2), metrics={"mean_of_ratios": mean})


@pytest.fixture
def runs(tmp_path: Path, speedup: Goal) -> Runs:
    """Record an ended run of a task, with a champion of this evaluation on held-out cases, or with none."""

    def record(task: str, found: Evaluation | None, *, goal: Goal = speedup, fingerprint: str = "f00d") -> None:
        with closing(open_store(tmp_path / "home")) as store:
            of_task: dict[str, Any] = {"task_name": Path(task).name, "goal": goal, "task_fingerprint": fingerprint}
            run = store.add_run(replace(config(**of_task), task=task))
            land(store, run, program("START = 1\n"), Evaluation(status="ok", score=1.0))
            best = program(f"FOUND = {run.id!r}\n")
            if found is not None:
                land(store, run, best, found)
                store.add_confirmation(run.id, best.id, "train", replace(found, score=9.0, interval=(8.0, 10.0)))
                store.add_confirmation(run.id, best.id, "heldout", found)
            store.end_run(run.id, "finished", champion=best.id if found else None)

    return record


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with four tasks of another tool; nothing in them is run here."""
    for name in ("a", "b", "c", "d"):
        folder = tmp_path / "checkout" / name
        folder.mkdir(parents=True)
        (folder / "initial_program.py").write_text("# EVOLVE-BLOCK-START\nx = 1\n# EVOLVE-BLOCK-END\n")
        (folder / "evaluator.py").write_text("def evaluate(path):\n    return {'score': 1.0}\n")
    return tmp_path / "checkout"


def test_the_figures_of_a_set(runs: Runs, checkout: Path, tmp_path: Path) -> None:
    task = f"openevolve:{checkout}"
    runs(f"{task}/a", ratio(2.0, 1.8, 2.5))
    runs(f"{task}/a", ratio(1.5, 1.4, 1.6))
    runs(f"{task}/b", ratio(4.0, 3.0, 5.0))
    runs(f"{task}/c", None)
    runs(f"{task}/no_such", ratio(50.0, 40.0, 60.0))
    found = read("--set", task, "--home", tmp_path / "home")
    assert (found["tasks"], found["speedup_tasks"], found["champions"]) == (4, 4, 2)
    assert found["missing"] == [f"{task}/c", f"{task}/d"]
    assert found["algotune_score"] == pytest.approx(4 / (1 / 2.5 + 1 / 5 + 1 + 1))
    assert found["paired_score"] == pytest.approx(4 / (1 / 2 + 1 / 4 + 1 + 1))
    assert found["paired_lower_bound"] == pytest.approx(4 / (1 / 1.8 + 1 / 3 + 1 + 1))
    assert found["fast_p"] == {"0": 0.5, "1": 0.5, "2": 0.25}
    assert [entry["heldout"]["score"] for entry in found["entries"]] == [2.0, 4.0]
    lines = invoke("--set", task, "--home", tmp_path / "home").output.splitlines()
    assert f"Set {task}: 2 of 4 tasks have a champion." in lines
    assert any(line.split()[:3] == ["AlgoTune", "score", "1.538"] for line in lines)
    assert any(line.split()[:3] == ["fast_2", "25", "%"] for line in lines)
    assert lines[-1] == f"Without a champion: {task}/c, {task}/d. Next: outpace run {task}/c"


def test_a_relative_path_names_the_same_tasks(
    runs: Runs, checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs(f"openevolve:{checkout}/a", ratio(2.0, 1.8, 2.5))
    monkeypatch.chdir(tmp_path)
    assert registry.absolute("openevolve:checkout/a") == f"openevolve:{checkout}/a"
    assert read("--set", "openevolve:checkout", "--home", tmp_path / "home")["champions"] == 1


def test_only_the_task_as_its_newest_run_found_it_counts(runs: Runs, checkout: Path, tmp_path: Path) -> None:
    task = f"openevolve:{checkout}"
    runs(f"{task}/a", ratio(8.0, 7.0, 9.0), fingerprint="0ld")
    runs(f"{task}/a", ratio(2.0, 1.8, 2.5), fingerprint="new")
    assert read("--set", task, "--home", tmp_path / "home")["entries"][0]["heldout"]["score"] == 2.0


def test_tasks_that_ask_for_a_better_answer_have_no_speedup(
    runs: Runs, checkout: Path, tmp_path: Path, gap: Goal
) -> None:
    task = f"openevolve:{checkout}"
    runs(f"{task}/a", Evaluation(status="ok", score=3.0), goal=gap)
    found = read("--set", task, "--home", tmp_path / "home")
    assert (found["champions"], found["speedup_tasks"]) == (1, 0)
    assert (found["algotune_score"], found["fast_p"]) == (None, None)
    assert "there is no AlgoTune score" in invoke("--set", task, "--home", tmp_path / "home").output


def test_a_champion_that_fails_on_held_out_cases_counts_one(runs: Runs, checkout: Path, tmp_path: Path) -> None:
    task = f"openevolve:{checkout}"
    runs(f"{task}/a", Evaluation(status="wrong"))
    found = read("--set", task, "--home", tmp_path / "home")
    assert (found["champions"], found["algotune_score"], found["fast_p"]["0"]) == (1, 1.0, 0.0)


def test_the_library_is_a_set_without_any_run(tmp_path: Path) -> None:
    found = read("--set", "library", "--home", tmp_path / "none")
    specs = registry.specs()
    assert found["missing"] == [spec.name for spec in specs]
    assert found["speedup_tasks"] == sum(spec.goal.kind == "speedup" for spec in specs)
    assert "tasks that ask for a better answer are not in" in invoke(
        "--set", "library", "--home", tmp_path / "none"
    ).output.replace("\n", " ")
    assert not (tmp_path / "none").exists()


def test_what_is_no_set_is_told(tmp_path: Path) -> None:
    unknown = invoke("--set", "libary", "--home", tmp_path).exception
    assert isinstance(unknown, UnknownName)
    assert str(unknown).startswith("Unknown set 'libary'. Did you mean 'library'?")
    both = invoke("nbody", "--set", "library", "--home", tmp_path).exception
    assert isinstance(both, UsageError)
    assert str(both) == "Got the task 'nbody' and --set library; expected one of the two."
