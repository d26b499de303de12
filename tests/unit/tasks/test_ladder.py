"""Ladders as they lie in a task folder."""

from pathlib import Path
from typing import Any

import pytest

from outpace.errors import TaskError, UsageError
from outpace.tasks import folder, ladder, registry
from outpace.tasks.new import new

BUNDLED = [name for name in registry.bundled() if (registry.place(name) or Path()).joinpath("ladder").is_dir()]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Return the ladder of a new task, with two rungs."""
    path = new(tmp_path / "inversions", "speedup") / "ladder"
    path.mkdir()
    for name in ("10_quick", "2_slow"):
        (path / f"{name}.py").write_text("def inversions(values): return 0\n")
    return path


def test_rungs_stand_by_number_and_count_once(place: Path) -> None:
    task = folder.load(place.parent)
    rungs = ladder.read(task)
    assert [(rung.name, rung.weight) for rung in rungs] == [("2_slow", 1.0), ("10_quick", 1.0)]
    assert rungs[0].candidate.program == "def inversions(values): return 0\n"


def test_weights_say_how_many_solutions_a_rung_stands_for(place: Path) -> None:
    (place / "weights.toml").write_text("2_slow = 12\n")
    assert [rung.weight for rung in ladder.read(folder.load(place.parent))] == [12.0, 1.0]


def test_a_ladder_does_not_make_it_another_task(place: Path) -> None:
    before = folder.load(place.parent).fingerprint
    (place / "3_more.py").write_text("def inversions(values): return 1\n")
    assert folder.load(place.parent).fingerprint == before


def test_a_task_without_a_ladder_is_told_what_one_is() -> None:
    with pytest.raises(UsageError, match=r"Task 'histogram' has no ladder: expected a folder ladder/ with programs"):
        ladder.read(registry.find("histogram"))


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("quick.py", "x = 1\n", "expected a name with its place in the ladder, such as 1_quick.py"),
        ("3_cut.py", "# EVOLVE-BLOCK-START\n", "EVOLVE-BLOCK-START without a EVOLVE-BLOCK-END"),
        ("weights.toml", "3_none = 1\n", "got '3_none', expected the name of a rung: 2_slow, 10_quick"),
        ("weights.toml", "2_slow = 0\n", "2_slow: got 0, expected how many solutions it stands for, above 0"),
        ("weights.toml", "2_slow = true\n", "2_slow: got True"),
        ("weights.toml", "2_slow =\n", "not valid TOML"),
    ],
)
def test_what_is_wrong_is_said_with_the_file(place: Path, name: str, text: str, said: str) -> None:
    (place / name).write_text(text)
    with pytest.raises(TaskError) as caught:
        ladder.read(folder.load(place.parent))
    assert said in str(caught.value)
    assert name in str(caught.value)


def test_one_rung_is_no_ladder(place: Path) -> None:
    (place / "2_slow.py").unlink()
    with pytest.raises(TaskError, match="got 1 programs, expected at least 2"):
        ladder.read(folder.load(place.parent))


@pytest.mark.slow
@pytest.mark.parametrize("name", BUNDLED)
def test_bundled_rungs_answer_rightly(name: str) -> None:
    task = registry.find(name)
    rungs = ladder.read(task)
    assert len(rungs) >= 4
    for rung in rungs:
        inside: dict[str, Any] = {}
        exec(rung.candidate.program, inside)
        for case in task.spec.cases:
            for seed in range(case.seed, case.seed + (1 if case.timed else case.instances)):
                problem = task.generate(case, seed)
                task.check(problem, inside[task.spec.entry](**problem))


def test_three_bundled_tasks_have_a_ladder() -> None:
    assert {"edit_distance", "nbody", "kernel_density"} <= set(BUNDLED)
