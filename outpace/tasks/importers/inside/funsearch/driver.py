"""Calls the function marked ``@funsearch.run`` with one input, and reports the score that it returns."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import opened  # type: ignore[import-not-found]  # it lies beside the program in the sandbox
import told


def run(path: str, params: dict[str, Any]) -> dict[str, Any]:
    """Return the report on the program at ``path`` for ``params["input"]``; every input has a process of its own."""
    settings = json.loads((told.prepare() / "settings.json").read_text())
    report: dict[str, Any] = told.alone(lambda: judged(settings, params["input"], path))
    return report


def judged(settings: dict[str, Any], given: Any, path: str) -> dict[str, Any]:
    """Run the program, then its function; ``spread``: the items of an input are one argument each."""
    module = opened.namespace(path, compile(Path(path).read_text(encoding="utf-8"), path, "exec"))
    function = opened.entry_of(module, settings["run"])
    score = function(*given) if settings["spread"] else function(given)
    report: dict[str, Any]
    if not isinstance(score, int | float):
        kind = f"{type(score).__module__}.{type(score).__name__}".removeprefix("builtins.")
        report = told.report(None, text=f"{settings['run']} returned a {kind}, expected an int or a float")
    else:
        report = told.report(score)
        if report["score"] is None:
            report["text"] = f"{settings['run']} returned {score}, expected a finite number"
    return report
