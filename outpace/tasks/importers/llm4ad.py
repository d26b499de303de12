"""LLM4AD (Liu et al. 2024, arXiv:2412.17287): an evaluation class whose score is to be maximised.

``class E(Evaluation)`` gives ``template_program``, ``task_description`` and its settings to ``super().__init__``, and
has ``evaluate_program(program_str, callable_func)``. Several scores are allowed; one of them is searched for, the
others are shown. All judging is the original's, self-reported.
"""

from pathlib import Path

from outpace.tasks.importers import classes, writing
from outpace.tasks.importers.classes import Format, Problem, Program
from outpace.tasks.importers.source import Files, Source

OPTIONS = {
    "arguments": classes.ARGUMENTS,
    "objective": "which of several scores is searched for, counted from 1; default 1",
    "wall_s": classes.WALL_S,
}
_BASE, _PACKAGE = "Evaluation", "llm4ad"
_STANDIN = b'"""Stands in for the package: base, and nothing else."""\n'


def _classes(file: Path) -> list[str]:
    return classes.derived(file, _BASE)


LLM4AD = Format(
    name="llm4ad",
    title="LLM4AD",
    expected="a Python file with an evaluation of LLM4AD, class E(Evaluation) with evaluate_program",
    classes=_classes,
    standin={
        f"{_PACKAGE}/__init__.py": _STANDIN,
        f"{_PACKAGE}/base/__init__.py": (writing.INSIDE / "llm4ad" / "base.py").read_bytes(),
        f"{_PACKAGE}/base/evaluate.py": _STANDIN + b"\nfrom llm4ad.base import Evaluation as Evaluation\n",
    },
    package=_PACKAGE,
    goal="score",
    direction="maximise",
    paper="Liu et al. 2024, LLM4AD, arXiv:2412.17287",
)


def tasks(path: Path) -> list[str]:
    """Return the evaluations below a folder, or of a file."""
    return classes.listed(path, LLM4AD)


def files(source: Source) -> Files:
    """Return the task folder of one evaluation."""
    file, name = classes.chosen(source.path, LLM4AD)
    problem = _problem(file, name)
    found = classes.described(problem, source, LLM4AD)
    objective = source.whole("objective") or 1
    remarks = [f"Of several scores number {objective} counts."] if "objective" in source.options else []
    entry = classes.entry(found.template, f"{file}: {name}")
    program = Program(found.template, entry, {"objective": objective}, remarks)
    return classes.folder(source, LLM4AD, problem, found, program)


def _problem(file: Path, name: str) -> Problem:
    """Return the evaluation with the files that it imports: from its package, or from its own folder."""
    whole = file.resolve()
    root = next((folder.parent for folder in whole.parents if folder.name == _PACKAGE), whole.parent)
    inner = whole.relative_to(root).with_suffix("")
    module = ".".join(inner.parts) if len(inner.parts) > 1 else f"{classes.PLACE}.{inner.name}"
    return Problem(file, name, module, classes.gathered(whole, root, _PACKAGE), several=len(_classes(file)) > 1)
