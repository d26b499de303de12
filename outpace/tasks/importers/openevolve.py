"""Tasks of OpenEvolve: ``initial_program.*``, ``evaluator.py`` with ``evaluate(path)``, and ``config.yaml``.

https://github.com/algorithmicsuperintelligence/openevolve; the format is told in docs/how-to/openevolve-and-shinka.md.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from outpace.errors import TaskError
from outpace.tasks.folder import bound_names
from outpace.tasks.importers import beside, writing
from outpace.tasks.importers.source import Files, Source

OPTIONS = {
    "config": "name of the settings in the folder (default config.yaml)",
    "evaluator": "name of the evaluator in the folder (default evaluator.py)",
    "program": "name of the program to begin with (default initial_program.py, or with another suffix)",
    **beside.OPTIONS,
}
EVALUATOR, PROGRAM, CONFIG, SETTINGS = "evaluator.py", "initial_program", "config.yaml", "config*.y*ml"
USED = (
    "database.feature_dimensions",
    "evaluator.cascade_evaluation",
    "evaluator.cascade_thresholds",
    "evaluator.timeout",
    "file_suffix",
    "language",
    "llm.system_message",
    "max_iterations",
    "prompt.include_artifacts",
    "prompt.system_message",
    "prompt.template_dir",
)
FEATURES = ("complexity", "diversity")
"""The dimensions of OpenEvolve's map unless its settings name others."""
TIMEOUT_S, THRESHOLDS = 300.0, (0.5, 0.75, 0.9)
"""What OpenEvolve takes where its settings say nothing."""


def tasks(path: Path) -> list[str]:
    """Return the folders with an evaluator; see ``source.Importer``."""
    return beside.tasks(path, EVALUATOR, PROGRAM)


def files(source: Source) -> Files:
    """Return the task folder; see ``source.Importer``."""
    evaluator = source.path / source.option("evaluator", EVALUATOR)
    _, tree = writing.parsed(evaluator, "the evaluator of OpenEvolve, with evaluate(program_path)")
    names = bound_names(tree)
    if "evaluate" not in names:
        raise TaskError(f"{evaluator}: defines no evaluate(program_path), which is what OpenEvolve calls")
    config, table, notes = _config(source)
    said = _Said(config, table)
    stages = 0
    params: dict[str, Any] = {"features": said.names("database", "feature_dimensions", FEATURES)}
    if said.flag("evaluator", "cascade_evaluation", default=True) and "evaluate_stage1" in names:
        stages = sum(f"evaluate_stage{number}" in names for number in (1, 2, 3))
        params["thresholds"] = said.thresholds()
    if not said.flag("prompt", "include_artifacts", default=True):
        params["artifacts"] = False
    original = beside.Original(
        tool="OpenEvolve",
        package="openevolve",
        program=beside.program_of(source, PROGRAM),
        evaluator=evaluator,
        driver="openevolve/driver.py",
        stand_ins={
            "openevolve/__init__.py": b'"""Stands in for OpenEvolve: evaluation_result, and nothing else."""\n',
            **{f"openevolve/{name}": text for name, text in writing.inside("openevolve/evaluation_result.py").items()},
        },
        modules=("openevolve.evaluation_result",),
        prompt=said.prompt(source.path),
        score=_score(stages),
        settings=(SETTINGS,),
        params=params,
        wall_s=said.number("evaluator", "timeout", TIMEOUT_S) * max(1, stages),
        evaluations=said.iterations(),
        notes=notes,
    )
    return beside.folder_files(source, original)


def _score(stages: int) -> str:
    told = "The score is its `combined_score`, or the mean of its figures where it tells none."
    return f"It does so in {stages} stages, and stops where one goes badly. {told}" if stages > 1 else told


def _config(source: Source) -> tuple[Path, dict[str, Any], list[str]]:
    """Return the settings: the file, what it says, and what is to be told of it."""
    there = sorted(path.name for path in source.path.glob(SETTINGS))
    name = source.option("config", CONFIG if CONFIG in there or not there else there[0])
    path = source.path / name
    if not path.exists() and "config" not in source.options:
        return path, {}, ["no config.yaml: the defaults of OpenEvolve"]
    table = beside.settings(path)
    notes = beside.used_and_not(table, USED, name)
    if CONFIG not in there and len(there) > 1 and "config" not in source.options:
        notes.insert(0, f"settings: {name}; there are also {', '.join(there[1:])} (?config=NAME)")
    return path, table, notes


class _Said:
    """Typed looks into settings; each raises ``TaskError`` with what was given and expected."""

    def __init__(self, path: Path, table: Mapping[str, Any]) -> None:
        self.path, self.table = path, table

    def value(self, section: str, key: str) -> Any:
        inner = self.table.get(section) or {}
        if not isinstance(inner, dict):
            raise self._wrong(section, inner, "a table")
        return inner.get(key)

    def flag(self, section: str, key: str, *, default: bool) -> bool:
        given = self.value(section, key)
        if given is None:
            return default
        if not isinstance(given, bool):
            raise self._wrong(f"{section}.{key}", given, "true or false")
        return given

    def number(self, section: str, key: str, default: float) -> float:
        given = self.value(section, key)
        if given is None:
            return default
        if isinstance(given, bool) or not isinstance(given, int | float) or not 0 < given < float("inf"):
            raise self._wrong(f"{section}.{key}", given, "a number above 0")
        return float(given)

    def names(self, section: str, key: str, default: tuple[str, ...]) -> list[str]:
        given = self.value(section, key)
        if given is None:
            return list(default)
        if not isinstance(given, list) or not all(isinstance(name, str) for name in given):
            raise self._wrong(f"{section}.{key}", given, "a list of texts")
        return list(given)

    def thresholds(self) -> list[float]:
        given = self.value("evaluator", "cascade_thresholds")
        if given is None:
            return list(THRESHOLDS)
        numbers = isinstance(given, list) and all(type(value) in (int, float) for value in given)
        if not numbers or not given:
            raise self._wrong("evaluator.cascade_thresholds", given, "a list of numbers, one at least")
        return [float(value) for value in given]

    def iterations(self) -> int | None:
        given = self.table.get("max_iterations")
        if given is None:
            return None
        if type(given) is not int or given < 1:
            raise self._wrong("max_iterations", given, "a whole number from 1 on")
        return min(given, 10_000_000)

    def prompt(self, folder: Path) -> str:
        """Return the system message; one that is the name of a template is read from ``prompt.template_dir``."""
        given = self.value("prompt", "system_message") or self.value("llm", "system_message") or ""
        if not isinstance(given, str):
            raise self._wrong("prompt.system_message", given, "a text")
        templates = self.value("prompt", "template_dir")
        if isinstance(templates, str) and (not given or given.isidentifier()):
            file = folder / templates / f"{given or 'system_message'}.txt"
            return writing.text_of(file, "the system message that prompt.template_dir names") if file.exists() else ""
        return "" if given.isidentifier() else given

    def _wrong(self, key: str, given: Any, expected: str) -> TaskError:
        return TaskError(f"{self.path}: {key}: got {given!r:.60}, expected {expected}")
