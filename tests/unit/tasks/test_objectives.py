"""What may stand beside the score: in task.toml, on the command line, and in what Task.metrics gives."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from outpace.errors import TaskError
from outpace.tasks import check, description, objectives
from outpace.tasks.candidate import Candidate
from outpace.tasks.spec import Case, Goal, Objective, Task, TaskSpec

Edit = Callable[[Path, str, str], int]
METRIC = """\
name = "least"
title = "The least"
entry = "solve"
statement = "Say 42."
[goal]
kind = "metric"
name = "gap"
direction = "minimise"
[[cases]]
name = "only"
[[cases]]
name = "unseen"
split = "heldout"
"""
SPEEDUP = METRIC.replace('kind = "metric"\nname = "gap"\ndirection = "minimise"', 'kind = "speedup"')


def read(folder: Path, text: str) -> tuple[TaskSpec | None, list[str]]:
    (folder / "task.toml").write_text(text)
    spec, findings = description.read(folder, None)
    return spec, [str(finding).removeprefix(f"{folder}/") for finding in findings]


def test_objectives_are_read_in_order(tmp_path: Path) -> None:
    further = [("memory_mb", "minimise"), ("case/only", "minimise"), ("spread", "maximise"), ("cpu_s", "minimise")]
    tables = "".join(f'[[objectives]]\nmetric = "{name}"\ndirection = "{way}"\n' for name, way in further)
    spec, findings = read(tmp_path, METRIC + tables)
    assert findings == []
    assert spec is not None
    assert [(one.metric, one.direction) for one in spec.objectives] == further
    assert [one.rank(2.0) for one in spec.objectives] == [-2.0, -2.0, 2.0, -2.0]
    plain, _ = read(tmp_path, METRIC)
    assert plain is not None
    assert plain.objectives == ()


@pytest.mark.parametrize(
    ("text", "metric", "direction", "found"),
    [
        (METRIC, "score", "minimise", "15: objectives[0].metric: got 'score', the goal itself; it is the first"),
        (METRIC, "case/unseen", "minimise", "15: objectives[0].metric: got 'case/unseen', expected length, memory_mb"),
        (METRIC, "no metric", "minimise", "or a metric that Task.metrics gives"),
        (METRIC, "pairs", "minimise", "got 'pairs', expected length, memory_mb, cpu_s, case/only, or a metric that"),
        (METRIC, "instance/only/1", "minimise", "got 'instance/only/1', expected"),
        (SPEEDUP, "cpu_s", "minimise", "got 'cpu_s', expected length, memory_mb, case/only, or"),
        (METRIC, "length", "min", "16: objectives[0].direction: got 'min', expected 'maximise' or 'minimise'"),
        (METRIC, "", "minimise", "objectives[0].metric: got '', expected a metric beside the score"),
    ],
)
def test_what_cannot_be_an_objective(tmp_path: Path, text: str, metric: str, direction: str, found: str) -> None:
    text = text.replace('kind = "speedup"\n', 'kind = "speedup"\n\n\n')  # the same lines
    table = f'[[objectives]]\nmetric = "{metric}"\ndirection = "{direction}"\n'
    spec, findings = read(tmp_path, text + table)
    assert spec is None
    (said,) = findings
    assert found in said


def test_each_objective_is_named_once(tmp_path: Path) -> None:
    table = '[[objectives]]\nmetric = "length"\ndirection = "minimise"\n'
    _, findings = read(tmp_path, METRIC + table + table.replace("minimise", "maximise"))
    assert findings == [
        "task.toml:18: objectives[1].metric: got 'length', which is an objective already; name each once"
    ]
    _, findings = read(tmp_path, METRIC + "".join(table.replace("length", f"m{number}") for number in range(5)))
    assert "at most 4 [[objectives]] tables" in findings[0]


def test_memory_of_programs_that_start_others_is_unknown() -> None:
    goal = Goal(kind="metric", name="gap", direction="minimise", self_reported=True)
    spec = TaskSpec(name="t", title="", statement="", entry="", goal=goal, cases=(Case(name="a"),))
    assert objectives.measured(spec) == ("length", "cpu_s", "case/a")
    found = objectives.fault(spec, [Objective(metric="memory_mb", direction="minimise")])
    assert found is not None
    assert found[1].startswith("got 'memory_mb', expected length, cpu_s, case/a")


class Giving(Task):
    given: Any = None

    def metrics(self, problem: Any, output: Any) -> Mapping[str, float]:
        return self.given  # type: ignore[no-any-return]


def giving(given: Any) -> Task:
    goal = Goal(kind="metric", name="gap", direction="minimise")
    spec = TaskSpec(name="t", title="", statement="", entry="", goal=goal, cases=(Case(name="a"),))
    task = Giving(spec, Candidate({"program.py": ""}))
    task.given = given
    return task


def test_own_metrics_are_plain_numbers() -> None:
    found = objectives.own(giving({"spread": np.float32(0.5), "bins": np.int64(3), "share": 1}), {}, None)
    assert found == {"spread": 0.5, "bins": 3.0, "share": 1.0}
    assert {type(value) for value in found.values()} == {float}
    assert objectives.own(giving({}), {}, None) == {}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (3.0, "returned a float, expected a dict"),
        ({"two words": 1.0}, "gave the name 'two words', expected an identifier"),
        ({1: 1.0}, "gave the name 1, expected an identifier"),
        ({"length": 1.0}, "gave the name 'length', which is one of ours; taken: champion_failed, cpu_s"),
        ({"load": 1.0}, "gave the name 'load', which is one of ours"),
        ({"spread": "1"}, "gave 'spread' as a str, expected a number"),
        ({"spread": True}, "gave 'spread' as a bool, expected a number"),
    ],
)
def test_what_no_answer_can_excuse_is_an_error_of_the_task(given: Any, said: str) -> None:
    with pytest.raises(TaskError, match=r"Task 't': Task\.metrics") as raised:
        objectives.own(giving(given), {}, None)
    assert said in str(raised.value)


def test_a_metric_that_is_no_finite_number_is_none() -> None:
    for value in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match=r"'spread' is (nan|inf), not a finite number"):
            objectives.own(giving({"spread": value}), {}, None)


def test_task_check_tries_the_metrics_of_a_right_answer(metric: Path, edit: Edit) -> None:
    table = '\n[[objectives]]\nmetric = "late"\ndirection = "minimise"\n'
    (metric / "task.toml").write_text((metric / "task.toml").read_text() + table)
    assert any("[[objectives]] names 'late', expected one of case/" in str(one) for one in check.check(metric))
    text = (metric / "task.py").read_text()
    method = "\n    def metrics(self, problem, output):\n        return {'late': %s}\n"
    (metric / "task.py").write_text(text + method % "1.0")
    assert [str(one) for one in check.check(metric)] == []
    (metric / "task.py").write_text(text + method % "1 / 0")
    assert any("metrics raised ZeroDivisionError" in str(one) for one in check.check(metric))
