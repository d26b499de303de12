"""Tasks of ShinkaEvolve: ``initial.*``, ``evaluate.py``, and ``shinka*.yaml`` or ``run_evo.py`` with what models hear.

https://github.com/SakanaAI/ShinkaEvolve; the format is told in docs/how-to/openevolve-and-shinka.md.
"""

import ast
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from outpace.errors import TaskError
from outpace.tasks.importers import beside, writing
from outpace.tasks.importers.source import Files, Source

OPTIONS = {
    "config": "name of the settings in the folder (default shinka.yaml, else the first shinka*.yaml)",
    "evaluator": "name of the evaluator in the folder (default evaluate.py)",
    "program": "name of the program to begin with (default initial.py, or with another suffix)",
    **beside.OPTIONS,
}
EVALUATOR, PROGRAM, RUNNER, SETTINGS = "evaluate.py", "initial", "run_evo.py", "shinka*.y*ml"
USED = ("evo_config.num_generations", "evo_config.task_sys_msg", "job_config.extra_cmd_args", "job_config.time")
WALL_S = 300.0
"""For one evaluation; ShinkaEvolve itself has no limit unless ``time`` of its job gives one."""
SCORE = (
    "The score is `combined_score` of the `metrics.json` that it writes, if it also writes that the program is correct."
)
_CALLS = {"EvolutionConfig": "evo_config", "LocalJobConfig": "job_config"}


def tasks(path: Path) -> list[str]:
    """Return the folders with an evaluator; see ``source.Importer``."""
    return beside.tasks(path, EVALUATOR, PROGRAM)


def files(source: Source) -> Files:
    """Return the task folder; see ``source.Importer``."""
    evaluator = source.path / source.option("evaluator", EVALUATOR)
    writing.parsed(evaluator, "the evaluator of ShinkaEvolve, which takes --program_path and --results_dir")
    table, notes = _settings(source)
    evolution, job = table["evo_config"], table["job_config"]
    arguments = _arguments(evaluator, job.get("extra_cmd_args"))
    generations = evolution.get("num_generations")
    prompt = evolution.get("task_sys_msg")
    empty = b'"""Stands in for ShinkaEvolve: core.run_shinka_eval, and nothing else."""\n'
    core = writing.inside("shinka/core.py")["core.py"]
    original = beside.Original(
        tool="ShinkaEvolve",
        package="shinka",
        program=beside.program_of(source, PROGRAM),
        evaluator=evaluator,
        driver="shinka/driver.py",
        stand_ins={
            "shinka/__init__.py": empty,
            "shinka/core/__init__.py": b"from .wrap_eval import load_program, run_shinka_eval, save_json_results\n",
            "shinka/core/wrap_eval.py": core,
        },
        modules=("shinka.core", "shinka.core.wrap_eval"),
        prompt=prompt if isinstance(prompt, str) else "",
        score=SCORE,
        settings=(SETTINGS, RUNNER),
        params={"arguments": arguments} if arguments else {},
        wall_s=_seconds(evaluator.with_name(RUNNER), job.get("time")),
        evaluations=generations if type(generations) is int and generations > 0 else None,
        notes=notes,
    )
    return beside.folder_files(source, original)


def _settings(source: Source) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """Return what ``run_evo.py`` and the YAML say, by section; the program wins, for it is what runs."""
    notes: list[str] = []
    there = sorted(path.name for path in source.path.glob(SETTINGS))
    name = source.option("config", "shinka.yaml" if "shinka.yaml" in there or not there else there[0])
    table: dict[str, Any] = {}
    if "config" in source.options or there:
        table = beside.settings(source.path / name)
        notes = beside.used_and_not(table, USED, name)
        if len(there) > 1 and "config" not in source.options:
            others = ", ".join(one for one in there if one != name)
            notes.insert(0, f"settings: {name}; there are also {others} (?config=NAME)")
    runner = source.path / RUNNER
    told = _of_runner(writing.parsed(runner, "the program that starts ShinkaEvolve")[1]) if runner.exists() else {}
    notes += beside.used_and_not(told, USED, RUNNER)
    sections = {}
    for section in _CALLS.values():
        given = table.get(section) or {}
        if not isinstance(given, dict):
            raise TaskError(f"{source.path / name}: {section}: got {given!r:.60}, expected a table")
        sections[section] = {**given, **told.get(section, {})}
    return sections, notes


def _of_runner(tree: ast.Module) -> dict[str, dict[str, Any]]:
    """Return what a program gives to ShinkaEvolve's settings where it stands there as a constant; it is not run."""
    constants: dict[str, Any] = {}
    found: dict[str, dict[str, Any]] = {section: {} for section in _CALLS.values()}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            value = _constant(node.value, constants)
            if value is not None:
                constants[node.targets[0].id] = value
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _CALLS:
            pairs = [(keyword.arg, keyword.value) for keyword in node.keywords if keyword.arg]
            section = _CALLS[node.func.id]
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript):
            key = node.targets[0].slice
            pairs = [(key.value, node.value)] if isinstance(key, ast.Constant) and isinstance(key.value, str) else []
            section = "evo_config"
        else:
            continue
        for name, given in pairs:
            value = _constant(given, constants)
            if value is not None and (isinstance(node, ast.Call) or f"{section}.{name}" in USED):
                found[section][name] = value
    return {section: values for section, values in found.items() if values}


def _constant(node: ast.expr, constants: Mapping[str, Any]) -> Any:
    """Return the value of a constant expression, None for any other: literals, names of such, sums, tidied texts."""
    if isinstance(node, ast.Name):
        return constants.get(node.id)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = _constant(node.left, constants), _constant(node.right, constants)
        return left + right if isinstance(left, str) and isinstance(right, str) else None
    if isinstance(node, ast.Call):
        return _tidied(node, constants)
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None


def _tidied(node: ast.Call, constants: Mapping[str, Any]) -> str | None:
    """Return the text of ``text.strip()`` or ``dedent(text)``, None for any other call."""
    function = node.func
    if isinstance(function, ast.Attribute) and function.attr == "strip" and not node.args:
        inner = _constant(function.value, constants)
        return inner.strip() if isinstance(inner, str) else None
    name = getattr(function, "attr", None) or getattr(function, "id", None)
    inner = _constant(node.args[0], constants) if name in ("dedent", "cleandoc") and node.args else None
    return textwrap.dedent(inner) if isinstance(inner, str) else None


def _arguments(path: Path, given: Any) -> list[str]:
    """Return what follows the two arguments that every evaluator takes."""
    if given is None:
        return []
    if not isinstance(given, dict):
        raise TaskError(f"{path}: extra_cmd_args: got {given!r:.60}, expected a table of arguments by name")
    return [word for name, value in given.items() for word in (f"--{name}", str(value))]


def _seconds(path: Path, given: Any) -> float:
    """Return a time such as ``00:05:00`` in seconds, ``WALL_S`` where there is none."""
    if given is None:
        return WALL_S
    parts = str(given).split(":")
    if not (1 <= len(parts) <= 3 and all(part.isdecimal() for part in parts)) or not any(map(int, parts)):
        raise TaskError(f"{path}: time of the job: got {given!r:.60}, expected hours:minutes:seconds")
    return float(sum(int(part) * 60**place for place, part in enumerate(reversed(parts))))
