"""Loading a task folder, and what a broken one says."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from outpace.errors import TaskError
from outpace.tasks import folder

Edit = Callable[[Path, str, str], int]


def refusal(path: Path) -> str:
    """Return what loading says, without the folder's own path."""
    with pytest.raises(TaskError) as caught:
        folder.load(path)
    assert "\n" not in str(caught.value)
    return str(caught.value).replace(f"{path}/", "")


def test_a_folder_becomes_a_task(metric: Path) -> None:
    task = folder.load(metric)
    assert task.spec.name == "jobs"
    assert task.start.program == (metric / "program.py").read_text()
    assert task.driver is None
    assert task.spec.statement == (metric / "statement.md").read_text().strip()
    assert task.fingerprint == folder.fingerprint(metric)


def test_the_path_may_be_relative_and_a_text(metric: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(metric.parent)
    assert folder.load("./jobs").spec.name == "jobs"


def test_a_driver_comes_along(metric: Path) -> None:
    (metric / "driver.py").write_text("def run(entry, **problem):\n    return entry(**problem)\n")
    assert folder.load(metric).driver == (metric / "driver.py").read_text()


def test_a_missing_folder(tmp_path: Path) -> None:
    assert refusal(tmp_path / "none").endswith(
        "none: no such folder; expected a task folder (outpace task new NAME makes one)"
    )
    (tmp_path / "file").write_text("")
    assert "file: is not a folder" in refusal(tmp_path / "file")


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("task.toml", "task.toml: no such file; a task folder holds task.toml, program.py, task.py and statement.md"),
        ("program.py", "program.py: no such file"),
        (
            "task.py",
            "task.py: no such file; it holds the trusted half of the task, class Task(outpace.tasks.spec.Task)",
        ),
        ("statement.md", "task.toml: no statement: write statement.md beside task.toml, or a key 'statement'"),
    ],
)
def test_a_missing_file(metric: Path, file: str, said: str) -> None:
    (metric / file).unlink()
    assert refusal(metric).startswith(said)


def test_several_mistakes_are_counted(metric: Path, edit: Edit) -> None:
    edit(metric / "task.toml", 'direction = "minimise"', 'direction = "min"')
    (metric / "task.py").unlink()
    assert refusal(metric).endswith(f"(and 1 more: outpace task check {metric})")


def test_an_empty_statement(metric: Path) -> None:
    (metric / "statement.md").write_text(" \n")
    assert refusal(metric).startswith("statement.md: is empty; expected what the program is to do")


def test_a_program_without_markers(metric: Path) -> None:
    (metric / "program.py").write_text("def order(): ...\n")
    said = "program.py: no evolve block; put # EVOLVE-BLOCK-START and # EVOLVE-BLOCK-END around what may be changed"
    assert refusal(metric) == said


def test_a_block_that_never_ends(metric: Path, edit: Edit) -> None:
    edit(metric / "program.py", "# EVOLVE-BLOCK-END\n", "")
    assert refusal(metric).startswith("program.py:9: EVOLVE-BLOCK-START without a EVOLVE-BLOCK-END after it")


def test_a_program_that_is_no_python(metric: Path, edit: Edit) -> None:
    line = edit(metric / "program.py", "    return -due_dates", "    return -(due_dates")
    assert refusal(metric) == f"program.py:{line}: not valid Python: '(' was never closed"


def test_an_entry_that_is_not_there(metric: Path, edit: Edit) -> None:
    edit(metric / "task.toml", 'entry = "order" ', 'entry = "sort" ')
    said = "program.py: no function 'sort' (the entry that task.toml names); functions there: priority, order"
    assert refusal(metric) == said


@pytest.mark.parametrize("text", ["from math import sqrt as order", "if True:\n    def order(): ...", "order = max"])
def test_an_entry_may_be_bound_in_any_way(metric: Path, text: str) -> None:
    (metric / "program.py").write_text(f"# EVOLVE-BLOCK-START\n{text}\n# EVOLVE-BLOCK-END\n")
    assert folder.load(metric).spec.entry == "order"


def test_a_driver_without_run(metric: Path) -> None:
    (metric / "driver.py").write_text("def go(entry): ...\n")
    assert refusal(metric).startswith(
        "driver.py: no function 'run' (the driver's run(entry, **problem)); functions there: go"
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1\ny = x / 0\n", "task.py:2: cannot be imported: ZeroDivisionError: division by zero"),
        ("import nothing_of_that_name\n", "task.py:1: cannot be imported: ModuleNotFoundError: No module named"),
        ("def (:\n", "task.py:1: cannot be imported: SyntaxError: invalid syntax"),
        ("import sys\nsys.exit(3)\n", "task.py:2: cannot be imported: SystemExit: 3"),
        ("x = 1\n", "task.py: defines no Task; expected class Task(spec.Task), with spec from outpace.tasks"),
        ("class Task: ...\n", "task.py: defines no Task; expected class Task(spec.Task)"),
        ("from outpace.tasks.spec import Task\n", "task.py: defines no Task; expected class Task(spec.Task)"),
    ],
)
def test_a_broken_trusted_half(metric: Path, text: str, said: str) -> None:
    before = set(sys.modules)
    (metric / "task.py").write_text(text)
    assert refusal(metric).startswith(said)
    left = [name for name in set(sys.modules) - before if name.startswith("_outpace_task")]
    assert not left or "defines no Task" in said


def test_two_folders_do_not_share_modules(metric: Path, speedup: Path) -> None:
    before = set(sys.modules)
    first, second = folder.load(metric), folder.load(speedup)
    assert type(first).__module__ != type(second).__module__
    assert "task" not in set(sys.modules) - before
    assert sys.modules[type(first).__module__].__file__ == str(metric / "task.py")


def test_an_edit_is_seen_at_once(metric: Path, edit: Edit) -> None:
    first = folder.load(metric)
    edit(metric / "task.py", "uniform(0.1, 0.7", "uniform(0.1, 0.8")  # same size, same second
    second = folder.load(metric)
    assert first.fingerprint != second.fingerprint
    case = first.spec.cases[0]
    assert list(first.generate(case, 1)["due_dates"]) != list(second.generate(case, 1)["due_dates"])
    assert not (metric / "__pycache__").exists()


def test_the_trusted_half_may_have_neighbours(metric: Path, edit: Edit) -> None:
    (metric / "law.py").write_text("LATEST = 0.9\n")
    edit(metric / "task.py", "import numpy as np\n", "import numpy as np\n\nfrom .law import LATEST\n")
    edit(metric / "task.py", "uniform(0.1, 0.7", "uniform(0.1, LATEST")
    assert folder.load(metric).generate(folder.read_spec(metric).cases[0], 1)


def test_the_fingerprint_covers_what_matters_and_nothing_else(metric: Path) -> None:
    before = folder.fingerprint(metric)
    for file in (".hidden", "task.py~", "x.pyc"):
        (metric / file).write_text("x")
    (metric / "__pycache__").mkdir(exist_ok=True)
    (metric / "__pycache__" / "y.py").write_text("x")
    assert folder.fingerprint(metric) == before
    (metric / "data.csv").write_text("1,2\n")
    with_data = folder.fingerprint(metric)
    assert with_data != before
    (metric / "data.csv").rename(metric / "other.csv")
    assert folder.fingerprint(metric) not in (before, with_data)


def test_a_folder_full_of_other_things(metric: Path) -> None:
    for number in range(1001):
        (metric / f"{number}.txt").write_text("")
    assert "expected at most 1000: keep a task in a folder of its own" in refusal(metric)


def test_reading_the_facts_imports_nothing(metric: Path) -> None:
    (metric / "task.py").write_text("raise SystemExit('imported')\n")
    assert folder.read_spec(metric).name == "jobs"
