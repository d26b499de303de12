"""EoH (Liu et al. 2024, ICML, arXiv:2401.02051): a problem class whose objective is to be minimised.

``class P(BaseProblem)`` states ``template_program``, ``task_description`` and ``evaluate_program(program_str,
callable_func)``. The layout of version 0.1 has no base class and no template: ``prob.py`` with ``evaluate(code)``, and
``prompts.py`` with getters; there the first program is an option. All judging is the original's, self-reported.
"""

import ast
from pathlib import Path

from outpace.errors import TaskError
from outpace.tasks.folder import bound_names
from outpace.tasks.importers import classes, writing
from outpace.tasks.importers.classes import Description, Format, Problem, Program
from outpace.tasks.importers.source import Files, Source

OPTIONS = {
    "arguments": classes.ARGUMENTS,
    "start": "the file of the first program, in place of the template; needed where the problem has none",
    "wall_s": classes.WALL_S,
}
_BASE, _PROMPTS = "BaseProblem", "prompts.py"


def _classes(file: Path) -> list[str]:
    """Return the problem classes of a file; of the first layout the one with ``evaluate`` beside ``prompts.py``."""
    found = classes.derived(file, _BASE)
    if found or file.name == _PROMPTS or not (file.parent / _PROMPTS).is_file():
        return found
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError):
        return []
    judges = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    return [node.name for node in judges if "evaluate" in _methods(node) and "__init__" in _methods(node)]


def _methods(node: ast.ClassDef) -> set[str]:
    return {one.name for one in node.body if isinstance(one, ast.FunctionDef)}


EOH = Format(
    name="eoh",
    title="EoH",
    expected="a Python file with a problem of EoH, class P(BaseProblem) with template_program and evaluate_program",
    classes=_classes,
    standin={
        "eoh/__init__.py": b'"""Stands in for the package."""\n\nfrom eoh.problem import BaseProblem as BaseProblem\n',
        "eoh/problem.py": (writing.INSIDE / "eoh" / "problem.py").read_bytes(),
    },
    package="eoh",
    goal="objective",
    direction="minimise",
    paper="Liu et al. 2024, Evolution of Heuristics, arXiv:2401.02051",
)


def tasks(path: Path) -> list[str]:
    """Return the problems below a folder, or of a file."""
    return classes.listed(path, EOH)


def files(source: Source) -> Files:
    """Return the task folder of one problem."""
    file, name = classes.chosen(source.path, EOH)
    kept = classes.gathered(file, file.parent, EOH.package)
    problem = Problem(file, name, file.stem, kept, several=len(_classes(file)) > 1)
    found = classes.described(problem, source, EOH)
    return classes.folder(source, EOH, problem, found, _program(problem, found, source))


def _program(problem: Problem, found: Description, source: Source) -> Program:
    """Return the first program; raises ``TaskError`` where there is none."""
    what = f"{problem.file}: {problem.name}"
    given = source.option("start", "")
    text = writing.parsed(Path(given).expanduser(), "the first program")[0] if given else found.template
    if not text and found.prompts:
        call = f"def {found.prompts.get('func_name', '')}({', '.join(found.prompts.get('func_inputs', []))})"
        raise TaskError(f"{what} states no first program; write one with {call} and give it with start=FILE")
    remarks = [str(found.prompts[key]) for key in ("task", "inout_inf", "other_inf") if key in found.prompts]
    return Program(_with_numpy(text, what), classes.entry(found.template or text, what), remarks=remarks)


def _with_numpy(text: str, what: str) -> str:
    """Return a program with numpy as ``np`` where it uses that name without defining it: EoH gives it to every one."""
    classes.entry(text, what)
    tree = ast.parse(text)
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return text if "np" in bound_names(tree) or "np" not in used else f"import numpy as np\n\n\n{text.strip()}\n"
