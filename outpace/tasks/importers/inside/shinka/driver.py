"""Starts the task's own ``evaluate.py`` on the program, as ShinkaEvolve does, and reports what it has written."""

from __future__ import annotations

import json
import runpy
import shutil
import sys
from pathlib import Path
from typing import Any

import told


def run(path: str, params: dict[str, Any]) -> dict[str, Any]:
    """Return the report of ``evaluate.py`` on the program at ``path``.

    ``params``: ``evaluator`` (its file), ``suffix`` of the program's file, ``arguments`` that follow the two which
    every evaluator takes.
    """
    place = told.laid_out()
    folder = place.parent / "generation"
    folder.mkdir()
    program = shutil.copyfile(path, folder / f"main{params['suffix']}")
    results = folder / "results"
    results.mkdir()
    words = ["--program_path", str(program), "--results_dir", str(results), *params.get("arguments", [])]
    report: dict[str, Any] = told.alone(lambda: judged(place / params["evaluator"], words, results))
    return report


def judged(evaluator: Path, words: list[str], results: Path) -> dict[str, Any]:
    """Run the evaluator as a program of its own, and report what lies in ``results`` then.

    An exception counts only where no results were written, as an exit code does.
    """
    sys.argv = [str(evaluator), *words]
    try:
        runpy.run_path(str(evaluator), run_name="__main__")
    except BaseException:
        if not (results / "correct.json").exists():
            raise
    return reported(results)


def reported(results: Path) -> dict[str, Any]:
    """Return the report that ``metrics.json`` and ``correct.json`` make; what is private stays untold."""
    metrics, correct = _read(results / "metrics.json"), _read(results / "correct.json")
    public = metrics.get("public")
    facts = dict(public) if isinstance(public, dict) else {}
    words = {name: value for name, value in facts.items() if isinstance(value, str) or told.number(value) is None}
    if metrics.get("text_feedback"):
        words["feedback"] = metrics["text_feedback"]
    score = told.number(metrics.get("combined_score"))
    if correct.get("correct") is not True:
        refusal = str(correct.get("error") or "") or "correct.json does not say that it is correct"
        return told.report(None, facts, text=f"{refusal}\n{told.prose(words)}".strip())  # type: ignore[no-any-return]
    if score is None:
        given = metrics.get("combined_score")
        refusal = f"combined_score in metrics.json is {given!s:.60}, expected a finite number"
        return told.report(None, facts, text=refusal)  # type: ignore[no-any-return]
    figures = {name: value for name, value in facts.items() if name not in words}
    return told.report(score, figures, text=told.prose(words))  # type: ignore[no-any-return]


def _read(file: Path) -> dict[str, Any]:
    """Return the object in a JSON file; raises ``FileNotFoundError`` or ``ValueError`` in words."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise FileNotFoundError(f"the evaluator wrote no {file.name} into --results_dir") from None
    except ValueError as error:
        raise ValueError(f"the evaluator wrote a {file.name} that is no JSON: {error}") from None
    if not isinstance(found, dict):
        raise ValueError(f"the evaluator wrote a {file.name} that holds a {type(found).__name__}, expected an object")
    return found
