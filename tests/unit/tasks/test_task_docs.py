"""The pages about tasks say what the program does."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from outpace.tasks import description, new, tables
from outpace.tasks.check import check
from outpace.tasks.folder import load
from outpace.tasks.mutants import CHANGES

DOCS = Path(__file__).resolve().parents[3] / "docs"
TUTORIAL = (DOCS / "tutorials" / "first-task.md").read_text()
REFERENCE = (DOCS / "reference" / "task-format.md").read_text()
NAMED = re.compile(r"^```(?!diff)\w+\n(?:# |<!-- )(triangles/[\w.]+)(?: -->)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_task_of_the_tutorial(tmp_path: Path, solve: Callable[..., Any]) -> None:
    folder = tmp_path / "triangles"
    folder.mkdir()
    for name, text in NAMED.findall(TUTORIAL):
        (tmp_path / name).write_text(text)
    assert {path.name for path in folder.iterdir()} == {"task.toml", "statement.md", "program.py", "task.py"}
    assert [str(finding) for finding in check(folder)] == []
    task = load(folder)
    for case in task.spec.cases:
        problem = task.generate(case, 5)
        task.check(problem, solve(task, problem))


def told(folder: Path) -> list[str]:
    return [str(finding).replace(f"{folder.parent}/", "") for finding in check(folder)]


def test_the_mistakes_of_the_tutorial(tmp_path: Path, edit: Callable[[Path, str, str], int]) -> None:
    folder = new.new(tmp_path / "jobs")
    listed = "Wrote jobs: " + ", ".join(sorted(path.name for path in folder.iterdir()))
    assert listed in TUTORIAL
    edit(folder / "task.toml", 'direction = "minimise"', 'direction = "min"')
    (line,) = told(folder)
    assert line in TUTORIAL
    edit(folder / "task.toml", 'direction = "min"', 'direction = "minimise"')
    text = (folder / "task.py").read_text()
    start = text.index("        if not np.array_equal(")
    (folder / "task.py").write_text(text[:start] + text[text.index("\n\n", start) :])
    found = told(folder)
    assert found[0] in TUTORIAL
    assert f"{len(found) - 1} more" in TUTORIAL


def test_the_score_of_the_tutorial(metric: Path, solve: Callable[..., Any]) -> None:
    task = load(metric)
    case = task.spec.cases[0]
    problems = [task.generate(case, case.seed + number) for number in range(case.instances)]
    mean = sum(task.score(problem, solve(task, problem)) for problem in problems) / len(problems)
    assert f"due first, gets {mean:.2f}" in TUTORIAL


def test_the_reference_lists_every_key_and_no_other() -> None:
    for table, keys in description.keys().items():
        several = {name: f"### [[{name}]]" for name in ("cases", "features", "objectives")}
        title = {"": "### Top level", **several}.get(table, f"### [{table}]")
        section = REFERENCE[REFERENCE.index(title) :].split("\n##")[0]
        assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == list(keys), table


def test_the_reference_states_the_defaults() -> None:
    for key, field in tables.LimitsTable.model_fields.items():
        assert f"| `{key}` | `{field.default}` |" in REFERENCE
    assert f"| `seed` | `{tables.CaseTable.model_fields['seed'].default}` |" in REFERENCE
    assert f"| `evaluations` | `{tables.TaskTable.model_fields['evaluations'].default}` |" in REFERENCE


def test_the_reference_lists_every_change_that_is_tried() -> None:
    section = REFERENCE[REFERENCE.index("### The attack on `check`") :]
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \| ", section, re.MULTILINE)
    assert [name for name, _ in rows] == list(CHANGES)
    assert all(said.startswith(CHANGES[name][1]) for name, said in rows)


def test_the_reference_lists_every_default_of_the_answer() -> None:
    section = REFERENCE[REFERENCE.index("### [answer]") :].split("\n###")[0]
    stated = dict(re.findall(r"^\| `(\w+)` \| (.*?) \| ", section, re.MULTILINE))
    assert stated["finite"] == "`true`"
    assert stated["accepts"] == "`[]`"
    assert {key for key, default in stated.items() if default == "not stated"} == {
        "kind",
        "dtype",
        "shape",
        "tolerance",
    }
