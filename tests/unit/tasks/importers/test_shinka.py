"""Tasks of ShinkaEvolve: from a folder of theirs to a score and a leaderboard."""

import importlib.util
import json
import math
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import outpace
from outpace.agent.models.scripted import ScriptedModel
from outpace.errors import TaskError
from outpace.tasks.importers import writing
from tests.unit.tasks.importers.originals import judged, loaded, printed

PROGRAM = """# EVOLVE-BLOCK-START
def half(x):
    return x / 3
# EVOLVE-BLOCK-END


def run_halves(seed):
    return [half(number) for number in range(seed)]
"""
BETTER = PROGRAM.replace("/ 3", "/ 2.5")
EVALUATOR = '''"""Halves of numbers: the score is what is left of 10 after the errors."""
import argparse
from pathlib import Path

import numbers_to_halve
from shinka.core import run_shinka_eval


def arguments(run):
    return {"seed": numbers_to_halve.COUNTS[run]}


def valid(answer):
    return all(number >= 0 for number in answer), "a half is negative"


def summed(answers):
    errors = [abs(half - number / 2) for answer in answers for number, half in enumerate(answer)]
    return {
        "combined_score": 10 - sum(errors),
        "public": {"largest": max(errors), "runs": len(answers), "hint": "think of two"},
        "private": {"secret": 42},
        "text_feedback": "Too small.",
        "extra_data": {"errors": errors},
    }


def main(program_path, results_dir, scale):
    assert scale == "2" and Path("numbers_to_halve.py").exists()
    run_shinka_eval(program_path, results_dir, "run_halves", 2, arguments, summed, valid, run_workers=WORKERS)
    raise SystemExit(1)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    for name in ("--program_path", "--results_dir", "--scale"):
        parser.add_argument(name)
    main(**vars(parser.parse_args()))
'''.replace("WORKERS", "1")
RUNNER = """from shinka.core import EvolutionConfig, ShinkaEvolveRunner
from shinka.launch import LocalJobConfig
from textwrap import dedent

MESSAGE = dedent('''
    Halve ''' + '''numbers.
    ''')
raise SystemExit("never run by an importer")


def main(config):
    config["evo_config"]["task_sys_msg"] = MESSAGE
    evolution = EvolutionConfig(**config["evo_config"], llm_models=["x"])
    job = LocalJobConfig(eval_program_path="evaluate.py", time="00:01:30", extra_cmd_args={"scale": 2})
    ShinkaEvolveRunner(evo_config=evolution, job_config=job).run()
"""
YAML = "max_evaluation_jobs: 2\nevo_config: {num_generations: 30, task_sys_msg: old words, language: python}\n"


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def halves(tmp_path: Path) -> Path:
    """A checkout with one task."""
    place = tmp_path / "checkout" / "halves"
    place.mkdir(parents=True)
    files = {"initial.py": PROGRAM, "evaluate.py": EVALUATOR, "run_evo.py": RUNNER, "shinka_small.yaml": YAML}
    for name, text in {**files, "numbers_to_halve.py": "COUNTS = (3, 4)\n"}.items():
        (place / name).write_text(text)
    return place


@pytest.fixture
def stand_in() -> ModuleType:
    """Our ``shinka.core``."""
    return _module("shinka_core", "core.py")


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The driver as a module, for its parts."""
    monkeypatch.syspath_prepend(writing.INSIDE)
    return _module("shinka_driver", "driver.py")


def _module(name: str, file: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, writing.INSIDE / "shinka" / file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_settings_are_read_and_no_program_of_theirs_is_run(halves: Path) -> None:
    task = loaded(f"shinka:{halves}")
    assert (task.spec.limits.wall_s, task.spec.evaluations) == (90, 30)
    assert "\n\nHalve numbers.\n\n" in task.spec.statement and "old words" not in task.spec.statement
    assert task.spec.cases[0].params["arguments"] == ["--scale", "2"]
    assert task.spec.goal.self_reported and task.spec.requires == ()
    assert task.spec.sources[1:] == (
        "shinka_small.yaml, used: evo_config.num_generations, evo_config.task_sys_msg",
        "shinka_small.yaml, not used: max_evaluation_jobs; evo_config: language",
        "run_evo.py, used: evo_config.task_sys_msg, job_config.time, job_config.extra_cmd_args",
        "run_evo.py, not used: evo_config: llm_models; job_config: eval_program_path",
    )
    (halves / "run_evo.py").unlink()
    assert "old words" in loaded(f"shinka:{halves}").spec.statement
    (halves / "shinka_large.yaml").write_text("{}")
    assert (
        loaded(f"shinka:{halves}")
        .spec.sources[1]
        .startswith("settings: shinka_large.yaml; there are also shinka_small.yaml")
    )
    assert loaded(f"shinka:{halves}?config=shinka_small.yaml").spec.evaluations == 30


def test_the_evaluators_word_goes_through_and_private_figures_do_not(halves: Path) -> None:
    task = loaded(f"shinka:{halves}")
    found = judged(task)
    assert found.status == "ok" and found.score == pytest.approx(10 - 1.5)
    said = found.feedback.splitlines()[1:]
    assert said == ["| largest: 0.5", "| runs: 2", "| hint: think of two", "| feedback: Too small."]
    wrong = judged(task, PROGRAM.replace("x / 3", "x / 2 - 1"))
    assert (wrong.status, wrong.score) == ("wrong", None)
    assert "refuses the program: Validation failed: a half is negative" in wrong.feedback
    lost = judged(task, PROGRAM.replace("run_halves", "run"))
    assert lost.status == "wrong" and "the program defines no 'run_halves'" in lost.feedback


@pytest.mark.slow
@pytest.mark.parametrize("sandbox", ["process", "zygote", "bubblewrap"])
def test_runs_in_processes_of_their_own(halves: Path, sandbox: str) -> None:
    (halves / "evaluate.py").write_text(EVALUATOR.replace("run_workers=1", "run_workers=2"))
    found = judged(loaded(f"shinka:{halves}"), sandbox=sandbox)
    assert found.status == "ok" and found.score == pytest.approx(8.5), found.feedback


def test_an_evaluator_that_writes_nothing_has_failed(halves: Path) -> None:
    (halves / "evaluate.py").write_text("import sys\nprint(sys.argv)\n")
    found = judged(loaded(f"shinka:{halves}"))
    assert found.status == "crashed"
    assert "FileNotFoundError: the evaluator wrote no metrics.json into --results_dir" in found.feedback
    (halves / "evaluate.py").write_text("raise RuntimeError('no luck')\n")
    found = judged(loaded(f"shinka:{halves}"))
    assert found.status == "crashed"
    assert "task/evaluate.py, line 1, in <module>: raise RuntimeError('no luck')" in found.feedback


@pytest.mark.parametrize(
    ("metrics", "correct", "score", "text"),
    [
        ({"combined_score": 2, "public": {"a": 1}}, {"correct": True}, 2.0, ""),
        ({"combined_score": 2}, {"correct": False, "error": "off by one"}, None, "off by one"),
        ({"combined_score": 2}, {}, None, "correct.json does not say that it is correct"),
        ({"combined_score": 2}, {"correct": 1}, None, "correct.json does not say that it is correct"),
        ({"combined_score": None}, {"correct": True}, None, "combined_score in metrics.json is None, expected a fin"),
        ({"combined_score": math.nan}, {"correct": True}, None, "combined_score in metrics.json is nan, expected a"),
        ({"public": 7}, {"correct": True}, None, "combined_score in metrics.json is None"),
    ],
)
def test_both_files_must_speak_for_a_program(
    driver: ModuleType, tmp_path: Path, metrics: Any, correct: Any, score: float | None, text: str
) -> None:
    (tmp_path / "metrics.json").write_text(json.dumps(metrics))
    (tmp_path / "correct.json").write_text(json.dumps(correct))
    found = driver.reported(tmp_path)
    assert found["score"] == score and found["text"].startswith(text)


def test_files_that_are_no_objects_are_named(driver: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "metrics.json").write_text("[1]")
    with pytest.raises(ValueError, match=r"wrote a metrics\.json that holds a list, expected an object"):
        driver.reported(tmp_path)
    (tmp_path / "metrics.json").write_text("{")
    with pytest.raises(ValueError, match=r"wrote a metrics\.json that is no JSON"):
        driver.reported(tmp_path)


def test_the_stand_in_writes_what_the_original_writes(stand_in: ModuleType, tmp_path: Path) -> None:
    program = tmp_path / "main.py"
    program.write_text("def go(seed):\n    return seed * 2\n")
    results = tmp_path / "results"
    metrics, correct, error = stand_in.run_shinka_eval(str(program), str(results), "go", 3)
    assert (correct, error) == (True, None)
    assert metrics["num_successful_runs"] == 3 and metrics["execution_time_mean"] >= 0
    assert json.loads((results / "correct.json").read_text()) == {"correct": True, "error": None}
    summed = {"combined_score": math.inf, "extra_data": [1]}
    _, correct, error = stand_in.run_shinka_eval(
        str(program), str(results), "go", 1, aggregate_metrics_fn=lambda _: dict(summed), early_stop_method="ci"
    )
    assert (correct, error) == (False, "combined_score is inf")
    metrics, correct, error = stand_in.run_shinka_eval(str(program), str(results), "come", 1)
    assert metrics["combined_score"] == 0.0
    assert error == "AttributeError: the program defines no 'come', which is what gets called"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("evaluate.py", None), r"evaluate\.py: no such file; expected the evaluator of ShinkaEvolve"),
        (
            ("evaluate.py", "from shinka.llm import LLMClient"),
            r"imports shinka\.llm; Outpace stands in for shinka\.core",
        ),
        (("initial.py", None), r"initial\.py: no such file; expected the program that a run of ShinkaEvolve begins"),
        (("shinka_small.yaml", "evo_config: 3"), "evo_config: got 3, expected a table"),
        (("run_evo.py", "LocalJobConfig(time='soon')"), "time of the job: got 'soon', expected hours:minutes:seconds"),
        (("run_evo.py", "LocalJobConfig(extra_cmd_args=[1])"), r"extra_cmd_args: got \[1\], expected a table"),
        (("run_evo.py", "def main(:"), r"run_evo\.py:1: not valid Python"),
    ],
)
def test_what_is_no_such_task_gets_one_clear_line(halves: Path, change: tuple[str, str | None], reason: str) -> None:
    name, text = change
    (halves / name).unlink() if text is None else (halves / name).write_text(text)
    with pytest.raises(TaskError, match=reason) as caught:
        loaded(f"shinka:{halves}")
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_from_import_to_leaderboard(halves: Path, tmp_path: Path) -> None:
    checkout, home, place = f"shinka:{halves.parent}", tmp_path / "home", tmp_path / "mine"
    assert f"{checkout}/halves: usable\n" in printed("task", "check", "--all", checkout)
    assert "run_evo.py, not used" in printed("task", "import", f"{checkout}/halves", place)
    assert "no errors" in printed("task", "check", place)
    said = printed("run", f"{checkout}/halves", "--evaluations", "4", "--seed", "1", "--home", home)
    assert "8.5 (self-reported)" in said or "self-reported" in printed("leaderboard", "--home", home)
    report = outpace.evolve(
        f"{checkout}/halves",
        model=ScriptedModel([f"```python\n{BETTER}```"]),
        edit_modes=("whole",),
        home=home,
        budget=outpace.Budget(evaluations=2),
    )
    assert report.champion is not None and report.champion.train.score == pytest.approx(10 - 0.9)
    assert "9.1 (self-reported)" in printed("leaderboard", "--home", home)
