"""Has an evaluation class of LLM4AD judge the program, and reports what it says."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import opened  # type: ignore[import-not-found]  # it lies beside the program in the sandbox
import told

DIVISION = "_protected_div"


def run(path: str, params: dict[str, Any]) -> dict[str, Any]:
    """Return the report of the evaluation ``class(**params)`` on the program at ``path``."""
    settings = json.loads((told.prepare() / "settings.json").read_text())
    place = told.laid_out()
    report: dict[str, Any] = told.alone(lambda: judged(place, settings, params, path))
    return report


def judged(place: Path, settings: dict[str, Any], params: dict[str, Any], path: str) -> dict[str, Any]:
    """Make the evaluation first, then run the program as it wants it changed, then ask for the scores."""
    evaluation = opened.made(place, settings["module"], settings["class"], params)
    text = Path(path).read_text(encoding="utf-8")
    tree = changed(ast.parse(text), evaluation, settings["entry"])
    entry = None
    if evaluation.exec_code:
        entry = opened.entry_of(opened.namespace(path, compile(tree, path, "exec")), settings["entry"])
    return scored(evaluation.evaluate_program(ast.unparse(tree), entry), settings["objective"])


def scored(value: Any, objective: int) -> dict[str, Any]:
    """Return the report on one score, or on several of which the one numbered ``objective`` (from 1) counts."""
    several = value.tolist() if hasattr(value, "tolist") else value
    scores = list(several) if isinstance(several, list | tuple) else [several]
    if objective > len(scores):
        return refused(f"it has {len(scores)} objectives, and number {objective} is asked for")
    metrics = {f"objective_{number}": score for number, score in enumerate(scores, 1)} if len(scores) > 1 else {}
    if told.number(scores[objective - 1]) is None:
        return refused(f"its score is {value!s:.60}, expected a finite number")
    report: dict[str, Any] = told.report(scores[objective - 1], metrics)
    return report


def refused(text: str) -> dict[str, Any]:
    """Return the report on a program that has no score."""
    report: dict[str, Any] = told.report(None, text=text)
    return report


def changed(tree: ast.Module, evaluation: Any, entry: str) -> ast.Module:
    """Return a program with what the evaluation asks for: compiled by numba, divisions without zero, a fixed seed."""
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == entry]
    if evaluation.use_numba_accelerate:
        _compiled(tree, functions)
    if evaluation.use_protected_div:
        tree = _Divisions().visit(tree)
        made = ast.parse(f"def {DIVISION}(x, y, delta={evaluation.protected_div_delta!r}):\n    return x / (y + delta)")
        if evaluation.use_numba_accelerate:
            _compiled(made, [node for node in made.body if isinstance(node, ast.FunctionDef)])
        tree.body += made.body
    if evaluation.random_seed is not None:
        for function in functions:
            function.body[:0] = ast.parse(f"np.random.seed({evaluation.random_seed!r})").body
    return ast.fix_missing_locations(tree)


def _compiled(tree: ast.Module, functions: list[ast.FunctionDef]) -> None:
    for function in functions:
        decorator = ast.parse("__import__('numba').jit(nopython=True)", mode="eval").body
        function.decorator_list.append(decorator)


class _Divisions(ast.NodeTransformer):
    """Calls ``DIVISION`` for each ``/``."""

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        """Replace a division, and those inside of it."""
        self.generic_visit(node)
        if not isinstance(node.op, ast.Div):
            return node
        call = ast.Call(func=ast.Name(id=DIVISION, ctx=ast.Load()), args=[node.left, node.right], keywords=[])
        return ast.copy_location(call, node)
