"""``outpace task new``."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from outpace.errors import UnknownName, UsageError
from outpace.tasks.check import check
from outpace.tasks.folder import load
from outpace.tasks.new import KINDS, new


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_task_passes_its_own_check(tmp_path: Path, kind: str, solve: Callable[..., Any]) -> None:
    path = new(tmp_path / "first", kind)
    assert check(path) == []
    task = load(path)
    assert task.spec.name == "first"
    assert task.spec.goal.kind == kind
    assert "my_task" not in "".join(file.read_text() for file in path.iterdir() if file.is_file())
    for case in task.spec.cases:
        for seed in range(3):
            problem = task.generate(case, seed)
            task.check(problem, solve(task, problem))


def test_the_new_metric_task_leaves_room(metric: Path, solve: Callable[..., Any]) -> None:
    """Apparent tardiness cost (Vepsalainen and Morton, 1987) is far better than the starting rule."""
    task = load(metric)
    program = """
import numpy as np
def priority(durations, due_dates, weights, time):
    slack = np.maximum(due_dates - durations - time, 0)
    return weights / durations * np.exp(-slack / (2 * durations.mean()))
"""
    better = task.start.program.replace("def priority", "def unused") + program
    names: dict[str, Any] = {}
    exec(better, names)
    problems = [task.generate(task.spec.cases[0], seed) for seed in range(5)]

    def total(entry: Callable[..., Any] | None) -> float:
        return sum(float(task.score(problem, solve(task, problem, entry))) for problem in problems)

    assert total(names["order"]) < 0.6 * total(None)


def test_nothing_is_overwritten(metric: Path) -> None:
    (metric / "task.toml").write_text("mine")
    with pytest.raises(UsageError, match=r"it exists already. Nothing was changed"):
        new(metric)
    assert (metric / "task.toml").read_text() == "mine"


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert check(new(tmp_path / "empty")) == []


@pytest.mark.parametrize(
    ("name", "hint"),
    [("my-task", "my_task"), ("2fast", "task_2fast"), ("class", "task_class"), ("a b", "a_b"), ("größe", "gr_e")],
)
def test_a_name_that_is_no_identifier(tmp_path: Path, name: str, hint: str) -> None:
    with pytest.raises(UsageError, match=rf"Cannot name a task '{name}': expected letters.*Try '{hint}'"):
        new(tmp_path / name)
    assert not (tmp_path / name).exists()


def test_a_name_that_is_taken(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"Cannot name a task 'nbody': a bundled task has that name"):
        new(tmp_path / "nbody")


def test_an_unknown_kind(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match=r"Unknown kind of task 'speed-up'. Did you mean 'speedup'\?"):
        new(tmp_path / "x", "speed-up")


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"Cannot write the task .*: Not a directory"):
        new(tmp_path / "file" / "task_in_a_file")
