"""Which names an expression may use, and which of them look like numbers.

Nothing is executed: what is a number is read off the annotations and off how a name is used in its function.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import libcst as cst

from outpace.agent.proposers.operators.source import Source, walk

SCALARS = {"float", "int", "bool", "complex"}
ARRAYS = {"ndarray", "NDArray", "Array", "ArrayLike"}
REDUCING = {"abs", "min", "max", "sum", "round", "float", "int", "pow"}
"""Built-ins whose arguments are numbers, or hold numbers."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """The numeric names in scope of one expression: ``names`` in order of appearance, and those known to be scalars."""

    names: tuple[str, ...]
    scalars: frozenset[str]


def function_of(source: Source, node: cst.CSTNode) -> cst.FunctionDef | None:
    """Return the innermost function that holds ``node``, if it lies in a block."""
    for above in source.ancestors(node):
        if isinstance(above, cst.FunctionDef):
            return above if source.inside(above) else None
        if isinstance(above, cst.Lambda):
            return None
    return None


def numbers_at(source: Source, node: cst.CSTNode) -> Numbers:
    """Return the names that hold numbers, or arrays of numbers, where the expression ``node`` is evaluated."""
    function = function_of(source, node)
    if function is None:
        return Numbers((), frozenset())
    kinds = dict(_annotated(function))
    used = set(_in_arithmetic(function.body))
    begin = source.span(node)[0]
    found = [name for name in kinds if kinds[name] in ("scalar", "array") or (kinds[name] == "" and name in used)]
    scalars = {name for name in kinds if kinds[name] == "scalar"}
    for target, end, counter in _assigned(source, function, node):
        if end <= begin and target not in found and target in used:
            found.append(target)
            if counter:
                scalars.add(target)
    return Numbers(tuple(dict.fromkeys(found)), frozenset(scalars))


def names_at(source: Source, node: cst.CSTNode) -> set[str]:
    """Return all local names, numeric or not, that are bound where ``node`` is evaluated."""
    function = function_of(source, node)
    if function is None:
        return set()
    begin = source.span(node)[0]
    return {name for name, _ in _annotated(function)} | {
        target for target, end, _ in _assigned(source, function, node) if end <= begin
    }


def all_names(source: Source) -> set[str]:
    """Return every name that the program mentions, so that a new one can be chosen apart from them."""
    names = [node for node in walk(source.module) if isinstance(node, cst.Name)]
    return {node.value for node in names if not _is_attribute(source.parent(node), node)}


def _is_attribute(parent: cst.CSTNode | None, node: cst.Name) -> bool:
    return isinstance(parent, cst.Attribute) and parent.attr is node


def fresh(stem: str, taken: set[str]) -> str:
    """Return ``stem``, or ``stem_2``, ``stem_3`` …, whichever is not in ``taken``, and add it there."""
    name, number = stem, 1
    while name in taken:
        number += 1
        name = f"{stem}_{number}"
    taken.add(name)
    return name


def module_alias(source: Source, module: str) -> str | None:
    """Return the name under which the program imports ``module`` as a whole, None where it does not."""
    for node in source.module.body:
        if isinstance(node, cst.SimpleStatementLine):
            for small in node.body:
                if isinstance(small, cst.Import):
                    for alias in small.names:
                        if alias.evaluated_name == module:
                            return alias.evaluated_alias or module
    return None


def _annotated(function: cst.FunctionDef) -> Iterator[tuple[str, str]]:
    parameters = function.params
    for parameter in (*parameters.posonly_params, *parameters.params, *parameters.kwonly_params):
        yield parameter.name.value, _kind(parameter.annotation)


def _kind(annotation: cst.Annotation | None) -> str:
    """Return ``scalar``, ``array``, ``other``, or nothing for a parameter without annotation."""
    if annotation is None:
        return ""
    words = {node.value for node in walk(annotation.annotation) if isinstance(node, cst.Name)}
    if words & ARRAYS:
        return "array"
    return "scalar" if words and words <= SCALARS | {"np", "numpy", "float64", "int64"} else "other"


def _in_arithmetic(node: cst.CSTNode) -> Iterator[str]:
    """Yield the names that are operands of arithmetic, of an order comparison, or of a numeric built-in."""
    for found in walk(node):
        operands: list[cst.CSTNode] = []
        if isinstance(found, cst.BinaryOperation):
            operands = [found.left, found.right]
        elif isinstance(found, cst.AugAssign):
            operands = [found.target, found.value]
        elif isinstance(found, cst.UnaryOperation) and not isinstance(found.operator, cst.Not):
            operands = [found.expression]
        elif isinstance(found, cst.Comparison):
            orders = (cst.LessThan, cst.GreaterThan, cst.LessThanEqual, cst.GreaterThanEqual)
            if any(isinstance(part.operator, orders) for part in found.comparisons):
                operands = [found.left, *(part.comparator for part in found.comparisons)]
        elif isinstance(found, cst.Call) and isinstance(found.func, cst.Name) and found.func.value in REDUCING:
            operands = [argument.value for argument in found.args]
        elif isinstance(found, cst.Assign) and isinstance(found.value, cst.Integer | cst.Float | cst.BinaryOperation):
            operands = [target.target for target in found.targets]
        yield from (operand.value for operand in operands if isinstance(operand, cst.Name))


def _assigned(source: Source, function: cst.FunctionDef, node: cst.CSTNode) -> Iterator[tuple[str, int, bool]]:
    """Yield local names with the byte where their binding ends, and whether they count a ``range`` (so are scalars).

    A name bound in a branch or loop counts only where that branch or loop holds ``node``: elsewhere it may be unbound.
    """
    above = {id(one) for one in source.ancestors(node)}
    for found in _own(function.body):
        if not _sure(source, found, function, above):
            continue
        if isinstance(found, cst.Assign):
            for target in found.targets:
                for name in _targets(target.target):
                    yield name, source.span(found)[1], isinstance(found.value, cst.Integer | cst.Float)
        elif isinstance(found, cst.AnnAssign) and found.value is not None and isinstance(found.target, cst.Name):
            yield found.target.value, source.span(found)[1], False
        elif isinstance(found, cst.For) and id(found.body) in above:
            counts = isinstance(found.iter, cst.Call) and isinstance(found.iter.func, cst.Name)
            ranged = counts and source.code(found.iter).startswith("range(")
            for name in _targets(found.target):
                yield name, source.span(found.iter)[1], ranged


def _sure(source: Source, found: cst.CSTNode, function: cst.FunctionDef, above: set[int]) -> bool:
    """Return whether ``found`` has been executed by the time the node whose ancestors are ``above`` is."""
    for one in source.ancestors(found):
        if one is function.body:
            return True
        if isinstance(one, cst.IndentedBlock) and id(one) not in above:
            return False
    return True


def _own(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """Yield what is below ``node``, leaving out inner functions, classes, lambdas and comprehensions."""
    for child in node.children:
        if isinstance(child, cst.FunctionDef | cst.ClassDef | cst.Lambda | cst.BaseComp):
            continue
        yield child
        yield from _own(child)


def _targets(target: cst.CSTNode) -> Iterator[str]:
    if isinstance(target, cst.Name):
        yield target.value
    elif isinstance(target, cst.Tuple | cst.List):
        for element in target.elements:
            yield from _targets(element.value)
