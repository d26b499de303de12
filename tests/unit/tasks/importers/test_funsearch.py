"""Files of FunSearch: look-alikes of our own, from import to leaderboard, and what is refused."""

import json
from pathlib import Path

import pytest

from outpace.errors import OutpaceError, TaskError
from outpace.tasks.candidate import blocks
from outpace.tasks.importers import funsearch, source
from tests.unit.tasks.importers.originals import invoke, judged, loaded

SUMS = '''"""Finds large sets without three terms in a row."""

from __future__ import annotations

import itertools

STEP = 1


@funsearch.run
def evaluate(n: int) -> int:
    """Return the size of the set."""
    chosen: list[int] = []
    for one in sorted(range(0, n, STEP), key=lambda one: -priority(one, n)):
        if all(2 * b != a + c for a, b, c in itertools.permutations([*chosen, one], 3)):
            chosen.append(one)
    return len(chosen)


@funsearch.evolve
def priority(one: int, n: int) -> float:
    """Return how soon a number is tried."""
    return 0.0


def after() -> int:
    return 1
'''


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def sums(tmp_path: Path) -> Path:
    return written(tmp_path / "specs" / "sums.py", SUMS, [5, 9])


def written(path: Path, text: str, inputs: object = None) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    if inputs is not None:
        path.with_suffix(".inputs.json").write_text(json.dumps(inputs))
    return path


def test_the_score_is_the_mean_over_the_inputs(sums: Path) -> None:
    task = loaded(f"funsearch:{sums}")
    assert (task.spec.goal.direction, task.spec.goal.self_reported, task.spec.name) == ("maximise", True, "sums")
    assert [(case.name, case.params) for case in task.spec.cases] == [
        ("input_5", {"input": 5}),
        ("input_9", {"input": 9}),
    ]
    for part in (
        "Finds large sets",
        "`def priority(one: int, n: int) -> float`",
        "Return how soon",
        "higher is better",
    ):
        assert part in task.spec.statement
    found = judged(task)
    assert (found.status, found.score) == ("ok", 4.0)
    assert "Case 'input_9': 4" in found.feedback


def test_the_function_that_evolves_is_alone_in_the_block(sums: Path) -> None:
    text = funsearch.files(source.parsed(f"funsearch:{sums}"))["program.py"].decode()
    (block,) = blocks(text)
    assert block.text.strip() == SUMS[SUMS.index("@funsearch.evolve") : SUMS.index("def after")].strip()
    head = text.partition("import itertools")[0]
    assert head.strip().endswith("from __future__ import annotations\nimport funsearch")
    rest = text.replace("import funsearch\n", "", 1)
    assert [line for line in rest.splitlines() if "EVOLVE-BLOCK" not in line] == SUMS.splitlines()


def test_marks_may_be_comments_as_in_the_notebooks(tmp_path: Path) -> None:
    text = SUMS.replace("@funsearch", "# @funsearch")
    made = funsearch.files(source.parsed(f"funsearch:{written(tmp_path / 'a' / 'b.py', text)}?inputs=[5]"))
    program = made["program.py"].decode()
    assert "import funsearch" not in program
    assert blocks(program)[0].text.strip().startswith("# @funsearch.evolve\ndef priority")


SLOPE = """import numpy as np


@funsearch.run
def evaluate(n: int) -> float:
    return -abs(height(n) - n)


@funsearch.evolve
def height(n: int) -> float:
    slope = 0.5
    return slope * n
"""


@pytest.mark.slow
def test_from_import_to_leaderboard(tmp_path: Path) -> None:
    sums, home = written(tmp_path / "specs" / "sums.py", SLOPE, [5, 9]), tmp_path / "home"
    ran = invoke("run", f"funsearch:{sums}", "--evaluations", "5", "--sandbox", "process", "--home", home)
    assert ran.exit_code == 0, ran.output
    board = invoke("leaderboard", "--home", home)
    assert "sums" in board.output and "self-reported" in board.output
    written(sums.with_name("bare.py"), SUMS)
    listed = invoke("task", "list", f"funsearch:{sums.parent}")
    assert f"funsearch:{sums.parent}/bare.py\nfunsearch:{sums}\n" in listed.output
    checked = invoke("task", "check", "--all", f"funsearch:{sums.parent}", "--sandbox", "process")
    assert checked.exit_code == 1
    assert "sums.py: usable" in checked.output and "bare.inputs.json beside it" in checked.output
    assert invoke("task", "import", f"funsearch:{sums}", tmp_path / "own").exit_code == 0
    own = invoke("task", "check", tmp_path / "own", "--sandbox", "process")
    assert own.exit_code == 0, own.output


@pytest.mark.slow
def test_an_input_that_fails_fails_the_program_and_says_why(sums: Path) -> None:
    task = loaded(f"funsearch:{sums}")
    start = task.start.program
    for body, status, said in (
        ("return None", "crashed", "TypeError"),
        ("return 1 / (9 - n)", "crashed", "ZeroDivisionError"),
        ("return undefined", "crashed", "NameError"),
    ):
        found = judged(task, start.replace("return 0.0", body))
        assert (found.status, found.score) == (status, None)
        assert said in found.feedback
    for answer, said in (
        ("'4'", "evaluate returned a str, expected an int or a float"),
        ("None", "evaluate returned a NoneType"),
        ("float('inf')", "evaluate returned inf, expected a finite number"),
        ("__import__('numpy').int64(4)", "evaluate returned a numpy.int64"),
    ):
        found = judged(task, start.replace("return len(chosen)", f"return {answer}"))
        assert (found.status, found.score) == ("wrong", None)
        assert said in found.feedback


@pytest.mark.slow
def test_the_items_of_an_input_are_arguments_where_there_are_several(tmp_path: Path) -> None:
    text = SUMS.replace("def evaluate(n: int)", "def evaluate(n: int, least: int, most: int = 99)")
    path = written(tmp_path / "a" / "pairs.py", text)
    task = loaded(f"funsearch:{path}?inputs=[[5,1],[9,2]]&wall_s=5")
    assert [case.name for case in task.spec.cases] == ["input_5_1", "input_9_2"]
    assert task.spec.limits.wall_s == 5.0
    assert judged(task).score == 4.0
    with pytest.raises(TaskError, match=r"evaluate takes 2 arguments; got the input 5, expected a list of 2"):
        loaded(f"funsearch:{path}?inputs=[5]")


@pytest.mark.slow
def test_inputs_may_be_tables_of_lists(tmp_path: Path) -> None:
    text = "@funsearch.run\ndef total(given):\n    return sum(map(weigh, given['items'])) / given['share']\n\n\n"
    text += "@funsearch.evolve\ndef weigh(item):\n    return item\n"
    path = written(tmp_path / "a" / "tables.py", text, [{"items": list(range(40)), "share": 2.5, "name": "ä"}])
    task = loaded(f"funsearch:{path}")
    assert [case.name for case in task.spec.cases] == ["input_1"]
    assert judged(task).score == pytest.approx(312.0)


def test_what_is_no_such_file_is_refused_in_one_line(tmp_path: Path) -> None:
    plain, twice = SUMS.replace("@funsearch.evolve\n", ""), SUMS.replace("def after", "@funsearch.evolve\ndef after")
    for name, text, options, said in (
        ("plain", plain, "", "marks no function with @funsearch.evolve at the top level"),
        ("twice", twice, "", "marks 2 functions (priority, after) with @funsearch.evolve"),
        ("broken", "def f(:\n", "", "broken.py:1: not valid Python"),
        ("bare", SUMS, "", "states no inputs for the function marked @funsearch.run; give them with inputs=[...] or"),
        ("wrong", SUMS, "?inputs=5", "Option 'inputs' of funsearch: got '5', expected a JSON list with at least one"),
        ("none", SUMS, '?inputs=[1,{"a":[null]}]', "and no null"),
    ):
        path = written(tmp_path / "a" / f"{name}.py", text)
        with pytest.raises(OutpaceError) as caught:
            loaded(f"funsearch:{path}{options}")
        assert said in str(caught.value) and "\n" not in str(caught.value)
    beside = written(tmp_path / "a" / "beside.py", SUMS, {})
    with pytest.raises(TaskError, match=r"beside.inputs.json: expected a JSON list with at least one input"):
        loaded(f"funsearch:{beside}")
    with pytest.raises(TaskError, match=r"gone.py: no such file; expected a Python file with one function marked"):
        loaded(f"funsearch:{tmp_path / 'gone.py'}")
    with pytest.raises(TaskError, match=r"is a folder; expected a Python file"):
        loaded(f"funsearch:{tmp_path}")
    (tmp_path / "empty").mkdir()
    with pytest.raises(TaskError, match="nothing there or below"):
        funsearch.tasks(tmp_path / "empty")
