"""Rewrites of single expressions and functions."""

from collections.abc import Sequence

import libcst as cst

from outpace.agent.proposers.operators.rewrites.compiled import compiled
from outpace.agent.proposers.operators.rewrites.edits import disjoint, simple
from outpace.agent.proposers.operators.scope import all_names, fresh, module_alias
from outpace.agent.proposers.operators.source import Edit, Source, walk


def conditionals(source: Source, entry: str) -> Sequence[Edit]:
    """Put conditional expressions in place of ``min`` and ``max`` of two or three simple arguments."""
    edits = []
    for function in source.functions():
        for node in walk(function.body):
            if not isinstance(node, cst.Call) or source.code(node.func) not in ("min", "max"):
                continue
            plain = all(
                argument.keyword is None and not argument.star and simple(argument.value) for argument in node.args
            )
            if plain and 2 <= len(node.args) <= 3:
                operator = "<=" if source.code(node.func) == "min" else ">="
                text = _chosen([source.code(argument.value) for argument in node.args], operator)
                edits.append(source.replace(node, f"({text})"))
    return disjoint(edits)


def _chosen(values: list[str], operator: str) -> str:
    """Return the expression for the first of ``values`` that no other beats."""
    head, *rest = values
    if not rest:
        return head
    wins = " and ".join(f"{head} {operator} {other}" for other in rest)
    others = _chosen(rest, operator)
    return f"{head} if {wins} else {others if len(rest) == 1 else f'({others})'}"


def powers(source: Source, entry: str) -> Sequence[Edit]:
    """Put products in place of squares and cubes, and roots in place of the power 0.5."""
    math, imports = _roots(source)
    edits, rooted = [], False
    for function in source.functions():
        for node in walk(function.body):
            if not isinstance(node, cst.BinaryOperation) or not isinstance(node.operator, cst.Power):
                continue
            base, exponent = source.code(node.left), source.code(node.right)
            if exponent in ("2", "2.0", "3", "3.0") and simple(node.left):
                edits.append(source.replace(node, f"({' * '.join([base] * int(float(exponent)))})"))
            elif exponent == "0.5":
                edits.append(source.replace(node, f"{math}.sqrt({base})"))
                rooted = True
    found = disjoint(edits)
    return [*([source.top(imports)] if rooted and imports and found else []), *found]


def _roots(source: Source) -> tuple[str, list[str]]:
    """Return the module to take roots from: numpy where the program uses it, since operands may be arrays."""
    for module in ("numpy", "math"):
        if alias := module_alias(source, module):
            return alias, []
    return "math", ["import math"]


def local_names(source: Source, entry: str) -> Sequence[Edit]:
    """Bind functions of modules that loops call to local names, at the head of the function."""
    modules = [alias for name in ("math", "numpy") if (alias := module_alias(source, name))]
    taken = all_names(source)
    edits: list[Edit] = []
    for function in source.functions():
        if compiled(function) or not isinstance(function.body, cst.IndentedBlock):
            continue
        found: dict[str, list[cst.Attribute]] = {}
        for node in walk(function.body):
            if (
                isinstance(node, cst.Attribute)
                and source.code(node.value) in modules
                and _in_loop(source, node, function)
            ):
                found.setdefault(source.code(node), []).append(node)
        if not found:
            continue
        names = {code: fresh(code.rpartition(".")[2], taken) for code in found}
        edits += [source.replace(node, names[code]) for code, nodes in found.items() for node in nodes]
        edits.append(source.before(_first(function), [f"{name} = {code}" for code, name in names.items()]))
    return edits


def _first(function: cst.FunctionDef) -> cst.CSTNode:
    """Return the first statement after the docstring."""
    body = list(function.body.body)
    first = body[0]
    documented = (
        isinstance(first, cst.SimpleStatementLine)
        and isinstance(first.body[0], cst.Expr)
        and isinstance(first.body[0].value, cst.SimpleString)
    )
    return body[1] if documented and len(body) > 1 else first


def _in_loop(source: Source, node: cst.CSTNode, function: cst.FunctionDef) -> bool:
    for above in source.ancestors(node):
        if above is function:
            return False
        if isinstance(above, cst.For | cst.While | cst.BaseComp):
            return True
        if isinstance(above, cst.FunctionDef | cst.Lambda):
            return False
    return False


def memoise(source: Source, entry: str) -> Sequence[Edit]:
    """Remember the answers of functions that call themselves, the entry left out: it must work anew each time."""
    top = set(map(id, source.module.body))
    found = [
        function
        for function in source.functions()
        if id(function) in top
        and function.name.value != entry
        and not function.decorators
        and any(
            isinstance(node, cst.Call) and source.code(node.func) == function.name.value for node in walk(function.body)
        )
    ]
    if not found:
        return []
    edits = [source.before(function, ["@functools.lru_cache(maxsize=None)"]) for function in found]
    return edits if module_alias(source, "functools") else [source.top(["import functools"]), *edits]
