"""What the genetic operators work on: the expressions of the block that may be exchanged, and those to put in."""

from collections.abc import Iterator

import libcst as cst

from outpace.agent.proposers.operators.scope import function_of
from outpace.agent.proposers.operators.source import Source

NUMERIC = (
    cst.BinaryOperation,
    cst.UnaryOperation,
    cst.Comparison,
    cst.Call,
    cst.Float,
    cst.Integer,
    cst.Name,
    cst.Subscript,
    cst.IfExp,
)
_CLOSED = (cst.Annotation, cst.Decorator, cst.Parameters, cst.Import, cst.ImportFrom, cst.BaseString, cst.AssignTarget)


def places(source: Source) -> list[cst.BaseExpression]:
    """Return the expressions of the block's functions that can be replaced by another one of the same kind."""
    found: list[cst.BaseExpression] = []
    for function in source.functions():
        found += [node for node in _open(source, function.body) if function_of(source, node) is function]
    return found


def _open(source: Source, node: cst.CSTNode) -> Iterator[cst.BaseExpression]:
    for child in node.children:
        if isinstance(child, _CLOSED):
            continue
        if isinstance(child, NUMERIC) and _value(source, child):
            yield child
        yield from _open(source, child)


def _value(source: Source, node: cst.BaseExpression) -> bool:
    """Return whether ``node`` is read as a value, and not a target, a called name, an attribute or a slice."""
    parent = source.parent(node)
    if isinstance(parent, cst.AugAssign | cst.AnnAssign | cst.For | cst.NamedExpr | cst.CompFor):
        return parent.target is not node
    if isinstance(parent, cst.Call):
        return parent.func is not node
    if isinstance(parent, cst.Arg):
        return parent.keyword is not node
    if isinstance(parent, cst.Attribute):
        return False
    if isinstance(parent, cst.Subscript):
        return parent.value is not node
    return not isinstance(
        parent, cst.Expr | cst.Global | cst.Nonlocal | cst.NameItem | cst.Del | cst.Element
    ) and not any(isinstance(above, cst.AssignTarget | cst.CompFor | cst.Lambda) for above in source.ancestors(node))


def arithmetic(nodes: list[cst.BaseExpression]) -> list[cst.BaseExpression]:
    """Return those of ``nodes`` that compute something."""
    return [node for node in nodes if isinstance(node, cst.BinaryOperation | cst.UnaryOperation | cst.Call | cst.IfExp)]


def names_in(node: cst.CSTNode) -> set[str]:
    """Return the plain names that an expression mentions, attribute names left out."""
    if isinstance(node, cst.Attribute):
        return names_in(node.value)
    found = {node.value} if isinstance(node, cst.Name) else set()
    for child in node.children:
        found |= names_in(child)
    return found
