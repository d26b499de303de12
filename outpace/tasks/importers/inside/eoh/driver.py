"""Has a problem class of EoH judge the program, and reports what it says."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import opened  # type: ignore[import-not-found]  # it lies beside the program in the sandbox
import told


def run(path: str, params: dict[str, Any]) -> dict[str, Any]:
    """Return the report of the problem ``class(**params)`` on the program at ``path``."""
    settings = json.loads((told.prepare() / "settings.json").read_text())
    place = told.laid_out()
    report: dict[str, Any] = told.alone(lambda: judged(place, settings, params, path))
    return report


def judged(place: Path, settings: dict[str, str], params: dict[str, Any], path: str) -> dict[str, Any]:
    """Make the problem first, then run the program, then ask for the objective."""
    problem = opened.made(place, settings["module"], settings["class"], params)
    text = Path(path).read_text(encoding="utf-8")
    if hasattr(problem, "evaluate_program"):
        objective = problem.evaluate_program(text, loaded(problem.template_program, text, path, settings["entry"]))
    else:
        objective = problem.evaluate(text)
    report: dict[str, Any] = told.report(objective)
    if report["score"] is None:
        report["text"] = f"its objective is {objective!s:.60}, expected a finite number"
    return report


def loaded(template: str, text: str, path: str, entry: str) -> Any:
    """Return the function or class of the program; as in EoH it finds numpy and what the template imports."""
    given = ast.parse("import numpy as np")
    given.body += [node for node in ast.parse(template).body if isinstance(node, ast.Import | ast.ImportFrom)]
    module = opened.namespace(path, compile(given, "template", "exec"), compile(text, path, "exec"))
    return opened.entry_of(module, entry)
